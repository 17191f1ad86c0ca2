//! A recorded pool: its pairs one after the other, as often as methods want to read them.

use pairgate_core::pair::Uid;
use serde_json::Value;

use super::fit::SelectError;
use crate::score::PairEmbeddings;

/// A pair of a pool.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolPair {
    /// Its identity.
    pub uid: Uid,
    /// Its key in its source.
    pub key: String,
    /// The shard, folder or manifest that it came from.
    pub shard: String,
    /// Its score.
    pub score: f32,
    /// Its embeddings.
    pub embeddings: PairEmbeddings,
    /// Its caption, where that is known.
    pub caption: Option<String>,
    /// The caption's token ids, where that is known and anybody asked for them.
    pub tokens: Vec<i64>,
    /// Its metadata, where they are known and anybody asked for them.
    pub metadata: Option<Value>,
}

/// Pairs that rules and threshold let pass, in one order.
pub trait Pool {
    /// Hands every pair to `each`, from the first. Each time the same ones come, in the same order.
    ///
    /// # Errors
    /// What cannot be read, and the error of `each`.
    fn read(
        &mut self,
        each: &mut dyn FnMut(PoolPair) -> Result<(), SelectError>,
    ) -> Result<(), SelectError>;
}

/// Those pairs of a pool that have these uids, which come in the same order.
pub struct SamePairs<P> {
    /// The pool.
    pub pool: P,
    /// The uids.
    pub uids: Vec<Uid>,
}

impl<P: Pool> Pool for SamePairs<P> {
    fn read(
        &mut self,
        each: &mut dyn FnMut(PoolPair) -> Result<(), SelectError>,
    ) -> Result<(), SelectError> {
        let mut wanted = self.uids.iter();
        let mut next = wanted.next();
        self.pool.read(&mut |pair| {
            if next != Some(&pair.uid) {
                return Ok(());
            }
            next = wanted.next();
            each(pair)
        })?;
        let Some(missing) = next else { return Ok(()) };
        let why = format!(
            "{missing} and {} pairs behind it are not in the new runs, in the old ones' order: score the same pairs \
             under the same rules, with --embeddings",
            wanted.len()
        );
        Err(SelectError::Pool { method: "select", why })
    }
}

/// A pool in memory.
#[derive(Debug, Clone, Default)]
pub struct InMemory(pub Vec<PoolPair>);

impl Pool for InMemory {
    fn read(
        &mut self,
        each: &mut dyn FnMut(PoolPair) -> Result<(), SelectError>,
    ) -> Result<(), SelectError> {
        self.0.iter().cloned().try_for_each(each)
    }
}
