//! What an earlier part of a run has decided, for a decider that goes on from it.

use std::path::PathBuf;

use crate::disk::IoError;
use crate::journal::{Entry, Reader, Record, Terms};

/// A step of an earlier part of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A decision.
    Decision(Box<Record>),
    /// Other terms decide from here on; `learns_on` says whether what was learnt from the scores goes
    /// on ([`Terms::learns_on`]).
    Epoch {
        /// Whether it goes on.
        learns_on: bool,
    },
}

/// The steps, in their order; the last one leads to the terms that decide now.
#[derive(Debug)]
pub struct Past {
    /// `None` when there is nothing more.
    journal: Option<Reader>,
    /// What decided the step that was given last.
    terms: Terms,
    now: Terms,
}

impl Past {
    /// The steps in `parts` of a journal, behind which `now` decides.
    pub(super) fn of(parts: Vec<PathBuf>, now: Terms) -> Result<Self, IoError> {
        let journal = Reader::over(parts)?;
        let terms = journal.as_ref().map_or(&now, Reader::terms).clone();
        Ok(Self { journal, terms, now })
    }

    fn next_step(&mut self) -> Result<Option<Step>, IoError> {
        while let Some(journal) = &mut self.journal {
            match journal.next_entry()? {
                Some(Entry::Record(record)) => return Ok(Some(Step::Decision(record))),
                Some(Entry::Epoch(epoch)) => return Ok(Some(self.change(epoch.terms))),
                Some(_) => {}
                None => {
                    self.journal = None;
                    let now = self.now.clone();
                    return Ok((!self.terms.learns_on(&now)).then(|| self.change(now)));
                }
            }
        }
        Ok(None)
    }

    fn change(&mut self, terms: Terms) -> Step {
        let learns_on = self.terms.learns_on(&terms);
        self.terms = terms;
        Step::Epoch { learns_on }
    }
}

impl Iterator for Past {
    type Item = Result<Step, IoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.next_step();
        if step.is_err() {
            self.journal = None;
        }
        step.transpose()
    }
}
