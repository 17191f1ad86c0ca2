//! Pairs on their way from the source to the last sink.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use pairgate_core::pair::Position;

use super::Status;
use crate::disk::IoError;
use crate::source::{Sample, Source};

/// When the pairs came that are not decided yet, oldest first. The pipeline bounds how many they are.
#[derive(Debug, Default)]
pub(super) struct Waiting(VecDeque<Duration>);

impl Waiting {
    pub(super) fn arrived(&mut self, now: Duration) {
        self.0.push_back(now);
    }

    /// The oldest one was decided: decisions come in the source's order.
    pub(super) fn decided(&mut self) -> Option<Duration> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn oldest(&self) -> Option<Duration> {
        self.0.front().copied()
    }

    /// What was read last may never be decided, where the run was stopped.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A source whose samples are counted as they come.
pub struct Arrivals {
    source: Box<dyn Source>,
    status: Arc<Status>,
}

impl Status {
    /// `source`, whose samples are counted as they come.
    pub fn arrivals(self: &Arc<Self>, source: Box<dyn Source>) -> Box<dyn Source> {
        Box::new(Arrivals { source, status: self.clone() })
    }
}

impl Source for Arrivals {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let sample = self.source.next()?;
        if sample.is_some() {
            self.status.arrived();
        }
        Ok(sample)
    }

    fn position(&self) -> Position {
        self.source.position()
    }
}
