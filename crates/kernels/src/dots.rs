//! Dot products of one int8 row with many, exact.

use super::arch::Arch;
use super::{Isa, Task};

/// `out[n] = sum over k of row[k] * rows[n, k]`, where `rows` is `[out.len(), row.len()]`.
///
/// Sums are exact for rows of up to 131,071 codes; beyond that they may wrap around.
///
/// # Panics
/// If the lengths do not fit.
pub fn dots(isa: Isa, row: &[i8], rows: &[i8], out: &mut [i32]) {
    assert_eq!(rows.len(), row.len() * out.len(), "codes of the rows");
    if row.is_empty() {
        return out.fill(0);
    }
    isa.run(Dots { row, rows, out });
}

struct Dots<'a> {
    row: &'a [i8],
    rows: &'a [i8],
    out: &'a mut [i32],
}

impl Task for Dots<'_> {
    type Output = ();

    // A plain loop, which a compiler turns into a set's own products of 16-bit values. Closures would be
    // compiled without the set's instructions where they are not inlined.
    #[inline(always)]
    fn run<A: Arch>(self, _: A) {
        for (out, other) in self.out.iter_mut().zip(self.rows.chunks_exact(self.row.len())) {
            let mut sum = 0i32;
            for (a, b) in self.row.iter().zip(other) {
                sum = sum.wrapping_add(i32::from(*a) * i32::from(*b));
            }
            *out = sum;
        }
    }
}
