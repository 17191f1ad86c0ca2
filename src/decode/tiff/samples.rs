//! Samples of any size as bytes, as Pillow maps them.

use super::plan::{Meaning, Number, Plan};

/// Turns the samples of one row into bytes: levels of less than 8 bits are spread over 0 to 255
/// (those of a palette are kept), of 12 and 16 bits the highest 8 are kept, and whole numbers and
/// floats that are not levels are held between 0 and 255.
pub(super) fn to_bytes(row: &[u8], plan: &Plan, big_endian: bool, into: &mut [u8]) {
    let spread = plan.meaning != Meaning::Palette;
    match (plan.bits, plan.number) {
        (1 | 2 | 4, _) => few_bits(row, plan.bits, spread, into),
        (8, _) => into.copy_from_slice(&row[..into.len()]),
        (12, _) => twelve_bits(row, into),
        (16, Number::Signed) => {
            each::<2>(row, big_endian, into, |s| i16::from_le_bytes(s).clamp(0, 255) as u8);
        }
        (16, _) => each::<2>(row, big_endian, into, |[_, high]| high),
        (32, Number::Float) => each::<4>(row, big_endian, into, |s| f32::from_le_bytes(s) as u8),
        _ => each::<4>(row, big_endian, into, |s| i32::from_le_bytes(s).clamp(0, 255) as u8),
    }
}

fn few_bits(row: &[u8], bits: u32, spread: bool, into: &mut [u8]) {
    let most = ((1u16 << bits) - 1) as u8;
    let factor = if spread { 255 / most } else { 1 };
    for (index, sample) in into.iter_mut().enumerate() {
        let at = index * bits as usize;
        let shift = 8 - bits as usize - at % 8;
        *sample = (row[at / 8] >> shift & most) * factor;
    }
}

/// Two samples in three bytes.
fn twelve_bits(row: &[u8], into: &mut [u8]) {
    for (index, sample) in into.iter_mut().enumerate() {
        let at = index * 12;
        let (first, second) = (row[at / 8], row[at / 8 + 1]);
        *sample = if at % 8 == 0 { first } else { first << 4 | second >> 4 };
    }
}

/// Samples of `N` bytes, given as little-endian.
fn each<const N: usize>(
    row: &[u8],
    big_endian: bool,
    into: &mut [u8],
    byte: impl Fn([u8; N]) -> u8,
) {
    for (sample, into) in row.as_chunks::<N>().0.iter().zip(into) {
        let mut sample = *sample;
        if big_endian {
            sample.reverse();
        }
        *into = byte(sample);
    }
}
