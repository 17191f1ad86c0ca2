//! The decider that selects: threshold and rules first, then the state.

use std::fmt;
use std::io;
use std::sync::Arc;

use pairgate_core::decision::{Class, Decision, Reason, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chooser::{Chooser, Seen};
use super::state::State;
use crate::decide::groups::GroupBar;
use crate::decide::{Decider, Examined, Fixed, Noted, Tracker};
use crate::disk::IoError;
use crate::gate::Evidence;
use crate::journal::{Choice, Record};
use crate::score::{PairEmbeddings, Row};
use crate::store::Step;

/// What decides before anything is selected.
pub enum First {
    /// One threshold.
    Fixed(Fixed),
    /// One that follows the scores.
    Tracker(Box<Tracker>),
    /// Another decider, which learns nothing from a journal.
    Other(Box<dyn Decider>),
}

impl First {
    fn decider(&mut self) -> &mut dyn Decider {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Tracker(tracker) => &mut **tracker,
            Self::Other(other) => &mut **other,
        }
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(fixed) => fixed.fmt(f),
            Self::Tracker(tracker) => tracker.fmt(f),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

/// Decides by a threshold, and then by a state.
#[derive(Debug)]
pub struct Selecting {
    first: First,
    chooser: Chooser,
    choice: Option<Box<Choice>>,
}

/// All that both have learnt.
#[derive(Serialize, Deserialize)]
struct Learnt {
    first: Vec<u8>,
    chooser: Vec<u8>,
}

impl Selecting {
    /// Decides by `first`, and selects by `state` among what that keeps.
    pub fn new(first: First, state: Arc<State>) -> Self {
        Self { first, chooser: Chooser::new(state), choice: None }
    }

    /// What decides before.
    pub fn first(&self) -> &First {
        &self.first
    }

    /// Goes on from a checkpoint and from what was decided after it.
    ///
    /// # Errors
    /// The steps' own.
    pub fn catch_up(
        &mut self,
        checkpoint: &[u8],
        past: impl IntoIterator<Item = Result<Step, IoError>>,
    ) -> Result<(), IoError> {
        self.learn(checkpoint);
        if self.chooser.state().moving().is_none() && matches!(self.first, First::Fixed(_)) {
            return Ok(());
        }
        for step in past {
            match step? {
                Step::Decision(record) => {
                    self.take(&record);
                    self.follow(Step::Decision(record))?;
                }
                // What was handed over then had been saved.
                Step::Epoch { learns_on: true } => drop(self.state()),
                Step::Epoch { learns_on: false } => {
                    self.chooser.forget();
                    self.follow(Step::Epoch { learns_on: false })?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &Record) {
        if let Some(choice) = &record.choice {
            self.chooser.learn_again(record.ticket, choice);
        }
    }

    fn follow(&mut self, step: Step) -> Result<(), IoError> {
        match &mut self.first {
            First::Fixed(_) | First::Other(_) => Ok(()),
            First::Tracker(tracker) => tracker.catch_up([Ok(step)]),
        }
    }
}

impl Selecting {
    /// Decides on the next pair by what was measured of it, in the place of its evidence.
    ///
    /// # Errors
    /// As [`Decider::decide`]; [`IoError::Read`] where it passes and was not measured.
    pub fn decide_by(
        &mut self,
        pair: &Examined,
        measures: &[f32],
        embeddings: Option<&PairEmbeddings>,
    ) -> Result<Decision, IoError> {
        self.choice = None;
        let decision = self.first.decider().decide(pair)?;
        let Some(score) = decision.facts.score.filter(|_| decision.reason == Reason::Passed) else {
            return Ok(decision);
        };
        let state = self.chooser.state();
        let embeddings = embeddings.filter(|_| state.needs_embeddings());
        let image = embeddings.map(|embeddings| Row::of(&embeddings.image));
        let metadata = if state.needs_metadata() { metadata(pair) } else { None };
        let seen = Seen {
            ticket: pair.ticket,
            uid: pair.uid,
            score,
            measures,
            image: image.as_ref(),
            shard: &pair.sample.shard,
            metadata: metadata.as_ref(),
        };
        let Some((reason, choice)) = self.chooser.choose(&seen) else {
            let why = format!("{:?} was not measured for the selection", pair.sample.key);
            return Err(IoError::Read {
                from: pair.sample.shard.to_string(),
                why: io::Error::other(why),
            });
        };
        self.choice = Some(Box::new(choice));
        let decision = decided(decision, reason);
        if decision.verdict != Verdict::Kept {
            self.first.decider().overruled();
        }
        Ok(decision)
    }
}

impl Decider for Selecting {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        let Evidence { measures, embeddings, .. } = &pair.evidence;
        self.decide_by(pair, measures, embeddings.as_deref())
    }

    fn noted(&mut self) -> Noted {
        Noted { choice: self.choice.take(), ..self.first.decider().noted() }
    }

    fn groups(&self) -> Option<&GroupBar> {
        match &self.first {
            First::Fixed(_) | First::Tracker(_) => None,
            First::Other(other) => other.groups(),
        }
    }

    fn moving_threshold(&self) -> Option<f32> {
        match &self.first {
            First::Fixed(fixed) => fixed.moving_threshold(),
            First::Tracker(tracker) => tracker.moving_threshold(),
            First::Other(other) => other.moving_threshold(),
        }
    }

    fn state(&mut self) -> Vec<u8> {
        // Never nothing: a checkpoint then tells that all before it was taken in, also where that was nothing.
        let learnt = Learnt { first: self.first.decider().state(), chooser: self.chooser.saved() };
        postcard::to_allocvec(&learnt).unwrap_or_default()
    }

    fn learn(&mut self, state: &[u8]) {
        let Ok(Learnt { first, chooser }) = postcard::from_bytes(state) else { return };
        self.first.decider().learn(&first);
        if !chooser.is_empty() {
            self.chooser.restore(&chooser);
        }
    }

    fn tracker(&self) -> Option<&Tracker> {
        match &self.first {
            First::Fixed(_) => None,
            First::Tracker(tracker) => Some(tracker),
            First::Other(other) => other.tracker(),
        }
    }

    fn end(&mut self) -> Result<(), IoError> {
        self.first.decider().end()
    }
}

/// A decision that kept a pair, after it was selected or not.
pub fn decided(decision: Decision, reason: Reason) -> Decision {
    match reason.class() {
        Class::Good => decision,
        _ => Decision { verdict: Verdict::Rejected, reason, ..decision },
    }
}

/// What the sample's `.json` says.
fn metadata(pair: &Examined) -> Option<Value> {
    let json = pair.sample.members.iter().find(|member| member.extension == "json")?;
    serde_json::from_slice(&json.data).ok()
}
