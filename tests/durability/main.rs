//! What is promised of files: journals, shards and tables that survive power cuts, failing disks and
//! damage. Built without the model (`cargo test --no-default-features --test durability`) in less
//! time than with it; what needs the service is left out there.

mod disk;
mod groups;
mod odd;
mod recorded;
mod recording;
mod reload;
mod score;
mod select;
#[cfg(feature = "serve")]
mod serve;
mod sink;
mod spool;
mod tables;
