//! The files that a journal is made of.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate_core::error::WireError;
use pairgate_core::policy::TrackerRule;
use pairgate_core::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::header::{FORMAT_VERSION, Header, Terms};
use crate::disk::IoError;
use crate::disk::{Disk, failed, write_whole};

/// The folder of segments in an output folder.
pub const FOLDER: &str = "journal";
/// The journal of formats 1 and 2 in an output folder.
const EARLIER: &str = "journal.pairgate";
/// Bytes from which a segment is not gone on with.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Longest payload of a header: inputs are named in it.
const MAX_HEADER: usize = 64 << 20;
/// Longest payload of a checkpoint.
const MAX_CHECKPOINT: usize = 64 << 20;
const CHECKPOINT_MAGIC: &[u8; 8] = b"PAIRCKPT";

/// The segment's path.
pub(crate) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.pairgate"))
}

/// Removes the segments before the one numbered `first`, and what stands beside them, the oldest first.
/// A segment goes before its neighbours, and its name is off the disk before another one's is touched: what is left has no
/// gap within.
pub(crate) fn forget_before(disk: &Disk, folder: &Path, first: u64) -> Result<(), IoError> {
    for (number, segment) in numbered(folder).map_err(failed(folder))? {
        if number < first {
            disk.remove_file(&segment)?;
            disk.sync_folder(folder)?;
        }
    }
    for beside in beside_before(folder, first).map_err(failed(folder))? {
        disk.remove_if_there(&beside)?;
    }
    Ok(())
}

/// Headers and checkpoints of segments before the one of this number.
fn beside_before(folder: &Path, first: u64) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_beside = path.extension().is_some_and(|e| e == "header" || e == "checkpoint");
        let number = is_beside.then(|| number_of(&path.with_extension("pairgate"))).flatten();
        found.extend(number.filter(|number| *number < first).map(|_| path));
    }
    Ok(found)
}

/// The header once more, beside its segment.
pub(super) fn sidecar_path(segment: &Path) -> PathBuf {
    segment.with_extension("header")
}

fn checkpoint_path(segment: &Path) -> PathBuf {
    segment.with_extension("checkpoint")
}

/// The number in a segment's name.
pub(crate) fn number_of(segment: &Path) -> Option<u64> {
    let stem = segment.file_name()?.to_str()?.strip_suffix(".pairgate")?;
    let digits = stem.len() >= 8 && stem.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| stem.parse().ok()).flatten()
}

/// The segments in a journal's folder, in their order; none where there is no such folder.
///
/// # Errors
/// The system's.
pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(numbered(folder)?.into_iter().map(|(_, path)| path).collect())
}

fn numbered(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        found.extend(number_of(&path).map(|number| (number, path)));
    }
    found.sort();
    Ok(found)
}

/// The journals in a folder of one-to-one outputs, by their names: those that have a marker,
/// `NAME_stats.json`, beside them. None where the folder is no such folder.
///
/// # Errors
/// The system's.
pub fn one_to_one(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix("_stats.json"));
        let journal = stem.map(|stem| folder.join(format!("{stem}.pairgate")));
        found.extend(journal.filter(|journal| journal.is_file()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The files of the journal at `path`, in their order: the file itself; in an output folder the one
/// of an earlier format and the segments; in a folder of segments those; in a folder of one-to-one
/// outputs the journal of each. None where there is none.
///
/// # Errors
/// The system's.
pub fn parts(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let single = one_to_one(path)?;
    if !single.is_empty() {
        return Ok(single);
    }
    let own = segments(path)?;
    if !own.is_empty() {
        return Ok(own);
    }
    let earlier = Some(path.join(EARLIER)).filter(|path| path.is_file());
    Ok(earlier.into_iter().chain(segments(&path.join(FOLDER))?).collect())
}

/// The bytes that a segment begins with.
pub(crate) fn header_bytes(header: &Header) -> Result<Vec<u8>, WireError> {
    let mut frame = Vec::new();
    let frame = match header.format {
        FORMAT_VERSION => wire::frame_growing(header, &mut frame, MAX_HEADER)?,
        format => {
            wire::frame_growing(&earlier(&header.terms, format), &mut frame, wire::MAX_PAYLOAD)?
        }
    };
    Ok([wire::MAGIC, frame].concat())
}

/// The header of an earlier format; a rule that is not known is one that keeps everything.
fn earlier(terms: &Terms, format: u16) -> wire::Header {
    let unknown = TrackerRule { keep: 1.0, warm_up: 1, window: 1, every: 1 };
    let tracker = (format == wire::TRACKED_VERSION).then(|| terms.tracker.unwrap_or(unknown));
    let Terms { config, threshold, .. } = *terms;
    wire::Header { version: format, model: terms.model(), config, threshold, tracker }
}

/// The header at the front of `bytes`, and its length with the magic bytes.
pub(super) fn parse_header(bytes: &[u8]) -> Result<(Header, usize), WireError> {
    if bytes.len() < wire::MAGIC.len() && wire::MAGIC.starts_with(bytes) {
        return Err(WireError::Torn { at: 0 });
    }
    let body = bytes.strip_prefix(wire::MAGIC).ok_or(WireError::NotAJournal)?;
    let (header, rest) = parse_body(body)?;
    Ok((header, bytes.len() - rest))
}

/// The header in the frame at the front of `body`, which stands behind the magic bytes, and the bytes
/// behind the frame.
pub(super) fn parse_body(body: &[u8]) -> Result<(Header, usize), WireError> {
    let torn = WireError::Torn { at: wire::MAGIC.len() as u64 };
    let (payload, rest) = wire::unframe_within(body, MAX_HEADER).ok_or(torn)?;
    // The format is first, so that it can be read whatever follows it.
    let (format, _) = postcard::take_from_bytes::<u16>(payload).map_err(|_| torn)?;
    let header = match format {
        FORMAT_VERSION => postcard::from_bytes(payload).map_err(|_| torn)?,
        _ => Header::earlier(&wire::Header::read(payload)?),
    };
    Ok((header, rest.len()))
}

/// The front of a file that holds its header whole, where it is whole.
pub(super) fn read_front(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(wire::MAGIC.len() as u64 + 4).read_to_end(&mut bytes)?;
    if let Some(length) = bytes.last_chunk::<4>().filter(|_| bytes.starts_with(wire::MAGIC)) {
        let length = u64::from(u32::from_le_bytes(*length));
        if length <= MAX_HEADER as u64 {
            reader.take(length + 4).read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

/// The header beside a segment, where it is whole.
pub(super) fn sidecar(segment: &Path) -> Option<Header> {
    let mut file = File::open(sidecar_path(segment)).ok()?;
    parse_header(&read_front(&mut file).ok()?).ok().map(|(header, _)| header)
}

/// Writes the header beside a segment.
pub(super) fn write_sidecar(disk: &Disk, segment: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_whole(disk, &sidecar_path(segment), bytes)
}

/// Writes what is known of the segments before this one.
pub(super) fn write_checkpoint<T: Serialize>(
    disk: &Disk,
    segment: &Path,
    state: &T,
) -> Result<(), IoError> {
    let path = checkpoint_path(segment);
    let mut frame = Vec::new();
    let frame = wire::frame_growing(state, &mut frame, MAX_CHECKPOINT);
    let frame = frame.map_err(io::Error::other).map_err(failed(&path))?;
    write_whole(disk, &path, &[CHECKPOINT_MAGIC, frame].concat())
}

/// What is known of the segments before this one; `None` where that is missing or damaged.
pub(crate) fn checkpoint<T: DeserializeOwned>(segment: &Path) -> Option<T> {
    let limit = MAX_CHECKPOINT as u64 + 64;
    let mut bytes = Vec::new();
    File::open(checkpoint_path(segment)).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    let frame = bytes.strip_prefix(CHECKPOINT_MAGIC)?;
    let (payload, rest) = wire::unframe_within(frame, MAX_CHECKPOINT)?;
    rest.is_empty().then(|| postcard::from_bytes(payload).ok()).flatten()
}
