//! Puts a sample together under the limits.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::{Member, Sample};

/// Members of one sample at most.
const MAX_MEMBERS: usize = 1024;

/// Bytes of a member's extension at most: names must not add up to more than the data may.
const MAX_EXTENSION_BYTES: usize = 255;

/// Bytes that are set aside for a member because its header promises that many.
const TRUSTED_BYTES: u64 = 256 << 10;

/// A sample that is being read. Of several faults the first one stays.
#[derive(Debug)]
pub(super) struct SampleBuilder {
    sample: Sample,
    room: u64,
}

impl SampleBuilder {
    /// A sample without members.
    pub fn new(shard: &Arc<str>, key: String, limits: SampleLimits) -> Self {
        let sample = Sample { shard: shard.clone(), key, members: Vec::new(), fault: None };
        Self { sample, room: limits.max_sample_bytes }
    }

    /// The sample's key.
    pub fn key(&self) -> &str {
        &self.sample.key
    }

    /// Notes what is wrong with the sample.
    pub fn note(&mut self, fault: Reason) {
        self.sample.fault.get_or_insert(fault);
    }

    /// Whether nothing wrong was noted.
    pub fn is_sound(&self) -> bool {
        self.sample.fault.is_none()
    }

    /// Whether a member of `size` bytes can be taken; notes the fault if not. After a sample grew
    /// too large nothing more of it is taken, so that what is kept does not depend on sizes.
    pub fn admits(&mut self, extension: &str, size: u64) -> bool {
        if self.sample.fault == Some(Reason::SampleTooLarge) {
            return false;
        }
        if self.sample.members.iter().any(|member| member.extension == extension) {
            self.note(Reason::DuplicateMember);
            return false;
        }
        let many = self.sample.members.len() >= MAX_MEMBERS;
        if size > self.room || many || extension.len() > MAX_EXTENSION_BYTES {
            self.note(Reason::SampleTooLarge);
            return false;
        }
        true
    }

    /// The bytes of the file at `path`, which would be the member `extension`; `None`, with the
    /// fault noted, if they are not [admitted](Self::admits).
    pub fn read_file(&mut self, extension: &str, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let (file, bytes) = open_file(path)?;
        if !self.admits(extension, bytes) {
            return Ok(None);
        }
        let mut data = Vec::with_capacity(bytes as usize + 1);
        file.take(self.room + 1).read_to_end(&mut data)?;
        // It may have grown since.
        Ok(self.admits(extension, data.len() as u64).then_some(data))
    }

    /// Adds a member that was [admitted](Self::admits).
    pub fn push(&mut self, extension: String, data: Vec<u8>) {
        self.room = self.room.saturating_sub(data.len() as u64);
        self.sample.members.push(Member { extension, data });
    }

    /// The sample as it is.
    pub fn finish(self) -> Sample {
        self.sample
    }
}

/// Opens a regular file, and tells its size in bytes.
///
/// # Errors
/// The system's, and one for what is no regular file.
pub(super) fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let size = |metadata: Metadata| match metadata.is_file() {
        true => Ok(metadata.len()),
        false => Err(io::Error::other("not a file")),
    };
    // Asked before it is opened, because a named pipe would be waited for, and again of what was
    // opened, because the name may lead elsewhere by then.
    size(fs::metadata(path)?)?;
    let file = File::open(path)?;
    let bytes = size(file.metadata()?)?;
    Ok((file, bytes))
}

/// Reads up to `size` bytes, and so much memory as there really are bytes.
pub(super) fn read_up_to(reader: impl Read, size: u64) -> io::Result<Vec<u8>> {
    let mut data = Vec::with_capacity(size.min(TRUSTED_BYTES) as usize);
    reader.take(size).read_to_end(&mut data)?;
    data.shrink_to_fit();
    Ok(data)
}

/// Reads as much of `buffer` as there is.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(filled)
}
