//! A sketch of the last scores, in bounded memory.

use std::collections::VecDeque;

use crate::decide::sketch::ScoreSketch;

/// Parts of a window, each of which has a sketch of its own: the oldest is dropped as a whole.
const PARTS: u64 = 8;

/// The last scores: at least as many as asked for, once there were so many, and up to an eighth
/// more.
#[derive(Debug)]
pub(super) struct Window {
    /// Scores of a part.
    part: u64,
    whole: VecDeque<ScoreSketch>,
    /// All of `whole` together.
    past: ScoreSketch,
    current: ScoreSketch,
}

impl Window {
    /// A window of `scores` scores, without any.
    pub fn new(scores: u64) -> Self {
        let part = scores.div_ceil(PARTS).max(1);
        let empty = ScoreSketch::new;
        Self { part, whole: VecDeque::new(), past: empty(), current: empty() }
    }

    /// Takes the next score.
    pub fn add(&mut self, score: f32) {
        self.current.add(score);
        if self.current.count() >= self.part {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.whole.push_back(std::mem::take(&mut self.current));
        if self.whole.len() as u64 > PARTS {
            self.whole.pop_front();
        }
        self.past = ScoreSketch::new();
        self.whole.iter().for_each(|part| self.past.merge(part));
    }

    /// The sketches of the window's parts, the oldest first, then of the part that is not full.
    pub fn saved(&mut self) -> Vec<Vec<u8>> {
        let parts = self.whole.iter_mut().chain([&mut self.current]);
        parts.map(ScoreSketch::save_bytes).collect()
    }

    /// The window of `scores` scores that [`saved`](Self::saved) gave; `None` if it is none.
    pub fn restored(scores: u64, saved: &[&[u8]]) -> Option<Self> {
        let (current, whole) = saved.split_last()?;
        let whole: Option<VecDeque<_>> =
            whole.iter().map(|part| ScoreSketch::of_bytes(part)).collect();
        let current = ScoreSketch::of_bytes(current)?;
        let mut window = Self { whole: whole?, current, ..Self::new(scores) };
        window.whole.iter().for_each(|part| window.past.merge(part));
        (window.whole.len() as u64 <= PARTS).then_some(window)
    }

    /// All scores of the window.
    pub fn sketch(&self) -> ScoreSketch {
        let mut all = self.past.clone();
        all.merge(&self.current);
        all
    }
}
