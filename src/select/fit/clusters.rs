//! Density-based pruning: clusters of pictures, of which the farthest are kept.

use std::sync::Arc;

use super::passes::{sample, visit};
use super::walk::Walk;
use super::{SelectError, Told};
use crate::score::{Row, Rows};
use crate::select::centroids::Centroids;
use crate::select::clusters::{self, Clusters, InCluster, Member};
use crate::select::expression::{Atom, Cut, Ending};
use crate::select::kmeans::{self, KMeansError};
use crate::select::parts::{Frozen, Part};

impl Walk<'_, '_> {
    /// The pairs among `came` that the quotas of their clusters keep.
    pub(super) fn clusters(
        &mut self,
        place: usize,
        atom: &Atom,
        ending: Ending,
        came: &[u32],
    ) -> Result<Vec<u32>, SelectError> {
        let centroids = match &self.parts[place] {
            Some(Part { frozen: Frozen::Clusters(clusters), .. }) => clusters.centroids.clone(),
            _ => Arc::new(self.centroids(atom, came)?),
        };
        let values = self.values("clusters", Arc::new(InCluster(centroids.clone())), came)?;
        let mut members = members(came, &values, 2);
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
        if !self.is_fitted(place) {
            let cuts = pruned.cuts();
            let (members, quotas) = (pruned.members, pruned.quotas);
            let clusters = Clusters { centroids, cuts, members, quotas };
            self.freeze(place, Frozen::Clusters(clusters));
        }
        Ok(pruned.kept)
    }

    /// Finds centroids of at most so many of the pairs as the method's `points` say.
    pub(super) fn centroids(
        &mut self,
        atom: &Atom,
        came: &[u32],
    ) -> Result<Centroids, SelectError> {
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
            Err(why) => Err(SelectError::KMeans { method: atom.method, why }),
        }
    }
}

/// Pairs with their clusters and distances, which are the first two of each one's `width` values.
pub(super) fn members(came: &[u32], values: &[f32], width: usize) -> Vec<Member> {
    let member = |(row, values): (&u32, &[f32])| Member {
        row: *row,
        cluster: values[0] as u32,
        distance: values[1],
    };
    came.iter().zip(values.chunks_exact(width)).map(member).collect()
}
