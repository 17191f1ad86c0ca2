//! Hierarchical softmax: the labels are leaves of a Huffman tree, and each inner node has a row of
//! the output matrix that says how likely its right side is.

use std::io;

use super::bounded_log;
use super::matrix::Matrix;
use crate::datacomp::wrong;

/// What fastText takes for the count of a node that is not made yet.
const UNMADE: i64 = 1_000_000_000_000_000;

/// The inner nodes; node `labels + i` has the children at `i`. Nodes below `labels` are leaves.
#[derive(Debug)]
pub(super) struct Tree {
    labels: usize,
    children: Vec<[u32; 2]>,
}

impl Tree {
    /// Builds the tree from how often each label was seen, as fastText does: from the last label,
    /// the rarest, up.
    pub fn new(counts: &[i64]) -> io::Result<Self> {
        let labels = counts.len();
        if labels == 0 || !counts.iter().all(|count| (0..UNMADE).contains(count)) {
            return Err(wrong("the labels' counts are damaged"));
        }
        let mut sums: Vec<i64> = counts.to_vec();
        let mut children = Vec::with_capacity(labels - 1);
        let (mut leaf, mut node) = (labels, labels);
        while children.len() + 1 < labels {
            let mut next = || {
                let inner = sums.get(node).copied().unwrap_or(UNMADE);
                if leaf > 0 && sums[leaf - 1] < inner {
                    leaf -= 1;
                    return Some(leaf);
                }
                node += 1;
                (node <= sums.len()).then_some(node - 1)
            };
            let (Some(left), Some(right)) = (next(), next()) else {
                return Err(wrong("the labels' counts are damaged"));
            };
            sums.push(sums[left].saturating_add(sums[right]));
            children.push([left as u32, right as u32]);
        }
        Ok(Self { labels, children })
    }

    /// The most likely leaf and its logarithm; `None` where fastText would name none. Branches are
    /// walked in its order, left side first, and a leaf as good as the best takes its place.
    pub fn best(
        &self,
        matrix: &Matrix,
        hidden: &[f32],
        branches: &mut Vec<(u32, f32)>,
    ) -> Option<(usize, f32)> {
        let least = bounded_log(0.0);
        let mut best: Option<(usize, f32)> = None;
        branches.clear();
        branches.push(((2 * self.labels - 2) as u32, 0.0));
        while let Some((node, log)) = branches.pop() {
            if log < least || best.is_some_and(|(_, lead)| log < lead) {
                continue;
            }
            let node = node as usize;
            if node < self.labels {
                best = Some((node, log));
                continue;
            }
            let row = node - self.labels;
            let right = 1.0 / f64::from(1.0 + (-matrix.product(row, hidden)).exp());
            let right = right as f32;
            branches.push((self.children[row][1], log + bounded_log(right)));
            branches.push((self.children[row][0], log + bounded_log(1.0 - right)));
        }
        best.filter(|(_, log)| !log.is_nan())
    }
}
