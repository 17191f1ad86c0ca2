//! A row of a component's samples at the image's resolution, as libjpeg-turbo computes them: chroma
//! of half the resolution by a triangle filter ("fancy upsampling"), with libjpeg's rounding.

use libjpeg_turbo_rs::simd::SimdRoutines;

use super::strip::Strip;

/// How a component's samples become the image's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Upsampling {
    /// Samples of the image for each of the component, 1 or 2.
    pub across: usize,
    pub down: usize,
    /// By the filter, else by repeating samples.
    pub fancy: bool,
}

/// Buffers of the filter.
#[derive(Default)]
pub(super) struct Upsampler {
    /// Sums of a column's two samples.
    sums: Vec<u16>,
    row: Vec<u8>,
}

impl Upsampling {
    /// Whether a row needs the component's rows above and below.
    pub fn has_context(self) -> bool {
        self.fancy && self.down == 2
    }
}

impl Upsampler {
    /// Row `row` of the image from the first held column on; `unit` is the row of units at work.
    #[inline(always)]
    pub fn row<'a>(
        &'a mut self,
        kernels: &SimdRoutines,
        upsampling: Upsampling,
        strip: &'a Strip,
        unit: usize,
        row: usize,
    ) -> &'a [u8] {
        let Upsampling { across, down, fancy } = upsampling;
        let nearest = (row / down) as isize;
        let near = strip.row(unit, nearest);
        // The row on the other side of the image's.
        let beside =
            || strip.row(unit, if row.is_multiple_of(2) { nearest - 1 } else { nearest + 1 });
        match (across, down, fancy) {
            (1, 1, _) | (1, 2, false) => return near,
            (1, 2, true) => {
                let bias = if row.is_multiple_of(2) { 1 } else { 2 };
                blend_down(near, beside(), bias, &mut self.row);
            }
            (2, 1, true) => {
                self.row.resize(2 * near.len(), 0);
                kernels.fancy_upsample_h2v1(near, near.len(), &mut self.row);
            }
            (2, 2, true) => {
                let Self { sums, row } = self;
                blend(near, beside(), sums, row);
            }
            _ => repeat(near, &mut self.row),
        }
        &self.row
    }
}

/// Three quarters of the nearer row, one of the other.
fn blend_down(near: &[u8], beside: &[u8], bias: u16, row: &mut Vec<u8>) {
    let blend = |(&near, &beside)| ((3 * u16::from(near) + u16::from(beside) + bias) >> 2) as u8;
    row.clear();
    row.extend(near.iter().zip(beside).map(blend));
}

/// The same, and then from left to right.
#[inline(always)]
fn blend(near: &[u8], beside: &[u8], sums: &mut Vec<u16>, row: &mut Vec<u8>) {
    let count = near.len();
    // The first and the last sum are there twice: at the edges, a sample blends with itself.
    sums.resize(count + 2, 0);
    row.resize(2 * count, 0);
    let sum = |near: &u8, beside: &u8| 3 * u16::from(*near) + u16::from(*beside);
    for (sum_at, (near, beside)) in sums[1..].iter_mut().zip(near.iter().zip(beside)) {
        *sum_at = sum(near, beside);
    }
    sums[0] = sums[1];
    sums[count + 1] = sums[count];
    let (left, middle, right) = (&sums[..count], &sums[1..=count], &sums[2..]);
    let neighbours = left.iter().zip(middle).zip(right);
    for (pair, ((left, sum), right)) in row.as_chunks_mut::<2>().0.iter_mut().zip(neighbours) {
        pair[0] = ((3 * sum + left + 8) >> 4) as u8;
        pair[1] = ((3 * sum + right + 7) >> 4) as u8;
    }
}

fn repeat(samples: &[u8], row: &mut Vec<u8>) {
    row.clear();
    row.extend(samples.iter().flat_map(|&sample| [sample, sample]));
}
