//! The samples of one component, a row of units at a time.

use super::span::Span;

/// Rows of samples of the units that are at work, and the last row of those before them.
pub(super) struct Strip {
    /// Samples of a block across and down.
    pub side: usize,
    /// Samples of a unit down.
    rows: usize,
    /// The first column that is held, and how many.
    first: usize,
    stride: usize,
    /// All of the component's samples across and down, without those that fill up the last unit.
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Strip {
    /// Room for the blocks of the `columns` of a component of `width` x `height` samples, whose
    /// units have `down` blocks of `side` x `side` samples, one over the other.
    pub fn new(side: usize, down: usize, columns: Span, width: usize, height: usize) -> Self {
        let rows = side * down;
        let stride = columns.length();
        let samples = vec![0; (rows + 1) * stride];
        Self { side, rows, first: columns.start, stride, width, height, samples }
    }

    /// Keeps the last row of the units that are done.
    pub fn advance(&mut self) {
        let last = self.rows * self.stride;
        self.samples.copy_within(last.., 0);
    }

    /// Puts a block's samples at a row of the units and a column of the component.
    #[inline(always)]
    pub fn put(&mut self, row: usize, column: usize, samples: &[u8; 64]) {
        match self.side {
            8 => self.put_rows::<8>(row, column, samples),
            4 => self.put_rows::<4>(row, column, samples),
            2 => self.put_rows::<2>(row, column, samples),
            _ => self.put_rows::<1>(row, column, samples),
        }
    }

    #[inline(always)]
    fn put_rows<const SIDE: usize>(&mut self, row: usize, column: usize, samples: &[u8; 64]) {
        let at = (row + 1) * self.stride + column - self.first;
        let rows = self.samples[at..].chunks_mut(self.stride);
        for (row, samples) in rows.zip(samples.as_chunks::<SIDE>().0.iter().take(SIDE)) {
            if let Some(row) = row.first_chunk_mut() {
                *row = *samples;
            }
        }
    }

    /// A row of the component, held while the units of row `unit` are at work; rows past the last
    /// one repeat it, and that before the first one is the first.
    pub fn row(&self, unit: usize, row: isize) -> &[u8] {
        let row = row.clamp(0, self.height as isize - 1);
        // One more, for the row that was kept.
        let within = (row + 1 - (unit * self.rows) as isize).max(0) as usize;
        &self.samples[within.min(self.rows) * self.stride..][..self.held()]
    }

    /// Columns that are held, without those that fill up the last unit.
    pub fn held(&self) -> usize {
        self.stride.min(self.width - self.first.min(self.width))
    }
}
