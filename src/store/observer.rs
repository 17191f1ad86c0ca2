//! Who hears what becomes of kept pairs.

use std::fmt;
use std::path::Path;

use super::Judged;
use crate::journal::Terms;

/// Hears of each kept pair when it is stored, and again when it can be read: a message that tells
/// others of a pair must wait for its shard.
///
/// It is called on the sink's thread, between two writes, so it must not wait for anything.
pub trait ShardObserver: fmt::Debug + Send {
    /// The pair was appended to the shard that will be called `shard`, under the name `key`. The
    /// shard has not got its name yet, and never gets it if the run ends badly.
    fn stored(&mut self, judged: &Judged, shard: &Path, key: &str);

    /// `shard` is on disk, whole and under its name, with all pairs stored since the last call.
    fn published(&mut self, shard: &Path);

    /// The pairs stored since the last call of [`published`](Self::published) never get their shard.
    fn abandoned(&mut self) {}

    /// Other `terms` decide from the next pair on.
    fn epoch(&mut self, _terms: &Terms) {}
}
