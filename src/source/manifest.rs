//! Manifests: files of JSON lines, one pair a line.
//!
//! ```json
//! {"image": "photos/harbour.jpg", "caption": "boats in a harbour at dawn", "key": "h1"}
//! ```
//! | field | meaning |
//! |---|---|
//! | `image` | the image file, relative to the manifest's folder |
//! | `caption`, else `text` | the caption |
//! | `key` | the sample's name; without one, the line's number from 0, in 9 digits |
//!
//! The line itself becomes the sample's `.json` member, so all its other fields are kept, and
//! `uid`, `original_width` and `original_height` mean what they mean there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::config::SampleLimits;
use crate::decision::Reason;
use crate::error::RunError;

use super::builder::SampleBuilder;
use super::metadata::from_python_json;
use super::{Sample, Source, is_image, without_bom};

/// Reads the pairs of one manifest.
#[derive(Debug)]
pub struct ManifestSource<R> {
    lines: BufReader<R>,
    folder: PathBuf,
    shard: Arc<str>,
    limits: SampleLimits,
    /// Number of the next line, from 0, blank ones counted.
    number: u64,
}

/// A line, without its end.
enum Line {
    Text(Vec<u8>),
    TooLong,
}

/// The fields of a line that are needed here.
#[derive(Deserialize)]
struct Entry {
    image: String,
    caption: Option<String>,
    text: Option<String>,
    key: Option<String>,
}

impl ManifestSource<File> {
    /// Opens the manifest at `path`.
    ///
    /// # Errors
    /// The system's, if the file cannot be opened.
    pub fn open(path: &Path, limits: SampleLimits) -> io::Result<Self> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Ok(Self::new(File::open(path)?, &path.to_string_lossy(), folder, limits))
    }
}

impl<R: Read> ManifestSource<R> {
    /// Reads a manifest from `reader`, with image paths relative to `folder`; `shard` is what its
    /// samples and the log call it.
    pub fn new(reader: R, shard: &str, folder: &Path, limits: SampleLimits) -> Self {
        let (lines, folder) = (BufReader::new(reader), folder.to_owned());
        Self { lines, folder, shard: shard.into(), limits, number: 0 }
    }

    /// The next line with its number; `None` at the end.
    fn line(&mut self) -> io::Result<Option<(u64, Line)>> {
        let max = self.limits.max_sample_bytes;
        let mut line = Vec::new();
        // One byte more for the line's end.
        if (&mut self.lines).take(max.saturating_add(1)).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let number = self.number;
        self.number += 1;
        if line.pop_if(|byte| *byte == b'\n').is_none() && line.len() as u64 > max {
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

    fn sample(&self, number: u64, line: Line) -> Sample {
        let entry = match &line {
            Line::Text(text) => from_python_json::<Entry>(text),
            Line::TooLong => None,
        };
        let named = entry.as_ref().and_then(|entry| entry.key.clone());
        let key = named.filter(|key| !key.is_empty()).unwrap_or_else(|| format!("{number:09}"));
        let mut sample = SampleBuilder::new(&self.shard, key, self.limits);
        let Line::Text(text) = line else {
            sample.note(Reason::SampleTooLarge);
            return sample.finish();
        };
        sample.push("json".into(), text);
        let Some(entry) = entry else {
            log::warn!("{}: line {} is not what it should be", self.shard, number + 1);
            sample.note(Reason::MetadataInvalid);
            return sample.finish();
        };
        if let Some(caption) = entry.caption.or(entry.text)
            && sample.admits("txt", caption.len() as u64)
        {
            sample.push("txt".into(), caption.into_bytes());
        }
        self.add_image(&mut sample, &self.folder.join(&entry.image));
        sample.finish()
    }

    fn add_image(&self, sample: &mut SampleBuilder, path: &Path) {
        match sample.read_file("", path) {
            Ok(Some(image)) => sample.push(image_extension(path, &image), image),
            Ok(None) => {}
            Err(why) => {
                log::warn!("{}: image {}: {why}", self.shard, path.display());
                sample.note(Reason::ImageMissing);
            }
        }
    }
}

impl<R: Read + Send> Source for ManifestSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, RunError> {
        loop {
            match self.line() {
                Ok(Some((_, Line::Text(text)))) if text.trim_ascii().is_empty() => {}
                Ok(Some((number, line))) => return Ok(Some(self.sample(number, line))),
                Ok(None) => return Ok(None),
                Err(why) => return Err(RunError::Source { from: self.shard.to_string(), why }),
            }
        }
    }
}

/// The file's extension where it is an image's; else one by the first bytes, because the manifest
/// says that it is an image and a sample's image is found by its extension.
fn image_extension(path: &Path, image: &[u8]) -> String {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if is_image(&extension) {
        return extension;
    }
    let format = match image {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "tiff",
        [b'B', b'M', ..] => "bmp",
        _ => "jpg",
    };
    format.into()
}
