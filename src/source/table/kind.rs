//! Which table a file or stream is.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;

use super::Names;
use super::coco::CocoRows;
use super::csv::CsvRows;
use super::list::ListRows;
use super::row::{PairTable, TableSource};
use super::scan::{Scanner, Text};
use crate::source::builder::open_file;
use crate::source::inputs::{Meter, Metered};
use crate::source::manifest::Lines;
use crate::source::unpack::Unpacked;
use crate::source::without_bom;

/// Bytes of a stream that are looked at, at most.
const HEAD: usize = 4096;
/// Bytes of a tar's header, which holds zeros.
const TAR_HEADER: usize = 512;

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum TableKind {
    /// A JSON object a line.
    Lines,
    /// A JSON list of objects.
    List,
    /// COCO's images and annotations.
    Coco,
    /// Fields separated by commas, or by what the header shows.
    Csv,
    /// Fields separated by tabs.
    Tsv,
    Parquet,
}

/// What a name says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Named {
    Table(TableKind),
    /// A list, lines or COCO's: the text shows it.
    Json,
}

/// How a table's rows become pairs.
#[derive(Debug)]
pub(in crate::source) struct Reading<'a> {
    pub names: Names,
    /// What samples and the log call the table.
    pub shard: &'a str,
    /// The folder that images lie below.
    pub root: &'a Path,
    pub limits: SampleLimits,
}

impl Named {
    /// What the name says, packed or not.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let packed = [".gz", ".zst", ".bz2", ".xz"];
        let plain = packed.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
        Some(Self::Table(match plain.rsplit_once('.')?.1 {
            "jsonl" | "ndjson" => TableKind::Lines,
            "csv" => TableKind::Csv,
            "tsv" | "tab" => TableKind::Tsv,
            "parquet" | "pq" => TableKind::Parquet,
            "json" => return Some(Self::Json),
            _ => return None,
        }))
    }

    /// The kind, for which the file's text is looked at where the name does not tell it.
    ///
    /// # Errors
    /// The system's.
    pub fn kind(self, path: &Path) -> io::Result<TableKind> {
        match self {
            Self::Table(kind) => Ok(kind),
            Self::Json => {
                let (file, _) = open_file(path)?;
                // What cannot be unpacked shows when it is read.
                Ok(json_kind(Unpacked::new(file)).unwrap_or(TableKind::List))
            }
        }
    }
}

impl TableKind {
    /// The pairs of the table at `path`, counting the bytes read.
    ///
    /// # Errors
    /// The system's, and one for a table that cannot be read at all.
    pub fn open(
        self,
        path: &Path,
        reading: Reading<'_>,
        meter: Arc<Meter>,
    ) -> io::Result<Box<dyn PairTable>> {
        match self {
            Self::Parquet => parquet(path, reading, meter),
            kind => {
                let (file, _) = open_file(path)?;
                kind.read(Unpacked::new(Metered::new(file, meter)), reading)
            }
        }
    }

    /// The pairs of a text table that `reader` gives.
    ///
    /// # Errors
    /// The system's, and one for Parquet, which is no text.
    pub fn read(
        self,
        reader: impl Read + Send + 'static,
        reading: Reading<'_>,
    ) -> io::Result<Box<dyn PairTable>> {
        let Reading { names, shard, root, limits } = reading;
        Ok(match self {
            Self::Lines => {
                let lines = Lines::new(reader, names, limits);
                Box::new(TableSource::new(lines, shard, root, limits))
            }
            Self::List => {
                let list = ListRows::new(reader, names, limits);
                Box::new(TableSource::new(list, shard, root, limits))
            }
            Self::Coco => Box::new(TableSource::new(CocoRows::new(reader), shard, root, limits)),
            Self::Csv | Self::Tsv => {
                let rows = CsvRows::new(reader, self == Self::Tsv, names, limits)?;
                Box::new(TableSource::new(rows, shard, root, limits))
            }
            Self::Parquet => return Err(io::Error::other("a Parquet table is no text")),
        })
    }
}

/// The pairs of a Parquet table.
#[cfg(feature = "parquet")]
fn parquet(path: &Path, reading: Reading<'_>, meter: Arc<Meter>) -> io::Result<Box<dyn PairTable>> {
    use super::parquet::{ParquetRows, Unusable};
    let Reading { names, shard, root, limits } = reading;
    Ok(match ParquetRows::open(path, &names, limits, meter) {
        Ok(rows) => Box::new(TableSource::new(rows, shard, root, limits)),
        Err(why) if why.raw_os_error().is_some() => return Err(why),
        Err(why) => Box::new(TableSource::new(Unusable::new(&why), shard, root, limits)),
    })
}

#[cfg(not(feature = "parquet"))]
fn parquet(
    _path: &Path,
    _reading: Reading<'_>,
    _meter: Arc<Meter>,
) -> io::Result<Box<dyn PairTable>> {
    Err(io::Error::other("this program reads no Parquet: it was built without the feature"))
}

/// Which kind a JSON text is.
fn json_kind(reader: impl Read) -> io::Result<TableKind> {
    let mut text = Scanner::new(reader);
    if text.take(b'[')? {
        return Ok(TableKind::List);
    }
    Ok(if is_coco(&mut text)? { TableKind::Coco } else { TableKind::Lines })
}

/// Whether the first object has a list of objects called `images` or `annotations`.
fn is_coco<R: Read>(text: &mut Scanner<R>) -> io::Result<bool> {
    if !text.take(b'{')? {
        return Ok(false);
    }
    while !text.take(b'}')? {
        text.take(b',')?;
        let name = text.value(HEAD as u64)?;
        if !text.take(b':')? {
            return Ok(false);
        }
        let lists: [&[u8]; 2] = [b"\"images\"", b"\"annotations\""];
        let is_list = matches!(&name, Text::Whole(name) if lists.contains(&name.as_slice()));
        if is_list && text.take(b'[')? {
            return Ok(text.peek()? == Some(b'{'));
        }
        text.value(0)?;
    }
    Ok(false)
}

/// What a stream is taken for by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Stream {
    /// A table.
    Table(TableKind),
    /// A shard, or nothing that is known.
    Tar,
}

/// A reader with the bytes that were looked at in front, and the error that ended the looking.
#[derive(Debug)]
pub(in crate::source) struct Looked<R> {
    head: Cursor<Vec<u8>>,
    failed: Option<io::Error>,
    rest: R,
}

impl<R: Read> Looked<R> {
    /// Looks at the first bytes of `reader`, unpacked. No more is waited for than tells what it is: of
    /// JSON lines the first.
    pub fn at(mut reader: R, names: &Names) -> (Stream, Self) {
        let mut head = vec![0; HEAD];
        let (mut filled, mut failed) = (0, None);
        let stream = loop {
            let free = head.get_mut(filled..).unwrap_or_default();
            let (read, is_last) = match reader.read(free) {
                Ok(read) => (read, read == 0),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => continue,
                Err(why) => {
                    failed = Some(why);
                    (0, true)
                }
            };
            filled += read;
            let seen = head.get(..filled).unwrap_or_default();
            if let Some(stream) = told_by(seen, is_last || filled == HEAD, names) {
                break stream;
            }
        };
        head.truncate(filled);
        (stream, Self { head: Cursor::new(head), failed, rest: reader })
    }
}

impl<R: Read> Read for Looked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 if !buffer.is_empty() => match self.failed.take() {
                Some(why) => Err(why),
                None => self.rest.read(buffer),
            },
            n => Ok(n),
        }
    }
}

/// What the first bytes tell; `None` where more of them are needed.
fn told_by(head: &[u8], are_all: bool, names: &Names) -> Option<Stream> {
    if let Some(behind) = head.strip_prefix(b"PAR1") {
        // A file of that name in a tar goes on with letters.
        match behind.first() {
            Some(byte) if byte.is_ascii_graphic() => {}
            Some(_) => return Some(Stream::Table(TableKind::Parquet)),
            None if !are_all => return None,
            None => {}
        }
    }
    // A tar's header holds zeros, text does not.
    let block = head.get(..TAR_HEADER.min(head.len())).unwrap_or_default();
    if block.contains(&0) {
        return Some(Stream::Tar);
    }
    let text = without_bom(head).trim_ascii_start();
    let line = text.iter().position(|&byte| byte == b'\n');
    if line.is_none() && !are_all {
        return None;
    }
    let line = text.get(..line.unwrap_or(text.len())).unwrap_or_default();
    Some(match text.first() {
        Some(b'{') => Stream::Table(TableKind::Lines),
        Some(b'[') => Stream::Table(TableKind::List),
        _ if super::csv::is_header(line, names) => Stream::Table(TableKind::Csv),
        _ => Stream::Tar,
    })
}

/// Opens a file, which is unpacked where needed.
///
/// # Errors
/// The system's.
pub(in crate::source) fn look_at_file(file: File, names: &Names) -> Stream {
    Looked::at(Unpacked::new(file), names).0
}
