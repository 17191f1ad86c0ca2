//! A sketch of the last scores, in bounded memory.

use std::collections::VecDeque;

use crate::sketch::ScoreSketch;

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

    /// All scores of the window.
    pub fn sketch(&self) -> ScoreSketch {
        let mut all = self.past.clone();
        all.merge(&self.current);
        all
    }
}
