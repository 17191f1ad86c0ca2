//! DataComp's side of things: its metadata, its filters by name, and the subset files that its
//! resharder takes.
//!
//! | file | idea |
//! |---|---|
//! | [`subset_file`] | the uids of a subset, as `.npy` or as they lie in memory |
//! | [`scores`] | scores that a run made, found again by uid |
//! | [`metadata`] | columns of parquet tables, in batches |
//! | [`embeddings`] | the arrays beside a table, and other NumPy files |
//! | [`numpy`] | the header of an array |
//! | [`language`] | whether a caption is English: built in, or by a fastText model |
//! | [`centroids`] | the centroid nearest to an embedding |
//! | [`threshold`] | the score that a fraction of a pool is taken by |
//! | [`filter`] | what a row must pass, and why it does not |
//! | [`select`] | all rows of a pool through the filters |
//!
//! All but the first two need the feature `parquet`.

#[cfg(feature = "parquet")]
pub mod centroids;
#[cfg(feature = "parquet")]
pub mod filter;
#[cfg(feature = "parquet")]
pub mod language;
#[cfg(feature = "parquet")]
pub mod metadata;
pub mod scores;
#[cfg(feature = "parquet")]
pub mod select;
pub mod subset_file;
#[cfg(feature = "parquet")]
pub mod threshold;

#[cfg(feature = "parquet")]
use crate::disk::{unread, wrong};
#[cfg(feature = "parquet")]
pub use crate::embeddings::{arrays as embeddings, numpy};
