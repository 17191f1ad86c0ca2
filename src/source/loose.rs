//! A pair of loose files that somebody else has found.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate_core::config::SampleLimits;

use super::builder::SampleBuilder;
use super::inputs::is_tar_name;
use super::{Sample, is_caption, is_image, key_from_stem, unreadable};

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LooseKind {
    /// A picture.
    Image,
    /// A caption or metadata.
    Text,
    /// A shard.
    Shard,
    /// Nothing of a pair's.
    Other,
}

impl LooseKind {
    /// What the file of this name is.
    pub fn of(name: &Path) -> Self {
        if is_tar_name(name) {
            return Self::Shard;
        }
        match extension(name).as_str() {
            extension if is_image(extension) => Self::Image,
            extension if is_caption(extension) || extension == "json" => Self::Text,
            _ => Self::Other,
        }
    }
}

fn extension(name: &Path) -> String {
    name.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// The sample of an image and the files beside it; `name` is the image's path below the shard, of which
/// the key is made as a folder's source does it. With it the first file that could not be read, whose
/// fault is noted in the sample.
pub(crate) fn read_loose(
    shard: &Arc<str>,
    name: &Path,
    files: &[PathBuf],
    limits: SampleLimits,
) -> (Sample, Option<io::Error>) {
    let stem = name.with_extension("");
    let parts: Vec<_> = stem.iter().map(|part| part.to_string_lossy()).collect();
    let mut sample = SampleBuilder::new(shard, key_from_stem(&parts.join("/")), limits);
    let mut failed = None;
    for path in files {
        let extension = extension(path);
        match sample.read_file(&extension, path) {
            Ok(Some(data)) => sample.push(extension, data),
            Ok(None) => {}
            Err(why) => {
                sample.note(unreadable(&extension));
                failed.get_or_insert(why);
            }
        }
    }
    (sample.finish(), failed)
}

/// Whether a shard ends as tars do: two blocks of zeros. Of a packed one it is not known.
///
/// # Errors
/// The system's.
pub(crate) fn ends_as_a_tar(path: &Path) -> io::Result<bool> {
    if extension(path) != "tar" {
        return Ok(true);
    }
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes < 1024 || bytes % 512 != 0 {
        // It may be packed for all its name.
        let mut magic = [0; 6];
        let read = file.read(&mut magic)?;
        return Ok(is_packed(&magic[..read]));
    }
    let mut magic = [0; 6];
    file.read_exact(&mut magic)?;
    let mut end = [0; 1024];
    file.seek(SeekFrom::End(-1024))?;
    file.read_exact(&mut end)?;
    Ok(is_packed(&magic) || end == [0; 1024])
}

/// Whether these are the first bytes of a gzip, zstd, bzip2 or xz file.
fn is_packed(magic: &[u8]) -> bool {
    let known: [&[u8]; 4] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0"];
    known.iter().any(|known| magic.starts_with(known))
}
