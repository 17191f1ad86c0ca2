//! Penalised logistic regression by Newton's method, whose steps conjugate gradients find.

use super::super::numeric::{dot, exp, ln, norm};
use super::sigmoid;

/// Newton's steps, at most: a few are enough.
const STEPS: usize = 50;
/// Rounds of conjugate gradients a step, at most.
const ROUNDS: usize = 250;
/// A gradient this small is none.
const SMALL: f64 = 1e-10;
/// Halvings of a step that does not lead down.
const HALVINGS: usize = 40;

/// What is minimised: the weighted mean loss and half the penalty times the weights' squares.
pub struct Problem {
    /// `[pairs, features]`
    rows: Vec<Vec<f64>>,
    labels: Vec<bool>,
    /// What a pair of each label counts for, all together 1.
    counts: [f64; 2],
    penalty: f64,
}

/// Weights, and behind them the bias.
type Point = Vec<f64>;

impl Problem {
    /// Of standardised features; both labels are there.
    pub fn new(rows: Vec<Vec<f64>>, labels: Vec<bool>, penalty: f64) -> Self {
        let out = labels.iter().filter(|is_out| **is_out).count();
        let counts = [labels.len() - out, out].map(|count| 0.5 / count as f64);
        Self { rows, labels, counts, penalty }
    }

    fn features(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    fn count(&self, is_out: bool) -> f64 {
        self.counts[usize::from(is_out)]
    }

    fn logits(&self, point: &[f64]) -> Vec<f64> {
        let (weights, bias) = point.split_at(self.features());
        self.rows.iter().map(|row| dot(row, weights) + bias[0]).collect()
    }

    fn value(&self, point: &[f64], logits: &[f64]) -> f64 {
        let weights = &point[..self.features()];
        let losses = logits.iter().zip(&self.labels).map(|(logit, is_out)| {
            self.count(*is_out) * softplus(if *is_out { -logit } else { *logit })
        });
        losses.sum::<f64>() + self.penalty / 2.0 * dot(weights, weights)
    }

    /// The sum of `factor * [row, 1]` over all pairs, and the penalty's share of `point`.
    fn gathered(&self, factors: impl Iterator<Item = f64>, point: &[f64]) -> Point {
        let features = self.features();
        let mut sums = vec![0.0; features + 1];
        for (row, factor) in self.rows.iter().zip(factors) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += factor * x);
            sums[features] += factor;
        }
        for (sum, weight) in sums.iter_mut().zip(&point[..features]) {
            *sum += self.penalty * weight;
        }
        sums
    }

    fn gradient(&self, point: &[f64], logits: &[f64]) -> Point {
        let pulls = logits.iter().zip(&self.labels).map(|(logit, is_out)| {
            self.count(*is_out) * (sigmoid(*logit) - f64::from(u8::from(*is_out)))
        });
        self.gathered(pulls, point)
    }

    /// The second derivatives times a direction.
    fn curved(&self, curves: &[f64], direction: &[f64]) -> Point {
        let slopes = self.logits(direction);
        let factors = curves.iter().zip(&slopes).map(|(curve, slope)| curve * slope);
        self.gathered(factors, direction)
    }
}

/// The weights and the bias of the least value.
pub fn solve(problem: &Problem) -> (Vec<f64>, f64) {
    let mut point = vec![0.0; problem.features() + 1];
    let mut logits = problem.logits(&point);
    for _ in 0..STEPS {
        let gradient = problem.gradient(&point, &logits);
        if norm(&gradient) < SMALL {
            break;
        }
        let curves: Vec<f64> = logits
            .iter()
            .zip(&problem.labels)
            .map(|(logit, is_out)| {
                let p = sigmoid(*logit);
                problem.count(*is_out) * p * (1.0 - p)
            })
            .collect();
        let step = conjugate(&gradient, |direction| problem.curved(&curves, direction));
        let Some((next, next_logits)) = descend(problem, &point, &logits, &gradient, &step) else {
            break;
        };
        (point, logits) = (next, next_logits);
    }
    let bias = point.pop().unwrap_or_default();
    (point, bias)
}

/// The point at the end of `step`, or of a half, a quarter, ... of it, that lies low enough.
fn descend(
    problem: &Problem,
    point: &[f64],
    logits: &[f64],
    gradient: &[f64],
    step: &[f64],
) -> Option<(Point, Vec<f64>)> {
    let (value, slope) = (problem.value(point, logits), dot(gradient, step));
    let mut size = 1.0;
    for _ in 0..HALVINGS {
        let next: Point = point.iter().zip(step).map(|(x, step)| x - size * step).collect();
        let logits = problem.logits(&next);
        if problem.value(&next, &logits) <= value - 1e-4 * size * slope {
            return Some((next, logits));
        }
        size /= 2.0;
    }
    None
}

/// `x` for which `product(x)` is `wanted`, by conjugate gradients.
fn conjugate(wanted: &[f64], product: impl Fn(&[f64]) -> Point) -> Point {
    let mut x = vec![0.0; wanted.len()];
    let mut rest = wanted.to_vec();
    let mut direction = rest.clone();
    let mut square = dot(&rest, &rest);
    let enough = square * 1e-20;
    for _ in 0..ROUNDS {
        if square <= enough {
            break;
        }
        let curved = product(&direction);
        let curve = dot(&direction, &curved);
        if curve <= 0.0 {
            break;
        }
        let size = square / curve;
        x.iter_mut().zip(&direction).for_each(|(x, along)| *x += size * along);
        rest.iter_mut().zip(&curved).for_each(|(rest, curved)| *rest -= size * curved);
        let next = dot(&rest, &rest);
        let keep = next / square;
        direction.iter_mut().zip(&rest).for_each(|(along, rest)| *along = rest + keep * *along);
        square = next;
    }
    x
}

/// `ln(1 + exp(x))`.
fn softplus(x: f64) -> f64 {
    let rest = ln(1.0 + exp(-x.abs()));
    if x > 0.0 { x + rest } else { rest }
}
