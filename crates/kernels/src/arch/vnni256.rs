//! AVX-VNNI: the lanes of AVX2, and tiles of twelve registers of sums.

use std::arch::x86_64::*;

use super::super::Task;
use super::avx2::Avx2Lanes;
use super::{Arch, LANES, QuadTile, TILE_COLUMNS, TileRows, TileSums, quads};

/// Rows of the tallest tile.
const ROWS: usize = 6;

/// AVX2, FMA and AVX-VNNI.
#[derive(Debug, Clone, Copy)]
pub struct AvxVnni;

/// The same tiles with the instruction's AVX-512 encoding, for machines that have only that one:
/// tests run the tiles there. Never chosen, for [`Avx512Vnni`](super::avx512::Avx512Vnni) is
/// faster.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Vnni256;

impl Avx512Vnni256 {
    /// Runs a kernel, if the machine can.
    pub fn run<T: Task>(task: T) -> Option<T::Output> {
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512vnni")]
        fn run<T: Task>(task: T) -> T::Output {
            task.run::<Avx512Vnni256>()
        }
        let here = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        // SAFETY: the features are there; AVX-512 VL comes with F.
        here.then(|| unsafe { run(task) })
    }
}

/// Defines a tile on one intrinsic. A macro, since a feature is enabled by attribute only.
macro_rules! tiles {
    ($set:ty, $features:literal, $dot:ident, $quad_tile:path) => {
        impl Arch for $set {
            type F = Avx2Lanes;
            const UNIT: usize = 4;

            #[inline(always)]
            fn tile_rows(_blocks: usize) -> usize {
                ROWS
            }

            #[inline(always)]
            unsafe fn tile(
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
                    // SAFETY: the caller's promise is handed on.
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
            unsafe fn quad_tile<const P: usize>(tile: QuadTile<'_>, sums: &mut [[i32; LANES]; P]) {
                // SAFETY: the caller's promise is handed on.
                unsafe { $quad_tile(tile, sums) }
            }
        }
    };
}

tiles!(AvxVnni, "avx2,avxvnni", _mm256_dpbusd_avx_epi32, quads::avxvnni);
tiles!(Avx512Vnni256, "avx2,avx512f,avx512vl,avx512vnni", _mm256_dpbusd_epi32, quads::avx512vl);
