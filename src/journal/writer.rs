//! Writes a journal's segments.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::entry::Entry;
use super::header::{Header, Terms};
use super::segment::{
    SEGMENT_BYTES, header_bytes, segment_path, sidecar, write_checkpoint, write_sidecar,
};
use crate::disk::IoError;
use crate::disk::{Disk, FileHandle, Open, failed, still_there};

/// Bytes that are collected before the system is asked to write; whole frames, so that a killed run
/// leaves whole ones.
const BUFFER: usize = 64 << 10;

/// Appends entries to a folder of segments.
#[derive(Debug)]
pub struct Writer {
    disk: Disk,
    folder: PathBuf,
    number: u64,
    path: PathBuf,
    writer: BufWriter<Box<dyn FileHandle>>,
    header: Header,
    bytes: u64,
    segment_bytes: u64,
    frame: Vec<u8>,
}

impl Writer {
    /// Begins segment `number` in `folder`, which is made if it is not there; `state` is what a run
    /// that goes on needs to know of the segments before it. All of it is on disk when this returns.
    ///
    /// # Errors
    /// [`IoError::Write`] if the segment is there already or it cannot be written.
    pub fn begin<T: Serialize>(
        disk: &Disk,
        folder: &Path,
        number: u64,
        header: Header,
        state: &T,
    ) -> Result<Self, IoError> {
        disk.create_folder(folder)?;
        // Also where a run made it that was killed before it brought the name to disk.
        disk.sync_name(folder)?;
        let path = segment_path(folder, number);
        let bytes = header_bytes(&header).map_err(io::Error::other).map_err(failed(&path))?;
        write_checkpoint(disk, &path, state)?;
        write_sidecar(disk, &path, &bytes)?;
        let file = disk.open(&path, Open::New)?;
        let mut writer = Self::over(disk, folder, number, header, file, 0);
        writer.write(&bytes)?;
        writer.sync()?;
        disk.sync_folder(folder)?;
        Ok(writer)
    }

    /// Goes on in segment `number`, of which the first `bytes` bytes stand: it is cut there.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be opened or cut.
    pub fn go_on(
        disk: &Disk,
        folder: &Path,
        number: u64,
        header: Header,
        bytes: u64,
    ) -> Result<Self, IoError> {
        let path = segment_path(folder, number);
        let mut file = disk.open(&path, Open::Append)?;
        file.set_len(bytes).map_err(failed(&path))?;
        let front = header_bytes(&header).map_err(io::Error::other).map_err(failed(&path))?;
        if sidecar(&path).is_none() {
            write_sidecar(disk, &path, &front)?;
        }
        let mut writer = Self::over(disk, folder, number, header, file, bytes);
        if bytes == 0 {
            // Killed before its header was on disk.
            writer.write(&front)?;
        }
        Ok(writer)
    }

    fn over(
        disk: &Disk,
        folder: &Path,
        number: u64,
        header: Header,
        file: Box<dyn FileHandle>,
        bytes: u64,
    ) -> Self {
        Self {
            disk: disk.clone(),
            folder: folder.to_owned(),
            number,
            path: segment_path(folder, number),
            writer: BufWriter::with_capacity(BUFFER, file),
            header,
            bytes,
            segment_bytes: SEGMENT_BYTES,
            frame: Vec::new(),
        }
    }

    /// The same with segments of at most so many bytes.
    pub fn with_segment_bytes(self, segment_bytes: u64) -> Self {
        Self { segment_bytes, ..self }
    }

    /// The header that the next segment begins with, but for its first ticket: the segment's, with the
    /// terms that decide now.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Says what decides now, where an entry of the segment has said so already.
    pub fn set_terms(&mut self, terms: Terms) {
        self.header.terms = terms;
    }

    /// Appends an entry; it is on disk after the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written.
    pub fn append(&mut self, entry: &Entry) -> Result<(), IoError> {
        let mut frame = std::mem::take(&mut self.frame);
        let framed = entry.frame(&mut frame).map_err(io::Error::other);
        let written = framed.map_err(failed(&self.path)).and_then(|frame| self.write(frame));
        self.frame = frame;
        if let Entry::Epoch(epoch) = entry {
            self.set_terms(epoch.terms.clone());
        }
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), IoError> {
        self.writer.write_all(bytes).map_err(failed(&self.path))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Brings everything appended so far to disk.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written.
    pub fn sync(&mut self) -> Result<(), IoError> {
        let flushed = self.writer.flush();
        let synced = flushed.and_then(|()| self.writer.get_mut().sync());
        synced.and_then(|()| still_there(&self.path)).map_err(failed(&self.path))
    }

    /// The segment that is written to, and the offset of the next entry.
    pub fn position(&self) -> (&Path, u64) {
        (&self.path, self.bytes)
    }

    /// Whether the segment is full: the next record belongs in another one.
    pub fn is_full(&self) -> bool {
        self.bytes >= self.segment_bytes
    }

    /// Brings the segment to disk and begins the next one, under `header`, whose first record has the
    /// ticket that it says.
    ///
    /// # Errors
    /// As [`sync`](Self::sync) and [`begin`](Self::begin).
    pub fn turn<T: Serialize>(&mut self, header: Header, state: &T) -> Result<(), IoError> {
        self.sync()?;
        let next = Self::begin(&self.disk, &self.folder, self.number + 1, header, state)?;
        *self = next.with_segment_bytes(self.segment_bytes);
        Ok(())
    }
}
