//! A worker thread: takes what is ready, up to a batch, and has it judged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::{Drain, Message, Shared, Ticket};
use crate::decision::{Decision, Facts, Reason, Verdict};
use crate::error::RunError;
use crate::gate::Judge;
use crate::sink::Judged;
use crate::source::Metadata;

/// How often a waiting worker looks whether the run is stopping.
const LOOK_UP: Duration = Duration::from_millis(50);

pub(super) fn spawn_all<J: Judge + 'static>(
    judges: Vec<J>,
    batch: usize,
    shared: &Arc<Shared>,
    tickets: &Receiver<Ticket>,
    to_sink: &Sender<Message>,
    drain: &mut Drain<'_>,
) {
    for (index, judge) in judges.into_iter().enumerate() {
        let name = format!("worker {index}");
        let (shared, tickets, to_sink) = (shared.clone(), tickets.clone(), to_sink.clone());
        let worker =
            Worker { name: name.clone(), judge: Some(judge), batch, shared, tickets, to_sink };
        let spawned = thread::Builder::new().name(name.clone()).spawn(move || worker.run());
        if let Err(why) = spawned {
            drain.fail(RunError::Thread { name, why });
        }
    }
}

struct Worker<J> {
    name: String,
    /// Gone once it has failed: what arrives later is marked as not judged.
    judge: Option<J>,
    batch: usize,
    shared: Arc<Shared>,
    tickets: Receiver<Ticket>,
    to_sink: Sender<Message>,
}

impl<J: Judge> Worker<J> {
    fn run(mut self) {
        while let Some(first) = self.wait() {
            let gentle = self.shared.signals.gentle.load(Ordering::Relaxed);
            let more = self.tickets.try_iter().take(if gentle { 0 } else { self.batch - 1 });
            let batch: Vec<Ticket> = std::iter::once(first).chain(more).collect();
            let judged = self.judge_batch(batch);
            if self.to_sink.send(Message::Batch(judged)).is_err() {
                return;
            }
        }
    }

    fn wait(&self) -> Option<Ticket> {
        loop {
            match self.tickets.recv_timeout(LOOK_UP) {
                Ok(ticket) => return Some(ticket),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    // In this order: what the reader sent before it became idle is in the queue.
                    if self.shared.reader_is_idle() && self.tickets.is_empty() {
                        return None;
                    }
                }
            }
        }
    }

    fn judge_batch(&mut self, batch: Vec<Ticket>) -> Vec<(u64, Judged)> {
        let metadata: Vec<_> = batch.iter().map(|ticket| ticket.sample.metadata()).collect();
        let decisions = self.decide(&batch, &metadata);
        let decisions = decisions.unwrap_or_else(|| vec![NOT_JUDGED; batch.len()]);
        let parts = batch.into_iter().zip(metadata).zip(decisions);
        let conclude = |((ticket, metadata), decision): ((Ticket, Metadata), Decision)| {
            let uid = ticket.sample.uid(&metadata, decision.facts.content);
            (ticket.number, Judged { sample: ticket.sample, uid, decision })
        };
        parts.map(conclude).collect()
    }

    /// The judge's decisions; `None` if it has failed, now or earlier.
    fn decide(&mut self, batch: &[Ticket], metadata: &[Metadata]) -> Option<Vec<Decision>> {
        let judge = self.judge.as_mut()?;
        let samples = batch.iter().zip(metadata);
        let pairs: Vec<_> = samples.map(|(ticket, about)| ticket.sample.pair(about)).collect();
        // The judge is not used again after a panic, so its state does not matter.
        let decisions = catch_unwind(AssertUnwindSafe(|| {
            let decisions = judge.judge(&pairs)?;
            assert_eq!(decisions.len(), pairs.len(), "a judge must decide on every pair");
            Ok(decisions)
        }));
        match decisions {
            Ok(Ok(decisions)) => return Some(decisions),
            Ok(Err(error)) => self.give_up(error),
            Err(panic) => {
                let message = panic_message(&*panic);
                self.give_up(RunError::Panicked { worker: self.name.clone(), message });
            }
        }
        None
    }

    fn give_up(&mut self, error: RunError) {
        self.judge = None;
        let _ = self.to_sink.send(Message::Broken(error));
    }
}

const NOT_JUDGED: Decision = Decision {
    verdict: Verdict::Failed,
    reason: Reason::NotJudged,
    facts: Facts {
        score: None,
        caption_length: 0,
        size: crate::pair::Size::new(0, 0),
        content: crate::pair::Digest([0; 32]),
    },
};

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
