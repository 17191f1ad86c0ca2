//! The same failure by fewer bytes.

use std::time::{Duration, Instant};

/// Time that is spent on it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves out of `bytes` what `fails` does not need: halves first, then ever smaller blocks.
pub fn shrink(mut bytes: Vec<u8>, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let started = Instant::now();
    let mut block = bytes.len().next_power_of_two() / 2;
    while block > 0 {
        let mut at = 0;
        while at < bytes.len() {
            if started.elapsed() > PATIENCE {
                return bytes;
            }
            let mut shorter = bytes.clone();
            shorter.drain(at..(at + block).min(bytes.len()));
            if fails(&shorter) {
                bytes = shorter;
            } else {
                at += block;
            }
        }
        block /= 2;
    }
    bytes
}
