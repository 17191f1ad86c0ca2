//! Scores that a run made, found again by uid.

use pairgate_core::pair::Uid;

/// The scores of a run by uid.
#[derive(Debug, Clone, Default)]
pub struct UidScores {
    /// Sorted by uid, each once.
    scores: Vec<(Uid, f32)>,
    /// Lines whose uid was there before; the first score counts.
    pub repeated: u64,
    /// Lines whose uid is not 32 hex digits.
    pub malformed: u64,
}

impl UidScores {
    /// Takes scores in the order in which they were made, NaN where there is none.
    pub fn new(mut scores: Vec<(Uid, f32)>, malformed: u64) -> Self {
        let all = scores.len();
        // The sort is stable, so that the first of equal uids stays the first.
        scores.sort_by_key(|&(uid, _)| uid);
        scores.dedup_by_key(|&mut (uid, _)| uid);
        Self { repeated: (all - scores.len()) as u64, malformed, scores }
    }

    /// Uids with a line, scored or not.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// The score of `uid`; NaN where its line has none, `None` where it has no line.
    pub fn find(&self, uid: &Uid) -> Option<f32> {
        let place = self.scores.binary_search_by(|(other, _)| other.cmp(uid)).ok()?;
        Some(self.scores[place].1)
    }
}
