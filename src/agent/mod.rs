//! Commands that run on and on: what serves, what watches, and how they tell of themselves.

pub mod keys;
pub mod reload;
