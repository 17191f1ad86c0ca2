//! Parts of an image: what a model looks at, and nothing else decoded.

use image::metadata::Orientation;
use pairgate_core::pair::Size;

use super::Rgb8;
use super::pixels::swaps_sides;

/// A rectangle of an image, in its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Columns before it.
    pub left: u32,
    /// Rows before it.
    pub top: u32,
    /// Its size, not empty.
    pub size: Size,
}

/// What of an image is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The part, orientation applied.
    pub region: Region,
    /// Shorter side that the whole image has at least where it is reduced, in pixels.
    pub shorter_side: u32,
}

/// A part of an image, decoded, at its own resolution or a reduced one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Size of the whole image, orientation applied, not reduced.
    pub whole: Size,
    /// Pixels of the whole image for one pixel here, across and down: 1, 2, 4 or 8.
    pub reduction: u32,
    /// Columns of the reduced image before the part.
    pub left: u32,
    /// Rows of the reduced image before the part.
    pub top: u32,
    /// The part's pixels.
    pub image: Rgb8,
}

impl Default for Part {
    fn default() -> Self {
        Self { whole: Size::default(), reduction: 1, left: 0, top: 0, image: Rgb8::default() }
    }
}

impl Region {
    /// All of an image.
    pub fn whole(size: Size) -> Self {
        Self { left: 0, top: 0, size }
    }

    /// The region with up to `margin` pixels more to each side, within an image of the size `whole`.
    pub(super) fn widened(self, margin: u32, whole: Size) -> Self {
        let span = |start: u32, length: u32, whole: u32| {
            let first = start.saturating_sub(margin);
            (first, (start + length).saturating_add(margin).min(whole) - first)
        };
        let (left, width) = span(self.left, self.size.width, whole.width);
        let (top, height) = span(self.top, self.size.height, whole.height);
        Self { left, top, size: Size::new(width, height) }
    }

    /// The same part of the image as it is stored, of which `whole` is the size after it was turned.
    pub(super) fn stored(self, whole: Size, orientation: Orientation) -> Self {
        let Self { left, top, size: Size { width, height } } = self;
        let (right, bottom) = (whole.width - left - width, whole.height - top - height);
        let (left, top) = match orientation {
            Orientation::NoTransforms => (left, top),
            Orientation::FlipHorizontal => (right, top),
            Orientation::FlipVertical => (left, bottom),
            Orientation::Rotate180 => (right, bottom),
            Orientation::Rotate90FlipH => (top, left),
            Orientation::Rotate90 => (top, right),
            Orientation::Rotate270FlipH => (bottom, right),
            Orientation::Rotate270 => (bottom, left),
        };
        let swapped = swaps_sides(orientation);
        let size = if swapped { Size::new(height, width) } else { self.size };
        Self { left, top, size }
    }

    /// The reverse of [`stored`](Self::stored): `whole` is the size of the image as it is stored.
    pub(super) fn shown(self, whole: Size, orientation: Orientation) -> Self {
        // Turns by 90 and 270 degrees undo each other, all others themselves.
        let back = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            other => other,
        };
        self.stored(whole, back)
    }
}

impl Wanted {
    /// All of an image, as it is.
    pub fn whole(size: Size) -> Self {
        Self { region: Region::whole(size), shorter_side: u32::MAX }
    }

    /// The largest reduction that leaves an image of this size its shorter side.
    pub(super) fn reduction(&self, whole: Size) -> u32 {
        let shorter = whole.width.min(whole.height);
        let fits = |reduction: &u32| shorter.div_ceil(*reduction) >= self.shorter_side;
        [8, 4, 2].into_iter().find(fits).unwrap_or(1)
    }
}
