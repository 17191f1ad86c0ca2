//! What is done with files whose decisions are on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pairgate_core::decision::{Decision, Verdict};
use pairgate_core::pair::Position;

use super::book::{Book, Files};
use super::signature::{INPUT, Signer};
use crate::disk::{Disk, IoError, failed, partial_path};
use crate::store::WhenDurable;

/// What becomes of files that are decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// They stay where they are.
    Keep,
    /// They are removed; what could not be judged stays.
    Delete,
    /// They go to this folder, under the same names.
    Move(PathBuf),
}

/// Does it.
#[derive(Debug, Clone)]
pub struct Done {
    disk: Disk,
    after: After,
    book: Book,
    signer: Signer,
}

impl Done {
    /// For files below `folder`, which must be there.
    ///
    /// # Errors
    /// [`IoError::Read`] if it is not.
    pub fn new(disk: &Disk, after: After, book: Book, folder: &Path) -> Result<Self, IoError> {
        let signer = Signer::new(folder)
            .map_err(|why| IoError::Read { from: folder.display().to_string(), why })?;
        Ok(Self { disk: disk.clone(), after, book, signer })
    }

    /// Whether files go away, or stay.
    pub(super) fn keeps(&self) -> bool {
        self.after == After::Keep
    }

    /// Does it with files that an earlier run has decided.
    pub(super) fn finish_left(&self, files: &Files, was_failed: bool) {
        self.finish(files, was_failed);
    }

    /// Whether the files are gone.
    fn finish(&self, files: &Files, is_failed: bool) -> bool {
        if self.keeps() || (self.after == After::Delete && is_failed) {
            return false;
        }
        // A file of that name that came since is another one, which is to be judged.
        let first = files.paths.first();
        let is_same = first.is_some_and(
            |path| matches!(self.signer.at(path), Ok(Some(found)) if found == files.signature),
        );
        if !is_same {
            return true;
        }
        // The picture last: until then, all of it can be found again.
        for path in files.paths.iter().rev() {
            if let Err(error) = self.finish_one(path) {
                log::warn!("{error}; it stays, and is not judged again");
                return false;
            }
        }
        true
    }

    fn finish_one(&self, path: &Path) -> Result<(), IoError> {
        if !path.exists() {
            return Ok(());
        }
        match &self.after {
            After::Keep => Ok(()),
            After::Delete => self.disk.remove_file(path),
            After::Move(folder) => self.move_to(folder, path),
        }
    }

    fn move_to(&self, folder: &Path, path: &Path) -> Result<(), IoError> {
        let wanted = folder.join(self.signer.below(path));
        let parent = wanted.parent().unwrap_or(folder);
        if !parent.is_dir() {
            self.disk.create_folder(parent)?;
        }
        let target = free(&wanted)?;
        match self.disk.rename(path, &target) {
            Err(IoError::Write { why, .. }) if why.kind() == io::ErrorKind::CrossesDevices => {
                let partial = partial_path(&target).map_err(failed(&target))?;
                if partial.exists() {
                    self.disk.remove_file(&partial)?;
                }
                self.disk.copy(path, &partial)?;
                self.disk.rename(&partial, &target)?;
                self.disk.sync_parent(&target)?;
                self.disk.remove_file(path)
            }
            moved => moved,
        }
    }
}

/// The name, or the first `NAME-2.EXT`, `NAME-3.EXT`, ... that is free.
fn free(wanted: &Path) -> Result<PathBuf, IoError> {
    let stem = wanted.file_stem().unwrap_or_default().to_string_lossy();
    let numbered = |number: u32| {
        let mut path = wanted.with_file_name(format!("{stem}-{number}"));
        if let Some(extension) = wanted.extension() {
            path.set_extension(extension);
        }
        path
    };
    let mut names = std::iter::once(wanted.to_owned()).chain((2..100_000).map(numbered));
    let found = names.find(|path| fs::symlink_metadata(path).is_err());
    found.ok_or_else(|| failed(wanted)(io::Error::other("there is no free name for it")))
}

impl WhenDurable for Done {
    fn is_durable(&mut self, position: Position, decision: &Decision) {
        if position.input != INPUT {
            return;
        }
        let Some(files) = self.book.pages().files.remove(&position.item) else { return };
        if self.finish(&files, decision.verdict == Verdict::Failed) {
            // Nothing is left that it could be taken for.
            self.book.pages().given.remove(&position.item);
        }
    }
}
