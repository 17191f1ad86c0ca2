//! CSV and TSV: a header, and one pair a row.
//!
//! Quotes are doubled within quotes, as Python's `csv` and pandas write them, and rows may have line
//! ends in quotes. A field of more than the limit is passed over without being held.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::Names;
use super::names::Columns;
use super::row::{Fault, Item, ObjectText, Picture, Row, Rows, picture_of, quoted};
use crate::source::without_bom;

/// Bytes of the header's line at most.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Columns at most.
const MAX_COLUMNS: usize = 4096;
/// Separators that are tried, the preferred one first.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The rows of a table.
#[derive(Debug)]
pub(in crate::source) struct CsvRows<R: Read> {
    input: BufReader<io::Chain<Cursor<Vec<u8>>, BufReader<R>>>,
    parser: Reader,
    names: Names,
    max_bytes: usize,
    /// `None` before the header is read.
    header: Option<Header>,
    number: u64,
    has_ended: bool,
    record: Record,
}

#[derive(Debug)]
struct Header {
    names: Vec<String>,
    columns: Columns,
}

/// The fields of one row.
#[derive(Debug, Default)]
struct Record {
    bytes: Vec<u8>,
    /// Where each field ends.
    ends: Vec<usize>,
    fields: usize,
    is_too_large: bool,
}

impl<R: Read> CsvRows<R> {
    /// The rows of `reader`; `tabs` where its name says that fields are separated by them.
    ///
    /// # Errors
    /// The system's.
    pub fn new(reader: R, tabs: bool, names: Names, limits: SampleLimits) -> io::Result<Self> {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        (&mut reader).take(MAX_HEADER_BYTES).read_until(b'\n', &mut line)?;
        line.drain(..line.len() - without_bom(&line).len());
        let separator = if tabs { b'\t' } else { separator(&line, &names) };
        let parser = ReaderBuilder::new().delimiter(separator).build();
        let input = BufReader::new(Cursor::new(line).chain(reader));
        let max_bytes = usize::try_from(limits.max_sample_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            input,
            parser,
            names,
            max_bytes,
            header: None,
            number: 0,
            has_ended: false,
            record: Record::default(),
        })
    }

    /// Reads the next row; whether there was one.
    fn read(&mut self) -> io::Result<bool> {
        let record = &mut self.record;
        let mut used = 0;
        (record.fields, record.is_too_large) = (0, false);
        loop {
            let input = self.input.fill_buf()?;
            record.make_room(used, self.max_bytes);
            let (bytes, ends) = (&mut record.bytes[used..], &mut record.ends[record.fields..]);
            let (result, read, wrote, ended) = self.parser.read_record(input, bytes, ends);
            self.input.consume(read);
            used += wrote;
            record.fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    if used >= self.max_bytes || record.fields >= MAX_COLUMNS {
                        record.is_too_large = true;
                    }
                    if record.is_too_large {
                        (used, record.fields) = (0, 0);
                    }
                }
                ReadRecordResult::Record => return Ok(true),
                ReadRecordResult::End => return Ok(false),
            }
        }
    }

    /// Reads the header; what is wrong with it.
    fn read_header(&mut self) -> io::Result<Option<Item>> {
        if !self.read()? {
            return Ok(Some(Item::Unusable("it is empty".into())));
        }
        let names: Vec<String> = self.record.texts().map(|name| name.trim().to_owned()).collect();
        Ok(match self.names.choose(&names) {
            Ok(columns) => {
                let none = columns.captions.is_empty();
                let note = none.then(|| self.names.missing("caption", &names));
                self.header = Some(Header { names, columns });
                note.map(Item::Note)
            }
            Err(why) => Some(Item::Unusable(why)),
        })
    }

    fn row(&self, header: &Header, number: u64) -> Item {
        let record = &self.record;
        if record.is_too_large {
            return Item::Bad(Fault::too_large(number));
        }
        if record.fields > header.names.len() {
            let kind = "it has more fields than the header: is one not quoted?";
            return Item::Bad(Fault::invalid(number, kind));
        }
        let columns = &header.columns;
        let found = |places: &[usize]| {
            let cells = places.iter().map(|&place| (place, record.field(place)));
            cells.filter(|(_, cell)| !cell.is_empty()).map(|(place, _)| place).next()
        };
        let Some(image) = found(&columns.images) else {
            let fault = Fault::invalid(number, "its image is empty");
            return Item::Bad(Fault { reason: Reason::ImageMissing, ..fault });
        };
        let caption = found(&columns.captions).map(|place| record.field(place).to_vec());
        let key = columns.key.map(|place| record.text(place));
        let picture = picture_of(record.text(image));
        let without = matches!(picture, Picture::Bytes(..)).then_some(image);
        let json = Some(record.json(&header.names, without));
        Item::Row(Row { number, key, picture, caption, json })
    }
}

impl<R: Read + Send> Rows for CsvRows<R> {
    fn next(&mut self) -> io::Result<Option<Item>> {
        if self.has_ended {
            return Ok(None);
        }
        if self.header.is_none()
            && let Some(item) = self.read_header()?
        {
            return Ok(Some(item));
        }
        if !self.read()? {
            self.has_ended = true;
            return Ok(None);
        }
        let number = self.number;
        self.number += 1;
        Ok(self.header.as_ref().map(|header| self.row(header, number)))
    }
}

impl Record {
    /// Makes room behind the first `used` bytes, within the limits.
    fn make_room(&mut self, used: usize, max_bytes: usize) {
        const LEAST: usize = 4096;
        if used == self.bytes.len() {
            let wanted = (2 * used).max(LEAST);
            self.bytes.resize(wanted.min(max_bytes.max(LEAST)).max(used + 1), 0);
        }
        if self.fields == self.ends.len() {
            self.ends.resize((2 * self.fields).clamp(64, MAX_COLUMNS + 1).max(self.fields + 1), 0);
        }
    }

    /// A field's bytes; none where the row has no such field.
    fn field(&self, place: usize) -> &[u8] {
        let ends = self.ends.get(..self.fields).unwrap_or_default();
        let start = place.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
        let range = start.zip(ends.get(place).copied());
        range.and_then(|(start, end)| self.bytes.get(start..end)).unwrap_or_default()
    }

    /// The same as text, in which what is not UTF-8 is replaced.
    fn text(&self, place: usize) -> String {
        String::from_utf8_lossy(self.field(place)).into_owned()
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        (0..self.fields).map(|place| self.text(place))
    }

    /// All fields but that at `without`, as JSON: numbers and truth values as such, empty ones null.
    fn json(&self, names: &[String], without: Option<usize>) -> Vec<u8> {
        let mut object = ObjectText::new();
        for (place, name) in names.iter().enumerate() {
            if Some(place) != without && !names[..place].contains(name) {
                object.add(name, &typed(&self.text(place)));
            }
        }
        object.finish()
    }
}

/// The separator by which the header has columns of pictures and captions; else the most frequent.
fn separator(header: &[u8], names: &Names) -> u8 {
    let count = |separator: &u8| header.iter().filter(|byte| *byte == separator).count();
    let most = || SEPARATORS.iter().rev().max_by_key(|separator| count(separator)).copied();
    separator_of_pairs(header, names).or_else(most).unwrap_or(b',')
}

/// The separator by which a line names a picture's and a caption's column.
fn separator_of_pairs(line: &[u8], names: &Names) -> Option<u8> {
    let text = String::from_utf8_lossy(line);
    let names_both = |separator: &u8| {
        let fields = text.trim_end().split(char::from(*separator));
        let fields: Vec<String> =
            fields.take(MAX_COLUMNS).map(|name| name.trim_matches('"').to_owned()).collect();
        names.choose(&fields).is_ok_and(|columns| !columns.captions.is_empty())
    };
    SEPARATORS.iter().find(|separator| names_both(separator)).copied()
}

/// Whether a stream's first line is a table's header.
pub(super) fn is_header(line: &[u8], names: &Names) -> bool {
    separator_of_pairs(without_bom(line), names).is_some()
}

/// A cell as JSON text. Names such as 007 stay texts: only what is written as JSON writes numbers is
/// one.
fn typed(cell: &str) -> String {
    match cell {
        "" => "null".into(),
        "True" | "true" => "true".into(),
        "False" | "false" => "false".into(),
        cell if is_number(cell) => cell.into(),
        cell => quoted(cell),
    }
}

fn is_number(cell: &str) -> bool {
    const LONGEST: usize = 40;
    let starts = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    starts && cell.len() <= LONGEST && serde_json::from_str::<serde_json::Number>(cell).is_ok()
}
