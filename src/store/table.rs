//! The table beside a shard: `00000.parquet`, with img2dataset's columns and what was decided.
//!
//! | column | |
//! |---|---|
//! | `url`, `exif` | of the sample's `.json` |
//! | `caption` | the pair's |
//! | `key` | the sample's, in this shard |
//! | `status`, `error_message` | `success`, and null |
//! | `width`, `height` | of the stored image, in pixels |
//! | `original_width`, `original_height` | of the sample's `.json` |
//! | `sha256` | of the stored image file |
//! | `uid`, `score`, `threshold` | of the decision |
//! | `source_key`, `source_shard` | the sample's key in its source, and which that was |
//!
//! It is made of the shard and the journal when the shard has its name, so that a run that goes on
//! writes the same, and nothing of it is held in memory while the shard is open.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use pairgate_core::pair::{Digest, Size};
use serde_json::{Map, Value};

use super::ShardBegin;
use super::folder::{shard_name, table_name};
use super::ledger::Checkpoint;
use super::scan::Texts;
use crate::disk::IoError;
use crate::disk::{Disk, PartialFile, failed};
use crate::journal::{self, Entry, Part, Record, Salvage, Terms};
use crate::source::{Member, Metadata, caption_of, json_object};
use crate::table::{About, Cell, Column, Kind, ParquetRows};

/// Bytes of a row group's values before it is written: boards write tables too.
const GROUP_BYTES: usize = 256 << 10;
/// Bytes of memory that writing takes at most, but for a row that takes more by itself.
pub(super) const MEMORY: u64 = 6 << 20;

/// Writes the table of a shard that has its name; its records begin at `begin`, or anywhere where that
/// is not known. `terms` are those that decided last.
pub(super) fn write(
    disk: &Disk,
    folder: &Path,
    shard: u32,
    begin: Option<&ShardBegin>,
    terms: &Terms,
) -> Result<(), IoError> {
    let path = folder.join(table_name(shard));
    let mut records = Records::of(folder, shard, begin, terms.threshold)?;
    let mut texts = Texts::open(&folder.join(shard_name(shard)))?;
    let about = About { model: terms.model(), config: terms.config };
    let file = PartialFile::create(disk, &path)?;
    let rows = ParquetRows::start(file, &columns(), about, GROUP_BYTES);
    let mut rows = rows.map_err(failed(&path))?;
    while let Some((key, members)) = texts.next() {
        let record = records.of_key(&key)?;
        // Of a sample whose record is lost, that of the one behind it.
        let threshold = records.threshold;
        let row = Row::new(&key, &members, record.as_ref(), threshold);
        rows.add(&row.cells()).map_err(failed(&path))?;
    }
    rows.end().map_err(failed(&path))?.publish()
}

/// The records of one shard, in the order of its samples; what is damaged is passed over.
struct Records {
    shard: u32,
    rest: std::vec::IntoIter<PathBuf>,
    current: Option<Salvage>,
    ahead: Option<Record>,
    /// That decides where the reading is, where none moves.
    threshold: Option<f32>,
}

impl Records {
    fn of(
        folder: &Path,
        shard: u32,
        begin: Option<&ShardBegin>,
        last_threshold: Option<f32>,
    ) -> Result<Self, IoError> {
        let mut segments =
            journal::segments(&folder.join(journal::FOLDER)).map_err(failed(folder))?;
        let first = match begin {
            Some((segment, ..)) => segments.iter().position(|path| path == segment),
            None => segments.iter().rposition(|path| begins_before(path, shard)),
        };
        let mut rest = segments.split_off(first.unwrap_or(0)).into_iter();
        let current = match (rest.next(), begin) {
            (Some(path), Some((_, offset, _))) => Some(Salvage::open_at(&path, *offset)?),
            (Some(path), None) => Some(Salvage::open(&path)?),
            (None, _) => None,
        };
        let mut records = Self { shard, rest, current, ahead: None, threshold: last_threshold };
        match begin {
            Some((.., threshold)) => records.threshold = *threshold,
            None => records.take_header(),
        }
        Ok(records)
    }

    /// The record of the next sample, which has this key; `None` where it is lost.
    fn of_key(&mut self, key: &str) -> Result<Option<Record>, IoError> {
        if self.ahead.is_none() {
            self.ahead = self.next()?;
        }
        let is_its = |record: &mut Record| record.stored.as_ref().is_some_and(|s| s.key == key);
        Ok(self.ahead.take_if(is_its))
    }

    fn next(&mut self) -> Result<Option<Record>, IoError> {
        while let Some(reader) = &mut self.current {
            match reader.next_part()? {
                Some(Part::Whole(Entry::Record(record))) if self.is_of_shard(&record) => {
                    return Ok(Some(*record));
                }
                Some(Part::Whole(Entry::Epoch(epoch))) => self.threshold = epoch.terms.threshold,
                Some(_) => {}
                None => {
                    let next = self.rest.next();
                    self.current = next.map(|path| Salvage::open(&path)).transpose()?;
                    self.take_header();
                }
            }
        }
        Ok(None)
    }

    /// What decides where a part of the journal begins; a header that is lost tells nothing.
    fn take_header(&mut self) {
        let terms = self.current.as_ref().map(|part| &part.header().terms);
        if let Some(terms) = terms.filter(|terms| !terms.models.is_empty()) {
            self.threshold = terms.threshold;
        }
    }

    /// A record that was made of a stored sample is out of its order, and tells nothing that the
    /// sample does not.
    fn is_of_shard(&self, record: &Record) -> bool {
        !record.recovered && record.stored.as_ref().is_some_and(|stored| stored.shard == self.shard)
    }
}

/// Whether no sample of the shard was stored before the segment.
fn begins_before(segment: &Path, shard: u32) -> bool {
    let checkpoint = Checkpoint::beside(segment);
    checkpoint.is_some_and(|checkpoint| {
        let ledger = checkpoint.ledger();
        ledger.shard < shard || (ledger.shard == shard && ledger.samples == 0)
    })
}

fn columns() -> Vec<Column> {
    let column = |name: &str, kind, nullable, repeats| Column {
        name: name.to_owned(),
        kind,
        nullable,
        repeats,
    };
    vec![
        column("url", Kind::Text, true, false),
        column("caption", Kind::Text, true, false),
        column("key", Kind::Text, false, false),
        column("status", Kind::Text, false, true),
        column("error_message", Kind::Text, true, true),
        column("width", Kind::Uint32, false, true),
        column("height", Kind::Uint32, false, true),
        column("original_width", Kind::Int64, true, true),
        column("original_height", Kind::Int64, true, true),
        column("exif", Kind::Text, true, false),
        column("sha256", Kind::Text, true, false),
        column("uid", Kind::Text, true, false),
        column("score", Kind::Float32, true, false),
        column("threshold", Kind::Float32, true, true),
        column("source_key", Kind::Text, true, false),
        column("source_shard", Kind::Text, true, true),
    ]
}

/// One sample, as its members and its record have it.
struct Row<'a> {
    key: &'a str,
    caption: Option<String>,
    json: Map<String, Value>,
    original: Option<Size>,
    record: Option<&'a Record>,
    threshold: Option<f32>,
}

impl<'a> Row<'a> {
    fn new(
        key: &'a str,
        members: &[Member],
        record: Option<&'a Record>,
        threshold: Option<f32>,
    ) -> Self {
        let json = members.iter().find(|member| member.extension == "json");
        let metadata = json.map(|json| Metadata::parse(&json.data)).unwrap_or_default();
        let caption = caption_of(members, &metadata);
        let json = json.and_then(|json| json_object(&json.data)).unwrap_or_default();
        let threshold = record.and_then(|record| record.threshold).or(threshold);
        Self { key, caption, json, original: metadata.original_size, record, threshold }
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let text = |text: &'a str| Cell::Text(Cow::Borrowed(text));
        let owned = |text: String| Cell::Text(Cow::Owned(text));
        let field = |name| self.json.get(name).and_then(Value::as_str);
        let told = |name| field(name).map_or(Cell::Null, |value| Cell::Text(Cow::Borrowed(value)));
        let side = |side: fn(Size) -> u32| {
            self.original.map_or(Cell::Null, |size| Cell::Int(i64::from(side(size))))
        };
        let record = self.record;
        let size = record.map_or(Size::default(), |record| record.facts.size);
        let content = record.map(|record| record.facts.content);
        let content = content.filter(|content| *content != Digest::default());
        let score = record.and_then(|record| record.facts.score).filter(|score| score.is_finite());
        vec![
            told("url"),
            self.caption
                .as_deref()
                .map_or(Cell::Null, |caption| Cell::Text(Cow::Borrowed(caption))),
            text(self.key),
            text("success"),
            Cell::Null,
            Cell::Whole(size.width),
            Cell::Whole(size.height),
            side(|size| size.width),
            side(|size| size.height),
            told("exif"),
            content.map_or(Cell::Null, |content| owned(content.to_string())),
            record.map_or(Cell::Null, |record| owned(record.uid.to_string())),
            score.map_or(Cell::Null, Cell::Score),
            self.threshold.map_or(Cell::Null, Cell::Score),
            record.map_or(Cell::Null, |record| text(&record.key)),
            record.map_or(Cell::Null, |record| text(&record.shard)),
        ]
    }
}
