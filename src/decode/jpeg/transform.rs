//! A block of coefficients -> samples, whole or reduced, as libjpeg-turbo computes them.

use libjpeg_turbo_rs::decode::idct_scaled::{idct_1x1, idct_2x2, idct_4x4};
use libjpeg_turbo_rs::simd::SimdRoutines;

use super::islow;

/// Up to this sum of a block's magnitudes no intermediate of a transform in 16-bit lanes is cut
/// off: the columns' pass multiplies it by at most 4 * 1.387, and the rows' pass adds two of those.
const MAX_SUM: i32 = 5900;

/// Quantisation steps of a component, in natural order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    steps: [u16; 64],
    /// The same, where all are those of a baseline file.
    narrow: Option<[i16; 64]>,
}

impl Steps {
    pub fn new(steps: [u16; 64]) -> Self {
        let narrow = steps.iter().all(|&step| step < 256).then(|| steps.map(|step| step as i16));
        Self { steps, narrow }
    }

    /// Samples of a block, `side` rows of `side` at the front of `samples`. `places` is how many
    /// positions of the zigzag may hold something else than zero.
    ///
    /// All kernels agree where no intermediate is cut off; blocks of which that is not certain take
    /// the scalar one, so that samples never depend on the processor.
    #[inline(always)]
    pub fn transform(
        &self,
        kernels: &SimdRoutines,
        block: &[i16; 64],
        places: usize,
        side: usize,
        samples: &mut [u8; 64],
    ) {
        let level = i32::from(block[0]) * i32::from(self.steps[0]);
        if places == 1 && level.abs() <= MAX_SUM {
            samples[..side * side].fill(idct_1x1(block, &self.steps));
            return;
        }
        match side {
            // One wave across: the kernels have no way of their own for it.
            8 if places == 2 => islow::transform_row(block, &self.steps, samples),
            8 if self.is_tame(block) => (kernels.idct_islow)(block, &self.steps, samples),
            8 => *samples = islow::transform(block, &self.steps),
            4 => reduced(samples, |out| idct_4x4(block, &self.steps, out)),
            2 => reduced(samples, |out| idct_2x2(block, &self.steps, out)),
            _ => samples[0] = idct_1x1(block, &self.steps),
        }
    }

    #[inline(always)]
    fn is_tame(&self, block: &[i16; 64]) -> bool {
        let Some(narrow) = &self.narrow else { return false };
        let magnitudes = block.iter().zip(narrow);
        let sum: i32 =
            magnitudes.map(|(&c, &step)| i32::from(c.wrapping_abs()) * i32::from(step)).sum();
        sum <= MAX_SUM
    }
}

fn reduced<const N: usize>(samples: &mut [u8; 64], transform: impl FnOnce(&mut [u8; N])) {
    if let Some(out) = samples.first_chunk_mut() {
        transform(out);
    }
}
