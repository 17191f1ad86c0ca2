//! Choices over a pool, frozen for a stream: methods that select by more than one pair's score.
//!
//! A method is fitted on a recorded pool ([`fit`](mod@fit)), becomes part of a [`State`], and decides offline
//! over a pool ([`apply`]) or pair by pair in a stream ([`Selecting`]). What is pure runs in the workers
//! ([`State::measures`]), what carries state decides in the source's order.
//!
//! | file | idea |
//! |---|---|
//! | [`expression`] | the language in which methods are combined |
//! | [`quota`] | how many each group may keep: one exact solver |
//! | [`centroids`], [`kmeans`] | the nearest centroid; spherical k-means |
//! | [`clusters`] | density-based pruning |
//! | [`duplicates`] | semantic de-duplication |
//! | [`sources`] | quotas by shard or metadata field |
//! | [`entries`] | balancing by what captions speak of |
//! | [`ranks`] | ranks in a pool and in a stream |
//! | [`scorers`] | the pure scorers by name |
//! | [`parts`], [`state`] | what is frozen, and its file |
//! | [`pool`], [`fit`](mod@fit) | a recorded pool; methods fitted on it, and applied to it |
//! | `recorded` | a pool of recorded runs (feature `parquet`) |
//! | [`chooser`], [`selecting`] | the choice of the next pair; the decider that makes it |
//! | `runs`, `refresh`, `resources` | recorded runs fitted on and applied to; what methods are fitted with beside them (`model`, `parquet`) |
//! | `embedded` | the same decider on recorded embeddings (feature `parquet`) |

pub mod centroids;
pub mod chooser;
pub mod clusters;
pub mod duplicates;
#[cfg(feature = "parquet")]
pub mod embedded;
pub mod entries;
pub mod expression;
pub mod fit;
pub mod kmeans;
pub mod parts;
pub mod pool;
pub mod quota;
pub mod random;
pub mod ranks;
#[cfg(feature = "parquet")]
pub mod recorded;
#[cfg(all(feature = "model", feature = "parquet"))]
pub mod refresh;
#[cfg(all(feature = "model", feature = "parquet"))]
pub mod resources;
#[cfg(all(feature = "model", feature = "parquet"))]
pub mod runs;
pub mod scorers;
pub mod selecting;
pub mod sources;
pub mod state;

pub use chooser::{Chooser, Seen};
pub use expression::Expression;
pub use fit::{Applied, Fit, SelectError, apply, fit};
pub use pool::{Pool, PoolPair};
pub use selecting::Selecting;
pub use state::{About, State, StateError};

/// What everything is drawn by where nothing is said.
pub const SEED: u64 = 1234;
