//! The pipeline's source: frames out of the queue, with a name, a caption and metadata.
//!
//! A frame that brings no key gets one such as `door-20260102T030405678Z-000017-9f3a21c4`.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime};

use serde_json::json;

use super::Frame;
use super::caption::{About, Labels, Template, timestamp};
use super::change::FrameRules;
use super::queue::{FrameQueue, Next, nap};
use super::silence::Silence;
use super::taker::Taker;
use crate::disk::IoError;
use crate::source::{Member, Sample, Source};

/// Frames as samples: `KEY.jpg`, `KEY.json` with time, number, place, sensor and label, `KEY.txt`
/// with the caption.
#[derive(Debug)]
pub struct Captured {
    /// Where frames come from.
    pub queue: Arc<FrameQueue>,
    /// The thread that fills it, to be asked what ended it.
    pub taker: Taker,
    /// The rules in front of the gate.
    pub rules: FrameRules,
    /// What the caption is made of.
    pub template: Template,
    /// Where labels come from.
    pub labels: Labels,
    /// Tells this start's keys from those of any other.
    pub start: Start,
    /// Watches whether pictures come.
    pub silence: Arc<Silence>,
    /// Ends the source, though the camera goes on.
    pub stop: Arc<AtomicBool>,
}

/// A mark of one start of a camera, which no other start has but by a chance of 1 in 2^32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start(u32);

impl Start {
    /// The mark of a new start.
    pub fn new() -> Self {
        // Its keys are random: a clock may be set back, and a board without one begins at the same
        // time at each start.
        let hash = RandomState::new().hash_one((SystemTime::now(), std::process::id()));
        Self((hash >> 32) as u32)
    }
}

impl Default for Start {
    fn default() -> Self {
        Self::new()
    }
}

impl Source for Captured {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            self.silence.look(Instant::now())?;
            match self.queue.next(&self.stop) {
                Next::Frame(frame) => {
                    self.silence.came();
                    return Ok(Some(self.name(frame)));
                }
                Next::Empty => nap(),
                Next::Ended => return self.taker.error().map_or(Ok(None), Err),
            }
        }
    }
}

impl Captured {
    fn name(&mut self, frame: Frame) -> Sample {
        let Frame { mut sample, time, number } = frame;
        if sample.fault.is_none() {
            sample.fault = sample.image().and_then(|image| self.rules.fault(image));
        }
        if sample.key.is_empty() {
            sample.key = self.key(time, number);
        }
        let own =
            remove(&mut sample, "txt").map(|text| String::from_utf8_lossy(&text).into_owned());
        let label = own.unwrap_or_else(|| self.labels.now());
        let caption = self.template.fill(&About { label: &label, time, number });
        let told = remove(&mut sample, "json");
        let about = told.unwrap_or_else(|| self.metadata(&timestamp(time), number, &label));
        sample.members.push(Member { extension: "json".into(), data: about });
        // The caption last: a shard that is cut within a sample then lacks what its uid is made of.
        if !caption.is_empty() {
            sample.members.push(Member { extension: "txt".into(), data: caption.into_bytes() });
        }
        sample
    }

    /// Sensor, time in milliseconds, number, and the start's mark: so keys sort by time, and those of
    /// two starts differ also where the clock was set back or the starts are close together.
    fn key(&self, time: SystemTime, number: u64) -> String {
        let time = humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string();
        let compact: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
        let sensor: String = self.template.sensor().chars().map(plain).collect();
        let sensor = if sensor.is_empty() { "frame" } else { &sensor };
        format!("{sensor}-{compact}-{number:06}-{:08x}", self.start.0)
    }

    fn metadata(&self, time: &str, number: u64, label: &str) -> Vec<u8> {
        let mut about = json!({ "time": time, "number": number });
        let more = [
            ("place", self.template.place()),
            ("sensor", self.template.sensor()),
            ("label", label),
        ];
        for (name, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
            about[name] = value.into();
        }
        about.to_string().into_bytes()
    }
}

fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }
}

fn remove(sample: &mut Sample, extension: &str) -> Option<Vec<u8>> {
    let place = sample.members.iter().position(|member| member.extension == extension)?;
    Some(sample.members.remove(place).data)
}
