//! What a broker is told of kept pairs: the path that their shard will have, once it has it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Judged, ShardObserver};

/// An observer that two hold: the sink, which tells it of pairs, and whoever gives the shard its name.
#[derive(Debug, Clone)]
pub struct Announcer {
    inner: Arc<Mutex<Box<dyn ShardObserver>>>,
    /// The path that the shard will have.
    shard: PathBuf,
}

impl Announcer {
    pub fn new(inner: Box<dyn ShardObserver>, shard: PathBuf) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), shard }
    }

    /// Tells that the shard has its name.
    pub fn publish(&self) {
        self.inner().published(&self.shard);
    }

    fn inner(&self) -> MutexGuard<'_, Box<dyn ShardObserver>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ShardObserver for Announcer {
    fn stored(&mut self, judged: &Judged, _: &Path, key: &str) {
        self.inner().stored(judged, &self.shard, key);
    }

    /// It has not yet: an attempt's folder is nobody's business.
    fn published(&mut self, _: &Path) {}
}
