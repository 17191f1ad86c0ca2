//! The thresholds that keep a share of each group, exactly, however many scores there are: they are gone
//! over several times and none of them is held.
//!
//! As in [`share`](crate::decide::share), a score is an integer of the same order, of which each pass
//! finds some bits more: 16 at a time where there are few groups, 8 where there are many.

use pairgate_core::policy::fraction_index;

use crate::decide::share::{ordered, score};

/// Groups up to which two passes do.
const FEW: usize = 64;

/// Bytes that finding thresholds takes at most.
pub const MEMORY: u64 = 32 << 20;

/// A group's threshold as far as it is known.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// The upper bits that are known.
    known: u32,
    /// The threshold's place among the scores that have them, in descending order, from 0.
    index: u64,
}

/// For each group the threshold that keeps its share of `wanted` by the rule of
/// [`fraction_threshold`](pairgate_core::policy::fraction_threshold), bit for bit: at least one more pair
/// than that share of them, and all ties. `pass` is called once for each time; it gives groups' numbers
/// and finite scores. `None` for a group without scores, and where no share is wanted of it.
///
/// # Errors
/// The first error of `pass`, or of a score.
pub fn thresholds_in_passes<I, E>(
    mut pass: impl FnMut() -> Result<I, E>,
    wanted: &[Option<f64>],
) -> Result<Vec<Option<f32>>, E>
where
    I: IntoIterator<Item = Result<(usize, f32), E>>,
{
    let bits = if wanted.len() <= FEW { 16 } else { 8 };
    let mut found: Vec<Option<Search>> = Vec::new();
    for done in (0..32).step_by(bits) {
        let mut counters = vec![0_u64; wanted.len() << bits];
        for scored in pass()? {
            let (group, score) = scored?;
            let ordered = u64::from(ordered(score));
            let is_near = match found.get(group) {
                _ if done == 0 => wanted.get(group).copied().flatten().is_some(),
                Some(Some(search)) => ordered >> (32 - done) == u64::from(search.known),
                _ => false,
            };
            if is_near {
                let digit = (ordered >> (32 - done - bits)) as usize & ((1 << bits) - 1);
                counters[group << bits | digit] += 1;
            }
        }
        if done == 0 {
            let groups = counters.chunks_exact(1 << bits).zip(wanted);
            found = groups.map(|(counters, share)| begin(counters, (*share)?)).collect();
        }
        for (search, counters) in found.iter_mut().zip(counters.chunks_exact(1 << bits)) {
            *search = search.and_then(|search| narrow(search, counters, bits));
        }
    }
    Ok(found.into_iter().map(|search| search.map(|search| score(search.known))).collect())
}

/// The threshold's place among all scores of a group.
fn begin(counters: &[u64], share: f64) -> Option<Search> {
    let count = usize::try_from(counters.iter().sum::<u64>()).ok()?;
    let last = count.checked_sub(1)?;
    Some(Search { known: 0, index: fraction_index(count, share).min(last) as u64 })
}

/// Some bits more; `None` where scores of an earlier pass are missing in this one.
fn narrow(search: Search, counters: &[u64], bits: usize) -> Option<Search> {
    let mut index = search.index;
    for (digit, count) in counters.iter().enumerate().rev() {
        if index < *count {
            let known = (u64::from(search.known) << bits | digit as u64) as u32;
            return Some(Search { known, index });
        }
        index -= count;
    }
    None
}
