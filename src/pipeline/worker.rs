//! A worker thread: takes what is ready, up to a batch, and has it examined.

use std::any::Any;
use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, SendError, Sender, never, select};
use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::Uid;

use super::{Aside, Drain, Message, Reloads, Shared, Ticket};
use crate::decide::Examined;
use crate::gate::{Evidence, Examine, ExamineError};
use crate::pipeline::RunError;
use crate::source::Sample;

/// How often a waiting worker looks whether the run is stopping.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Where workers find what to do.
#[derive(Clone)]
pub(super) struct Work {
    /// The run's own pairs.
    pub tickets: Receiver<Ticket>,
    /// Those beside it.
    pub asides: Receiver<Aside>,
}

/// One pair to examine.
enum Job {
    Own(Ticket),
    Beside(Aside),
}

impl Job {
    fn sample(&self) -> &Sample {
        match self {
            Self::Own(ticket) => &ticket.sample,
            Self::Beside(aside) => &aside.sample,
        }
    }

    /// Number of the generation that it was read for; `None` for one beside the run.
    fn generation(&self) -> Option<u64> {
        match self {
            Self::Own(ticket) => Some(ticket.generation),
            Self::Beside(_) => None,
        }
    }
}

pub(super) fn spawn_all<E: Examine + 'static>(
    examiners: Vec<E>,
    reloads: &Reloads<E>,
    batch: usize,
    shared: &Arc<Shared>,
    work: &Work,
    to_sink: &Sender<Message>,
    drain: &mut Drain<'_>,
) {
    let workers = examiners.len();
    for (index, examiner) in examiners.into_iter().enumerate() {
        let name = format!("worker {index}");
        let (shared, work, to_sink) = (shared.clone(), work.clone(), to_sink.clone());
        let worker = Worker {
            name: name.clone(),
            examiner: Some(examiner),
            generation: 0,
            reloads: reloads.clone(),
            workers,
            batch,
            shared,
            work,
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
    /// How many share the work.
    workers: usize,
    batch: usize,
    shared: Arc<Shared>,
    work: Work,
    to_sink: Sender<Message>,
}

impl<E: Examine> Worker<E> {
    fn run(mut self) {
        while let Some(first) = self.wait() {
            let more = self.more();
            let own = self.work.tickets.try_iter().map(Job::Own);
            let beside = self.work.asides.try_iter().map(Job::Beside);
            let batch: Vec<Job> = iter::once(first).chain(own.chain(beside).take(more)).collect();
            let own = batch.iter().filter(|job| job.generation().is_some()).count();
            self.shared.signals.levels.take(own);
            if self.work_off(batch).is_err() {
                return;
            }
        }
    }

    /// Pairs that are taken beside the first. Where few wait the others shall have some too: whoever waits
    /// for an answer waits for a batch.
    fn more(&self) -> usize {
        let gentle = self.shared.signals.gentle.load(Ordering::Relaxed);
        let there = 1 + self.work.tickets.len() + self.work.asides.len();
        if gentle { 0 } else { there.div_ceil(self.workers).min(self.batch) - 1 }
    }

    fn wait(&mut self) -> Option<Job> {
        loop {
            select! {
                recv(self.work.tickets) -> ticket => return ticket.ok().map(Job::Own),
                recv(self.work.asides) -> aside => match aside {
                    Ok(aside) => {
                        self.change_over_if_idle();
                        return Some(Job::Beside(aside));
                    }
                    // Nobody will ask any more; asked again, it would say so at once.
                    Err(_) => self.work.asides = never(),
                },
                default(LOOK_UP) => {
                    // In this order: what the reader sent before it became idle is in the queue.
                    if self.shared.reader_is_idle() && self.work.tickets.is_empty() {
                        return None;
                    }
                    self.change_over_if_idle();
                }
            }
        }
    }

    /// Has a batch examined, each generation's pairs by its own examiner; those beside the run by
    /// whichever is there.
    fn work_off(&mut self, mut batch: Vec<Job>) -> Result<(), SendError<Message>> {
        while !batch.is_empty() {
            let generation = batch.iter().find_map(Job::generation).unwrap_or(self.generation);
            let is_later = |job: &Job| job.generation().is_some_and(|other| other > generation);
            let next = batch.split_off(batch.iter().position(is_later).unwrap_or(batch.len()));
            if generation > self.generation {
                self.change_over();
            }
            let examined = self.examine_batch(batch);
            if !examined.is_empty() {
                self.to_sink.send(Message::Batch(generation, examined))?;
            }
            batch = next;
        }
        Ok(())
    }

    /// Changes over where no sample of its generation can come any more.
    fn change_over_if_idle(&mut self) {
        // In this order: what the reader sent for the old generation is then in the queue.
        if self.reloads.change.generation() > self.generation
            && self.shared.reader_waits()
            && self.work.tickets.is_empty()
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

    /// The run's own pairs, examined; those beside it are answered.
    fn examine_batch(&mut self, batch: Vec<Job>) -> Vec<Examined> {
        let found = self.examine(&batch);
        let has_failed = found.is_none();
        let not_judged = (Uid::default(), Evidence::new(Reason::NotJudged, Facts::default()));
        let found = found.unwrap_or_else(|| vec![not_judged; batch.len()]);
        let conclude = |(job, (uid, evidence)): (Job, (Uid, Evidence))| match job {
            Job::Own(Ticket { number, generation: _, position, sample }) => {
                Some(Examined { ticket: number, position, sample, uid, evidence })
            }
            Job::Beside(aside) => {
                if !has_failed {
                    aside.answer(uid, evidence);
                }
                None
            }
        };
        batch.into_iter().zip(found).filter_map(conclude).collect()
    }

    /// Each pair's identity and evidence; `None` if the examiner has failed, now or earlier. Whatever
    /// is done with a stranger's bytes is done within the panic's boundary.
    fn examine(&mut self, batch: &[Job]) -> Option<Vec<(Uid, Evidence)>> {
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
    batch: &[Job],
) -> Result<Vec<(Uid, Evidence)>, ExamineError> {
    let metadata: Vec<_> = batch.iter().map(|job| job.sample().metadata()).collect();
    let samples = || batch.iter().map(Job::sample).zip(&metadata);
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
