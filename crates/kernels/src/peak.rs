//! The most that a core can do: loops of nothing but the products of a tile, all in registers.
//! Benches compare kernels with it.

use super::Isa;

/// Registers of sums that a loop goes round: more than the latency of a product.
#[cfg(target_arch = "x86_64")]
const SUMS: usize = 12;

/// Runs such a loop and gives the operations (two to a product and its sum) that it made; none for
/// sets that have no such loop.
pub fn integer_products(isa: Isa, rounds: usize) -> Option<usize> {
    match isa.name() {
        // SAFETY: an `Isa` exists only for a set that was detected.
        #[cfg(target_arch = "x86_64")]
        "avx2" => Some(unsafe { avx2(rounds) }),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        "avxvnni" => Some(unsafe { avxvnni(rounds) }),
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        "avx512vnni" => Some(unsafe { avx512vnni(rounds) }),
        _ => {
            let _ = rounds;
            None
        }
    }
}

/// Defines a loop. A macro, since a feature is enabled by attribute only.
#[cfg(target_arch = "x86_64")]
macro_rules! peak {
    ($name:ident, $features:literal, $bytes:literal, $set:path, |$sum:ident, $x:ident| $step:expr) => {
        #[target_feature(enable = $features)]
        pub(super) fn $name(rounds: usize) -> usize {
            let $x = std::hint::black_box($set(1));
            let mut sums = [$x; SUMS];
            for _ in 0..rounds {
                for sum in &mut sums {
                    let $sum = *sum;
                    *sum = $step;
                }
            }
            std::hint::black_box(sums);
            2 * $bytes * SUMS * rounds
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod loops {
    use std::arch::x86_64::*;

    use super::SUMS;

    // A sum is an operand of its own product, else the product would be moved out of the loop.
    peak!(avx2, "avx2", 16, _mm256_set1_epi16, |sum, x| {
        _mm256_add_epi32(sum, _mm256_madd_epi16(sum, x))
    });
    peak!(avxvnni, "avx2,avxvnni", 32, _mm256_set1_epi8, |sum, x| {
        _mm256_dpbusd_avx_epi32(sum, x, x)
    });
    peak!(avx512vnni, "avx512f,avx512bw,avx512vnni", 64, _mm512_set1_epi8, |sum, x| {
        _mm512_dpbusd_epi32(sum, x, x)
    });
}
#[cfg(target_arch = "x86_64")]
use loops::{avx2, avx512vnni, avxvnni};
