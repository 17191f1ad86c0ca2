//! Semantic de-duplication over a pool.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use super::SelectError;
use super::clusters::members;
use super::passes::visit;
use super::walk::Walk;
use crate::score::{Row, Rows};
use crate::select::clusters::Member;
use crate::select::duplicates::{self, Duplicates, InClusters, MOST_RING_BYTES, ring_bytes};
use crate::select::expression::Atom;
use crate::select::parts::{Frozen, Part};

/// Bytes of embeddings that duplicates are looked for in at once.
const TOGETHER: usize = 256 << 20;

impl Walk<'_, '_> {
    /// The pairs among `came` that are like none before them in their cluster.
    pub(super) fn duplicates(
        &mut self,
        place: usize,
        atom: &Atom,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        if !self.is_fitted(place) {
            let duplicates = self.fit_duplicates(atom, came)?;
            self.freeze(place, Frozen::Duplicates(duplicates));
        }
        let Some(Part { frozen: Frozen::Duplicates(of), .. }) = self.parts[place].clone() else {
            return Ok(came.to_vec());
        };
        let measure = Arc::new(InClusters(of.centroids.clone()));
        let mut members = members(came, &self.values("duplicates", measure, came)?, 3);
        members.sort_unstable_by(|a, b| {
            let by_distance = b.distance.total_cmp(&a.distance);
            a.cluster.cmp(&b.cluster).then(by_distance).then(a.row.cmp(&b.row))
        });
        let clusters: Vec<&[Member]> = members.chunk_by(|a, b| a.cluster == b.cluster).collect();
        let mut kept = Vec::new();
        let mut rest = &clusters[..];
        while !rest.is_empty() {
            let (now, after) = rest.split_at(self.together(rest));
            kept.extend(self.stay(&of, now)?);
            rest = after;
        }
        kept.sort_unstable();
        Ok(kept)
    }

    fn fit_duplicates(&mut self, atom: &Atom, came: &[u32]) -> Result<Duplicates, SelectError> {
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
        let centroids = Arc::new(self.centroids(atom, came)?);
        Ok(Duplicates { centroids, eps: atom.number("eps"), ring })
    }

    /// How many of the first clusters fit together, at least one.
    fn together(&self, clusters: &[&[Member]]) -> usize {
        let (mut count, mut rows) = (0, 0);
        for members in clusters {
            rows += members.len();
            if count > 0 && rows * (self.dimension + 4) > TOGETHER {
                break;
            }
            count += 1;
        }
        count
    }

    /// Members of these clusters that are like none before them.
    fn stay(&mut self, of: &Duplicates, clusters: &[&[Member]]) -> Result<Vec<u32>, SelectError> {
        let mut wanted: Vec<u32> =
            clusters.iter().flat_map(|members| members.iter().map(|member| member.row)).collect();
        wanted.sort_unstable();
        let mut rows = Rows::new(self.dimension);
        visit(self.pool, &wanted, self.work.stop, &mut |_, pair| {
            rows.push(&Row::of(&pair.embeddings.image));
            Ok(())
        })?;
        let row_of =
            |member: &Member| rows.row(wanted.binary_search(&member.row).unwrap_or_default());
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
}
