//! The keys of one shard, as fingerprints.
//!
//! A fingerprint is the first 8 bytes of a key's SHA-256, little endian: the same on every machine
//! and in every run, so that the same samples get the same keys. Two keys with one fingerprint, about
//! one chance in 37 million among a million keys, cost the later one a number that it would not
//! have needed; no two samples ever get the same key.

use sha2::{Digest, Sha256};

use super::names::safe_key;

/// Entries of a block. Blocks do not move when there are more, so that growing copies nothing.
const BLOCK: usize = 1 << 12;
/// Bytes of a full block's fields, and of its place in the list, which may be twice as long as it
/// needs to be and is copied when it grows.
const BLOCK_BYTES: u64 = (BLOCK * size_of::<Entry>() + 3 * size_of::<Vec<Entry>>()) as u64;
/// Chains of an empty shard.
const FEWEST_CHAINS: usize = 1 << 8;
/// The end of a chain.
const END: u32 = u32::MAX;

/// Gives each sample of a shard a key that no other sample of it has.
///
/// It takes 24 bytes a sample at most, beside one block of 64 KiB: see [`ShardKeys::memory`].
#[derive(Debug, Clone, Default)]
pub struct ShardKeys {
    /// All of [`BLOCK`] entries, but for the last.
    blocks: Vec<Vec<Entry>>,
    /// The first entry of each chain; a power of two, at most as many as entries once there are
    /// more than [`FEWEST_CHAINS`].
    chains: Vec<u32>,
}

/// A key in the shard.
#[derive(Debug, Clone, Copy)]
struct Entry {
    fingerprint: u64,
    /// The next entry of the chain.
    next: u32,
    /// The number that the next sample of this key tries first.
    number: u32,
}

impl ShardKeys {
    /// Samples that a shard may hold at most.
    pub const MOST: u64 = END as u64;

    /// Bytes that the keys of a shard of `shard_pairs` samples take at worst, also while they grow.
    pub const fn memory(shard_pairs: u64) -> u64 {
        let blocks = shard_pairs.div_ceil(BLOCK as u64).saturating_mul(BLOCK_BYTES);
        let fewest = FEWEST_CHAINS as u64;
        let chains = if shard_pairs > fewest { shard_pairs } else { fewest };
        // Twice: allocators may keep what shorter lists took.
        blocks.saturating_add(chains.saturating_mul(2 * size_of::<u32>() as u64))
    }

    /// `key` made safe for a tar, and made unlike all that this gave before: the first sample of a
    /// name gets the name, the others `name_2`, `name_3` and so on.
    ///
    /// # Panics
    /// At the sample after [`ShardKeys::MOST`].
    pub fn unused(&mut self, key: &str) -> String {
        let safe = safe_key(key);
        let print = fingerprint(&safe);
        let Some(first) = self.find(print) else {
            self.add(print);
            return safe;
        };
        let mut number = self.entry(first).number;
        loop {
            let name = format!("{safe}_{number}");
            let print = fingerprint(&name);
            number = number.saturating_add(1);
            if self.find(print).is_none() {
                self.entry_mut(first).number = number;
                self.add(print);
                return name;
            }
        }
    }

    /// Takes a key that is in the shard already.
    pub fn insert(&mut self, key: &str) {
        let print = fingerprint(key);
        if self.find(print).is_none() {
            self.add(print);
        }
    }

    /// Keys in the shard.
    fn len(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK;
        full + self.blocks.last().map_or(0, Vec::len)
    }

    fn entry(&self, place: u32) -> Entry {
        self.blocks[place as usize / BLOCK][place as usize % BLOCK]
    }

    fn entry_mut(&mut self, place: u32) -> &mut Entry {
        &mut self.blocks[place as usize / BLOCK][place as usize % BLOCK]
    }

    /// Which chain a key is in; 0 of none.
    fn chain(&self, fingerprint: u64) -> usize {
        fingerprint as usize & self.chains.len().saturating_sub(1)
    }

    /// The place of a key's entry.
    fn find(&self, fingerprint: u64) -> Option<u32> {
        let mut place = *self.chains.get(self.chain(fingerprint))?;
        while place != END && self.entry(place).fingerprint != fingerprint {
            place = self.entry(place).next;
        }
        (place != END).then_some(place)
    }

    fn add(&mut self, fingerprint: u64) {
        let count = self.len();
        assert!((count as u64) < Self::MOST, "a shard holds fewer than 2^32 samples");
        if count >= 2 * self.chains.len() {
            self.rechain(count.max(FEWEST_CHAINS));
        }
        if count.is_multiple_of(BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let entry = Entry { fingerprint, next: END, number: 2 };
        self.blocks.last_mut().expect("one was just pushed").push(entry);
        self.link(count as u32);
    }

    /// Puts all entries into `chains` new chains, the old ones gone before.
    fn rechain(&mut self, chains: usize) {
        self.chains = Vec::new();
        self.chains = vec![END; chains];
        (0..self.len() as u32).for_each(|place| self.link(place));
    }

    /// Puts an entry at the head of its chain.
    fn link(&mut self, place: u32) {
        let chain = self.chain(self.entry(place).fingerprint);
        let next = std::mem::replace(&mut self.chains[chain], place);
        self.entry_mut(place).next = next;
    }
}

fn fingerprint(key: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(key).into();
    u64::from_le_bytes(*digest.first_chunk().expect("8 of 32 bytes"))
}
