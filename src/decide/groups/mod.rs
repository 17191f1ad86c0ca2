//! Thresholds or shares by group: by shard, or by a field of the pairs' metadata.
//!
//! One threshold keeps 45 % of one set and 6 % of another. Here each group has its own: a share of its
//! scored pairs, which gives a threshold once all its scores are known ([`thresholds_in_passes`]), or a
//! threshold that was given. [`ByGroup`] then decides on each pair by the threshold of its group.
//!
//! Groups are known by their names, at most [`MAX_GROUPS`] of them; what comes after that, and pairs
//! without the field, are in the group [`OTHER`].

mod bar;
mod by;
mod names;
mod rules;
mod shares;

pub use bar::{Bar, ByGroup, GroupBar, GroupCount};
pub use by::By;
pub use names::{Groups, MAX_GROUPS, OTHER};
pub use rules::{Goal, GroupRules, MAX_EXCEPTIONS};
pub use shares::{MEMORY, thresholds_in_passes};
