//! The file layer under faults: what other tests put in place of the machine's files and clock, and
//! tests that these models do what they say.

pub mod clock;
mod day;
pub mod full;
pub mod injector;
pub mod log;
mod model;
pub mod power_cut;
pub mod quick;
pub mod random;
pub mod recorder;
mod store;
mod tests;
pub mod tree;
