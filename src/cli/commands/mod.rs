//! One file a command.

pub mod calibrate;
pub mod capture;
pub mod compare;
pub mod config;
pub mod cut;
pub mod filter;
pub mod health;
pub mod journal;
pub mod judge;
#[cfg(feature = "manual")]
pub mod manual;
pub mod merge;
pub mod model;
pub mod plan;
pub mod replay;
pub mod report;
pub mod score;
pub mod select;
pub mod serve;
pub mod subset;
pub mod watch;
