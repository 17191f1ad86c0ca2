//! The threshold that keeps a share of the scores, exactly, however many scores there are: they are
//! gone over twice and none of them is held.
//!
//! A score's bits become an integer of the same order as [`f32::total_cmp`]. The first pass counts
//! the scores by the upper 16 bits of that integer, which finds the 65,536th part of the scale that
//! the threshold lies in; the second counts those of that part by the lower 16 bits, which finds the
//! threshold itself.

use pairgate_core::policy::fraction_index;

/// Counters: one for each value of 16 bits.
const COUNTERS: usize = 1 << 16;

/// Bytes that finding a threshold takes, from the first score to the last.
pub const MEMORY: u64 = (COUNTERS * size_of::<u64>()) as u64;

/// The first pass over the scores.
///
/// ```
/// use pairgate::decide::share::Coarse;
///
/// let scores = [0.1, 0.4, 0.2, 0.3];
/// let mut first = Coarse::default();
/// scores.iter().for_each(|score| first.add(*score));
/// let mut second = first.find(0.5).unwrap();
/// scores.iter().for_each(|score| second.add(*score));
/// assert_eq!(second.threshold(), Some(0.2));
/// ```
#[derive(Debug, Clone)]
pub struct Coarse {
    counters: Vec<u64>,
}

impl Default for Coarse {
    fn default() -> Self {
        Self { counters: vec![0; COUNTERS] }
    }
}

impl Coarse {
    /// Counts a score; it must be finite.
    pub fn add(&mut self, score: f32) {
        self.counters[upper(ordered(score))] += 1;
    }

    /// Counts `count` scores with these upper bits, as another machine's [`counts`](Self::counts) has them.
    pub fn add_count(&mut self, upper: u16, count: u64) {
        let counter = &mut self.counters[usize::from(upper)];
        *counter = counter.saturating_add(count);
    }

    /// The upper bits that scores have had, ascending, and how many had them.
    pub fn counts(&self) -> Vec<(u16, u64)> {
        let counted = (0..=u16::MAX).zip(&self.counters).filter(|(_, count)| **count > 0);
        counted.map(|(upper, count)| (upper, *count)).collect()
    }

    /// Ends the pass: the second one, for the threshold that keeps `fraction` of the scores by the
    /// rule of [`fraction_threshold`](pairgate_core::policy::fraction_threshold). `None` without scores.
    pub fn find(mut self, fraction: f64) -> Option<Fine> {
        let count: u64 = self.counters.iter().sum();
        let last = usize::try_from(count).ok()?.checked_sub(1)?;
        let index = fraction_index(last + 1, fraction).min(last) as u64;
        let (part, above) = descend(&self.counters, index)?;
        self.counters.fill(0);
        Some(Fine { counters: self.counters, part, index: index - above })
    }
}

/// The second pass over the same scores, in any order.
#[derive(Debug, Clone)]
pub struct Fine {
    counters: Vec<u64>,
    /// The upper bits of the threshold.
    part: usize,
    /// Its place among the scores with these upper bits, in descending order, from 0.
    index: u64,
}

impl Fine {
    /// Counts a score.
    pub fn add(&mut self, score: f32) {
        let ordered = ordered(score);
        if upper(ordered) == self.part {
            self.counters[lower(ordered)] += 1;
        }
    }

    /// The upper bits of the scores that it counts.
    pub fn upper(&self) -> u16 {
        self.part as u16
    }

    /// Adds what another second pass has counted, over other scores.
    pub fn merge(&mut self, other: &Self) {
        let counters = self.counters.iter_mut().zip(&other.counters);
        counters.for_each(|(count, other)| *count = count.saturating_add(*other));
    }

    /// The threshold; `None` where scores of the first pass were missing in this one.
    pub fn threshold(&self) -> Option<f32> {
        let (low, _) = descend(&self.counters, self.index)?;
        Some(score((self.part << 16 | low) as u32))
    }
}

/// What [`fraction_threshold`](pairgate_core::policy::fraction_threshold) gives, bit for bit, for scores that
/// can be gone over twice: `pass` is called once for each time. It takes [`MEMORY`] bytes.
///
/// `None` without scores, and where the second pass lacks scores of the first.
///
/// # Errors
/// The first error of `pass`, or of a score.
pub fn fraction_threshold_in_passes<I, E>(
    mut pass: impl FnMut() -> Result<I, E>,
    fraction: f64,
) -> Result<Option<f32>, E>
where
    I: IntoIterator<Item = Result<f32, E>>,
{
    let mut first = Coarse::default();
    for score in pass()? {
        first.add(score?);
    }
    let Some(mut second) = first.find(fraction) else { return Ok(None) };
    for score in pass()? {
        second.add(score?);
    }
    Ok(second.threshold())
}

/// The counter that holds the score at `index` in descending order, and how many scores are above
/// that counter's.
fn descend(counters: &[u64], index: u64) -> Option<(usize, u64)> {
    let mut above = 0;
    for (place, count) in counters.iter().enumerate().rev() {
        if index - above < *count {
            return Some((place, above));
        }
        above += count;
    }
    None
}

/// An integer that is larger where the score is, by [`f32::total_cmp`].
pub(super) fn ordered(score: f32) -> u32 {
    let bits = score.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The score of an [`ordered`] integer.
pub(super) fn score(ordered: u32) -> f32 {
    f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
}

fn upper(ordered: u32) -> usize {
    (ordered >> 16) as usize
}

fn lower(ordered: u32) -> usize {
    (ordered & 0xffff) as usize
}
