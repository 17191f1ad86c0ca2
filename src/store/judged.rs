//! A decided pair, and what takes decided pairs.

use std::sync::Arc;
use std::time::Duration;

use pairgate_core::decision::{Decision, ReasonSet};
use pairgate_core::pair::{Position, Uid};
use pairgate_core::stats::Counts;

use crate::disk::IoError;
use crate::journal::{Choice, Terms};
use crate::score::PairEmbeddings;
use crate::source::Sample;

/// A sample and what was decided on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its place among all pairs of the run, from 0.
    pub ticket: u64,
    /// Its place in the run's inputs.
    pub position: Position,
    /// The sample, unchanged.
    pub sample: Sample,
    /// Its identity.
    pub uid: Uid,
    /// The decision.
    pub decision: Decision,
    /// Every rule that the pair breaks, as far as its path went.
    pub broken: ReasonSet,
    /// Lowest score that passed, where not all pairs have the same.
    pub threshold: Option<f32>,
    /// Both embeddings, where they were asked for and the pair was scored.
    pub embeddings: Option<Arc<PairEmbeddings>>,
    /// What else the decision rested on, where methods select.
    pub choice: Option<Box<Choice>>,
    /// The group that a field of its metadata puts it in, where groups have thresholds of their own.
    pub group: Option<Arc<str>>,
}

impl Judged {
    /// A decided pair of which no more is known.
    pub fn new(ticket: u64, sample: Sample, uid: Uid, decision: Decision) -> Self {
        let (position, broken) = (Position::default(), ReasonSet::default());
        let (threshold, embeddings, choice, group) = (None, None, None, None);
        Self {
            ticket,
            position,
            sample,
            uid,
            decision,
            broken,
            threshold,
            embeddings,
            choice,
            group,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// Its source was read to its end, or it is one that ends when it is stopped.
    Complete,
    /// It was asked to stop before that.
    Interrupted,
    /// A part of it failed.
    Failed,
}

/// Takes decided pairs, in the source's order.
pub trait Sink: Send {
    /// Takes one pair.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written; the run then ends.
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError>;

    /// Whether it asks for [`checkpoint`](Self::checkpoint) before the next pair.
    fn wants_checkpoint(&self) -> bool {
        false
    }

    /// Takes what the decider has learnt from the pairs before the next one.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn checkpoint(&mut self, _decider: &[u8]) -> Result<(), IoError> {
        Ok(())
    }

    /// Other `terms` decide from the pair with the ticket `first_ticket` on, which comes next.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn epoch(&mut self, _terms: &Terms, _first_ticket: u64) -> Result<(), IoError> {
        Ok(())
    }

    /// Called about once a second while nothing comes, for what is due by the clock.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn idle(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    /// Time until something is due by the clock, at which [`idle`](Self::idle) is to be called; `None`
    /// where the usual second is soon enough.
    fn due_in(&self) -> Option<Duration> {
        None
    }

    /// Called when everything that was read is decided and accepted, and nothing waits: whoever waits
    /// for the disk need not wait for others.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn settled(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    /// Brings everything accepted to disk now, for a sink around this one.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn sync(&mut self) -> Result<(), IoError> {
        Ok(())
    }

    /// Brings everything accepted to disk. Called once, at the end of the run, also of one that a
    /// failed `accept` has ended. What is not complete must not get its final name.
    ///
    /// # Errors
    /// [`IoError::Write`] if it cannot be written.
    fn finish(&mut self, end: RunEnd) -> Result<(), IoError>;

    /// The decisions of all tickets below this one are on disk, their kept pairs too; `None` for a
    /// sink that stores no pairs.
    fn durable(&self) -> Option<u64> {
        None
    }

    /// Pairs that were accepted, were to be stored and are not; asked after `finish`. Nothing where
    /// all went well, and for a sink that stores no pairs.
    fn lost(&self) -> Counts {
        Counts::default()
    }

    /// Pairs that were stored, in this run or before, and were removed in this run to make room or for
    /// their age.
    fn dropped(&self) -> u64 {
        0
    }
}

/// A boxed sink is the sink in the box.
impl<S: Sink + ?Sized> Sink for Box<S> {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        (**self).accept(judged)
    }

    fn wants_checkpoint(&self) -> bool {
        (**self).wants_checkpoint()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        (**self).checkpoint(decider)
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        (**self).epoch(terms, first_ticket)
    }

    fn idle(&mut self) -> Result<(), IoError> {
        (**self).idle()
    }

    fn due_in(&self) -> Option<Duration> {
        (**self).due_in()
    }

    fn settled(&mut self) -> Result<(), IoError> {
        (**self).settled()
    }

    fn sync(&mut self) -> Result<(), IoError> {
        (**self).sync()
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        (**self).finish(end)
    }

    fn durable(&self) -> Option<u64> {
        (**self).durable()
    }

    fn lost(&self) -> Counts {
        (**self).lost()
    }

    fn dropped(&self) -> u64 {
        (**self).dropped()
    }
}
