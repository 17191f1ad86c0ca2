//! AVX-VNNI: the lanes of AVX2, and tiles of twelve registers of sums.

use std::arch::x86_64::*;

use super::super::Task;
use super::avx2::{Avx2, Avx2Lanes};
use super::{Arch, LANES, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Rows of the tallest tile.
const ROWS: usize = 6;

/// AVX2, FMA and AVX-VNNI, which this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AvxVnni(Avx2);

impl AvxVnni {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        Avx2::detect().filter(|_| is_x86_feature_detected!("avxvnni")).map(Self)
    }
}

/// The same tiles with the instruction's AVX-512 encoding, for machines that have only that one:
/// tests run the tiles there. Never chosen, for [`Avx512Vnni`](super::avx512::Avx512Vnni) is
/// faster.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Vnni256(Avx2);

impl Avx512Vnni256 {
    /// The set, if the machine has it.
    pub fn detect() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512vnni");
        Avx2::detect().filter(|_| here).map(Self)
    }

    /// Runs a kernel.
    pub fn run<T: Task>(self, task: T) -> T::Output {
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512vnni")]
        fn run<T: Task>(set: Avx512Vnni256, task: T) -> T::Output {
            task.run(set)
        }
        // SAFETY: `self` proves that the features are there; AVX-512 VL comes with F.
        unsafe { run(self, task) }
    }
}

/// Defines a tile on one intrinsic. A macro, since a feature is enabled by attribute only.
macro_rules! tiles {
    ($set:ty, $name:literal, $features:literal, $dot:ident, $quad_tile:path) => {
        impl Arch for $set {
            type F = Avx2Lanes;
            const NAME: &'static str = $name;
            const UNIT: usize = 4;

            #[inline(always)]
            fn lanes(self) -> Avx2 {
                self.0
            }

            #[inline(always)]
            fn tile_rows(_blocks: usize) -> usize {
                ROWS
            }

            #[inline(always)]
            unsafe fn tile(
                self,
                codes: TileRows<'_>,
                weights: *const i8,
                _column_sums: *const i32,
                rows: usize,
                blocks: usize,
                sums: &mut TileSums,
            ) {
                /// Block `block` of `blocks` of a tile of `ROWS` rows.
                ///
                /// # Safety
                /// As [`Arch::tile`]; `block < blocks`.
                #[target_feature(enable = $features)]
                unsafe fn strip<const ROWS: usize>(
                    codes: TileRows<'_>,
                    weights: *const i8,
                    blocks: usize,
                    block: usize,
                    sums: &mut TileSums,
                ) {
                    let mut total = [[_mm256_setzero_si256(); 2]; ROWS];
                    // SAFETY: the caller vouches for all codes of all segments, and for the
                    // weights of all units, which lie `64 * blocks` bytes apart.
                    unsafe {
                        let mut weight = weights.add(64 * block);
                        for segment in codes.segments {
                            let mut code = codes.first.add(*segment);
                            for _ in 0..codes.units {
                                let low = _mm256_load_si256(weight.cast());
                                let high = _mm256_load_si256(weight.add(32).cast());
                                for (row, total) in total.iter_mut().enumerate() {
                                    let four = code.add(row * codes.stride).cast::<i32>();
                                    let four = _mm256_set1_epi32(four.read_unaligned());
                                    total[0] = $dot(total[0], four, low);
                                    total[1] = $dot(total[1], four, high);
                                }
                                code = code.add(4);
                                weight = weight.add(64 * blocks);
                            }
                        }
                    }
                    for (total, sums) in total.iter().zip(sums.as_chunks_mut::<TILE_COLUMNS>().0) {
                        let sums = &mut sums[block * LANES..][..LANES];
                        // SAFETY: there is room for sixteen sums.
                        unsafe {
                            _mm256_storeu_si256(sums.as_mut_ptr().cast(), total[0]);
                            _mm256_storeu_si256(sums[8..].as_mut_ptr().cast(), total[1]);
                        }
                    }
                }
                for block in 0..blocks {
                    // SAFETY: `self` proves that the set is there; the caller's promise is handed
                    // on.
                    unsafe {
                        match rows {
                            6 => strip::<6>(codes, weights, blocks, block, sums),
                            5 => strip::<5>(codes, weights, blocks, block, sums),
                            4 => strip::<4>(codes, weights, blocks, block, sums),
                            3 => strip::<3>(codes, weights, blocks, block, sums),
                            2 => strip::<2>(codes, weights, blocks, block, sums),
                            _ => strip::<1>(codes, weights, blocks, block, sums),
                        }
                    }
                }
            }

            #[inline(always)]
            fn quad_tile<const P: usize>(self, tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
                // SAFETY: `self` proves that the set is there.
                unsafe { $quad_tile(tile, sums) }
            }
        }
    };
}

tiles!(AvxVnni, "avxvnni", "avx2,avxvnni", _mm256_dpbusd_avx_epi32, quads::avxvnni);
tiles!(
    Avx512Vnni256,
    "avx512vnni256",
    "avx2,avx512f,avx512vl,avx512vnni",
    _mm256_dpbusd_epi32,
    quads::avx512vl
);
