//! Modified Kneser-Ney smoothing: what is taken from each count, and what that leaves for shorter histories.

use super::super::numeric::log10;
use super::counts::Counted;
use super::ngrams::{ABSENT, GREATEST, Level, MAX_ORDER, child, parents_of};
use super::words::Words;

/// What is taken from a count of 0, 1, 2, and 3 or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discounts(pub [f64; 4]);

/// Those of texts that are too short or too odd to estimate them.
const FALLBACK: Discounts = Discounts([0.0, 0.5, 1.0, 1.5]);

impl Discounts {
    /// From how many n-grams have a count of 1, 2, 3 and 4, by Chen and Goodman's formula.
    pub fn of(counts: impl Iterator<Item = u32>) -> Self {
        let mut t = [0f64; 5];
        counts.filter(|count| (1..=4).contains(count)).for_each(|count| t[count as usize] += 1.0);
        let y = t[1] / (t[1] + 2.0 * t[2]);
        let discount = |k: usize| k as f64 - (k + 1) as f64 * y * t[k + 1] / t[k];
        let all = [0.0, discount(1), discount(2), discount(3)];
        let is_one = |(k, discount): (usize, &f64)| (0.0..=k as f64).contains(discount);
        if all.iter().enumerate().all(is_one) { Self(all) } else { FALLBACK }
    }

    fn at(self, count: u32) -> f64 {
        self.0[count.min(3) as usize]
    }
}

/// log10 of the probability of what only stands before a caption, as SRILM writes it.
const NOWHERE: f32 = -99.0;

/// What is known of the histories of one length.
struct Histories {
    /// The sum of the counts behind each.
    sums: Vec<f64>,
    /// The share that each leaves to the shorter history.
    left: Vec<f64>,
}

/// Turns counts into probabilities and back-off weights. N-grams that stand in the text at most `pruned` times
/// are left out, by their length from 1 on; the numbers must not descend.
pub fn smooth(words: Words, counted: Vec<Counted>, pruned: [u32; MAX_ORDER]) -> Vec<Level> {
    let (mut levels, counts): (Vec<Level>, Vec<Vec<u32>>) =
        counted.into_iter().map(unsmoothed).unzip();
    let mut lower = unigrams(words, &levels[0], adjusted(words, &levels, &counts, 0));
    levels[0].probabilities = logarithms(&lower, |_| true);
    if let Ok(start) = levels[0].words.binary_search(&words.start_word()) {
        levels[0].probabilities[start] = NOWHERE;
    }
    // The node of each n-gram's history: the same without the last word.
    let mut histories: Vec<u32> = Vec::new();
    for depth in 1..levels.len() {
        let parents = parents_of(&levels[depth - 1]);
        histories = histories_at(&levels, &parents, &histories, depth);
        let adjusted = adjusted(words, &levels, &counts, depth);
        let discounts = Discounts::of(adjusted.iter().copied());
        let is_kept = |node: usize| counts[depth][node] > pruned[depth];
        let behind =
            behind(&histories, &adjusted, discounts, is_kept, levels[depth - 1].words.len());
        let each = histories.iter().zip(&parents).zip(&adjusted);
        let probabilities: Vec<f64> = each
            .map(|((history, parent), count)| {
                let (history, parent) = (*history as usize, *parent as usize);
                let own = (f64::from(*count) - discounts.at(*count)) / behind.sums[history];
                own + behind.left[history] * lower[parent]
            })
            .collect();
        levels[depth].probabilities = logarithms(&probabilities, is_kept);
        let weight = |left: &f64| if *left > 0.0 { log10(*left) as f32 } else { 0.0 };
        levels[depth - 1].backoffs =
            behind.left.iter().map(weight).map(|weight| weight.max(-GREATEST)).collect();
        lower = probabilities;
    }
    kept(&levels)
}

/// Nodes without probabilities, and how often each stands in the text.
fn unsmoothed(counted: Counted) -> (Level, Vec<u32>) {
    let Counted { words, children, counts } = counted;
    (Level { words, children, ..Level::default() }, counts)
}

/// Counts as smoothing takes them: of what can be longer, how many different words stand before it.
fn adjusted(words: Words, levels: &[Level], counts: &[Vec<u32>], depth: usize) -> Vec<u32> {
    let level = &levels[depth];
    let is_whole =
        |node: usize| depth + 1 == levels.len() || level.words[node] == words.start_word();
    let children = |node: usize| level.children[node + 1] - level.children[node];
    let count = |node| if is_whole(node) { counts[depth][node] } else { children(node) };
    (0..level.words.len()).map(count).collect()
}

/// Probabilities of single words, of which every one, `<unk>` too, has its share of what is taken.
fn unigrams(words: Words, level: &Level, adjusted: Vec<u32>) -> Vec<f64> {
    let discounts = Discounts::of(adjusted.iter().copied());
    let sum: f64 = adjusted.iter().map(|count| f64::from(*count)).sum();
    let taken: f64 = adjusted.iter().map(|count| discounts.at(*count)).sum();
    let seen = level.words.iter().filter(|word| **word != words.start_word()).count();
    let uniform = 1.0 / seen as f64;
    let own = |count: &u32| (f64::from(*count) - discounts.at(*count)) / sum;
    adjusted.iter().map(|count| own(count) + taken / sum * uniform).collect()
}

/// The history of each n-gram at a depth: that of its parent, with its own first word before it.
fn histories_at(levels: &[Level], parents: &[u32], above: &[u32], depth: usize) -> Vec<u32> {
    let each = levels[depth].words.iter().zip(parents);
    let history = |(word, parent): (&u32, &u32)| match depth {
        1 => levels[0].words.binary_search(word).ok(),
        _ => child(levels, depth - 2, above[*parent as usize] as usize, *word),
    };
    // A history stands in the text wherever the n-gram does.
    each.map(|pair| history(pair).map_or(u32::MAX, |node| node as u32)).collect()
}

fn behind(
    histories: &[u32],
    adjusted: &[u32],
    discounts: Discounts,
    is_kept: impl Fn(usize) -> bool,
    count: usize,
) -> Histories {
    let (mut sums, mut left) = (vec![0.0; count], vec![0.0; count]);
    for (node, (history, count)) in histories.iter().zip(adjusted).enumerate() {
        sums[*history as usize] += f64::from(*count);
        // Of what is left out, all is left.
        let taken = if is_kept(node) { discounts.at(*count) } else { f64::from(*count) };
        left[*history as usize] += taken;
    }
    left.iter_mut().zip(&sums).filter(|(_, sum)| **sum > 0.0).for_each(|(left, sum)| *left /= sum);
    Histories { sums, left }
}

fn logarithms(probabilities: &[f64], is_kept: impl Fn(usize) -> bool) -> Vec<f32> {
    let logarithm = |probability: f64| (log10(probability) as f32).clamp(-GREATEST, 0.0);
    let each = probabilities.iter().enumerate();
    each.map(|(node, p)| if is_kept(node) { logarithm(*p) } else { ABSENT }).collect()
}

/// The levels without the n-grams that are left out: whatever is longer than one of them is left out too.
fn kept(levels: &[Level]) -> Vec<Level> {
    let mut kept: Vec<Level> = Vec::new();
    // The new place of each node of the level above.
    let mut places: Vec<u32> = Vec::new();
    for (depth, level) in levels.iter().enumerate() {
        let parents = if depth > 0 { parents_of(&levels[depth - 1]) } else { Vec::new() };
        let stays = |node: usize| depth == 0 || level.probabilities[node] != ABSENT;
        let nodes: Vec<usize> = (0..level.words.len()).filter(|node| stays(*node)).collect();
        if let Some(above) = kept.last_mut() {
            let keys = nodes.iter().map(|node| u64::from(places[parents[*node] as usize]) << 32);
            above.children = super::ngrams::starts(&keys.collect::<Vec<_>>(), above.words.len());
        }
        places = vec![u32::MAX; level.words.len()];
        nodes.iter().enumerate().for_each(|(place, node)| places[*node] = place as u32);
        kept.push(Level {
            words: nodes.iter().map(|node| level.words[*node]).collect(),
            children: Vec::new(),
            probabilities: nodes.iter().map(|node| level.probabilities[*node]).collect(),
            backoffs: nodes.iter().filter_map(|node| level.backoffs.get(*node).copied()).collect(),
        });
    }
    kept
}
