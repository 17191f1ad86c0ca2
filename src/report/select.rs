//! Which pairs are shown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use pairgate_core::decision::Reason;

use super::clusters::Clusters;
use super::gallery::{Card, Gallery};
use super::sums::{MOST_GROUPS, Sums};
use crate::disk::IoError;
use crate::journal::{Reader, Record};
use crate::replay::pooled_score;

/// Of the pairs that are asked for, those at each side of the threshold, and those with the best and
/// with the worst scores: one in so many of each.
const PART: usize = 16;
/// Pairs for each other reason.
const PER_REASON: usize = 8;
/// Pairs at least of each named source, and of each named cluster.
const PER_GROUP: usize = 6;

/// A scored pair: its score, the numbers of its source and of its cluster, its place among the records.
type Scored = (f32, [u8; 2], usize);
/// The number of what is not named.
const OTHER: u8 = u8::MAX;

/// Chooses among the records of journals: `most` from all over the scores, and some of each reason and
/// source. Memory: 16 bytes a scored pair.
///
/// # Errors
/// [`IoError`] if a journal cannot be read.
pub(super) fn choose(journals: &[PathBuf], sums: &Sums, most: usize) -> Result<Gallery, IoError> {
    let named = sums.sources.iter().take(MOST_GROUPS);
    let sources: HashMap<&str, u8> = named.map(|source| source.name.as_str()).zip(0..).collect();
    let (clusters, groups) = sums.clusters.as_ref().map(|(of, groups)| (of, &groups[..])).unzip();
    let named = groups.unwrap_or_default().iter().take(MOST_GROUPS);
    let numbers: HashMap<u32, u8> = named.filter_map(|group| group.number).zip(0..).collect();
    let cluster = |place| clusters.and_then(|clusters: &Clusters| clusters.of(place));
    let mut scored: Vec<Scored> = Vec::with_capacity(sums.scores.len());
    let mut reasons: BTreeMap<Reason, Vec<usize>> = BTreeMap::new();
    each(journals, |place, record| match pooled_score(record) {
        Some(score) => {
            let source = sources.get(record.shard.as_str()).copied();
            let cluster = cluster(place).and_then(|cluster| numbers.get(&cluster).copied());
            scored.push((score, [source, cluster].map(|number| number.unwrap_or(OTHER)), place));
        }
        None => {
            let some = reasons.entry(record.reason).or_default();
            some.extend((some.len() < PER_REASON).then_some(place));
        }
    })?;
    scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
    let even: BTreeSet<usize> = even(&scored, most).collect();
    let mut chosen = even.clone();
    chosen.extend(reasons.into_values().flatten());
    chosen.extend(at_the_ends(&scored, sums.threshold, most.div_ceil(PART)));
    chosen.extend((0..2).flat_map(|grouping| of_each_group(&scored, grouping)));
    read(journals, &chosen, &even, cluster)
}

/// Reads the chosen records.
fn read(
    journals: &[PathBuf],
    chosen: &BTreeSet<usize>,
    even: &BTreeSet<usize>,
    cluster: impl Fn(usize) -> Option<u32>,
) -> Result<Gallery, IoError> {
    let mut gallery = Gallery::default();
    each(journals, |place, record| {
        if chosen.contains(&place) {
            let (even, cluster) = (even.contains(&place), cluster(place));
            let card = Card { even, cluster, ..Card::of(record) };
            gallery.add(card, record.facts.content);
        }
    })?;
    Ok(gallery)
}

/// So many places at equal ranks.
fn even(scored: &[Scored], count: usize) -> impl Iterator<Item = usize> + '_ {
    let last = scored.len().saturating_sub(1);
    let steps = count.min(scored.len());
    (0..steps).map(move |step| scored[step * last / (steps - 1).max(1)].2)
}

/// So many with the best scores, with the worst, and on each side of the threshold.
fn at_the_ends(scored: &[Scored], threshold: Option<f32>, count: usize) -> Vec<usize> {
    let mut parts =
        vec![&scored[scored.len().saturating_sub(count)..], &scored[..count.min(scored.len())]];
    if let Some(threshold) = threshold {
        let at = scored.partition_point(|(score, ..)| *score < threshold);
        parts.push(&scored[at.saturating_sub(count)..(at + count).min(scored.len())]);
    }
    parts.into_iter().flatten().map(|(.., place)| *place).collect()
}

/// Some of each named source or cluster, at equal ranks of its scores.
fn of_each_group(scored: &[Scored], grouping: usize) -> Vec<usize> {
    let mut totals = [0; MOST_GROUPS];
    for (_, numbers, _) in scored {
        totals.get_mut(usize::from(numbers[grouping])).into_iter().for_each(|total| *total += 1);
    }
    let (mut seen, mut chosen) = ([0; MOST_GROUPS], Vec::new());
    for (_, numbers, place) in scored {
        let number = usize::from(numbers[grouping]);
        let Some((seen, total)) = seen.get_mut(number).zip(totals.get(number)) else { continue };
        let part = |seen: usize| seen * PER_GROUP / total;
        if *seen == 0 || part(*seen) != part(*seen - 1) {
            chosen.push(*place);
        }
        *seen += 1;
    }
    chosen
}

/// Gives each record of the journals and its place among all of them.
fn each(journals: &[PathBuf], mut see: impl FnMut(usize, &Record)) -> Result<(), IoError> {
    let mut place = 0;
    for path in journals {
        for record in Reader::open(path)? {
            see(place, &record?);
            place += 1;
        }
    }
    Ok(())
}
