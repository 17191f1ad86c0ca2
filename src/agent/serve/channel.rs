//! Requests as a source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use pairgate_core::pair::Position;

use super::desk::{Desk, Offer, Queues};
use crate::disk::IoError;
use crate::source::{Sample, Source};

/// How often it looks whether the service is to end while nothing comes.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Gives the pairs that have a place in the queue, each with the next ticket. Once the service is to
/// end nothing more gets a place, and the source ends behind what has one.
pub struct ChannelSource {
    desk: Arc<Desk>,
    offers: Receiver<Offer>,
    stop: Arc<AtomicBool>,
    next_ticket: u64,
}

impl ChannelSource {
    /// Pairs from `queues`, the first of which has the ticket `next_ticket`, until `stop` is set.
    pub fn new(desk: Arc<Desk>, queues: &Queues, stop: Arc<AtomicBool>, next_ticket: u64) -> Self {
        Self { desk, offers: queues.offers.clone(), stop, next_ticket }
    }

    fn admit(&mut self, offer: Offer) -> Sample {
        let Offer { mut sample, reply, .. } = offer;
        if sample.key.is_empty() {
            sample.key = format!("{:012}", self.next_ticket);
        }
        self.desk.admit(self.next_ticket, reply);
        self.next_ticket += 1;
        sample
    }
}

impl Source for ChannelSource {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            if self.stop.load(Ordering::SeqCst) {
                self.desk.close("the service is ending");
            }
            let offer = match self.desk.drains() {
                None => match self.offers.recv_timeout(LOOK_UP) {
                    Ok(offer) => offer,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return Ok(None),
                },
                // Nothing gets a place any more: what is not there now never will be.
                Some(true) => match self.offers.try_recv() {
                    Ok(offer) => offer,
                    Err(_) => return Ok(None),
                },
                Some(false) => return Ok(None),
            };
            return Ok(Some(self.admit(offer)));
        }
    }

    fn position(&self) -> Position {
        Position { input: 0, item: self.next_ticket.saturating_sub(1) }
    }
}
