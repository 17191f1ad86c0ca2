//! What a broker is told of kept pairs: the path that their shard will have, once it has it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::{Judged, ShardObserver};

/// What is told of one output, or taken back where the output does not come to be.
#[derive(Debug)]
pub struct Announcement {
    inner: Shared,
    /// The path that the shard will have.
    shard: PathBuf,
    is_published: bool,
}

/// Two have it: the sink, which tells it of pairs, and whoever gives the shard its name.
type Shared = Arc<Mutex<Box<dyn ShardObserver>>>;

impl Announcement {
    pub fn new(inner: Box<dyn ShardObserver>, shard: PathBuf) -> Self {
        Self { inner: Arc::new(Mutex::new(inner)), shard, is_published: false }
    }

    /// What the sink tells.
    pub fn observer(&self) -> Box<dyn ShardObserver> {
        Box::new(Observer { inner: self.inner.clone(), shard: self.shard.clone() })
    }

    /// Tells that the shard has its name.
    pub fn publish(mut self) {
        self.is_published = true;
        locked(&self.inner).published(&self.shard);
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        if !self.is_published {
            locked(&self.inner).abandoned();
        }
    }
}

#[derive(Debug)]
struct Observer {
    inner: Shared,
    shard: PathBuf,
}

impl ShardObserver for Observer {
    fn stored(&mut self, judged: &Judged, _: &Path, key: &str) {
        locked(&self.inner).stored(judged, &self.shard, key);
    }

    /// It has not yet: an attempt's folder is nobody's business.
    fn published(&mut self, _: &Path) {}
}

fn locked(inner: &Shared) -> MutexGuard<'_, Box<dyn ShardObserver>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}
