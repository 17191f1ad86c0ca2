//! Methods fitted on a pool, and applied to one.
//!
//! Both go through the expression in the same way. A part is fitted on the pairs that come to it, its values
//! of each are computed in one pass over the pool, and its rule for pools says which are kept. What is held
//! are 24 bytes a pair, the values of one part, and at most as many embeddings as a part's `points` say; so
//! a pool of any size is gone through in bounded memory, in a few passes a part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, Uid};
use pairgate_kernels::Team;
use sha2::{Digest as _, Sha256};

use super::chooser::{Chooser, Seen};
use super::clusters::{self, Clusters};
use super::duplicates::{self, Duplicates, MOST_RING_BYTES, ring_bytes};
use super::entries::{Entries, EntriesError, tail_threshold};
use super::expression::{Atom, Cut, Ending, MethodKind, spec_of};
use super::kmeans::{self, KMeansError};
use super::parts::{Band, Frozen, Node, Part, RANKS, Scorer, Slot, lay_out};
use super::pool::{Pool, PoolPair};
use super::quota::QuotaError;
use super::random::{draw, draw_share};
use super::ranks;
use super::scorers::{self, Resources, ScorerError};
use super::sources::{self, By, MOST_FOLLOWED, MOST_SOURCES, Sources};
use super::state::{About, State, StateError};
use crate::disk::IoError;
use crate::score::{Measure, Row, Rows, Scored};

/// Pairs whose values are computed together.
const BATCH: usize = 512;
/// Bytes of embeddings that duplicates are looked for in at once.
const TOGETHER: usize = 256 << 20;

/// Why nothing is fitted or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// The pool cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// No quotas.
    #[error("{method}: {why}")]
    Quota {
        /// The method.
        method: &'static str,
        /// Why.
        why: QuotaError,
    },
    /// No centroids.
    #[error("{method}: {why}")]
    KMeans {
        /// The method.
        method: &'static str,
        /// Why.
        why: KMeansError,
    },
    /// No entries.
    #[error("entries: {0}")]
    Entries(#[from] EntriesError),
    /// No scorer.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// No state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The pool has not what a method needs.
    #[error("{method}: {why}")]
    Pool {
        /// The method.
        method: &'static str,
        /// What is missing.
        why: String,
    },
    /// There is nothing to fit on.
    #[error("no pair of the pool passes the threshold and the rules")]
    Empty,
    /// It was asked to stop.
    #[error("interrupted")]
    Stopped,
}

/// What is being done, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// A method begins.
    Method(&'static str),
    /// A round of k-means, from 1, of at most so many.
    Round(usize, usize),
    /// Pairs that were read in this pass.
    Read(u64),
}

/// How methods are fitted and applied. None of it changes the outcome.
pub struct Work<'a> {
    /// Threads.
    pub team: &'a Team,
    /// Set: it ends with [`SelectError::Stopped`].
    pub stop: &'a AtomicBool,
    /// Hears what is being done.
    pub tell: &'a mut dyn FnMut(Told),
}

/// How many pairs came to a method, and how many it kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The method, or [`RANKS`].
    pub method: &'static str,
    /// Pairs that came to it.
    pub came: u64,
    /// Pairs that it kept, or did not flag.
    pub kept: u64,
    /// Whether it only flags.
    pub flags: bool,
}

/// What a fit gives.
#[derive(Debug)]
pub struct Fit {
    /// The state.
    pub state: State,
    /// The methods, in the order of evaluation.
    pub steps: Vec<Step>,
    /// Pairs that are kept of the pool.
    pub kept: u64,
}

/// What a state, applied to a pool, gives.
#[derive(Debug)]
pub struct Applied {
    /// Uids of all pairs of the pool, in its order.
    pub uids: Vec<Uid>,
    /// Places of those that are kept, rising.
    pub kept: Vec<u32>,
    /// The methods, in the order of evaluation.
    pub steps: Vec<Step>,
}

/// Whether high values of a scorer are good.
pub fn is_high_good(method: &str) -> bool {
    !matches!(
        spec_of(method).map(|spec| spec.kind),
        Some(MethodKind::Scorer { high_is_good: false })
    )
}

/// Fits the expression of `about` on `pool`; the pool's digest and size are put into it.
///
/// # Errors
/// [`SelectError`].
pub fn fit(
    pool: &mut dyn Pool,
    about: About,
    resources: &Resources,
    work: Work<'_>,
) -> Result<Fit, SelectError> {
    let expression = super::Expression::parse(&about.expression)
        .map_err(|why| StateError::Expression(why.to_string()))?;
    let (root, slots) = lay_out(&expression);
    let index = Index::of(pool)?;
    if index.uids.is_empty() {
        return Err(SelectError::Empty);
    }
    let parts = slots.iter().map(|_| None).collect();
    let about = About { calibration: index.digest, pairs: index.uids.len() as u64, ..about };
    let (seed, dimension) = (about.seed, about.dimension as usize);
    let all = index.all();
    let mut walk = Walk {
        pool,
        slots: &slots,
        parts,
        index,
        resources: Some(resources),
        seed,
        dimension,
        work,
        steps: Vec::new(),
    };
    let kept = walk.node(&root, all)?.len() as u64;
    let (parts, steps) = (walk.parts.into_iter().flatten().collect(), walk.steps);
    Ok(Fit { state: State::new(about, parts)?, steps, kept })
}

/// Applies the rules for pools of a state to `pool`: shares are shares of it, with what is frozen of the
/// methods.
///
/// # Errors
/// [`SelectError`].
pub fn apply(pool: &mut dyn Pool, state: &State, work: Work<'_>) -> Result<Applied, SelectError> {
    let index = Index::of(pool)?;
    let parts = state.parts().iter().cloned().map(Some).collect();
    let all = index.all();
    let mut walk = Walk {
        pool,
        slots: state.slots(),
        parts,
        index,
        resources: None,
        seed: state.about().seed,
        dimension: state.about().dimension as usize,
        work,
        steps: Vec::new(),
    };
    let kept = walk.node(state.root(), all)?;
    Ok(Applied { uids: walk.index.uids, kept, steps: walk.steps })
}

/// What is held of every pair of a pool.
struct Index {
    uids: Vec<Uid>,
    scores: Vec<f32>,
    digest: Digest,
}

impl Index {
    fn of(pool: &mut dyn Pool) -> Result<Self, SelectError> {
        let (mut uids, mut scores, mut hash) = (Vec::new(), Vec::new(), Sha256::new());
        pool.read(&mut |pair| {
            hash.update(pair.uid.0);
            hash.update(pair.score.to_le_bytes());
            uids.push(pair.uid);
            scores.push(pair.score);
            // Places are 32 bits.
            match u32::try_from(uids.len()) {
                Ok(_) => Ok(()),
                Err(_) => Err(SelectError::Pool {
                    method: "select",
                    why: "the pool has more than 2^32 - 1 pairs: take a part of it".into(),
                }),
            }
        })?;
        Ok(Self { uids, scores, digest: Digest(hash.finalize().into()) })
    }

    fn all(&self) -> Vec<u32> {
        (0..self.uids.len() as u32).collect()
    }
}

struct Walk<'a, 'w> {
    pool: &'a mut dyn Pool,
    slots: &'a [Slot],
    /// Those that are fitted already; all of them where nothing is to be fitted.
    parts: Vec<Option<Part>>,
    index: Index,
    /// Where parts are fitted.
    resources: Option<&'a Resources>,
    seed: u64,
    dimension: usize,
    work: Work<'w>,
    steps: Vec<Step>,
}

impl Walk<'_, '_> {
    /// The pairs among `came` that pass.
    fn node(&mut self, node: &Node, came: Vec<u32>) -> Result<Vec<u32>, SelectError> {
        match node {
            Node::All(nodes) => nodes.iter().try_fold(came, |came, node| self.node(node, came)),
            Node::Any(nodes) => {
                let mut kept = vec![false; self.index.uids.len()];
                for node in nodes {
                    for place in self.node(node, came.clone())? {
                        kept[place as usize] = true;
                    }
                }
                Ok(came.into_iter().filter(|place| kept[*place as usize]).collect())
            }
            Node::Leaf(place) => {
                let slot = self.slots[*place].clone();
                let Some(atom) = &slot.atom else { return Ok(came) };
                (self.work.tell)(Told::Method(atom.method));
                let kept = self.leaf(*place, atom, slot.ending, &came)?;
                Ok(self.step(atom.method, slot.ending, came, kept))
            }
            Node::Ranks(members, place) => {
                (self.work.tell)(Told::Method(RANKS));
                let ending = self.slots[*place].ending;
                let kept = self.ranks(members, *place, ending, &came)?;
                Ok(self.step(RANKS, ending, came, kept))
            }
        }
    }

    fn step(
        &mut self,
        method: &'static str,
        ending: Ending,
        came: Vec<u32>,
        kept: Vec<u32>,
    ) -> Vec<u32> {
        let counts = (came.len() as u64, kept.len() as u64);
        self.steps.push(Step { method, came: counts.0, kept: counts.1, flags: ending.flags });
        if ending.flags { came } else { kept }
    }

    fn leaf(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let is_fitted = self.parts[place].is_some();
        match atom.method {
            "clusters" => self.clusters(place, atom, ending, came, is_fitted),
            "duplicates" => self.duplicates(place, atom, came, is_fitted),
            "sources" => self.sources(place, atom, ending, came, is_fitted),
            "entries" => self.entries(place, atom, came, is_fitted),
            _ => {
                let values = self.scorer(place, atom, came)?;
                let (kept, band) = cut(came, &values, ending.cut, is_high_good(atom.method));
                let Some(Frozen::Scorer(scorer)) =
                    self.parts[place].as_mut().map(|part| &mut part.frozen)
                else {
                    return Ok(kept);
                };
                // A share is one of this pool; all else is frozen.
                if is_fitted && !matches!(ending.cut, Some(Cut::Keep(_))) {
                    return Ok(held(came, &values, scorer.band));
                }
                if !is_fitted {
                    scorer.band = band;
                }
                Ok(kept)
            }
        }
    }

    /// Fits a scorer where it is not, and gives its value of each pair.
    fn scorer(&mut self, place: usize, atom: &Atom, came: &[u32]) -> Result<Vec<f32>, SelectError> {
        if self.parts[place].is_none() {
            let (measure, arrays) = self.fit_scorer(atom, came)?;
            let scorer = Scorer { measure, arrays, quantiles: Vec::new(), band: Band::ALL };
            let frozen = Frozen::Scorer(scorer);
            self.parts[place] = Some(Part { name: atom.method.to_owned(), frozen });
        }
        match self.parts[place].as_ref().and_then(Part::measure) {
            Some(measure) => self.values(atom.method, &*measure, came),
            None => Ok(came.iter().map(|place| self.index.scores[*place as usize]).collect()),
        }
    }

    fn fit_scorer(&mut self, atom: &Atom, came: &[u32]) -> Result<scorers::Fitted, SelectError> {
        let resources = self.resources.ok_or(SelectError::Empty)?;
        let (seed, team) = (self.seed, self.work.team);
        let uids = &self.index.uids;
        let mut pairs =
            |wanted: Option<usize>, each: &mut dyn FnMut(&PoolPair) -> Result<(), SelectError>| {
                let chosen = sample(uids, came, wanted.unwrap_or(came.len()), seed);
                visit(self.pool, &chosen, self.work.stop, &mut |_, pair| each(&pair))
            };
        scorers::fit(atom, resources, seed, team, &mut pairs)
    }

    fn ranks(
        &mut self,
        members: &[(f64, usize)],
        place: usize,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let is_fitted = self.parts[place].is_some();
        let mut sums = vec![0.0; came.len()];
        for (weight, member) in members {
            let Some(atom) = self.slots[*member].atom.clone() else { continue };
            let mut values = self.scorer(*member, &atom, came)?;
            if !is_high_good(atom.method) {
                values.iter_mut().for_each(|value| *value = -*value);
            }
            if let Some(Frozen::Scorer(scorer)) =
                self.parts[*member].as_mut().map(|part| &mut part.frozen)
                && !is_fitted
            {
                scorer.quantiles = ranks::quantiles(&values);
            }
            let ranks = ranks::ranks(&values);
            sums.iter_mut().zip(ranks).for_each(|(sum, rank)| *sum += weight * rank);
        }
        let sums: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();
        let (kept, band) = cut(came, &sums, ending.cut, true);
        match &self.parts[place] {
            None => {
                let frozen = Frozen::Ranks(band);
                self.parts[place] = Some(Part { name: RANKS.to_owned(), frozen });
            }
            Some(Part { frozen: Frozen::Ranks(band), .. })
                if !matches!(ending.cut, Some(Cut::Keep(_))) =>
            {
                return Ok(held(came, &sums, *band));
            }
            Some(_) => {}
        }
        Ok(kept)
    }

    fn clusters(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
        is_fitted: bool,
    ) -> Result<Vec<u32>, SelectError> {
        let centroids = match &self.parts[place] {
            Some(Part { frozen: Frozen::Clusters(clusters), .. }) => clusters.centroids.clone(),
            _ => Arc::new(self.centroids("clusters", atom, came)?),
        };
        let measure = clusters::InCluster(centroids.clone());
        let values = self.values("clusters", &measure, came)?;
        let member = |(row, values): (&u32, &[f32])| clusters::Member {
            row: *row,
            cluster: values[0] as u32,
            distance: values[1],
        };
        let mut members: Vec<_> = came.iter().zip(values.chunks_exact(2)).map(member).collect();
        let Some(Cut::Keep(keep)) = ending.cut else { return Ok(came.to_vec()) };
        let rule = clusters::Rule {
            keep,
            temperature: atom.number("temperature"),
            balance: atom.number("balance"),
            neighbours: atom.number("neighbours") as usize,
        };
        let similarity = Clusters::similarity(centroids.rows());
        let pruned = clusters::prune(&mut members, similarity, centroids.len(), rule);
        let pruned = pruned.map_err(|why| SelectError::Quota { method: "clusters", why })?;
        if !is_fitted {
            let cuts = pruned.cuts();
            let (members, quotas) = (pruned.members, pruned.quotas);
            let frozen = Frozen::Clusters(Clusters { centroids, cuts, members, quotas });
            self.parts[place] = Some(Part { name: "clusters".to_owned(), frozen });
        }
        Ok(pruned.kept)
    }

    /// Finds centroids of some of the pairs.
    fn centroids(
        &mut self,
        method: &'static str,
        atom: &Atom,
        came: &[u32],
    ) -> Result<super::centroids::Centroids, SelectError> {
        let (k, rounds) = (atom.number("k") as usize, atom.number("rounds") as usize);
        // At least as many as clusters.
        let points = (atom.number("points") as usize).max(k);
        let chosen = sample(&self.index.uids, came, points, self.seed);
        let mut rows = Rows::new(self.dimension);
        visit(self.pool, &chosen, self.work.stop, &mut |_, pair| {
            rows.push(&Row::of(&pair.embeddings.image));
            Ok(())
        })?;
        let tell = |round| (self.work.tell)(Told::Round(round, rounds));
        let (team, stop) = (self.work.team, self.work.stop);
        match kmeans::fit(&rows, k, rounds, self.seed, team, stop, tell) {
            Ok(fitted) => Ok(fitted.centroids),
            Err(KMeansError::Stopped) => Err(SelectError::Stopped),
            Err(why) => Err(SelectError::KMeans { method, why }),
        }
    }

    fn duplicates(
        &mut self,
        place: usize,
        atom: &Atom,
        came: &[u32],
        is_fitted: bool,
    ) -> Result<Vec<u32>, SelectError> {
        if !is_fitted {
            let ring = atom.number("ring") as usize;
            let bytes = ring_bytes(atom.number("k") as u64, ring as u64, self.dimension as u64);
            if bytes > MOST_RING_BYTES {
                let why = format!(
                    "k {} and ring {ring} take {} MiB at {} values, which is more than {} MiB",
                    atom.number("k"),
                    bytes >> 20,
                    self.dimension,
                    MOST_RING_BYTES >> 20
                );
                return Err(SelectError::Pool { method: "duplicates", why });
            }
            let centroids = Arc::new(self.centroids("duplicates", atom, came)?);
            let eps = atom.number("eps");
            let frozen = Frozen::Duplicates(Duplicates { centroids, eps, ring });
            self.parts[place] = Some(Part { name: "duplicates".to_owned(), frozen });
        }
        let Some(Part { frozen: Frozen::Duplicates(of), .. }) = self.parts[place].clone() else {
            return Ok(came.to_vec());
        };
        let measure = duplicates::InClusters(of.centroids.clone());
        let values = self.values("duplicates", &measure, came)?;
        let member = |(row, values): (&u32, &[f32])| clusters::Member {
            row: *row,
            cluster: values[0] as u32,
            distance: values[1],
        };
        let mut members: Vec<_> = came.iter().zip(values.chunks_exact(3)).map(member).collect();
        members.sort_unstable_by(|a, b| {
            let by_distance = b.distance.total_cmp(&a.distance);
            a.cluster.cmp(&b.cluster).then(by_distance).then(a.row.cmp(&b.row))
        });
        let mut kept = Vec::new();
        let clusters: Vec<&[clusters::Member]> =
            members.chunk_by(|a, b| a.cluster == b.cluster).collect();
        let mut rest = &clusters[..];
        while !rest.is_empty() {
            // As many clusters as fit together, at least one.
            let (mut count, mut rows) = (0, 0);
            while let Some(next) = rest.get(count) {
                rows += next.len();
                if count > 0 && rows * (self.dimension + 4) > TOGETHER {
                    break;
                }
                count += 1;
            }
            let (now, after) = rest.split_at(count);
            kept.extend(self.stay(&of, now)?);
            rest = after;
        }
        kept.sort_unstable();
        Ok(kept)
    }

    /// Members of these clusters that are like none before them.
    fn stay(
        &mut self,
        of: &Duplicates,
        clusters: &[&[clusters::Member]],
    ) -> Result<Vec<u32>, SelectError> {
        let mut wanted: Vec<u32> =
            clusters.iter().flat_map(|members| members.iter().map(|member| member.row)).collect();
        wanted.sort_unstable();
        let mut rows = Rows::new(self.dimension);
        visit(self.pool, &wanted, self.work.stop, &mut |_, pair| {
            rows.push(&Row::of(&pair.embeddings.image));
            Ok(())
        })?;
        let row_of = |member: &clusters::Member| {
            rows.row(wanted.binary_search(&member.row).unwrap_or_default())
        };
        let kept = Mutex::new(Vec::new());
        self.work.team.split(clusters.len(), 1, |range| {
            for members in &clusters[range] {
                if self.work.stop.load(Ordering::SeqCst) {
                    return;
                }
                let own: Vec<Row> = members.iter().map(row_of).collect();
                let similarity = |a: usize, b: usize| f64::from(own[a].dot(&own[b]));
                let stays = duplicates::stay(members.len(), similarity, |x| of.are_alike(x));
                let stays = members.iter().zip(stays).filter(|(_, stays)| *stays);
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(stays.map(|(member, _)| member.row));
            }
        });
        match self.work.stop.load(Ordering::SeqCst) {
            true => Err(SelectError::Stopped),
            false => Ok(kept.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    fn sources(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
        is_fitted: bool,
    ) -> Result<Vec<u32>, SelectError> {
        let word = atom.word("by").unwrap_or("shard").to_owned();
        let by = By::named(&word);
        let follows = atom.number("follow") == 1.0;
        if !is_fitted {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            visit(self.pool, came, self.work.stop, &mut |_, pair| {
                let Some(name) = by.of(&pair.shard, pair.metadata.as_ref()) else { return Ok(()) };
                // Names are not bounded: those that come when there are many are not counted.
                if counts.len() < 16 * MOST_SOURCES || counts.contains_key(&name) {
                    *counts.entry(name).or_default() += 1;
                }
                Ok(())
            })?;
            let most = if follows { MOST_FOLLOWED } else { MOST_SOURCES };
            let names = sources::frequent(counts, most);
            let sources = Sources {
                by: word,
                cuts: vec![f32::INFINITY; names.len() + 1],
                members: Vec::new(),
                quotas: Vec::new(),
                quantiles: Vec::new(),
                names,
                follows,
            };
            let frozen = Frozen::Sources(sources);
            self.parts[place] = Some(Part { name: "sources".to_owned(), frozen });
        }
        let Some(Part { frozen: Frozen::Sources(mut sources), .. }) = self.parts[place].clone()
        else {
            return Ok(came.to_vec());
        };
        let mut members = Vec::with_capacity(came.len());
        visit(self.pool, came, self.work.stop, &mut |row, pair| {
            let name = by.of(&pair.shard, pair.metadata.as_ref());
            let source = sources.place(name.as_deref());
            members.push(sources::Member { row, source, score: pair.score });
            Ok(())
        })?;
        let Some(Cut::Keep(keep)) = ending.cut else { return Ok(came.to_vec()) };
        let rule = sources::Rule {
            keep,
            power: atom.number("power"),
            least: atom.number("least") as u64,
            most: atom.number("most"),
        };
        let shared = sources::share(&mut members, sources.names.len() + 1, rule)
            .map_err(|why| SelectError::Quota { method: "sources", why })?;
        if !is_fitted {
            let mut rest = &members[..];
            for size in &shared.members {
                let (own, after) = rest.split_at(*size as usize);
                // They are sorted from the best on.
                let scores: Vec<f32> = own.iter().rev().map(|member| member.score).collect();
                sources.quantiles.extend(sources::deciles(&scores));
                rest = after;
            }
            (sources.members, sources.quotas) = (shared.members, shared.quotas);
            sources.cuts = shared.cuts;
            // A source that comes later is cut as all are together.
            if let (Some(0), Some(cut)) = (sources.members.last(), sources.cuts.last_mut()) {
                let scores: Vec<f32> = members.iter().map(|member| member.score).collect();
                let rows: Vec<u32> = (0..scores.len() as u32).collect();
                *cut = self::cut(&rows, &scores, ending.cut, true).1.low;
            }
            let frozen = Frozen::Sources(sources);
            self.parts[place] = Some(Part { name: "sources".to_owned(), frozen });
        }
        Ok(shared.kept)
    }

    fn entries(
        &mut self,
        place: usize,
        atom: &Atom,
        came: &[u32],
        is_fitted: bool,
    ) -> Result<Vec<u32>, SelectError> {
        if !is_fitted {
            let names = self.resources.map(|resources| resources.entries.clone());
            let mut entries = Entries::new(names.unwrap_or_default(), self.seed)?;
            visit(self.pool, came, self.work.stop, &mut |_, pair| {
                let caption = pair.caption.as_deref().ok_or_else(|| captionless("entries"))?;
                entries.count(caption);
                Ok(())
            })?;
            let threshold = match atom.said_number("threshold") {
                Some(threshold) => threshold,
                None => tail_threshold(entries.counts(), atom.number("tail")) as f64,
            };
            entries.set_threshold(threshold);
            let frozen = Frozen::Entries(Arc::new(entries));
            self.parts[place] = Some(Part { name: "entries".to_owned(), frozen });
        }
        let Some(Part { frozen: Frozen::Entries(entries), .. }) = self.parts[place].clone() else {
            return Ok(came.to_vec());
        };
        let mut kept = Vec::new();
        visit(self.pool, came, self.work.stop, &mut |row, pair| {
            let caption = pair.caption.as_deref().ok_or_else(|| captionless("entries"))?;
            // As the stream has it: in f32.
            let probability = f64::from(entries.probability(caption) as f32);
            if draw_share(entries.seed(), &pair.uid) < probability {
                kept.push(row);
            }
            Ok(())
        })?;
        Ok(kept)
    }

    /// The values of a measure, those of each pair of `came` one after the other.
    fn values(
        &mut self,
        method: &'static str,
        measure: &dyn Measure,
        came: &[u32],
    ) -> Result<Vec<f32>, SelectError> {
        let needs_caption = scorers::needs_caption(method);
        let mut values = Vec::with_capacity(came.len() * measure.width());
        let mut batch: Vec<PoolPair> = Vec::with_capacity(BATCH);
        let (mut read, team) = (0, self.work.team);
        let tell = &mut *self.work.tell;
        visit(self.pool, came, self.work.stop, &mut |_, pair| {
            if needs_caption && pair.caption.is_none() {
                return Err(captionless(method));
            }
            batch.push(pair);
            read += 1;
            if batch.len() == BATCH {
                values.extend(measured(measure, &batch, team));
                batch.clear();
                tell(Told::Read(read));
            }
            Ok(())
        })?;
        values.extend(measured(measure, &batch, team));
        Ok(values)
    }
}

/// The error of a pair whose caption is not known.
pub(super) fn captionless(method: &'static str) -> SelectError {
    let why = "captions are not recorded there: name the shards, --source SHARDS";
    SelectError::Pool { method, why: why.into() }
}

fn measured(measure: &dyn Measure, pairs: &[PoolPair], team: &Team) -> Vec<f32> {
    let parts = Mutex::new(Vec::new());
    team.split(pairs.len(), 8, |range| {
        let start = range.start;
        let mut values = Vec::with_capacity(range.len() * measure.width());
        for pair in &pairs[range] {
            let (image, text) = (Row::of(&pair.embeddings.image), Row::of(&pair.embeddings.text));
            let scored = Scored {
                similarity: pair.score,
                image: &image,
                text: &text,
                caption: pair.caption.as_deref().unwrap_or_default(),
                tokens: &pair.tokens,
            };
            measure.measure_into(&scored, &mut values);
        }
        parts.lock().unwrap_or_else(PoisonError::into_inner).push((start, values));
    });
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_by_key(|(start, _)| *start);
    parts.into_iter().flat_map(|(_, values)| values).collect()
}

/// Hands the pairs at `places`, which rise, to `each`.
fn visit(
    pool: &mut dyn Pool,
    places: &[u32],
    stop: &AtomicBool,
    each: &mut dyn FnMut(u32, PoolPair) -> Result<(), SelectError>,
) -> Result<(), SelectError> {
    let mut places = places.iter().copied().peekable();
    let mut row = 0;
    pool.read(&mut |pair| {
        if stop.load(Ordering::SeqCst) {
            return Err(SelectError::Stopped);
        }
        let place = row;
        row += 1;
        match places.next_if_eq(&place) {
            Some(place) => each(place, pair),
            None => Ok(()),
        }
    })
}

/// At most `most` of the pairs at `places`: those whose uids draw the least numbers, in the pool's order.
fn sample(uids: &[Uid], places: &[u32], most: usize, seed: u64) -> Vec<u32> {
    if places.len() <= most {
        return places.to_vec();
    }
    let mut drawn: Vec<(u64, u32)> =
        places.iter().map(|place| (draw(seed, &uids[*place as usize]), *place)).collect();
    drawn.select_nth_unstable(most);
    let mut chosen: Vec<u32> = drawn[..most].iter().map(|(_, place)| *place).collect();
    chosen.sort_unstable();
    chosen
}

/// The pairs of `came` that pass a cut, and the values that pass.
fn cut(came: &[u32], values: &[f32], cut: Option<Cut>, high_is_good: bool) -> (Vec<u32>, Band) {
    let band = match cut {
        None => Band::ALL,
        Some(Cut::AtLeast(value)) => Band { low: value as f32, ..Band::ALL },
        Some(Cut::AtMost(value)) => Band { high: value as f32, ..Band::ALL },
        Some(Cut::Within(low, high)) => {
            let mut sorted: Vec<f32> =
                values.iter().copied().filter(|value| !value.is_nan()).collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let Some(last) = sorted.len().checked_sub(1) else { return (Vec::new(), Band::ALL) };
            let at = |share: f64| sorted[(share * last as f64).round() as usize];
            Band { low: at(low), high: at(high) }
        }
        Some(Cut::Keep(share)) => return best(came, values, share, high_is_good),
    };
    (held(came, values, band), band)
}

/// The best share of the pairs, exactly; of equal ones the first of the pool.
fn best(came: &[u32], values: &[f32], share: f64, high_is_good: bool) -> (Vec<u32>, Band) {
    let count = (share * came.len() as f64) as usize;
    let mut order: Vec<u32> =
        (0..values.len() as u32).filter(|at| !values[*at as usize].is_nan()).collect();
    let value = |at: &u32| values[*at as usize];
    order.sort_unstable_by(|a, b| {
        let rising = value(a).total_cmp(&value(b));
        if high_is_good { rising.reverse() } else { rising }.then(a.cmp(b))
    });
    order.truncate(count);
    let band = match (order.last(), high_is_good) {
        (None, _) => Band { low: f32::INFINITY, high: f32::NEG_INFINITY },
        (Some(last), true) => Band { low: value(last), ..Band::ALL },
        (Some(last), false) => Band { high: value(last), ..Band::ALL },
    };
    let mut kept: Vec<u32> = order.into_iter().map(|at| came[at as usize]).collect();
    kept.sort_unstable();
    (kept, band)
}

fn held(came: &[u32], values: &[f32], band: Band) -> Vec<u32> {
    let holds = came.iter().zip(values).filter(|(_, value)| band.holds(**value));
    holds.map(|(place, _)| *place).collect()
}

/// The choice that a stream makes of each pair of a pool, in its order.
///
/// # Errors
/// [`SelectError`].
pub fn frozen(
    pool: &mut dyn Pool,
    state: &Arc<State>,
    work: Work<'_>,
) -> Result<Vec<Reason>, SelectError> {
    let Work { team, stop, tell } = work;
    let measures = state.measures();
    let mut chooser = Chooser::new(state.clone());
    let mut reasons = Vec::new();
    let mut batch: Vec<PoolPair> = Vec::with_capacity(BATCH);
    let mut choose = |batch: &mut Vec<PoolPair>, reasons: &mut Vec<Reason>| {
        let mut values = vec![Vec::new(); batch.len()];
        for measure in &measures {
            let width = measure.width();
            let all = measured(&**measure, batch, team);
            let each = values.iter_mut().zip(all.chunks_exact(width));
            each.for_each(|(values, found)| values.extend_from_slice(found));
        }
        for (pair, values) in batch.drain(..).zip(&values) {
            let row = state.needs_embeddings().then(|| Row::of(&pair.embeddings.image));
            let seen = Seen {
                ticket: reasons.len() as u64,
                uid: pair.uid,
                score: pair.score,
                measures: values,
                image: row.as_ref(),
                shard: &pair.shard,
                metadata: pair.metadata.as_ref(),
            };
            let chosen = chooser.choose(&seen).map_or(Reason::NotJudged, |(reason, _)| reason);
            reasons.push(chosen);
        }
    };
    let needs_caption = state.slots().iter().find_map(|slot| {
        let method = slot.name();
        scorers::needs_caption(method).then_some(method)
    });
    pool.read(&mut |pair| {
        if stop.load(Ordering::SeqCst) {
            return Err(SelectError::Stopped);
        }
        if let Some(method) = needs_caption.filter(|_| pair.caption.is_none()) {
            return Err(captionless(method));
        }
        batch.push(pair);
        if batch.len() == BATCH {
            choose(&mut batch, &mut reasons);
            tell(Told::Read(reasons.len() as u64));
        }
        Ok(())
    })?;
    choose(&mut batch, &mut reasons);
    Ok(reasons)
}
