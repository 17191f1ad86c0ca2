//! How alike two orders are.

/// Spearman's rank correlation, equal values at the mean of their ranks; `None` where one side has a
/// single value, or there is none.
pub fn spearman(points: &[(f32, f32)]) -> Option<f64> {
    let old = ranks(points.iter().map(|point| point.0));
    let new = ranks(points.iter().map(|point| point.1));
    let mean = (points.len() as f64 + 1.0) / 2.0;
    let (mut both, mut of_old, mut of_new) = (0.0, 0.0, 0.0);
    for (a, b) in old.iter().zip(&new) {
        let (a, b) = (a - mean, b - mean);
        both += a * b;
        of_old += a * a;
        of_new += b * b;
    }
    let scale = (of_old * of_new).sqrt();
    (scale > 0.0).then(|| both / scale)
}

/// The rank of each value, from 1; equal ones have the mean of theirs.
fn ranks(values: impl Iterator<Item = f32>) -> Vec<f64> {
    let mut sorted: Vec<(f32, usize)> = values.zip(0..).collect();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ranks = vec![0.0; sorted.len()];
    let mut first = 0;
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let rank = first as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|(_, place)| ranks[*place] = rank);
        first += equal.len();
    }
    ranks
}

/// Kendall's tau-b, which allows for equal values, in the time of a sort (Knight, 1966); `None` as
/// for [`spearman`].
pub fn kendall(points: &[(f32, f32)]) -> Option<f64> {
    let mut points = points.to_vec();
    points.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let all = pairs(points.len());
    let of_old = points.chunk_by(|a, b| a.0 == b.0).map(|equal| pairs(equal.len())).sum::<f64>();
    let of_both = points.chunk_by(|a, b| a == b).map(|equal| pairs(equal.len())).sum::<f64>();
    let mut new: Vec<f32> = points.iter().map(|point| point.1).collect();
    let mut room = new.clone();
    let swaps = sort_counting(&mut new, &mut room);
    let of_new = new.chunk_by(|a, b| a == b).map(|equal| pairs(equal.len())).sum::<f64>();
    let scale = ((all - of_old) * (all - of_new)).sqrt();
    (scale > 0.0).then(|| (all - of_old - of_new + of_both - 2.0 * swaps as f64) / scale)
}

/// How many pairs so many things make.
fn pairs(count: usize) -> f64 {
    count as f64 * (count as f64 - 1.0) / 2.0
}

/// Sorts by merging, and counts the pairs that were in the wrong order.
fn sort_counting(values: &mut [f32], room: &mut [f32]) -> u64 {
    let middle = values.len() / 2;
    if middle == 0 {
        return 0;
    }
    let (left, right) = values.split_at_mut(middle);
    let mut swaps =
        sort_counting(left, &mut room[..middle]) + sort_counting(right, &mut room[middle..]);
    let (mut a, mut b) = (0, 0);
    for place in room.iter_mut() {
        let takes_right = a == left.len() || (b < right.len() && right[b] < left[a]);
        if takes_right {
            *place = right[b];
            b += 1;
            swaps += (left.len() - a) as u64;
        } else {
            *place = left[a];
            a += 1;
        }
    }
    values.copy_from_slice(room);
    swaps
}
