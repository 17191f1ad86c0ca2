//! What the run has to say, until the network takes it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::in_flight::Message;
use super::payload::{self, Counters, Machine};

/// Messages of kept pairs, bounded in bytes, and the latest counters. Nobody who puts something in
/// ever waits for the network; where there is no room the oldest message goes, and is counted.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Wakes the network's side, of which there is one.
    news: Notify,
    max_bytes: usize,
    looks: OnceLock<Look>,
}

/// Tells of the machine, on the network's thread.
pub(super) struct Look(pub(super) Box<dyn Fn() -> Machine + Send + Sync>);

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Look")
    }
}

#[derive(Debug, Default)]
struct State {
    /// First those that may be sent, then those whose shard is being written.
    kept: VecDeque<Message>,
    /// How many may be sent.
    ready: usize,
    /// Of all the messages together.
    bytes: usize,
    dropped: u64,
    counters: Counters,
    /// Whether the counters have changed since they were last taken.
    counted: bool,
}

impl Queue {
    /// An empty one, for up to `max_bytes` of messages.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { state: Mutex::default(), news: Notify::new(), max_bytes, looks: OnceLock::new() }
    }

    /// Takes the message of a pair whose shard is not published yet.
    pub(super) fn hold(&self, message: Vec<u8>) {
        let mut state = self.state();
        state.bytes += message.len();
        state.kept.push_back(Message::new(message));
        while state.bytes > self.max_bytes && state.drop_oldest() {}
    }

    /// The shard of all messages held so far is published: they may be sent.
    pub(super) fn release(&self) {
        let mut state = self.state();
        state.ready = state.kept.len();
        self.news.notify_one();
    }

    /// The shard of the messages that may not be sent yet is never published: they are forgotten.
    pub(super) fn withdraw(&self) {
        let mut state = self.state();
        while state.kept.len() > state.ready {
            let message = state.kept.pop_back();
            state.bytes -= message.map_or(0, |message| message.bytes.len());
        }
    }

    /// The counters as they are now; those before are forgotten if they were not sent.
    pub(super) fn tell(&self, counters: Counters) {
        let mut state = self.state();
        state.counters = counters;
        state.counted = true;
        self.news.notify_one();
    }

    /// The counters tell of the machine too, by `look`; the first one stands.
    pub(super) fn tell_of(&self, look: Look) {
        let _ = self.looks.set(look);
    }

    /// The oldest message that may be sent.
    pub(super) fn pop(&self) -> Option<Message> {
        let mut state = self.state();
        (state.ready > 0).then(|| state.pop_oldest()).flatten()
    }

    /// Whether [`pop`](Self::pop) would give one that was lost before.
    pub(super) fn is_suspect(&self) -> bool {
        let state = self.state();
        state.ready > 0 && state.kept.front().is_some_and(Message::is_suspect)
    }

    /// Takes back what was popped and did not arrive, oldest first, to be sent before all others.
    pub(super) fn put_back(&self, messages: Vec<Message>) {
        let mut state = self.state();
        for message in messages.into_iter().rev() {
            state.bytes += message.bytes.len();
            state.ready += 1;
            state.kept.push_front(message);
        }
        while state.bytes > self.max_bytes && state.drop_oldest() {}
    }

    /// Whether there are counters that were not taken.
    pub(super) fn has_counters(&self) -> bool {
        self.state().counted
    }

    /// The message of the latest counters; `refused` are the messages that the broker has refused.
    pub(super) fn counters(&self, refused: u64) -> Vec<u8> {
        // Before the lock: a look at the disk takes a while.
        let machine = self.looks.get().map_or_else(Machine::default, |look| look.0());
        let mut state = self.state();
        state.counted = false;
        payload::counters(&state.counters, machine, state.dropped + refused, refused)
    }

    /// The latest counters must be sent again.
    pub(super) fn count_again(&self) {
        self.state().counted = true;
    }

    /// Messages that may be sent and have not been taken.
    pub(super) fn ready(&self) -> u64 {
        self.state().ready as u64
    }

    /// Messages that there was no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.state().dropped
    }

    /// Waits until something was put in since it was last called.
    pub(super) async fn news(&self) {
        self.news.notified().await;
    }

    /// Ends such a wait.
    pub(super) fn wake(&self) {
        self.news.notify_one();
    }

    /// No step under the lock leaves the state half changed, so a panic elsewhere does not matter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn pop_oldest(&mut self) -> Option<Message> {
        let message = self.kept.pop_front()?;
        self.bytes -= message.bytes.len();
        self.ready = self.ready.saturating_sub(1);
        Some(message)
    }

    /// Gives whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let found = self.pop_oldest().is_some();
        self.dropped += u64::from(found);
        found
    }
}
