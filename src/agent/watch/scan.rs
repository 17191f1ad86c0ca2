//! Going through a folder and those in it, a few names at a time.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use crate::source::LooseKind;

/// A walk through a folder; it knows one folder's names at a time.
#[derive(Debug)]
pub(super) struct Scan {
    /// Folders still to be read, the next one last.
    folders: Vec<PathBuf>,
    folder: PathBuf,
    names: IntoIter<OsString>,
}

/// What a walk comes upon.
#[derive(Debug)]
pub(super) enum Step {
    /// A folder, before its files.
    Folder(PathBuf),
    /// A picture or a shard.
    File(PathBuf, LooseKind),
    /// Nothing of interest; there is more.
    Nothing,
    /// The walk is over.
    End,
}

impl Scan {
    /// A walk through `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            folders: vec![root.to_owned()],
            folder: PathBuf::new(),
            names: Vec::new().into_iter(),
        }
    }

    /// Goes through another folder too.
    pub fn add(&mut self, folder: PathBuf) {
        self.folders.push(folder);
    }

    /// The next step.
    ///
    /// # Errors
    /// The system's, with the folder that cannot be read; the walk goes on with the others.
    pub fn step(&mut self) -> Result<Step, (PathBuf, io::Error)> {
        if let Some(name) = self.names.next() {
            return Ok(match LooseKind::of(Path::new(&name)) {
                kind @ (LooseKind::Image | LooseKind::Shard) => {
                    Step::File(self.folder.join(name), kind)
                }
                LooseKind::Text | LooseKind::Other => Step::Nothing,
            });
        }
        let Some(folder) = self.folders.pop() else { return Ok(Step::End) };
        Ok(Step::Folder(folder))
    }

    /// Reads the names in a folder that the walk came upon.
    pub fn enter(&mut self, folder: &Path) -> io::Result<()> {
        let (mut names, mut folders) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_hidden(&name) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => folders.push(folder.join(name)),
                false => names.push(name),
            }
        }
        names.sort_unstable();
        folders.sort_unstable_by(|one, other| other.cmp(one));
        self.folders.append(&mut folders);
        (self.folder, self.names) = (folder.to_owned(), names.into_iter());
        Ok(())
    }
}

/// Whether a name is passed over: programs write so what is not whole yet.
pub(super) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
