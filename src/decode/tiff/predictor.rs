//! Rows that were stored as differences, summed up again in place.

/// How the samples of a row lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// Bits of a sample.
    pub bits: u32,
    /// Samples of a pixel that lie together.
    pub together: usize,
    pub big_endian: bool,
}

/// Undoes horizontal differences: each sample was stored less that of the pixel before it.
///
/// Returns whether samples of this size can be differences.
pub(super) fn sum(row: &mut [u8], how: Row) -> bool {
    match how.bits {
        8 => {
            for at in how.together..row.len() {
                row[at] = row[at].wrapping_add(row[at - how.together]);
            }
        }
        16 => sum_wide::<2>(row, how),
        32 => sum_wide::<4>(row, how),
        _ => return false,
    }
    true
}

fn sum_wide<const N: usize>(row: &mut [u8], how: Row) {
    let samples = row.as_chunks_mut::<N>().0;
    for at in how.together..samples.len() {
        let (before, here) = (samples[at - how.together], samples[at]);
        samples[at] = add(before, here, how.big_endian);
    }
}

/// The sum of two numbers as they are stored, without what does not fit.
fn add<const N: usize>(one: [u8; N], other: [u8; N], big_endian: bool) -> [u8; N] {
    let mut carry = 0;
    let mut sum = [0; N];
    for index in 0..N {
        let at = if big_endian { N - 1 - index } else { index };
        let here = u16::from(one[at]) + u16::from(other[at]) + carry;
        sum[at] = here as u8;
        carry = here >> 8;
    }
    sum
}

/// Undoes the floating-point predictor: bytes of one significance lie together, the highest first,
/// as differences. The row's floats are big-endian after it.
pub(super) fn sum_floats(row: &mut [u8], how: Row, scratch: &mut Vec<u8>) {
    for at in how.together..row.len() {
        row[at] = row[at].wrapping_add(row[at - how.together]);
    }
    scratch.clear();
    scratch.extend_from_slice(row);
    let count = row.len() / 4;
    for (index, float) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *float = std::array::from_fn(|byte| scratch[byte * count + index]);
    }
}
