//! Where decided pairs go: kept shards, the decision journal, a look at what was rejected, scores
//! as lines or a table, an MQTT broker.

pub mod journal;
pub mod keys;
#[cfg(feature = "mqtt")]
pub mod mqtt;
pub mod names;
pub mod observer;
pub mod output;
pub mod rejected;
mod resume;
pub mod salvage;
pub mod scores;
pub mod shards;
pub mod store;
pub mod table;
mod target;

use crate::decision::Decision;
use crate::error::RunError;
use crate::pair::Uid;
use crate::source::Sample;
use crate::stats::Counts;

/// A sample and what the gate said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The sample, unchanged.
    pub sample: Sample,
    /// Its identity.
    pub uid: Uid,
    /// The gate's answer.
    pub decision: Decision,
}

/// Takes decided pairs, in the source's order.
pub trait Sink: Send {
    /// Takes one pair.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be written; the run then ends.
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError>;

    /// Says the threshold that pairs accepted from now on were decided by, where it follows the
    /// scores; not called where one threshold decides.
    fn set_threshold(&mut self, _threshold: f32) {}

    /// Called about once a second while nothing comes, for what is due by the clock.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn idle(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    /// Brings everything accepted to disk. Called once, at the end of the run, also of one that a
    /// failed `accept` has ended.
    ///
    /// # Errors
    /// [`RunError::Sink`] if it cannot be written.
    fn finish(&mut self) -> Result<(), RunError>;

    /// Pairs that were to be stored and are not, the one whose `accept` failed among them; asked
    /// after `finish`. Nothing where all went well, and for a sink that stores no pairs.
    fn lost(&self) -> Counts {
        Counts::default()
    }
}

/// Several sinks, each of which gets every pair, in their order. An empty one takes pairs and
/// keeps nothing, as a dry run wants it.
impl Sink for Vec<Box<dyn Sink>> {
    /// The first error ends the round: the sinks behind it do not get the pair.
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        self.iter_mut().try_for_each(|sink| sink.accept(judged))
    }

    fn set_threshold(&mut self, threshold: f32) {
        self.iter_mut().for_each(|sink| sink.set_threshold(threshold));
    }

    fn idle(&mut self) -> Result<(), RunError> {
        self.iter_mut().try_for_each(|sink| sink.idle())
    }

    /// All are finished, whatever one of them says; the first error is given.
    fn finish(&mut self) -> Result<(), RunError> {
        self.iter_mut().map(|sink| sink.finish()).fold(Ok(()), Result::and)
    }

    fn lost(&self) -> Counts {
        let mut lost = Counts::default();
        self.iter().for_each(|sink| lost.merge(&sink.lost()));
        lost
    }
}
