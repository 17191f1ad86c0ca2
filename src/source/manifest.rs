//! Manifests: files of JSON lines, one pair a line.
//!
//! ```json
//! {"image": "photos/harbour.jpg", "caption": "boats in a harbour at dawn", "key": "h1"}
//! ```
//! | field | meaning |
//! |---|---|
//! | `image`, `file_name`, `image_path`... | the image file, relative to the manifest's folder or to the image root; or the image itself, as base64 |
//! | `caption`, else `text`... | the caption; of a list the first |
//! | `key` | the sample's name; without one, the line's number from 0, in 9 digits |
//!
//! The line itself becomes the sample's `.json` member, so all its other fields are kept, and
//! `uid`, `original_width` and `original_height` mean what they mean there. An image within the line
//! is null in it.
//!
//! A manifest comes from strangers, and what it names is read and may be published. So an image must
//! lie below the manifest's folder, or below the image root where one is given, links resolved. An
//! absolute path may say so too. A pair whose image lies elsewhere is `path_outside`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use pairgate_core::config::SampleLimits;

use super::table::root::folder_of;
use super::table::row::{Fault, Item, Rows, TableSource};
use super::table::{Names, object};
use super::{Sample, Source, without_bom};
use crate::disk::IoError;

/// Reads the pairs of one manifest.
#[derive(Debug)]
pub struct ManifestSource<R>(TableSource<Lines<R>>);

/// The lines of a manifest.
#[derive(Debug)]
pub(super) struct Lines<R> {
    lines: BufReader<R>,
    names: Names,
    max_bytes: u64,
    /// Number of the next line, from 0, blank ones counted.
    number: u64,
}

/// A line, without its end.
enum Line {
    Text(Vec<u8>),
    TooLong,
}

impl ManifestSource<File> {
    /// Opens the manifest at `path`.
    ///
    /// # Errors
    /// The system's, if the file cannot be opened.
    pub fn open(path: &Path, limits: SampleLimits) -> io::Result<Self> {
        let folder = folder_of(path);
        Ok(Self::new(File::open(path)?, &path.to_string_lossy(), folder, limits))
    }
}

impl<R: Read + Send> ManifestSource<R> {
    /// Reads a manifest from `reader`, with images below `folder`, to which their paths are
    /// relative; `shard` is what its samples and the log call it.
    pub fn new(reader: R, shard: &str, folder: &Path, limits: SampleLimits) -> Self {
        let lines = Lines::new(reader, Names::default(), limits);
        Self(TableSource::new(lines, shard, folder, limits))
    }
}

impl<R: Read + Send> Source for ManifestSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        self.0.next()
    }
}

impl<R: Read> Lines<R> {
    /// The lines of `reader`, in whose objects `names` are looked for. A line is given as soon as its
    /// end is read.
    pub fn new(reader: R, names: Names, limits: SampleLimits) -> Self {
        let max_bytes = limits.max_sample_bytes;
        Self { lines: BufReader::new(reader), names, max_bytes, number: 0 }
    }

    /// The next line with its number; `None` at the end.
    fn line(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut line = Vec::new();
        // One byte more for the line's end.
        let most = self.max_bytes.saturating_add(1);
        if (&mut self.lines).take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let number = self.number;
        self.number += 1;
        if line.pop_if(|byte| *byte == b'\n').is_none() && line.len() as u64 > self.max_bytes {
            self.lines.skip_until(b'\n')?;
            return Ok(Some((number, Line::TooLong)));
        }
        line.pop_if(|byte| *byte == b'\r');
        if number == 0 {
            // The mark is the file's, not the first line's.
            line.drain(..line.len() - without_bom(&line).len());
        }
        Ok(Some((number, Line::Text(line))))
    }
}

impl<R: Read + Send> Rows for Lines<R> {
    fn next(&mut self) -> io::Result<Option<Item>> {
        loop {
            return Ok(match self.line()? {
                None => None,
                Some((_, Line::Text(text))) if text.trim_ascii().is_empty() => continue,
                Some((number, Line::Text(text))) => Some(object::row(text, number, &self.names)),
                Some((number, Line::TooLong)) => Some(Item::Bad(Fault::too_large(number))),
            });
        }
    }
}
