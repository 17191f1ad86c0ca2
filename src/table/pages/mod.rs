//! The pages of a Parquet column, read within bounds.
//!
//! The decoders of values are the `parquet` crate's. Its reader of pages is not used: it unpacks as
//! much as a page's data give, and its decoders set aside what headers claim. Here a page has at most
//! so many times the bytes that lie in the file, and what a decoder takes for granted is looked at
//! first.

mod bounded;
mod delta;
mod header;
mod unpack;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnDescPtr;

pub(crate) use bounded::BoundedFile;
use header::{Header, Kind};

/// Unpacked bytes that a page may have however few lie in the file, and however many.
const FREE_BYTES: usize = 64 << 20;
const MAX_PAGE_BYTES: usize = 1 << 30;
/// How many times its packed bytes a larger page may have. Pictures, which make pages large, do not
/// pack.
const MAX_RATIO: usize = 8;
/// Values of one row's list at most.
const MAX_ROW_VALUES: u64 = 1 << 22;
/// Bytes of a page's header at most.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Bytes of a file's footer at most.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// Bytes of all pages together, beside those that the file has for them, at most.
const MAX_HELD_BYTES: u64 = 256 << 20;
/// Bytes that a value of a dictionary takes, and a length that is held for a value.
const DICTIONARY_VALUE: u64 = size_of::<ByteArray>() as u64;
const LENGTHS: u64 = 2 * size_of::<i32>() as u64;

/// What the columns that are read side by side hold.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// Values of lists since a row began.
    row_values: AtomicU64,
    /// Bytes beside those that the file has.
    held: AtomicU64,
}

impl Budget {
    /// A row begins.
    pub fn begin_row(&self) {
        self.row_values.store(0, Ordering::Relaxed);
    }
}

/// The pages of one column of one row group.
struct Pages {
    file: Arc<BoundedFile>,
    column: ColumnDescPtr,
    codec: Compression,
    /// Where the next page starts, and where the last one ends.
    at: u64,
    end: u64,
    /// The next page's header, and where its data start.
    peeked: Option<(Header, u64)>,
    budget: Arc<Budget>,
    /// What the dictionary, and what the last page of data, take of the budget.
    of_dictionary: u64,
    of_data: u64,
}

/// Reads a column of a row group.
///
/// # Errors
/// What is wrong with the column's place in the file.
pub(crate) fn column_reader(
    file: &Arc<BoundedFile>,
    chunk: &ColumnChunkMetaData,
    budget: &Arc<Budget>,
) -> io::Result<ColumnReader> {
    guarded(|| {
        let (at, length) = chunk.byte_range();
        let end = at.checked_add(length).filter(|end| *end <= file.len());
        let pages = Pages {
            file: file.clone(),
            column: chunk.column_descr_ptr(),
            codec: chunk.compression(),
            at,
            end: end.ok_or_else(|| wrong("the column lies outside the file"))?,
            peeked: None,
            budget: budget.clone(),
            of_dictionary: 0,
            of_data: 0,
        };
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    })
}

/// The reader takes some of what a damaged file says for granted; that is an error of the file here.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T>) -> io::Result<T> {
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|why| invalid(why.to_string())),
        Err(_) => Err(invalid("the reader gave up on it with a panic".into())),
    }
}

/// Checks that a file ends as Parquet does, with a footer of a size that may be read.
///
/// # Errors
/// The system's, and what is wrong with the file.
pub(crate) fn check_footer(file: &File) -> io::Result<()> {
    let invalid = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    let length = file.metadata()?.len();
    let Some(start) = length.checked_sub(8) else { return invalid("it is no Parquet") };
    let end = guarded(|| BoundedFile(file.try_clone()?).get_bytes(start, 8))?;
    let footer = match end.as_ref() {
        [a, b, c, d, b'P', b'A', b'R', b'1'] => u32::from_le_bytes([*a, *b, *c, *d]),
        [.., b'P', b'A', b'R', b'E'] => return invalid("it is encrypted"),
        _ => return invalid("it is no Parquet, or cut off"),
    };
    match u64::from(footer) {
        bytes if bytes > start => invalid("its footer is longer than the file"),
        bytes if bytes > MAX_FOOTER_BYTES => invalid("its footer has more than 64 MiB"),
        _ => Ok(()),
    }
}

impl Pages {
    /// The next page's header and where its data start; `None` at the end.
    fn header(&mut self) -> Result<Option<(Header, u64)>> {
        while self.peeked.is_none() {
            if self.at >= self.end {
                return Ok(None);
            }
            let most = (self.end - self.at).min(MAX_HEADER_BYTES);
            let reader = BufReader::new(self.file.get_read(self.at)?.take(most));
            let (header, length) = Header::read(reader)?;
            let start = self.at.saturating_add(length);
            let left = self.end.checked_sub(start);
            if left.is_none_or(|left| header.packed as u64 > left) {
                return Err(wrong("a page is longer than its column"));
            }
            if header.kind == Kind::Other {
                self.at = start + header.packed as u64;
                continue;
            }
            self.peeked = Some((header, start));
        }
        Ok(self.peeked.clone())
    }

    /// Counts what a page will hold, in place of the one before.
    fn take_from_budget(&mut self, header: &Header) -> Result<()> {
        let values = u64::from(header.values);
        let of_values = match (header.kind, header.encoding) {
            (Kind::Dictionary, _) => DICTIONARY_VALUE.saturating_mul(values),
            (_, DELTA_LENGTHS | DELTA_STRINGS) => LENGTHS.saturating_mul(values),
            _ => 0,
        };
        let in_file = header.packed.saturating_mul(MAX_RATIO) as u64;
        let wanted = (header.unpacked as u64).saturating_add(of_values).saturating_sub(in_file);
        let own = match header.kind {
            Kind::Dictionary => &mut self.of_dictionary,
            _ => &mut self.of_data,
        };
        self.budget.held.fetch_sub(std::mem::take(own), Ordering::Relaxed);
        let others = self.budget.held.load(Ordering::Relaxed);
        if others.saturating_add(wanted) > MAX_HELD_BYTES {
            return Err(wrong("its pages claim more than 256 MiB beyond what lies in the file"));
        }
        *own = wanted;
        self.budget.held.fetch_add(wanted, Ordering::Relaxed);
        Ok(())
    }

    fn page(&mut self, header: &Header, start: u64) -> Result<Page> {
        let most = header.packed.saturating_mul(MAX_RATIO).clamp(FREE_BYTES, MAX_PAGE_BYTES);
        if header.unpacked > most {
            return Err(wrong(format!("a page claims {} bytes", header.unpacked)));
        }
        self.take_from_budget(header)?;
        let packed = self.file.get_bytes(start, header.packed)?;
        let buf = self.unpacked(header, packed)?;
        let encoding = encoding(header.encoding)?;
        if header.kind == Kind::Dictionary {
            self.check_dictionary(header, &buf)?;
            let (num_values, is_sorted) = (header.values, header.is_sorted);
            return Ok(Page::DictionaryPage { buf, num_values, encoding, is_sorted });
        }
        if self.column.max_rep_level() > 0 {
            let values = self.budget.row_values.fetch_add(header.values.into(), Ordering::Relaxed);
            if values.saturating_add(header.values.into()) > MAX_ROW_VALUES {
                return Err(wrong("a list has more than 4,194,304 values"));
            }
        }
        self.check_delta(header, &buf, encoding)?;
        Ok(match header.kind {
            Kind::DataV2 => Page::DataPageV2 {
                buf,
                num_values: header.values,
                encoding,
                num_nulls: header.nulls,
                num_rows: header.rows,
                def_levels_byte_len: header.definition_bytes,
                rep_levels_byte_len: header.repetition_bytes,
                is_compressed: header.is_compressed,
                statistics: None,
            },
            _ => Page::DataPage {
                buf,
                num_values: header.values,
                encoding,
                def_level_encoding: self::encoding(header.definition_encoding)?,
                rep_level_encoding: self::encoding(header.repetition_encoding)?,
                statistics: None,
            },
        })
    }

    /// The page's bytes; levels of the second form lie unpacked in front.
    fn unpacked(&self, header: &Header, packed: Bytes) -> Result<Bytes> {
        let levels = match header.kind {
            Kind::DataV2 => header.definition_bytes as usize + header.repetition_bytes as usize,
            _ => 0,
        };
        if levels > header.unpacked || levels > packed.len() {
            return Err(wrong("a page's levels are longer than the page"));
        }
        if !header.is_compressed || self.codec == Compression::UNCOMPRESSED {
            return Ok(packed);
        }
        let mut buffer = Vec::with_capacity(header.unpacked.min(FREE_BYTES));
        buffer.extend_from_slice(&packed[..levels]);
        unpack::unpack(self.codec, &packed[levels..], header.unpacked - levels, &mut buffer)?;
        Ok(buffer.into())
    }

    /// A dictionary's values are set aside before they are read.
    fn check_dictionary(&self, header: &Header, buf: &Bytes) -> Result<()> {
        let least = match self.column.physical_type() {
            Physical::INT64 | Physical::DOUBLE => 8,
            Physical::INT96 => 12,
            Physical::FIXED_LEN_BYTE_ARRAY => usize::try_from(self.column.type_length())?.max(1),
            Physical::BOOLEAN => return Err(wrong("a dictionary of truth values")),
            _ => 4,
        };
        let bytes = (header.values as usize).checked_mul(least);
        match bytes {
            Some(bytes) if bytes <= buf.len() => Ok(()),
            _ => Err(wrong("a dictionary claims more values than it has bytes for")),
        }
    }

    /// The lengths of such values are set aside before they are read.
    fn check_delta(&self, header: &Header, buf: &Bytes, encoding: Encoding) -> Result<()> {
        let blocks = match encoding {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return Ok(()),
        };
        let mut rest = buf.get(self.levels_of(header, buf)?..).unwrap_or_default();
        for _ in 0..blocks {
            rest = delta::behind(rest, header.values.into())
                .ok_or_else(|| wrong("a page claims more lengths than values"))?;
        }
        Ok(())
    }

    /// Bytes of the levels in front of the values.
    fn levels_of(&self, header: &Header, buf: &Bytes) -> Result<usize> {
        if header.kind == Kind::DataV2 {
            return Ok(header.definition_bytes as usize + header.repetition_bytes as usize);
        }
        let mut at = 0_usize;
        for level in [self.column.max_rep_level(), self.column.max_def_level()] {
            if level > 0 {
                let length = buf.get(at..).and_then(|rest| rest.first_chunk());
                let length = length.ok_or_else(|| wrong("a page ends within its levels"))?;
                at = at.saturating_add(4).saturating_add(u32::from_le_bytes(*length) as usize);
            }
        }
        Ok(at)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.of_dictionary + self.of_data, Ordering::Relaxed);
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some((header, start)) = self.header()? else { return Ok(None) };
        self.skip_next_page()?;
        self.page(&header, start).map(Some)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        let header = self.header()?;
        Ok(header.map(|(header, _)| PageMetadata {
            num_rows: (header.kind == Kind::DataV2).then_some(header.rows as usize),
            num_levels: (header.kind != Kind::Dictionary).then_some(header.values as usize),
            is_dict: header.kind == Kind::Dictionary,
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        if let Some((header, start)) = self.header()? {
            self.at = start.saturating_add(header.packed as u64);
            self.peeked = None;
        }
        Ok(())
    }
}

/// Codes of encodings whose lengths are held.
const DELTA_LENGTHS: i32 = 6;
const DELTA_STRINGS: i32 = 7;

#[expect(deprecated, reason = "old files have it")]
fn encoding(code: i32) -> Result<Encoding> {
    Ok(match code {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        4 => Encoding::BIT_PACKED,
        5 => Encoding::DELTA_BINARY_PACKED,
        DELTA_LENGTHS => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        DELTA_STRINGS => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        _ => return Err(wrong(format!("the encoding {code} is not known"))),
    })
}

fn wrong(why: impl Into<String>) -> ParquetError {
    ParquetError::General(why.into())
}
