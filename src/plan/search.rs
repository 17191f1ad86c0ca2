//! The constants that fit people's runs: a random search over the whole range, always with the same seed,
//! and from its best finds on a least-squares descent (Levenberg and Marquardt's).

use super::PlanError;
use super::law::{Bucket, Floor, Law, curve, within};
use super::runs::{Run, Runs};

/// Draws of what all buckets share.
const SHARED_DRAWS: usize = 300;
/// Draws for each bucket to each of these.
const BUCKET_DRAWS: usize = 150;
/// Finds that are descended from.
const STARTS: usize = 10;
/// Steps of a descent.
const STEPS: usize = 300;
/// Runs that a bucket needs, at different samples.
const LEAST_RUNS: usize = 3;
/// How many of them must lie beyond the first pass.
const LEAST_REPEATED: usize = 2;
/// The seed of the draws.
pub const SEED: u64 = 1;

/// Ranges that are searched: `a D / 1e5`, so that it does not depend on the bucket's size; `-b`; `tau`. The
/// published grid lies within.
const SCALE: (f64, f64) = (0.5, 1e4);
const EXPONENT: (f64, f64) = (0.001, 2.0);
const HALF_LIFE: (f64, f64) = (0.25, 100.0);

/// Constants, and how far the runs are from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The constants.
    pub law: Law,
    /// Measured error less predicted, for each run in the table's order.
    pub residuals: Vec<f64>,
    /// Constants that ended where the search does, and may lie beyond.
    pub at_edge: Vec<String>,
}

impl Fitted {
    /// The residuals' root mean square.
    pub fn rms(&self) -> f64 {
        root_mean_square(&self.residuals)
    }
}

/// The root mean square of some residuals; 0 of none.
pub fn root_mean_square(residuals: &[f64]) -> f64 {
    let sum: f64 = residuals.iter().map(|residual| residual * residual).sum();
    (sum / residuals.len().max(1) as f64).sqrt()
}

/// Fits the constants to runs over buckets of `bucket_samples`. The same runs give the same constants.
///
/// # Errors
/// [`PlanError::TooFew`] that says which runs are missing, [`PlanError::OutOfRange`] for the size.
pub fn fit(runs: &Runs, bucket_samples: f64, floor: Floor) -> Result<Fitted, PlanError> {
    within("bucket_samples", bucket_samples, 1.0, 1e15)?;
    check(runs, bucket_samples)?;
    let problem = Problem::of(runs, bucket_samples, floor);
    let starts = problem.draws();
    let ends = starts.into_iter().map(|start| problem.descend(start));
    let best = ends.min_by(|a, b| problem.loss(a).total_cmp(&problem.loss(b)));
    let best = best.ok_or_else(|| PlanError::TooFew { why: "there is no run".into() })?;
    Ok(problem.fitted(&best))
}

fn check(runs: &Runs, bucket_samples: f64) -> Result<(), PlanError> {
    let refused = |why: String| Err(PlanError::TooFew { why });
    if runs.buckets < 2 {
        return refused("they are of one bucket, and there is nothing to choose: train on two or more parts of the pool, by score".into());
    }
    for bucket in 0..runs.buckets {
        let mut samples: Vec<f64> = runs.of_bucket(bucket).iter().map(|run| run.samples).collect();
        samples.dedup();
        let repeated = samples.iter().filter(|samples| **samples > bucket_samples).count();
        if samples.len() < LEAST_RUNS || repeated < LEAST_REPEATED {
            return refused(format!(
                "bucket {} has errors at {} sample counts, {repeated} of them beyond its first pass; each \
                 of the {} buckets needs {LEAST_RUNS}, of which {LEAST_REPEATED} beyond the first pass \
                 (such as after 1, 2, 4 and 8 epochs)",
                bucket + 1,
                samples.len(),
                runs.buckets
            ));
        }
    }
    Ok(())
}

/// A point of the search: the scale's logarithm, the floor, and for each bucket the logarithms of `-b` and
/// `tau`.
type Point = Vec<f64>;

struct Problem<'a> {
    buckets: Vec<&'a [Run]>,
    samples: Vec<Vec<f64>>,
    size: f64,
    floor: Floor,
    /// Largest floor.
    most: f64,
}

impl<'a> Problem<'a> {
    fn of(runs: &'a Runs, size: f64, floor: Floor) -> Self {
        let buckets: Vec<&[Run]> = (0..runs.buckets).map(|bucket| runs.of_bucket(bucket)).collect();
        let samples =
            buckets.iter().map(|runs| runs.iter().map(|run| run.samples).collect()).collect();
        let errors = runs.runs.iter().map(|run| run.error);
        let most = match floor {
            Floor::Last => errors.fold(1.0, f64::min),
            Floor::Before => errors.fold(0.0, f64::max),
        };
        Self { buckets, samples, size, floor, most: 0.999 * most }
    }

    fn range(&self, place: usize) -> (f64, f64) {
        let ln = |(low, high): (f64, f64)| (low.ln(), high.ln());
        match place {
            0 => ln(SCALE),
            1 => (0.0, self.most),
            _ if place.is_multiple_of(2) => ln(EXPONENT),
            _ => ln(HALF_LIFE),
        }
    }

    /// Errors of a bucket as two shared values and its own two would have them.
    fn predicted(&self, bucket: usize, shared: [f64; 2], own: [f64; 2]) -> Vec<f64> {
        let a = shared[0].exp() * 1e5 / self.size;
        let (b, tau) = (-own[0].exp(), own[1].exp());
        let exponent = |pass: f64| b * (-pass / tau).exp2();
        curve(a, shared[1], self.floor, self.size, exponent, &self.samples[bucket])
    }

    fn residuals_of(&self, bucket: usize, shared: [f64; 2], own: [f64; 2]) -> Vec<f64> {
        let predicted = self.predicted(bucket, shared, own);
        self.buckets[bucket].iter().zip(predicted).map(|(run, error)| run.error - error).collect()
    }

    fn loss_of(&self, bucket: usize, shared: [f64; 2], own: [f64; 2]) -> f64 {
        let loss: f64 = self.residuals_of(bucket, shared, own).iter().map(|r| r * r).sum();
        // What is no number is as far off as can be.
        if loss.is_nan() { f64::INFINITY } else { loss }
    }

    fn loss(&self, point: &Point) -> f64 {
        let (shared, own) = split(point);
        (0..self.buckets.len()).map(|bucket| self.loss_of(bucket, shared, own(bucket))).sum()
    }

    /// The best finds of the random search.
    fn draws(&self) -> Vec<Point> {
        let mut random = Random(SEED);
        let mut found: Vec<(f64, Point)> = Vec::new();
        for _ in 0..SHARED_DRAWS {
            let shared = [0, 1].map(|place| random.within(self.range(place)));
            let (mut point, mut loss) = (shared.to_vec(), 0.0);
            for bucket in 0..self.buckets.len() {
                let mut best = (f64::INFINITY, [0.0; 2]);
                for _ in 0..BUCKET_DRAWS {
                    let own = [2, 3].map(|place| random.within(self.range(place)));
                    let off = self.loss_of(bucket, shared, own);
                    if off <= best.0 {
                        best = (off, own);
                    }
                }
                loss += best.0;
                point.extend(best.1);
            }
            found.push((loss, point));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.into_iter().take(STARTS).map(|(_, point)| point).collect()
    }

    /// Goes down from a point until no step is of use.
    fn descend(&self, mut point: Point) -> Point {
        let (mut loss, mut damping) = (self.loss(&point), 1e-3);
        for _ in 0..STEPS {
            let (matrix, slope) = self.normal_equations(&point);
            let before = loss;
            let mut moved = false;
            while damping < 1e12 {
                let step = solve(&matrix, &slope, damping);
                let next = step.map(|step| self.clamped(&point, &step));
                let off = next.as_ref().map_or(f64::INFINITY, |next| self.loss(next));
                if let Some(next) = next.filter(|_| off < loss) {
                    (point, loss, moved) = (next, off, true);
                    damping = (damping / 5.0).max(1e-12);
                    break;
                }
                damping *= 4.0;
            }
            if !moved || before - loss <= 1e-15 * before {
                break;
            }
        }
        point
    }

    fn clamped(&self, point: &Point, step: &[f64]) -> Point {
        let moved = |(place, (value, step)): (usize, (&f64, &f64))| {
            let (low, high) = self.range(place);
            // No step leaps over the landscape.
            (value + step.clamp(-1.0, 1.0)).clamp(low, high)
        };
        point.iter().zip(step).enumerate().map(moved).collect()
    }

    /// `J'J` and `J'r`, with `J` the change of the predicted errors with each value.
    fn normal_equations(&self, point: &Point) -> (Vec<Vec<f64>>, Vec<f64>) {
        const STEP: f64 = 1e-6;
        let width = point.len();
        let (mut matrix, mut slope) = (vec![vec![0.0; width]; width], vec![0.0; width]);
        let (shared, own) = split(point);
        for bucket in 0..self.buckets.len() {
            let own = own(bucket);
            let residuals = self.residuals_of(bucket, shared, own);
            let places = [0, 1, 2 + 2 * bucket, 3 + 2 * bucket];
            let columns: [Vec<f64>; 4] = std::array::from_fn(|which| {
                let moved = |by: f64| {
                    let (mut shared, mut own) = (shared, own);
                    let value = if which < 2 { &mut shared[which] } else { &mut own[which - 2] };
                    *value += by;
                    self.predicted(bucket, shared, own)
                };
                let (up, down) = (moved(STEP), moved(-STEP));
                up.iter().zip(down).map(|(up, down)| (up - down) / (2.0 * STEP)).collect()
            });
            for (i, one) in columns.iter().enumerate() {
                for (j, two) in columns.iter().enumerate() {
                    matrix[places[i]][places[j]] +=
                        one.iter().zip(two).map(|(a, b)| a * b).sum::<f64>();
                }
                slope[places[i]] += one.iter().zip(&residuals).map(|(a, r)| a * r).sum::<f64>();
            }
        }
        (matrix, slope)
    }

    fn fitted(&self, point: &Point) -> Fitted {
        let (shared, own) = split(point);
        let all = 0..self.buckets.len();
        let bucket = |bucket: usize| {
            let [b, tau] = own(bucket);
            Bucket { b: -b.exp(), tau: tau.exp() }
        };
        let law = Law {
            a: shared[0].exp() * 1e5 / self.size,
            d: shared[1],
            bucket_samples: self.size,
            buckets: all.clone().map(bucket).collect(),
            floor: self.floor,
        };
        let residuals =
            all.flat_map(|bucket| self.residuals_of(bucket, shared, own(bucket))).collect();
        Fitted { law, residuals, at_edge: self.at_edge(point) }
    }

    fn at_edge(&self, point: &Point) -> Vec<String> {
        let is_edge = |place: usize| {
            let (low, high) = self.range(place);
            let near = 1e-6 * (high - low);
            // A floor of nothing is a value like any other.
            (point[place] - low < near && place != 1) || high - point[place] < near
        };
        let name = |place: usize| match place {
            0 => "a".to_owned(),
            1 => "d".to_owned(),
            _ => format!(
                "{} of bucket {}",
                if place.is_multiple_of(2) { "b" } else { "tau" },
                place / 2
            ),
        };
        (0..point.len()).filter(|place| is_edge(*place)).map(name).collect()
    }
}

/// What all buckets share, and what each has of its own.
fn split(point: &Point) -> ([f64; 2], impl Fn(usize) -> [f64; 2]) {
    let own = |bucket: usize| [point[2 + 2 * bucket], point[3 + 2 * bucket]];
    ([point[0], point[1]], own)
}

/// Solves `(M + damping diag(M)) x = v`, M being symmetric, by Cholesky's decomposition.
fn solve(matrix: &[Vec<f64>], vector: &[f64], damping: f64) -> Option<Vec<f64>> {
    let width = vector.len();
    let mut lower = vec![vec![0.0; width]; width];
    for i in 0..width {
        for j in 0..=i {
            let damped = if i == j { matrix[i][i] * (1.0 + damping) + 1e-15 } else { matrix[i][j] };
            let sum: f64 = damped - (0..j).map(|k| lower[i][k] * lower[j][k]).sum::<f64>();
            lower[i][j] = if i == j { positive_root(sum)? } else { sum / lower[j][j] };
        }
    }
    let mut solved = vector.to_vec();
    for i in 0..width {
        let sum: f64 = (0..i).map(|k| lower[i][k] * solved[k]).sum();
        solved[i] = (solved[i] - sum) / lower[i][i];
    }
    for i in (0..width).rev() {
        let sum: f64 = (i + 1..width).map(|k| lower[k][i] * solved[k]).sum();
        solved[i] = (solved[i] - sum) / lower[i][i];
    }
    Some(solved)
}

fn positive_root(value: f64) -> Option<f64> {
    (value > 0.0 && value.is_finite()).then(|| value.sqrt())
}

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn within(&mut self, (low, high): (f64, f64)) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        low + (high - low) * unit
    }
}
