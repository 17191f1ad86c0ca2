//! Numbers that a seed draws, the same everywhere.

use pairgate_core::pair::Uid;
use sha2::{Digest as _, Sha256};

/// SplitMix64: a sequence of 64-bit numbers of a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0: each is as likely to within `bound` / 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(bound)) >> 64) as u64
    }
}

/// A number that a pair draws whatever comes before it: the first 8 bytes, little-endian, of SHA-256 over
/// the seed (8 bytes, little-endian) and the uid.
pub fn draw(seed: u64, uid: &Uid) -> u64 {
    let hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(uid.0).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

/// The same as a share: at least 0, below 1.
pub fn draw_share(seed: u64, uid: &Uid) -> f64 {
    // The upper 53 bits, which a double holds.
    (draw(seed, uid) >> 11) as f64 / (1u64 << 53) as f64
}
