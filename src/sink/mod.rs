//! Where decided pairs go beside an output folder ([`store`](crate::store)): a look at what was
//! rejected, scores as lines, a table or a journal.

pub mod embeddings;
pub mod journal;
pub mod rejected;
pub mod scores;
pub mod table;
mod target;

use std::time::Duration;

use pairgate_core::stats::Counts;

use crate::disk::IoError;
use crate::journal::Terms;

pub use crate::store::{Judged, RunEnd, Sink};

/// Several sinks, each of which gets every pair, in their order. An empty one takes pairs and
/// keeps nothing, as a dry run wants it.
impl Sink for Vec<Box<dyn Sink>> {
    /// The first error ends the round: the sinks behind it do not get the pair.
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.iter_mut().try_for_each(|sink| sink.accept(judged))
    }

    fn wants_checkpoint(&self) -> bool {
        self.iter().any(|sink| sink.wants_checkpoint())
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        let mut asking = self.iter_mut().filter(|sink| sink.wants_checkpoint());
        asking.try_for_each(|sink| sink.checkpoint(decider))
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.iter_mut().try_for_each(|sink| sink.epoch(terms, first_ticket))
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.iter_mut().try_for_each(|sink| sink.idle())
    }

    /// The first that is due.
    fn due_in(&self) -> Option<Duration> {
        self.iter().filter_map(|sink| sink.due_in()).min()
    }

    fn settled(&mut self) -> Result<(), IoError> {
        self.iter_mut().try_for_each(|sink| sink.settled())
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.iter_mut().try_for_each(|sink| sink.sync())
    }

    /// All are finished, whatever one of them says; the first error is given.
    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        self.iter_mut().map(|sink| sink.finish(end)).fold(Ok(()), Result::and)
    }

    /// What all that store pairs have on disk.
    fn durable(&self) -> Option<u64> {
        self.iter().filter_map(|sink| sink.durable()).min()
    }

    fn lost(&self) -> Counts {
        let mut lost = Counts::default();
        self.iter().for_each(|sink| lost.merge(&sink.lost()));
        lost
    }

    fn dropped(&self) -> u64 {
        self.iter().map(|sink| sink.dropped()).sum()
    }
}
