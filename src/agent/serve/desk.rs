//! Where requests and the run meet: a place in the queue is given, and each pair's answer goes to
//! whoever waits for it.
//!
//! ```text
//! request -> offer -> [queue] -> ChannelSource -> the run -> Acknowledging -> answer -> request
//!              |                    ticket                    durable             |
//!              +-- a uid that was answered, or is being answered: no second pair -+
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pairgate_core::pair::Uid;
use pairgate_core::policy::Policy;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::answer::{Answer, Names};
use super::window::Window;
use crate::gate::Evidence;
use crate::pipeline::Aside;
use crate::source::Sample;

/// Time between two looks at a queue that has no place for a stream.
const NAP: Duration = Duration::from_millis(2);

/// An answer, and whether it was given before.
#[derive(Debug, Clone)]
pub struct Given {
    /// The answer.
    pub answer: Arc<Answer>,
    /// Whether it was given to an earlier request, or is shared with one.
    pub repeated: bool,
}

type Reply = oneshot::Sender<Given>;
/// Where an answer comes.
pub type Slot = oneshot::Receiver<Given>;

/// Why a pair is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No place is free; ask again later.
    #[error("no place is free")]
    Full,
    /// The service ends, or has failed.
    #[error("{0}")]
    Ending(String),
}

/// A pair that has a place in the queue.
pub(super) struct Offer {
    pub sample: Sample,
    pub reply: Reply,
    /// Bytes of bodies, which the pipeline counts from here on.
    _held: Option<OwnedSemaphorePermit>,
}

/// What decides now on pairs that are judged only, and what answers name.
#[derive(Debug, Clone)]
pub struct Present {
    /// The threshold, and what becomes of faulty pairs.
    pub policy: Policy,
    /// Who decides.
    pub names: Arc<Names>,
}

/// Where the run finds what was asked.
pub struct Queues {
    pub(super) offers: Receiver<Offer>,
    /// Pairs that are judged only: see
    /// [`Run::through_generations`](crate::pipeline::Run::through_generations).
    pub asides: Receiver<Aside>,
}

/// Takes pairs from requests and gives them their answers.
pub struct Desk {
    offers: Sender<Offer>,
    asides: Sender<Aside>,
    present: Arc<Mutex<Present>>,
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Why nothing more is taken.
    ending: Option<String>,
    /// Whether what is queued is of no use any more.
    has_failed: bool,
    window: Window,
    /// Pairs with a uid that have no answer yet, and who waits for it beside the first.
    asked: HashMap<Uid, Vec<Reply>>,
    /// Who waits for the answer to a ticket.
    waiting: HashMap<u64, Reply>,
}

impl Desk {
    /// A desk with `places` in its queue, which remembers what `window` does.
    pub fn new(places: usize, window: Window, present: Present) -> (Arc<Self>, Queues) {
        let (offers, offered) = bounded(places);
        let (asides, aside) = bounded(places);
        let (ended, _) = watch::channel(false);
        let state = Mutex::new(State { window, ..State::default() });
        let present = Arc::new(Mutex::new(present));
        let desk = Arc::new(Self { offers, asides, present, state, ended });
        (desk, Queues { offers: offered, asides: aside })
    }

    /// Gives a pair a place in the queue, or the answer that its uid has, or the wait for it. `held`
    /// is given back when the pipeline has the pair.
    ///
    /// # Errors
    /// [`Refused`] where there is no place.
    pub fn offer(
        &self,
        sample: Sample,
        held: Option<OwnedSemaphorePermit>,
    ) -> Result<Slot, Refused> {
        self.try_offer(sample, held).map_err(|(refused, _)| refused)
    }

    /// The same for a stream, which waits for its turn, and never takes more than half of the places:
    /// it leaves some to others.
    ///
    /// # Errors
    /// [`Refused::Ending`].
    pub fn offer_in_turn(&self, mut sample: Sample) -> Result<Slot, Refused> {
        loop {
            self.wait_for_turn(&self.offers)?;
            match self.try_offer(sample, None) {
                Ok(slot) => return Ok(slot),
                Err((Refused::Full, back)) => sample = back,
                Err((refused, _)) => return Err(refused),
            }
        }
    }

    fn try_offer(
        &self,
        sample: Sample,
        held: Option<OwnedSemaphorePermit>,
    ) -> Result<Slot, (Refused, Sample)> {
        let uid = sample.metadata().uid;
        let (reply, slot) = oneshot::channel();
        let mut state = self.state();
        if let Some(why) = &state.ending {
            return Err((Refused::Ending(why.clone()), sample));
        }
        if let Some(uid) = &uid {
            if let Some(answer) = state.window.answer(uid) {
                // Whoever asked may be gone.
                let _ = reply.send(Given { answer, repeated: true });
                return Ok(slot);
            }
            if let Some(others) = state.asked.get_mut(uid) {
                others.push(reply);
                return Ok(slot);
            }
        }
        match self.offers.try_send(Offer { sample, reply, _held: held }) {
            Ok(()) => {
                state.asked.extend(uid.map(|uid| (uid, Vec::new())));
                Ok(slot)
            }
            Err(TrySendError::Full(offer)) => Err((Refused::Full, offer.sample)),
            Err(TrySendError::Disconnected(offer)) => Err((ended(), offer.sample)),
        }
    }

    /// Has a pair judged only, by the present threshold: it gets no ticket, and leaves no trace.
    ///
    /// # Errors
    /// [`Refused`] where there is no place.
    pub fn judge_only(
        &self,
        sample: Sample,
        held: Option<OwnedSemaphorePermit>,
    ) -> Result<Slot, Refused> {
        if let Some(why) = &self.state().ending {
            return Err(Refused::Ending(why.clone()));
        }
        let (reply, slot) = oneshot::channel();
        let (present, key) = (self.present.clone(), sample.key.clone());
        let answer = move |uid: Uid, evidence: Evidence| {
            let Present { policy, names } = lock(&present).clone();
            let decision = policy.decide(evidence.found, evidence.facts);
            let answer = Answer::of_decision(key, uid, decision, policy.threshold, names);
            let _ = reply.send(Given { answer: Arc::new(answer), repeated: false });
            drop(held);
        };
        match self.asides.try_send(Aside::new(sample, answer)) {
            Ok(()) => Ok(slot),
            Err(TrySendError::Full(_)) => Err(Refused::Full),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }

    /// Waits until pairs that are judged only leave half of the places free.
    ///
    /// # Errors
    /// [`Refused::Ending`].
    pub fn wait_to_judge(&self) -> Result<(), Refused> {
        self.wait_for_turn(&self.asides)
    }

    fn wait_for_turn<T>(&self, queue: &Sender<T>) -> Result<(), Refused> {
        let places = queue.capacity().unwrap_or(1);
        while 2 * queue.len() >= places.max(2) {
            if let Some(why) = &self.state().ending {
                return Err(Refused::Ending(why.clone()));
            }
            thread::sleep(NAP);
        }
        Ok(())
    }

    /// The answer that comes to `slot`.
    ///
    /// # Errors
    /// [`Refused::Ending`] where none comes any more.
    pub async fn answer(&self, slot: Slot) -> Result<Given, Refused> {
        let mut ended = self.ended.subscribe();
        let given = tokio::select! {
            biased;
            given = slot => given.ok(),
            _ = ended.wait_for(|ended| *ended) => None,
        };
        given.ok_or_else(|| {
            let why = self.state().ending.clone();
            Refused::Ending(why.unwrap_or_else(|| "the service has ended".to_owned()))
        })
    }

    /// Takes no further pair; those that have a place are still judged.
    pub fn close(&self, why: &str) {
        self.state().ending.get_or_insert_with(|| why.to_owned());
    }

    /// Takes no further pair, and gives none of those that wait to the run: it has failed.
    pub fn fail(&self, why: &str) {
        let mut state = self.state();
        if std::mem::replace(&mut state.has_failed, true) {
            // What failed first is what is told.
            return;
        }
        state.ending = Some(why.to_owned());
        // Nothing is answered after a failure but that it failed.
        state.waiting.clear();
        state.asked.clear();
    }

    /// The run has ended: who still waits waits in vain.
    pub fn end(&self) {
        self.close("the service has ended");
        self.ended.send_replace(true);
    }

    /// Why nothing more is taken; `None` while pairs are.
    pub fn ending(&self) -> Option<String> {
        self.state().ending.clone()
    }

    /// What decides now on pairs that are judged only, and what answers name.
    pub fn present(&self) -> Present {
        lock(&self.present).clone()
    }

    /// Says what decides from now on.
    pub fn set_present(&self, present: Present) {
        *lock(&self.present) = present;
    }

    /// Says where the threshold has moved to.
    pub(super) fn set_threshold(&self, threshold: f32) {
        lock(&self.present).policy.threshold = Some(threshold);
    }

    /// Whether what is queued is to be handed over; `None` while more may come.
    pub(super) fn drains(&self) -> Option<bool> {
        let state = self.state();
        state.ending.as_ref().map(|_| !state.has_failed)
    }

    /// Notes who waits for a ticket.
    pub(super) fn admit(&self, ticket: u64, reply: Reply) {
        self.state().waiting.insert(ticket, reply);
    }

    /// Pairs that have a ticket and no answer yet.
    pub(super) fn admitted(&self) -> usize {
        self.state().waiting.len()
    }

    /// Gives durable answers to whoever waits for them, in the order of their tickets.
    pub(super) fn give(&self, answers: impl Iterator<Item = (u64, Arc<Answer>)>) {
        let mut state = self.state();
        for (ticket, answer) in answers {
            let first = state.waiting.remove(&ticket);
            let others = state.asked.remove(&answer.uid).unwrap_or_default();
            state.window.remember(answer.clone());
            let repeats = others.into_iter().map(|reply| (reply, true));
            for (reply, repeated) in first.map(|reply| (reply, false)).into_iter().chain(repeats) {
                // Whoever asked may be gone: the pair is stored all the same.
                let _ = reply.send(Given { answer: answer.clone(), repeated });
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended() -> Refused {
    Refused::Ending("the service has ended".to_owned())
}
