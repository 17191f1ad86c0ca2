//! Manifests: files of JSON lines, one pair a line.
//!
//! ```json
//! {"image": "photos/harbour.jpg", "caption": "boats in a harbour at dawn", "key": "h1"}
//! ```
//! | field | meaning |
//! |---|---|
//! | `image` | the image file, relative to the manifest's folder or to the image root |
//! | `caption`, else `text` | the caption |
//! | `key` | the sample's name; without one, the line's number from 0, in 9 digits |
//!
//! The line itself becomes the sample's `.json` member, so all its other fields are kept, and
//! `uid`, `original_width` and `original_height` mean what they mean there.
//!
//! A manifest comes from strangers, and what it names is read and may be published. So an image must
//! lie below the manifest's folder, or below the image root where one is given, links resolved. An
//! absolute path may say so too. A pair whose image lies elsewhere is `path_outside`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use serde::Deserialize;

use super::builder::SampleBuilder;
use super::json::from_python;
use super::{Sample, Source, is_image, without_bom};
use crate::disk::IoError;

/// Reads the pairs of one manifest.
#[derive(Debug)]
pub struct ManifestSource<R> {
    lines: BufReader<R>,
    images: ImageRoot,
    shard: Arc<str>,
    limits: SampleLimits,
    /// Number of the next line, from 0, blank ones counted.
    number: u64,
    refused: Refused,
}

/// The folder that images must lie below.
#[derive(Debug)]
struct ImageRoot {
    /// As it was named.
    named: PathBuf,
    /// Without links; `None` where there is no such folder.
    real: Option<PathBuf>,
}

/// Why an image is not read.
enum Unread {
    Outside,
    Failed(io::Error),
}

/// Images that lie outside, told of at the end: a manifest may name any number of them.
#[derive(Debug)]
struct Refused {
    shard: Arc<str>,
    root: PathBuf,
    count: u64,
    /// The line, from 1, and the path of the first one.
    first: Option<(u64, String)>,
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
        let folder = folder_of(path);
        Ok(Self::new(File::open(path)?, &path.to_string_lossy(), folder, limits))
    }
}

impl<R: Read> ManifestSource<R> {
    /// Reads a manifest from `reader`, with images below `folder`, to which their paths are
    /// relative; `shard` is what its samples and the log call it.
    pub fn new(reader: R, shard: &str, folder: &Path, limits: SampleLimits) -> Self {
        let (lines, shard) = (BufReader::new(reader), Arc::from(shard));
        let images = ImageRoot::at(folder);
        let refused = Refused::none(&shard, &images.named);
        Self { lines, images, shard, limits, number: 0, refused }
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

    fn sample(&mut self, number: u64, line: Line) -> Sample {
        let entry = match &line {
            Line::Text(text) => from_python::<Entry>(text),
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
        self.add_image(&mut sample, number, &entry.image);
        sample.finish()
    }

    fn add_image(&mut self, sample: &mut SampleBuilder, number: u64, named: &str) {
        let found = self.images.find(named);
        match found.and_then(|path| sample.read_file("", &path).map_err(Unread::Failed)) {
            Ok(Some(image)) => sample.push(image_extension(Path::new(named), &image), image),
            Ok(None) => {}
            Err(Unread::Outside) => {
                self.refused.add(number + 1, named);
                sample.note(Reason::PathOutside);
            }
            Err(Unread::Failed(why)) => {
                let path = self.images.named.join(named);
                log::warn!("{}: image {}: {why}", self.shard, path.display());
                sample.note(Reason::ImageMissing);
            }
        }
    }
}

/// The folder that a manifest's paths are relative to.
pub(super) fn folder_of(manifest: &Path) -> &Path {
    manifest.parent().unwrap_or(Path::new(""))
}

impl ImageRoot {
    fn at(folder: &Path) -> Self {
        let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Self { named: named.to_owned(), real: named.canonicalize().ok() }
    }

    /// The file that `image` names, without links. Names of what is not there are judged by
    /// themselves, so that nothing shows what there is outside.
    fn find(&self, image: &str) -> Result<PathBuf, Unread> {
        let path = self.named.join(image);
        match (path.canonicalize(), &self.real) {
            (Ok(found), Some(root)) if found.starts_with(root) => Ok(found),
            (Ok(_), _) => Err(Unread::Outside),
            (Err(why), _) if self.seems_to_hold(Path::new(image)) => Err(Unread::Failed(why)),
            (Err(_), _) => Err(Unread::Outside),
        }
    }

    /// Whether a path stays below the root at each of its steps, by its names alone.
    fn seems_to_hold(&self, image: &Path) -> bool {
        let real = self.real.as_deref().unwrap_or(&self.named);
        let below = image.strip_prefix(real).or_else(|_| image.strip_prefix(&self.named));
        let step = |depth: u32, part: Component<'_>| match part {
            Component::Normal(_) => Some(depth + 1),
            Component::CurDir => Some(depth),
            Component::ParentDir => depth.checked_sub(1),
            Component::RootDir | Component::Prefix(_) => None,
        };
        below.unwrap_or(image).components().try_fold(0, step).is_some()
    }
}

impl Refused {
    fn none(shard: &Arc<str>, root: &Path) -> Self {
        Self { shard: shard.clone(), root: root.to_owned(), count: 0, first: None }
    }

    fn add(&mut self, line: u64, image: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| (line, image.to_owned()));
    }
}

impl Drop for Refused {
    fn drop(&mut self) {
        let Some((line, image)) = &self.first else { return };
        log::warn!(
            "{}: {} images lie outside {} and were not read, the first in line {line}, {image:?}; \
             --image-root DIR permits what lies below DIR",
            self.shard,
            self.count,
            self.root.display(),
        );
    }
}

impl<R: Read + Send> Source for ManifestSource<R> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            match self.line() {
                Ok(Some((_, Line::Text(text)))) if text.trim_ascii().is_empty() => {}
                Ok(Some((number, line))) => return Ok(Some(self.sample(number, line))),
                Ok(None) => return Ok(None),
                Err(why) => return Err(IoError::Read { from: self.shard.to_string(), why }),
            }
        }
    }
}

/// The file's extension where it is an image's; else one by the first bytes, because the manifest
/// says that it is an image and a sample's image is found by its extension.
pub(super) fn image_extension(path: &Path, image: &[u8]) -> String {
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
