//! The inverse transform of a block whose intermediates may be cut off, as libjpeg-turbo's kernels for
//! x86 compute it.
//!
//! The algorithm is Loeffler's, Ligtenberg's and Moschytz's with 11 multiplications (ICASSP 1989), in
//! the fixed-point form that libjpeg calls "slow integer". The kernels hold samples in 16 bits between
//! its two passes; where damage or coarse quantisation takes them out of range, what becomes of them is
//! the kernel's affair: x86 cuts off, ARM wraps around. Here it is the same everywhere.

/// Fractional bits of the constants, and those that are kept between the passes.
const CONSTANT_BITS: u32 = 13;
const KEPT_BITS: u32 = 2;

/// A constant with [`CONSTANT_BITS`] fractional bits.
const fn fixed(value: f64) -> i32 {
    (value * (1 << CONSTANT_BITS) as f64 + 0.5) as i32
}

const C0_298: i32 = fixed(0.298_631_336);
const C0_390: i32 = fixed(0.390_180_644);
const C0_541: i32 = fixed(0.541_196_100);
const C0_765: i32 = fixed(0.765_366_865);
const C0_899: i32 = fixed(0.899_976_223);
const C1_175: i32 = fixed(1.175_875_602);
const C1_501: i32 = fixed(1.501_321_110);
const C1_847: i32 = fixed(1.847_759_065);
const C1_961: i32 = fixed(1.961_570_560);
const C2_053: i32 = fixed(2.053_119_869);
const C2_562: i32 = fixed(2.562_915_447);
const C3_072: i32 = fixed(3.072_711_026);

/// The samples of a block, `[8, 8]`, from its quantised coefficients and their steps.
pub(super) fn transform(block: &[i16; 64], steps: &[u16; 64]) -> [u8; 64] {
    let levels: [i16; 64] = std::array::from_fn(|i| block[i].wrapping_mul(steps[i] as i16));
    // The kernels shift the first row where there is no other one.
    let flat = levels[8..].iter().all(|&level| level == 0);
    let mut kept = [0; 64];
    for column in 0..8 {
        let line = line(std::array::from_fn(|row| levels[8 * row + column]));
        for (row, value) in line.into_iter().enumerate() {
            kept[8 * row + column] = match flat {
                true => levels[column].wrapping_shl(KEPT_BITS),
                false => descale(value, CONSTANT_BITS - KEPT_BITS),
            };
        }
    }
    let mut samples = [0; 64];
    for (kept, samples) in kept.as_chunks::<8>().0.iter().zip(samples.as_chunks_mut::<8>().0) {
        *samples = line(*kept).map(sample);
    }
    samples
}

/// Whether no processor cuts anything off in the transform of a block: it is far from that in blocks
/// that encoders make of pixels.
pub(super) fn is_within_range(block: &[i16; 64], steps: &[u16; 64]) -> bool {
    // Two of them are added in 16 bits.
    let fits = |value: i32| value.abs() <= i32::from(i16::MAX / 2);
    let levels: [i32; 64] = std::array::from_fn(|i| i32::from(block[i]) * i32::from(steps[i]));
    levels.into_iter().all(fits)
        && (0..8).all(|column| {
            let line = line(std::array::from_fn(|row| levels[8 * row + column] as i16));
            line.into_iter().all(|value| fits(value >> (CONSTANT_BITS - KEPT_BITS)))
        })
}

/// The samples of a block whose coefficients are all in the first row.
#[inline(always)]
pub(super) fn transform_row(block: &[i16; 64], steps: &[u16; 64], samples: &mut [u8; 64]) {
    let kept = |i: usize| block[i].wrapping_mul(steps[i] as i16).wrapping_shl(KEPT_BITS);
    let row = line(std::array::from_fn(kept)).map(sample);
    samples.as_chunks_mut::<8>().0.fill(row);
}

/// The transform of a line of 8, times the square root of 8, with [`CONSTANT_BITS`] fractional bits.
#[inline(always)]
fn line([s0, s1, s2, s3, s4, s5, s6, s7]: [i16; 8]) -> [i32; 8] {
    let shifted = |level: i16| i32::from(level) << CONSTANT_BITS;
    let sum = |[a, b]: [i16; 2], [by_a, by_b]: [i32; 2]| i32::from(a) * by_a + i32::from(b) * by_b;
    let (even, odd) = (shifted(s0.wrapping_add(s4)), shifted(s0.wrapping_sub(s4)));
    let rotated = sum([s2, s6], [C0_541 + C0_765, C0_541]);
    let other = sum([s2, s6], [C0_541, C0_541 - C1_847]);
    let evens = [
        even.wrapping_add(rotated),
        odd.wrapping_add(other),
        odd.wrapping_sub(other),
        even.wrapping_sub(rotated),
    ];

    let (z3, z4) = (s7.wrapping_add(s3), s5.wrapping_add(s1));
    let (y3, y4) =
        (sum([z3, z4], [C1_175 - C1_961, C1_175]), sum([z3, z4], [C1_175, C1_175 - C0_390]));
    let odds = [
        sum([s1, s7], [C1_501 - C0_899, -C0_899]).wrapping_add(y4),
        sum([s3, s5], [C3_072 - C2_562, -C2_562]).wrapping_add(y3),
        sum([s5, s3], [C2_053 - C2_562, -C2_562]).wrapping_add(y4),
        sum([s7, s1], [C0_298 - C0_899, -C0_899]).wrapping_add(y3),
    ];
    std::array::from_fn(|i| match i {
        0..4 => evens[i].wrapping_add(odds[i]),
        _ => evens[7 - i].wrapping_sub(odds[7 - i]),
    })
}

/// A sample of what the rows' transform gives.
#[inline(always)]
fn sample(value: i32) -> u8 {
    (descale(value, CONSTANT_BITS + KEPT_BITS + 3).clamp(-128, 127) + 128) as u8
}

/// Rounds to 16 bits without `bits` of the fraction, and cuts off.
#[inline(always)]
fn descale(value: i32, bits: u32) -> i16 {
    let rounded = value.wrapping_add(1 << (bits - 1)) >> bits;
    rounded.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}
