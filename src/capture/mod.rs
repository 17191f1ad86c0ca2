//! From a camera to pairs: frames are taken as they come, and none of what follows holds the
//! camera up.
//!
//! ```text
//! camera -> taker thread -> [frame queue] -> Captured: change and blur rules, caption -> pipeline
//!           interval, back-off   full: sheds, or waits
//! ```
//! - A camera is a [`Source`](crate::source::Source) of frames: [`mjpeg`] from a pipe, [`camera`]
//!   from a Linux video device, or any other.
//! - [`taker`] reads it on a thread of its own and puts frames into the bounded [`queue`], whose
//!   places and whose behaviour when it is full are the config's. Every frame that is not taken is
//!   counted, by what it was left out for.
//! - [`intake`] is the pipeline's source: it compares frames ([`change`]) and gives them a caption
//!   ([`caption`]).
//! - [`backoff`] watches heat and battery, [`silence`] a camera that gives no pictures.

pub mod backoff;
#[cfg(target_os = "linux")]
pub mod camera;
pub mod caption;
pub mod change;
pub mod intake;
pub mod mjpeg;
pub mod queue;
pub mod silence;
mod tables;
pub mod taker;
pub mod yuyv;

use std::time::SystemTime;

use crate::source::Sample;

/// A frame that was taken.
#[derive(Debug)]
pub struct Frame {
    /// What the camera gave.
    pub sample: Sample,
    /// When it was read.
    pub time: SystemTime,
    /// Its place among all frames that were read, from 0.
    pub number: u64,
}
