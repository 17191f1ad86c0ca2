//! A folder in which pairs and shards appear, judged as they come.
//!
//! ```text
//! events (inotify) -> waiting: until nothing changes, and the caption is there -> samples
//! scan ------------^                                                              |
//!   ^-- what the journal knows                      durable -> keep, delete, move <
//! ```
//! - The truth is the journal: a record's position holds a number made of the file's path, size and time
//!   of change (`signature`). What has one is not judged again, whatever was killed when.
//! - `events` tell of files that were closed or renamed into place; a `scan` finds the others, at the
//!   start, now and then, and when events were lost. Where there are none, as on network file systems,
//!   the scan finds all.
//! - A file is read when its size and time of change have stood still: for a moment where an event says
//!   that it is whole, for longer where none does; and again not, if they changed while it was read.
//! - `after` does what is wished with files whose decisions are on disk.

mod after;
mod book;
#[cfg_attr(not(target_os = "linux"), path = "no_events.rs")]
mod events;
mod mount;
mod pair;
mod scan;
mod shard;
mod signature;
mod source;
mod waiting;

use std::path::PathBuf;
use std::time::Duration;

use pairgate_core::config::SampleLimits;

pub use after::{After, Done};
pub use book::Book;
pub use mount::{network_file_system, network_type};
pub use source::WatchSource;

/// How a folder is watched.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// The folder.
    pub folder: PathBuf,
    /// Bounds on a sample.
    pub limits: SampleLimits,
    /// Time between two scans.
    pub scan: Duration,
    /// Whether the system is asked for events.
    pub events: bool,
    /// How long a file must stand still that no event vouches for.
    pub settle: Duration,
    /// How long a picture waits for its caption.
    pub caption_wait: Duration,
}
