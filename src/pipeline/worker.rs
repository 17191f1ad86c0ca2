//! A worker thread: takes what is ready, up to a batch, and has it examined.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::Uid;

use super::{Drain, Message, Reloads, Shared, Ticket};
use crate::decide::Examined;
use crate::gate::{Evidence, Examine, ExamineError};
use crate::pipeline::RunError;

/// How often a waiting worker looks whether the run is stopping.
const LOOK_UP: Duration = Duration::from_millis(50);

pub(super) fn spawn_all<E: Examine + 'static>(
    examiners: Vec<E>,
    reloads: &Reloads<E>,
    batch: usize,
    shared: &Arc<Shared>,
    tickets: &Receiver<Ticket>,
    to_sink: &Sender<Message>,
    drain: &mut Drain<'_>,
) {
    for (index, examiner) in examiners.into_iter().enumerate() {
        let name = format!("worker {index}");
        let (shared, tickets, to_sink) = (shared.clone(), tickets.clone(), to_sink.clone());
        let worker = Worker {
            name: name.clone(),
            examiner: Some(examiner),
            generation: 0,
            reloads: reloads.clone(),
            batch,
            shared,
            tickets,
            to_sink,
        };
        let spawned = thread::Builder::new().name(name.clone()).spawn(move || worker.run());
        if let Err(why) = spawned {
            drain.fail(RunError::Thread { name, why });
        }
    }
}

struct Worker<E> {
    name: String,
    /// Gone once it has failed: what arrives later is given as not judged.
    examiner: Option<E>,
    /// Number of the generation that it is of.
    generation: u64,
    reloads: Reloads<E>,
    batch: usize,
    shared: Arc<Shared>,
    tickets: Receiver<Ticket>,
    to_sink: Sender<Message>,
}

impl<E: Examine> Worker<E> {
    fn run(mut self) {
        while let Some(first) = self.wait() {
            let gentle = self.shared.signals.gentle.load(Ordering::Relaxed);
            let more = self.tickets.try_iter().take(if gentle { 0 } else { self.batch - 1 });
            let mut batch: Vec<Ticket> = std::iter::once(first).chain(more).collect();
            while let Some(&Ticket { generation, .. }) = batch.first() {
                let own = batch.partition_point(|ticket| ticket.generation == generation);
                let next = batch.split_off(own);
                if generation > self.generation {
                    self.change_over();
                }
                let examined = self.examine_batch(batch);
                if self.to_sink.send(Message::Batch(generation, examined)).is_err() {
                    return;
                }
                batch = next;
            }
        }
    }

    fn wait(&mut self) -> Option<Ticket> {
        loop {
            match self.tickets.recv_timeout(LOOK_UP) {
                Ok(ticket) => return Some(ticket),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    // In this order: what the reader sent before it became idle is in the queue.
                    if self.shared.reader_is_idle() && self.tickets.is_empty() {
                        return None;
                    }
                    self.change_over_if_idle();
                }
            }
        }
    }

    /// Changes over where no sample of its generation can come any more.
    fn change_over_if_idle(&mut self) {
        // In this order: what the reader sent for the old generation is then in the queue.
        if self.reloads.change.generation() > self.generation
            && self.shared.reader_waits()
            && self.tickets.is_empty()
        {
            self.change_over();
        }
    }

    /// Changes to the next generation. What it had goes first, so that not both hold buffers.
    fn change_over(&mut self) {
        self.examiner = None;
        self.examiner = self.reloads.take_examiner();
        self.generation += 1;
        self.reloads.change.worker_changed();
    }

    fn examine_batch(&mut self, batch: Vec<Ticket>) -> Vec<Examined> {
        let found = self.examine(&batch);
        let not_judged = (Uid::default(), Evidence::new(Reason::NotJudged, Facts::default()));
        let found = found.unwrap_or_else(|| vec![not_judged; batch.len()]);
        let conclude = |(ticket, (uid, evidence)): (Ticket, (Uid, Evidence))| {
            let Ticket { number, generation: _, position, sample } = ticket;
            Examined { ticket: number, position, sample, uid, evidence }
        };
        batch.into_iter().zip(found).map(conclude).collect()
    }

    /// Each pair's identity and evidence; `None` if the examiner has failed, now or earlier. Whatever
    /// is done with a stranger's bytes is done within the panic's boundary.
    fn examine(&mut self, batch: &[Ticket]) -> Option<Vec<(Uid, Evidence)>> {
        let examiner = self.examiner.as_mut()?;
        // The examiner is not used again after a panic, so its state does not matter.
        let found = catch_unwind(AssertUnwindSafe(|| evidence(examiner, batch)));
        match found {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(error)) => self.give_up(RunError::Examine(error)),
            Err(panic) => {
                let message = panic_message(&*panic);
                self.give_up(RunError::Panicked { worker: self.name.clone(), message });
            }
        }
        None
    }

    fn give_up(&mut self, error: RunError) {
        self.examiner = None;
        let _ = self.to_sink.send(Message::Broken(error));
    }
}

fn evidence(
    examiner: &mut impl Examine,
    batch: &[Ticket],
) -> Result<Vec<(Uid, Evidence)>, ExamineError> {
    let metadata: Vec<_> = batch.iter().map(|ticket| ticket.sample.metadata()).collect();
    let samples = || batch.iter().map(|ticket| &ticket.sample).zip(&metadata);
    let pairs: Vec<_> = samples().map(|(sample, about)| sample.pair(about)).collect();
    let found = examiner.examine(&pairs)?;
    assert_eq!(found.len(), pairs.len(), "every pair must be examined");
    let named = samples()
        .zip(found)
        .map(|((sample, about), evidence)| (sample.uid(about, evidence.facts.content), evidence));
    Ok(named.collect())
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
