//! One direction of a resize: what a side of the square shows of a side of the image.

use super::Crop;

/// Most pixels before the crop whose positions are added up one by one.
const MAX_SUMMED: u64 = 1 << 16;

/// What a side of the square shows of a side of the image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Pixels of padding before the image.
    pub(super) before: u32,
    /// Pixels that show the image.
    pub(super) length: u32,
    /// Pixels of the resized image that are cut away before those.
    offset: u64,
    /// Source pixels for each resized one.
    scale: f64,
    /// Source pixels.
    side: u32,
}

impl Axis {
    /// The middle of a side that is resized from `side` to `resized`, in the middle of `size`.
    pub(super) fn centre(side: u32, resized: u64, size: u32, crop: Crop) -> Self {
        let length = u64::from(size).min(resized) as u32;
        let offset = crop.before(resized - u64::from(length));
        let scale = f64::from(side) / resized as f64;
        Self { before: (size - length) / 2, length, offset, scale, side }
    }

    /// The same of an image that is reduced, whose side is rounded up.
    pub(super) fn reduced(self, reduction: u32) -> Self {
        let side = self.side.div_ceil(reduction);
        Self { scale: self.scale / f64::from(reduction), side, ..self }
    }

    /// Where the shown stretch starts, in source pixels.
    pub(super) fn start(&self) -> f64 {
        self.offset as f64 * self.scale
    }

    /// Length of the shown stretch in source pixels.
    pub(super) fn stretch(&self) -> f64 {
        // Rounding must not carry it past the side.
        (f64::from(self.length) * self.scale).min(f64::from(self.side) - self.start())
    }

    /// First source pixel and end of what a kernel of `radius` touches. A pixel of slack does no
    /// harm: its weight is zero.
    pub(super) fn support(&self, radius: f64) -> (u32, u32) {
        let reach = radius * self.scale.max(1.0) + 1.0;
        let first = (self.start() - reach).floor().max(0.0);
        let end = (self.start() + self.stretch() + reach).ceil().min(self.side.into());
        (first as u32, end as u32)
    }

    /// The source pixel under the centre of each shown one.
    pub(super) fn nearest(&self) -> Vec<usize> {
        // Added up from the first pixel as in PIL: the sum's rounding decides ties. In what is cut
        // out of a longer side, a tie may fall otherwise.
        let summed = if self.offset <= MAX_SUMMED { self.offset } else { 0 };
        let mut centre = (self.offset - summed) as f64 * self.scale + self.scale * 0.5;
        for _ in 0..summed {
            centre += self.scale;
        }
        let last = self.side as usize - 1;
        let pixel = |_| {
            let pixel = (centre as usize).min(last);
            centre += self.scale;
            pixel
        };
        (0..self.length).map(pixel).collect()
    }
}

impl Crop {
    /// Pixels that are cut away before the crop, of `margin` that are cut away in all.
    fn before(self, margin: u64) -> u64 {
        let half = margin / 2;
        match self {
            Self::Floor => half,
            Self::Even => half + (margin & half & 1),
        }
    }
}
