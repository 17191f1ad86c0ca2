//! One slice that several threads write, each its own rows.

use std::marker::PhantomData;
use std::ops::Range;

use super::Team;

/// A slice as rows of `size` values.
#[derive(Debug)]
pub struct Rows<'a, T> {
    first: *mut T,
    count: usize,
    size: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it gives out rows only through `rows`, whose callers vouch that no two threads have the
// same ones; a thread that has them may use them as it may use any `&mut [T]` sent to it.
unsafe impl<T: Send> Sync for Rows<'_, T> {}

impl<'a, T> Rows<'a, T> {
    /// The slice's full rows.
    pub fn new(slice: &'a mut [T], size: usize) -> Self {
        let count = slice.len().checked_div(size).unwrap_or(0);
        Self { first: slice.as_mut_ptr(), count, size, slice: PhantomData }
    }

    /// Some of the rows, for writing.
    ///
    /// # Panics
    /// Where the slice has not got them.
    ///
    /// # Safety
    /// Nobody has any of them at the same time.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn rows(&self, rows: Range<usize>) -> &mut [T] {
        assert!(rows.start <= rows.end && rows.end <= self.count, "rows outside a slice");
        // SAFETY: the rows are in the slice, and nobody else has them.
        unsafe {
            let first = self.first.add(rows.start * self.size);
            std::slice::from_raw_parts_mut(first, rows.len() * self.size)
        }
    }
}

/// Calls `work` with parts of the slice, each on a thread: a part's rows, and their values. See
/// [`Team::split`]. Where there are no rows, or rows of nothing, it is not called.
pub fn split_rows<T: Send>(
    team: &Team,
    slice: &mut [T],
    size: usize,
    least: usize,
    work: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let shared = Rows::new(slice, size);
    if shared.count == 0 {
        return;
    }
    team.split(shared.count, least, |part| {
        // SAFETY: the parts of a split have no row in common.
        let rows = unsafe { shared.rows(part.clone()) };
        work(part, rows);
    });
}
