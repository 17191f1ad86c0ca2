//! One input, one output: the contract by which many machines filter side by side without talking to
//! each other.
//!
//! An input `shards/00000.tar` becomes, in the output folder,
//!
//! | file | |
//! |---|---|
//! | `00000.pairgate` | the decisions on all its pairs, a journal of one segment |
//! | `00000.parquet`, `00000.sketch` | the table of the kept pairs; a sketch of the scores |
//! | `00000.tar` | the kept pairs; whole and empty where none is kept |
//! | `00000_stats.json` | the [`Marker`]: counts, what decided, length and SHA-256 of each file |
//!
//! The names come from the input alone, the bytes from input, model and settings alone: attempts at the
//! same input agree, whoever makes them, when and how often.
//!
//! # Steps
//! 1. An [`Attempt`] writes into a folder of its own, `.attempts/00000.{16 hex digits}`, by the same sink
//!    as any run. All of it is on disk when the run is complete.
//! 2. Under the lock of the output (`.attempts/lock-{2 hex digits}`), a marker of earlier decisions that
//!    is to be replaced is removed, and the folder synced.
//! 3. The files get their names, the journal first and the data last, and the folder is synced.
//! 4. The marker is written, synced, gets its name, and the folder is synced.
//!
//! So files without a marker say nothing, and are written anew, and behind a marker all is whole. An attempt
//! that finds a marker in step 2 has come second: its own marker must have the same bytes, and its files
//! go. Folders of attempts that were killed are removed by the next run that is given the
//! same input: their lock is free.
//!
//! Steps 2 to 4 are all that depends on a file system (in `publish`): a store of objects would put data
//! under their names, then the marker, each if it is not there yet.

mod attempt;
mod marker;
mod publish;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use crate::journal;

pub use attempt::{Attempt, Tally, tidy};
pub use marker::{Claim, FileMark, Kind, MarkedTerms, Marker, Standing};
pub use publish::Published;
pub use verify::{left_behind, verify};

/// The folder of attempts in an output folder.
pub const ATTEMPTS: &str = ".attempts";
/// How the files of an output end, in the order in which they get their names.
pub const ENDINGS: [&str; 5] = [JOURNAL, TABLE, EMBEDDINGS, SKETCH, DATA];
/// How the journal's name ends.
pub const JOURNAL: &str = ".pairgate";
/// How the table's name ends.
pub const TABLE: &str = ".parquet";
/// How the name of recorded embeddings ends.
pub const EMBEDDINGS: &str = ".npz";
/// How the name of the scores' sketch ends.
pub const SKETCH: &str = ".sketch";
/// How the name of the kept pairs' shard ends.
pub const DATA: &str = ".tar";
/// How the marker's name ends.
pub const MARKER: &str = "_stats.json";

/// The names of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    folder: PathBuf,
    name: String,
}

impl Names {
    /// Those of the output called `name` in `folder`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.to_owned() }
    }

    /// The output folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What its files are called, as far as to their endings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's name with this ending.
    pub fn file(&self, ending: &str) -> String {
        format!("{}{ending}", self.name)
    }

    /// The path of the file with this ending.
    pub fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(self.file(ending))
    }
}

/// The outputs in `folder` that have a marker, sorted by their names. What has a name like a marker's and
/// no journal beside it is none.
///
/// # Errors
/// The system's.
pub fn outputs(folder: &Path) -> io::Result<Vec<Names>> {
    Ok(journal::one_to_one(folder)?.iter().filter_map(|path| of_journal(path)).collect())
}

/// The names of the output whose journal this is; `None` where it is that of another kind of run.
pub fn of_journal(journal: &Path) -> Option<Names> {
    let name = journal.file_name()?.to_str()?.strip_suffix(JOURNAL)?;
    let names = Names::new(journal.parent()?, name);
    names.path(MARKER).is_file().then_some(names)
}
