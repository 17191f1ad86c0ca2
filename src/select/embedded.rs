//! Selection among pairs whose embeddings a run has recorded: no model is asked.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use pairgate_core::decision::Decision;

use super::recorded::Tokenize;
use super::selecting::Selecting;
use super::state::State;
use crate::decide::groups::GroupBar;
use crate::decide::{Decider, Examined, Noted, Tracker};
use crate::disk::IoError;
use crate::recorded::{ReadAs, RecordedRow, RecordedRun};
use crate::score::{Measure, measured};
use crate::source::caption_of;

/// Decides by a state on what runs have recorded. Pairs must come in the runs' order; recorded ones that do
/// not come are passed over.
pub struct Embedded {
    run: RecordedRun,
    measures: Vec<Arc<dyn Measure>>,
    tokenize: Option<Tokenize>,
    selecting: Selecting,
}

/// Opens runs that hold embeddings.
///
/// # Errors
/// [`IoError::Read`] where they cannot be read, or hold none.
pub fn open(runs: &[PathBuf]) -> Result<RecordedRun, IoError> {
    let run = RecordedRun::open(runs, &ReadAs::default())?;
    if run.embeddings().is_some() {
        return Ok(run);
    }
    let why =
        "they hold no embeddings, which --select decides by: score the pairs with --embeddings";
    Err(IoError::Read { from: "the scores".into(), why: io::Error::other(why) })
}

impl Embedded {
    /// Decides by `selecting`, whose state is `state`, on pairs of `runs`. `tokenize` gives captions' token
    /// ids, which some methods need.
    ///
    /// # Errors
    /// [`IoError::Read`] where the runs cannot be read, or hold no embeddings.
    pub fn open(
        runs: &[PathBuf],
        state: &State,
        tokenize: Option<Tokenize>,
        selecting: Selecting,
    ) -> Result<Self, IoError> {
        Ok(Self { run: open(runs)?, measures: state.measures(), tokenize, selecting })
    }

    /// Goes on to what is recorded of a pair.
    fn find(&mut self, pair: &Examined) -> Result<RecordedRow, IoError> {
        while let Some(row) = self.run.next()? {
            if row.uid == pair.uid {
                return Ok(row);
            }
        }
        let why = format!(
            "{:?} is not recorded behind the pair before it: where a state selects, the pairs must come in the \
             order of the scores",
            pair.sample.key
        );
        Err(IoError::Read { from: pair.sample.shard.to_string(), why: io::Error::other(why) })
    }

    /// What workers would have measured of a pair; nothing where it was not scored.
    fn measure(&self, pair: &Examined, row: &RecordedRow) -> Vec<f32> {
        let (Some(embeddings), Some(score)) = (&row.embeddings, row.score) else {
            return Vec::new();
        };
        let caption = caption_of(&pair.sample.members, &pair.sample.metadata());
        let caption = caption.unwrap_or_default();
        let tokens = self.tokenize.as_ref().map(|tokenize| tokenize(&caption));
        measured(&self.measures, score, embeddings, &caption, &tokens.unwrap_or_default())
    }
}

impl Decider for Embedded {
    fn decide(&mut self, pair: &Examined) -> Result<Decision, IoError> {
        let row = self.find(pair)?;
        let measures = self.measure(pair, &row);
        self.selecting.decide_by(pair, &measures, row.embeddings.as_ref())
    }

    fn noted(&mut self) -> Noted {
        self.selecting.noted()
    }

    fn groups(&self) -> Option<&GroupBar> {
        self.selecting.groups()
    }

    fn moving_threshold(&self) -> Option<f32> {
        self.selecting.moving_threshold()
    }

    fn state(&mut self) -> Vec<u8> {
        self.selecting.state()
    }

    fn learn(&mut self, state: &[u8]) {
        self.selecting.learn(state);
    }

    fn tracker(&self) -> Option<&Tracker> {
        self.selecting.tracker()
    }

    fn end(&mut self) -> Result<(), IoError> {
        self.selecting.end()
    }
}
