//! Vectors of sixteen values, or of as many quads of bytes, each on a cache line of its own: a load that crosses lines costs two.

use std::ops::{Deref, DerefMut};

use super::arch::{LANES, Quads};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// Aligned vectors.
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// That many vectors of zeros.
    pub(super) fn zeros(count: usize) -> Self {
        Self(vec![Line([0.0; LANES]); count])
    }

    /// The same bytes as quads.
    #[inline(always)]
    pub(super) fn quads(&self) -> &[Quads] {
        // SAFETY: a line is as large as sixteen quads and aligned more strictly; all bytes are
        // initialized, and any are quads.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }

    /// The same, for writing.
    #[inline(always)]
    pub(super) fn quads_mut(&mut self) -> &mut [Quads] {
        // SAFETY: as above, and any quads are a line.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}

impl Deref for Lines {
    type Target = [[f32; LANES]];

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        // SAFETY: a line is such an array, as large, and aligned more strictly.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }
}

impl DerefMut for Lines {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len()) }
    }
}
