//! The sinks that tell a status of decided pairs.

use std::sync::Arc;

use super::{Status, lock};
use crate::disk::IoError;
use crate::journal::Terms;
use crate::store::{Judged, RunEnd, Sink};

/// Notes when storing a pair begins.
pub(super) struct Storing(pub Arc<Status>);

/// Counts what all sinks before it have taken.
pub(super) struct Observer(pub Arc<Status>);

impl Sink for Storing {
    fn accept(&mut self, _: &Judged) -> Result<(), IoError> {
        let now = self.0.now();
        *lock(&self.0.storing_since) = Some(now);
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

impl Sink for Observer {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        if let Some(since) = lock(&self.0.storing_since).take() {
            self.0.store.observe(self.0.now().saturating_sub(since));
        }
        self.0.decided(judged);
        Ok(())
    }

    fn epoch(&mut self, terms: &Terms, _: u64) -> Result<(), IoError> {
        self.0.set_terms(terms);
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}
