//! What was done to a folder, call by call.

use std::path::PathBuf;

use pairgate::disk::Open;

use super::tree::{FileId, Tree};

/// A call that was done. One that failed is not here, but for syncs: a failed one leaves the disk
/// in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// The file is a new one if no earlier call has its number.
    Open { path: PathBuf, how: Open, file: FileId },
    /// What was written, which may be less than what was asked for.
    Write { file: FileId, at: u64, bytes: Vec<u8> },
    /// The file was cut, or filled up with zeros.
    SetLen { file: FileId, bytes: u64 },
    /// `done`: it did not fail.
    Sync { file: FileId, done: bool },
    /// Both in the folder that is recorded, as all paths.
    Rename { from: PathBuf, to: PathBuf },
    /// A second name.
    HardLink { from: PathBuf, to: PathBuf },
    /// One name less.
    RemoveFile { path: PathBuf },
    /// With those that it lies in.
    CreateFolder { path: PathBuf },
    /// `done`: it did not fail.
    SyncFolder { path: PathBuf, done: bool },
    /// No call: what the test noted at this time, such as how much was promised to be durable.
    Mark(u64),
}

/// All calls, in order.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// What the folder held before the first call; all of it counts as synced.
    pub before: Tree,
    /// What was done to it.
    pub calls: Vec<Call>,
}

impl Log {
    /// Points at which to cut the power: the numbers of calls done. Between a call and the marks
    /// behind it nothing happens, so the points are behind the marks, where more is promised.
    pub fn points(&self) -> impl Iterator<Item = usize> + '_ {
        let marked = |point: &usize| matches!(self.calls.get(*point), Some(Call::Mark(_)));
        (0..=self.calls.len()).filter(move |point| !marked(point))
    }

    /// The last mark among the first `point` calls.
    pub fn mark_at(&self, point: usize) -> Option<u64> {
        self.calls[..point].iter().rev().find_map(|call| match call {
            Call::Mark(value) => Some(*value),
            _ => None,
        })
    }

    /// One line a call, such as `write .a.partial 5 bytes`. A file is called by the name that it was
    /// first opened by.
    pub fn lines(&self) -> Vec<String> {
        self.calls.iter().map(|call| self.line(call)).collect()
    }

    /// The line of one call.
    pub fn line(&self, call: &Call) -> String {
        let failed = |done: &bool| if *done { "" } else { ", failed" };
        let at = |path: &PathBuf| path.display().to_string();
        match call {
            Call::Open { path, .. } => format!("open {}", at(path)),
            Call::Write { file, bytes, .. } => {
                format!("write {} {} bytes", self.name(*file), bytes.len())
            }
            Call::SetLen { file, bytes } => format!("set_len {} {bytes}", self.name(*file)),
            Call::Sync { file, done } => format!("sync {}{}", self.name(*file), failed(done)),
            Call::Rename { from, to } => format!("rename {} to {}", at(from), at(to)),
            Call::HardLink { from, to } => format!("link {} as {}", at(from), at(to)),
            Call::RemoveFile { path } => format!("remove {}", at(path)),
            Call::CreateFolder { path } => format!("create folder {}", at(path)),
            Call::SyncFolder { path, done } => format!("sync folder {}{}", at(path), failed(done)),
            Call::Mark(value) => format!("mark {value}"),
        }
    }

    fn name(&self, wanted: FileId) -> String {
        let opened = self.calls.iter().find_map(|call| match call {
            Call::Open { path, file, .. } if *file == wanted => Some(path),
            _ => None,
        });
        opened.map_or(format!("file {wanted}"), |path| path.display().to_string())
    }
}
