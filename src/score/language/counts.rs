//! How often n-grams stand in a text: its places are sorted by the words before them, so that equal n-grams of
//! every length lie together, in memory that does not depend on how many there are.

use std::cmp::Ordering;

use super::ngrams::MAX_ORDER;
use super::words::Word;

/// The n-grams of one length, as nodes of the tree of [`super::ngrams`].
#[derive(Debug, Default)]
pub struct Counted {
    /// The first word of each.
    pub words: Vec<Word>,
    /// Where the children of each start, and where the last one's end.
    pub children: Vec<u32>,
    /// How often each stands in the text.
    pub counts: Vec<u32>,
}

impl Counted {
    fn push(&mut self, word: Word, children: usize) {
        self.words.push(word);
        self.children.push(children as u32);
        self.counts.push(0);
    }

    /// Adds a node without count and children, where there is none of this word: at the first level alone.
    fn insert(&mut self, word: Word) {
        if let Err(at) = self.words.binary_search(&word) {
            self.words.insert(at, word);
            self.counts.insert(at, 0);
            let start = self.children[at];
            self.children.insert(at, start);
        }
    }
}

/// Counts the n-grams of up to `order` words that end at a word of `text` that is not `start`; none reaches
/// back beyond a `start`, which stands before each part of the text. `start` and `unknown` are nodes of the
/// first level, counted or not.
pub fn count(text: &[Word], order: usize, start: Word, unknown: Word) -> Vec<Counted> {
    let mut places: Vec<u32> = (0..text.len() as u32).collect();
    places.retain(|place| text[*place as usize] != start);
    places.sort_unstable_by(|a, b| compare(text, *a as usize, *b as usize, order, start));
    let mut levels: Vec<Counted> = (0..order).map(|_| Counted::default()).collect();
    let (mut before, mut length_before) = ([0; MAX_ORDER], 0);
    for place in places {
        let (window, length) = window(text, place as usize, order, start);
        let common = before[..length_before].iter().zip(&window[..length]);
        let common = common.take_while(|(a, b)| a == b).count();
        for depth in common..length {
            let children = levels.get(depth + 1).map_or(0, |level| level.words.len());
            levels[depth].push(window[depth], children);
        }
        for level in &mut levels[..length] {
            if let Some(count) = level.counts.last_mut() {
                *count += 1;
            }
        }
        (before, length_before) = (window, length);
    }
    for depth in 0..order {
        let end = levels.get(depth + 1).map_or(0, |level| level.words.len());
        levels[depth].children.push(end as u32);
    }
    levels[0].insert(start);
    levels[0].insert(unknown);
    levels
}

/// By the words at two places, then by those before them.
fn compare(text: &[Word], a: usize, b: usize, order: usize, start: Word) -> Ordering {
    for back in 0..order {
        let (left, right) = (text[a - back], text[b - back]);
        if left != right {
            return left.cmp(&right);
        }
        if left == start {
            break;
        }
    }
    Ordering::Equal
}

/// The word at a place and those before it, the last first, and how many they are.
fn window(text: &[Word], place: usize, order: usize, start: Word) -> ([Word; MAX_ORDER], usize) {
    let mut window = [0; MAX_ORDER];
    for (back, word) in window.iter_mut().enumerate().take(order) {
        *word = text[place - back];
        if *word == start {
            return (window, back + 1);
        }
    }
    (window, order)
}
