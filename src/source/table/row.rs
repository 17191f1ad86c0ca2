//! A row becomes a sample.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::names::NOTHING_IS_DOWNLOADED;
use super::picture::{self, member_extension};
use super::root::{ImageRoot, Unread};
use super::told::Told;
use crate::disk::IoError;
use crate::source::builder::SampleBuilder;
use crate::source::{Sample, Source};

/// Bytes of a path at most, as systems have it.
const LONGEST_PATH: usize = 4096;

/// One row, whatever table it is of.
#[derive(Debug, Default)]
pub(in crate::source) struct Row {
    /// Its place, from 0.
    pub number: u64,
    /// Its name, where it has one.
    pub key: Option<String>,
    pub picture: Picture,
    /// The caption's bytes, of several the first.
    pub caption: Option<Vec<u8>>,
    /// All its fields but the picture's bytes, as JSON text.
    pub json: Option<Vec<u8>>,
}

/// Where a row's picture is.
#[derive(Debug, Default)]
pub(in crate::source) enum Picture {
    /// The row has none.
    #[default]
    Missing,
    /// In a file.
    Path(String),
    /// In the row itself; the path tells the extension, where there is one.
    Bytes(Vec<u8>, String),
}

/// What a table gives in its turn.
#[derive(Debug)]
pub(in crate::source) enum Item {
    Row(Row),
    /// A row that is none.
    Bad(Fault),
    /// The table as a whole cannot be used: why.
    Unusable(String),
    /// Something to say, once, of the table as a whole.
    Note(String),
}

/// What is wrong with a row.
#[derive(Debug)]
pub(in crate::source) struct Fault {
    pub number: u64,
    pub reason: Reason,
    pub why: String,
    pub json: Option<Vec<u8>>,
}

impl Fault {
    /// The row has more bytes than a sample may have.
    pub fn too_large(number: u64) -> Self {
        let why = "it is longer than sample.max_sample_bytes".into();
        Self { number, reason: Reason::SampleTooLarge, why, json: None }
    }

    /// The row is not what it should be.
    pub fn invalid(number: u64, why: impl Into<String>) -> Self {
        Self { number, reason: Reason::MetadataInvalid, why: why.into(), json: None }
    }
}

/// A table, row by row.
pub(in crate::source) trait Rows: Send {
    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// The system's, and one without its number where the table is damaged from here on.
    fn next(&mut self) -> io::Result<Option<Item>>;
}

/// A table's pairs, and where their pictures are.
pub(in crate::source) trait PairTable: Source {
    /// The file of the last pair's picture, without links; `None` where it has none.
    fn file(&self) -> Option<&Path>;
}

/// The pairs of a table.
#[derive(Debug)]
pub(in crate::source) struct TableSource<R> {
    rows: R,
    images: ImageRoot,
    shard: Arc<str>,
    limits: SampleLimits,
    told: Told,
    has_ended: bool,
    /// The file of the last row's picture, without links.
    file: Option<PathBuf>,
}

impl<R: Rows> TableSource<R> {
    /// The pairs of `rows`, with images below `folder`, to which their paths are relative; `shard` is
    /// what its samples and the log call it.
    pub fn new(rows: R, shard: &str, folder: &Path, limits: SampleLimits) -> Self {
        let shard = Arc::from(shard);
        let images = ImageRoot::at(folder);
        let told = Told::new(&shard, &images.named);
        Self { rows, images, shard, limits, told, has_ended: false, file: None }
    }

    fn sample(&mut self, row: Row) -> Sample {
        let key = row.key.filter(|key| !key.is_empty());
        let key = key.unwrap_or_else(|| format!("{:09}", row.number));
        let mut sample = SampleBuilder::new(&self.shard, key, self.limits);
        if let Some(json) = row.json
            && sample.admits("json", json.len() as u64)
        {
            sample.push("json".into(), json);
        }
        if let Some(caption) = row.caption
            && sample.admits("txt", caption.len() as u64)
        {
            sample.push("txt".into(), caption);
        }
        match row.picture {
            Picture::Missing => sample.note(Reason::ImageMissing),
            Picture::Path(path) => self.add_file(&mut sample, row.number, &path),
            Picture::Bytes(data, path) => {
                let extension = member_extension(&path, &data);
                if sample.admits(&extension, data.len() as u64) {
                    sample.push(extension, data);
                }
            }
        }
        sample.finish()
    }

    fn add_file(&mut self, sample: &mut SampleBuilder, number: u64, named: &str) {
        if named.starts_with("https://") || named.starts_with("http://") {
            self.told.fault(number, NOTHING_IS_DOWNLOADED);
            return sample.note(Reason::ImageMissing);
        }
        if named.len() > LONGEST_PATH {
            self.told.fault(number, "its image is neither a picture nor a path");
            return sample.note(Reason::ImageMissing);
        }
        let found = self.images.find(named);
        let read = found.and_then(|path| {
            let image = sample.read_file("", &path).map_err(Unread::Failed);
            self.file = Some(path);
            image
        });
        match read {
            Ok(Some(image)) => sample.push(member_extension(named, &image), image),
            Ok(None) => {}
            Err(Unread::Outside) => {
                self.told.outside(number, named);
                sample.note(Reason::PathOutside);
            }
            Err(Unread::Failed(why)) => {
                let path = self.images.named.join(named);
                log::warn!("{}: image {}: {why}", self.shard, path.display());
                sample.note(Reason::ImageMissing);
            }
        }
    }

    fn broken(&mut self, fault: Fault) -> Sample {
        self.told.fault(fault.number, &fault.why);
        let mut sample =
            SampleBuilder::new(&self.shard, format!("{:09}", fault.number), self.limits);
        if let Some(json) = fault.json
            && sample.admits("json", json.len() as u64)
        {
            sample.push("json".into(), json);
        }
        sample.note(fault.reason);
        sample.finish()
    }

    /// Ends the table in a sample that stands for what cannot be read of it.
    fn end_with(&mut self, reason: Reason, why: &str) -> Sample {
        self.has_ended = true;
        self.told.whole(why);
        let mut sample = SampleBuilder::new(&self.shard, String::new(), self.limits);
        sample.note(reason);
        sample.finish()
    }
}

impl<R: Rows> PairTable for TableSource<R> {
    fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

impl<R: Rows> Source for TableSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        self.file = None;
        while !self.has_ended {
            match self.rows.next() {
                Ok(Some(Item::Row(row))) => return Ok(Some(self.sample(row))),
                Ok(Some(Item::Bad(fault))) => return Ok(Some(self.broken(fault))),
                Ok(Some(Item::Note(note))) => self.told.whole(&note),
                Ok(Some(Item::Unusable(why))) => {
                    return Ok(Some(self.end_with(Reason::MetadataInvalid, &why)));
                }
                Ok(None) => self.has_ended = true,
                Err(why) if why.raw_os_error().is_some() => {
                    self.has_ended = true;
                    return Err(IoError::Read { from: self.shard.to_string(), why });
                }
                Err(why) => {
                    return Ok(Some(self.end_with(Reason::ArchiveTorn, &why.to_string())));
                }
            }
        }
        Ok(None)
    }
}

/// The picture that a text cell is or names.
pub(super) fn picture_of(text: String) -> Picture {
    match picture::within(&text) {
        Some(bytes) => Picture::Bytes(bytes, String::new()),
        None => Picture::Path(text),
    }
}

/// A JSON object's text that is put together field by field.
#[derive(Debug)]
pub(super) struct ObjectText(String);

impl ObjectText {
    pub fn new() -> Self {
        Self("{".into())
    }

    /// Adds a field; `value` is JSON text.
    pub fn add(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push_str(", ");
        }
        self.0.push_str(&quoted(name));
        self.0.push_str(": ");
        self.0.push_str(value);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.push('}');
        self.0.into_bytes()
    }
}

/// A text as JSON has it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object's text with a list of captions put in front of its fields.
pub(super) fn with_captions(json: &[u8], captions: &[String]) -> Vec<u8> {
    let start = json.iter().position(|&byte| byte == b'{').map_or(json.len(), |at| at + 1);
    let (open, rest) = json.split_at(start);
    let list = serde_json::Value::from(captions.to_vec()).to_string();
    let is_empty = rest.trim_ascii_start().first() == Some(&b'}');
    let comma = if is_empty { "" } else { ", " };
    [open, b"\"captions\": ", list.as_bytes(), comma.as_bytes(), rest].concat()
}
