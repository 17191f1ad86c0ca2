//! Telling whoever handed a pair in that its decision is on disk.

use std::collections::VecDeque;
use std::time::Duration;

use pairgate_core::decision::Decision;
use pairgate_core::pair::Position;
use pairgate_core::stats::Counts;

use super::{Judged, RunEnd, Sink};
use crate::disk::IoError;
use crate::journal::Terms;

/// Hears of decisions that are on disk, in the order of their tickets.
pub trait WhenDurable: Send {
    /// The decision of the pair at `position` is on disk, the pair too where it is kept. Called on the
    /// sink's thread.
    fn is_durable(&mut self, position: Position, decision: &Decision);
}

/// A sink that tells of pairs when [`durable`](Sink::durable) has passed their tickets.
///
/// It holds a few numbers for each pair that is not durable yet: the sink within must come to it by
/// itself, by a count or by a time.
#[derive(Debug)]
pub struct Watermark<S, W> {
    sink: S,
    told: W,
    waiting: VecDeque<(u64, Position, Decision)>,
}

impl<S: Sink, W: WhenDurable> Watermark<S, W> {
    /// Pairs go to `sink`, and `told` hears when they are durable there.
    pub fn new(sink: S, told: W) -> Self {
        Self { sink, told, waiting: VecDeque::new() }
    }

    fn tell(&mut self) {
        let durable = self.sink.durable().unwrap_or(0);
        let is_durable = |(ticket, ..): &(u64, Position, Decision)| *ticket < durable;
        let count = self.waiting.iter().take_while(|waiting| is_durable(waiting)).count();
        for (_, position, decision) in self.waiting.drain(..count) {
            self.told.is_durable(position, &decision);
        }
    }
}

impl<S: Sink, W: WhenDurable> Sink for Watermark<S, W> {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.sink.accept(judged)?;
        self.waiting.push_back((judged.ticket, judged.position, judged.decision));
        self.tell();
        Ok(())
    }

    fn wants_checkpoint(&self) -> bool {
        self.sink.wants_checkpoint()
    }

    fn checkpoint(&mut self, decider: &[u8]) -> Result<(), IoError> {
        self.sink.checkpoint(decider)?;
        self.tell();
        Ok(())
    }

    fn epoch(&mut self, terms: &Terms, first_ticket: u64) -> Result<(), IoError> {
        self.sink.epoch(terms, first_ticket)?;
        self.tell();
        Ok(())
    }

    fn idle(&mut self) -> Result<(), IoError> {
        self.sink.idle()?;
        self.tell();
        Ok(())
    }

    fn due_in(&self) -> Option<Duration> {
        self.sink.due_in()
    }

    fn settled(&mut self) -> Result<(), IoError> {
        self.sink.settled()?;
        self.tell();
        Ok(())
    }

    fn sync(&mut self) -> Result<(), IoError> {
        self.sink.sync()?;
        self.tell();
        Ok(())
    }

    fn finish(&mut self, end: RunEnd) -> Result<(), IoError> {
        let finished = self.sink.finish(end);
        self.tell();
        finished
    }

    fn durable(&self) -> Option<u64> {
        self.sink.durable()
    }

    fn lost(&self) -> Counts {
        self.sink.lost()
    }

    fn dropped(&self) -> u64 {
        self.sink.dropped()
    }
}
