//! From evidence to the only decision there is.
//!
//! A decider stands where the source's order is restored, so that what carries state decides alike
//! for any number of workers.
//!
//! | decider | decides by |
//! |---|---|
//! | [`Fixed`] | one threshold |
//! | [`Tracker`] | a threshold that follows the scores |
//! | [`Recorded`] | scores that an earlier pass recorded, under a threshold that only it could find |
//! | [`Matched`](matched::Matched) | scores that were made for the same pairs, in whatever order |
//! | [`ByGroup`](groups::ByGroup) | the threshold of the pair's group |

mod drift;
pub mod groups;
pub mod matched;
mod recorded;
pub mod share;
pub mod sketch;
pub mod swap;
mod tracker;
mod window;

pub use drift::{Distance, Drift, stability_index};
pub use recorded::Recorded;
pub use tracker::Tracker;

use std::sync::Arc;

use pairgate_core::decision::Decision;
use pairgate_core::pair::{Position, Uid};
use pairgate_core::policy::Policy;

use crate::disk::IoError;
use crate::gate::Evidence;
use crate::journal::Choice;
use crate::source::Sample;

use groups::GroupBar;

/// A pair and what a gate found of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Examined {
    /// Its place among all pairs of the run, from 0.
    pub ticket: u64,
    /// Its place in the run's inputs.
    pub position: Position,
    /// The sample, unchanged.
    pub sample: Sample,
    /// Its identity.
    pub uid: Uid,
    /// What was found.
    pub evidence: Evidence,
}

/// What is noted beside a decision: what it rested on beside evidence and one threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Noted {
    /// The threshold that decided, where it is the pair's group's.
    pub threshold: Option<f32>,
    /// The group, where a field of the pair's metadata names it.
    pub group: Option<Arc<str>>,
    /// What a selection rested on, where one was made.
    pub choice: Option<Box<Choice>>,
}

/// Says what becomes of pairs, which come in the source's order.
pub trait Decider: Send {
    /// Decides on the next pair.
    ///
    /// # Errors
    /// [`IoError::Read`] where the pair is not the one that was recorded; the run then ends.
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError>;

    /// The threshold that the next pair is decided by, where it moves; `None` where one threshold
    /// decides.
    fn moving_threshold(&self) -> Option<f32> {
        None
    }

    /// What is noted beside the decision that was made last, for the journal; nothing where evidence and
    /// one threshold tell all. It is told once.
    fn noted(&mut self) -> Noted {
        Noted::default()
    }

    /// Takes in that the pair which it kept last is not kept after all: what stands behind it said so.
    fn overruled(&mut self) {}

    /// What groups have come to, where each has a threshold of its own.
    fn groups(&self) -> Option<&GroupBar> {
        None
    }

    /// What it has learnt, for a run that goes on later; nothing where it learns nothing.
    fn state(&mut self) -> Vec<u8> {
        Vec::new()
    }

    /// Goes on from what another one has learnt, as [`state`](Self::state) gave it.
    fn learn(&mut self, _state: &[u8]) {}

    /// The threshold that follows the scores, where this is what decides.
    fn tracker(&self) -> Option<&Tracker> {
        None
    }

    /// Called when the source has ended.
    ///
    /// # Errors
    /// [`IoError::Read`] where it should not have ended.
    fn end(&mut self) -> Result<(), IoError> {
        Ok(())
    }
}

/// Decides by one policy.
#[derive(Debug, Clone, Copy)]
pub struct Fixed(pub Policy);

impl Decider for Fixed {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        Ok(self.0.decide(pair.evidence.found, pair.evidence.facts))
    }
}
