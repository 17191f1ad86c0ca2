//! How many bytes requests may hold.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that are counted as one.
const UNIT: u64 = 1 << 10;

/// Bytes of all bodies together, from their first piece until the pipeline has the pair.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// A budget of `bytes`.
    pub fn new(bytes: u64) -> Self {
        let units = usize::try_from(bytes.div_ceil(UNIT)).unwrap_or(usize::MAX);
        Self(Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))))
    }

    /// Holds nothing yet.
    pub fn begin(&self) -> Held {
        Held { budget: self.0.clone(), permit: None, bytes: 0 }
    }
}

/// What one request holds of a budget; it is given back when this, or what it became, is dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    bytes: u64,
}

impl Held {
    /// Bytes that it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds `more` bytes; `false` where the budget has not so many.
    pub fn take(&mut self, more: usize) -> bool {
        let before = self.bytes.div_ceil(UNIT);
        self.bytes += more as u64;
        let units = u32::try_from(self.bytes.div_ceil(UNIT) - before).unwrap_or(u32::MAX);
        let Ok(taken) = self.budget.clone().try_acquire_many_owned(units) else { return false };
        match &mut self.permit {
            Some(permit) => permit.merge(taken),
            None => self.permit = Some(taken),
        }
        true
    }

    /// What is to be dropped when the bytes are no longer held.
    pub fn into_permit(self) -> Option<OwnedSemaphorePermit> {
        self.permit
    }
}
