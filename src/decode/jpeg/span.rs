//! What part of an image is asked for.

/// From a place up to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn length(self) -> usize {
        self.end - self.start
    }

    /// The span `margin` wider on both sides, within `length`.
    pub fn widened(self, margin: usize, length: usize) -> Self {
        Self { start: self.start.saturating_sub(margin), end: (self.end + margin).min(length) }
    }

    /// The parts of `size` that the span touches.
    pub fn in_units(self, size: usize) -> Self {
        Self { start: self.start / size, end: self.end.div_ceil(size) }
    }

    pub fn times(self, size: usize) -> Self {
        Self { start: self.start * size, end: self.end * size }
    }

    pub fn contains(self, place: usize) -> bool {
        (self.start..self.end).contains(&place)
    }
}
