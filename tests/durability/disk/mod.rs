//! The file layer under faults: what other tests put in place of the machine's files and clock, and
//! tests that these models do what they say.

mod clock;
mod day;
mod full;
mod injector;
mod log;
mod model;
mod power_cut;
mod quick;
mod random;
mod recorder;
mod store;
mod tests;
mod tree;
