//! What examines and decides is changed while a run goes on, and pairs are in flight.
//!
//! A [`Generation`] is offered; from then on the reader marks pairs with its number. Reader, workers
//! and the sink's side each change over by themselves:
//! - A worker takes its new examiner at the first pair of the new generation that it gets. A batch never
//!   mixes two.
//! - The sink's side changes the decider at the first ticket of the new generation, and tells the sink
//!   ([`Sink::epoch`](crate::sink::Sink::epoch)) before that pair. So the number of workers changes no
//!   decision.
//! - Where no pair comes, both change as soon as none of the old generation can come any more.
//!
//! One change at a time: the next one is taken when all have changed, so that never more than two models
//! are in use.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::decide::Decider;
use crate::journal::Terms;

/// What examines and decides from some pair on.
pub struct Generation<E> {
    /// One for each worker.
    pub examiners: Vec<E>,
    /// Decides.
    pub decider: Box<dyn Decider>,
    /// What the journal is told of it.
    pub terms: Terms,
    /// Whether the decider goes on from what the one before it has learnt: see [`Terms::learns_on`].
    pub learns_on: bool,
}

/// Where generations are offered to a run; clones are of the same run.
pub struct Reloads<E> {
    pub(super) change: Arc<Change>,
    /// Examiners of the next generation that no worker has taken yet.
    examiners: Arc<Mutex<Vec<E>>>,
}

impl<E> Clone for Reloads<E> {
    fn clone(&self) -> Self {
        Self { change: self.change.clone(), examiners: self.examiners.clone() }
    }
}

impl<E> fmt::Debug for Reloads<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloads").field("generation", &self.change.generation()).finish()
    }
}

impl<E> Reloads<E> {
    /// For a run with so many workers.
    pub fn new(workers: usize) -> Self {
        Self { change: Arc::new(Change::new(workers)), examiners: Arc::default() }
    }

    /// Offers the next generation, which must have an examiner for each worker. It is handed back where
    /// a change is under way, or the run has ended.
    ///
    /// # Errors
    /// The generation.
    pub fn offer(&self, next: Generation<E>) -> Result<(), Box<Generation<E>>> {
        let mut state = self.change.state();
        assert_eq!(next.examiners.len(), state.workers, "an examiner for each worker");
        if state.ended || state.left > 0 {
            return Err(Box::new(next));
        }
        let Generation { examiners, decider, terms, learns_on } = next;
        *locked(&self.examiners) = examiners;
        state.next = Some(Successor { decider, terms, learns_on });
        state.left = state.workers + 1;
        self.change.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Waits until all have changed over to what was offered last, and gives the ticket of the first
    /// pair that it decides; `None` where the run ends before that, or nothing was offered.
    pub fn wait(&self) -> Option<u64> {
        let state = self.change.state();
        let changing = |state: &mut State| state.left > 0 && !state.ended;
        let waited = self.change.changed.wait_while(state, changing);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        state.first_ticket.filter(|_| state.left == 0)
    }

    /// What decided last in a run that has ended, where it is not what the run was started with.
    pub fn last(&self) -> Option<Successor> {
        self.change.state().last.take()
    }

    /// The run has ended: nobody takes examiners any more.
    pub(super) fn forget(&self) {
        locked(&self.examiners).clear();
    }

    pub(super) fn take_examiner(&self) -> Option<E> {
        locked(&self.examiners).pop()
    }
}

/// What decides since a change.
pub struct Successor {
    /// Decides.
    pub decider: Box<dyn Decider>,
    /// By these.
    pub terms: Terms,
    learns_on: bool,
}

impl Successor {
    /// Goes on from what `before` has learnt, where that is meant.
    pub(super) fn take_over(&mut self, before: &mut dyn Decider) {
        if self.learns_on {
            self.decider.learn(&before.state());
        }
    }
}

/// What reader, workers and the sink's side know of a change.
pub(super) struct Change {
    /// Number of the generation that pairs are read for.
    generation: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    workers: usize,
    next: Option<Successor>,
    /// Workers, and the sink's side, that have not changed over yet.
    left: usize,
    first_ticket: Option<u64>,
    last: Option<Successor>,
    ended: bool,
}

impl Change {
    fn new(workers: usize) -> Self {
        let state =
            State { workers, next: None, left: 0, first_ticket: None, last: None, ended: false };
        Self { generation: AtomicU64::new(0), state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub fn take_next(&self) -> Option<Successor> {
        self.state().next.take()
    }

    /// A worker has changed over; what it had is gone.
    pub fn worker_changed(&self) {
        self.part_changed(&mut self.state());
    }

    /// The sink's side has changed over.
    pub fn sink_changed(&self, first_ticket: u64) {
        let mut state = self.state();
        state.first_ticket = Some(first_ticket);
        self.part_changed(&mut state);
    }

    fn part_changed(&self, state: &mut State) {
        state.left = state.left.saturating_sub(1);
        if state.left == 0 {
            self.changed.notify_all();
        }
    }

    /// The run has ended; `last` is what decided then, where it is not what it was started with.
    pub fn end(&self, last: Option<Successor>) {
        let mut state = self.state();
        (state.ended, state.last) = (true, last);
        state.next = None;
        self.changed.notify_all();
    }
}

/// The lock; nothing panics while it is held but an assertion, before anything is changed.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
