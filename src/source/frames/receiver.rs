//! Puts frames together to pairs, and finds out what is missing.

use std::collections::VecDeque;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use pairgate_core::wire::pairs::{Body, Frame, VERSION};

use super::picture::Picture;
use crate::source::Sample;
use crate::source::builder::SampleBuilder;

/// Missing numbers that are given one by one. More of them are a node that was replaced or a host
/// that was away for long, and are not worth their number of records.
const MAX_MISSING: u32 = 256;

/// The state between two frames.
#[derive(Debug)]
pub(super) struct Receiver {
    shard: Arc<str>,
    limits: SampleLimits,
    /// The name of the node that began the last pair whose start arrived.
    node: Option<String>,
    /// The number of the pair that the last frame belonged to.
    last: Option<u32>,
    pair: Pair,
    /// Whether nothing whole has come since the last damage.
    damaged: bool,
    /// Damaged frames so far.
    damages: u64,
    ready: VecDeque<Sample>,
}

/// The pair that the last frame belonged to.
#[derive(Debug)]
enum Pair {
    /// It has ended.
    Ended,
    /// It has begun, and so far nothing of it is missing.
    Open(Box<Picture>),
    /// It was given as faulty; what else comes of it is passed over.
    Given,
}

impl Receiver {
    pub fn new(shard: &str, limits: SampleLimits) -> Self {
        Self {
            shard: shard.into(),
            limits,
            node: None,
            last: None,
            pair: Pair::Ended,
            damaged: false,
            damages: 0,
            ready: VecDeque::new(),
        }
    }

    /// What samples and the log call the stream.
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// The next sample that is ready.
    pub fn ready(&mut self) -> Option<Sample> {
        self.ready.pop_front()
    }

    /// Something came that is no frame.
    pub fn damage(&mut self) {
        log::debug!("{}: a damaged frame, of or behind pair {:?}", self.shard, self.last);
        self.damaged = true;
        self.damages += 1;
    }

    /// The stream has ended.
    pub fn end(&mut self) {
        if self.damages > 0 {
            // Once: noise must not flood the log.
            log::warn!("{}: {} damaged frames", self.shard, self.damages);
        }
        match std::mem::replace(&mut self.pair, Pair::Ended) {
            Pair::Open(picture) => self.give(picture.torn()),
            Pair::Ended if self.damaged => {
                self.give_missing(self.last.map_or(0, |last| last.wrapping_add(1)));
            }
            _ => {}
        }
        self.damaged = false;
    }

    /// Takes a frame that arrived whole.
    pub fn accept(&mut self, frame: &Frame<'_>) {
        self.damaged = false;
        let body = frame.body();
        let goes_on = self.last == Some(frame.number)
            && !matches!(self.pair, Pair::Ended)
            && !matches!(body, Some(Body::Start(_)));
        self.pair = match std::mem::replace(&mut self.pair, Pair::Given) {
            Pair::Open(picture) if goes_on => self.go_on(picture, frame, body),
            // Whatever follows, it is another pair's: numbers come again after a node's new start.
            Pair::Given if goes_on && matches!(body, Some(Body::End { .. })) => Pair::Ended,
            Pair::Given if goes_on => Pair::Given,
            before => {
                if let Pair::Open(picture) = before {
                    self.give(picture.torn());
                }
                self.begin(frame, body)
            }
        };
    }

    /// Takes the next frame of the pair that is open.
    fn go_on(
        &mut self,
        mut picture: Box<Picture>,
        frame: &Frame<'_>,
        body: Option<Body<'_>>,
    ) -> Pair {
        match body {
            Some(Body::Data { offset, bytes }) if picture.push(offset, bytes) => {
                return Pair::Open(picture);
            }
            Some(Body::End { crc }) => {
                self.give(picture.finish(crc));
                return Pair::Ended;
            }
            _ => self.give(picture.broken(fault(frame))),
        }
        Pair::Given
    }

    /// Takes the first frame that came of a pair.
    fn begin(&mut self, frame: &Frame<'_>, body: Option<Body<'_>>) -> Pair {
        if let Some(Body::Start(start)) = &body {
            let before = self.node.replace(start.node.to_owned());
            if before.is_some_and(|before| before != start.node) {
                // Another node counts for itself.
                self.last = None;
            }
        }
        self.count_missing(frame.number);
        self.last = Some(frame.number);
        let sample = SampleBuilder::new(&self.shard, self.key(frame.number), self.limits);
        match body {
            Some(Body::Start(start)) => match Picture::begin(sample, frame, &start) {
                Ok(picture) => return Pair::Open(Box::new(picture)),
                Err(sample) => self.give(sample),
            },
            Some(Body::End { .. }) => {
                self.give_faulty(sample, Reason::FrameTorn);
                return Pair::Ended;
            }
            _ => self.give_faulty(sample, fault(frame)),
        }
        Pair::Given
    }

    /// Gives the pairs between the last one and `number`. Numbers that do not grow are those of a
    /// node that started anew.
    fn count_missing(&mut self, number: u32) {
        let Some(last) = self.last.filter(|&last| last < number) else { return };
        let missing = number - last - 1;
        if missing > MAX_MISSING {
            log::warn!("{}: {missing} pairs are missing, counted as one", self.shard);
        }
        let told = if missing > MAX_MISSING { 1 } else { missing };
        for number in last + 1..=last + told {
            self.give_missing(number);
        }
    }

    fn give_missing(&mut self, number: u32) {
        let sample = SampleBuilder::new(&self.shard, self.key(number), self.limits);
        self.give_faulty(sample, Reason::FrameTorn);
    }

    fn give_faulty(&mut self, mut sample: SampleBuilder, fault: Reason) {
        sample.note(fault);
        self.give(sample.finish());
    }

    fn give(&mut self, sample: Sample) {
        self.ready.push_back(sample);
    }

    fn key(&self, number: u32) -> String {
        match self.node.as_deref() {
            None | Some("") => format!("{number:09}"),
            Some(node) => format!("{node}/{number:09}"),
        }
    }
}

/// What is wrong with a pair that has this frame where it should have another one.
fn fault(frame: &Frame<'_>) -> Reason {
    if frame.version == VERSION { Reason::FrameTorn } else { Reason::FrameVersion }
}
