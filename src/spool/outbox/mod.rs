//! Decided pairs on their way to an output folder that may be away: a disk that is not mounted, a network
//! that is down.
//!
//! ```text
//! sink -> [spool of decided pairs] -> forwarder -> output folder
//!   |            ^ removed when the output has them on disk
//!   +--> history: the journal of all decisions, behind the spool
//! ```
//! - A decision is durable when its frame is on disk in the spool. Then its record goes to the history;
//!   that is on disk before any frame is removed. So history and frames together always tell of every
//!   decision, and a run goes on from them whether the output is there or not.
//! - What deciders have learnt, what was decided already, the next ticket: all of it is the history's,
//!   which is an output folder that stores no pairs.
//! - Each record in the output notes the spool's number and the ticket there. When the output is opened,
//!   the last one tells what it has; the rest is brought again. So each pair is there once.
//! - Frames tell who decided: an epoch in the output begins where the terms of two frames differ.
//! - Pairs are let in only while there is room for their decisions.

mod admit;
mod forward;
mod known;
mod output;
mod sink;
mod state;
mod waiting;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairgate_core::config::StorageConfig;

use super::{SharedSpool, Spool, SpoolOptions};
use crate::disk::{Disk, IoError};
use crate::journal::{Header, Terms};
use crate::source::Source;
use crate::store::{Resumed, RunEnd, Sink, StoreOptions, StoreSink};
use known::Known;
use output::Target;
use state::State;
use waiting::Waiting;

pub use admit::Admitted;
pub use forward::{Forwarder, Step};
pub use output::Observers;
pub use sink::OutboxSink;

/// The folder of frames, in that of the outbox.
const DECIDED: &str = "decided";
/// The folder of the history's journal.
const HISTORY: &str = "history";

/// How full an outbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Pairs that wait for the output.
    pub pairs: u64,
    /// Bytes of its segments.
    pub bytes: u64,
    /// The most that they may be.
    pub max_bytes: u64,
    /// Whether a pair waits for room.
    pub is_full: bool,
}

/// The outbox of a run, for those who look at it while the run goes on. Clones are of the same one.
#[derive(Debug, Clone)]
pub struct Outbox {
    state: Arc<State>,
    history: PathBuf,
}

impl Outbox {
    /// Opens the outbox in `folder`, whose pairs go to `output`, and gives what takes pairs, what brings
    /// them on, and what all earlier runs have decided. `store` tells how `output` is written, but for
    /// its observer, which `observers` makes. The run waits `drain` for the output when it ends; `stop`
    /// ends waiting for room.
    ///
    /// # Errors
    /// [`IoError`] if another process has the folder, if the system refuses, or if other terms decided so
    /// far and `store` does not let new ones in. Damage is none.
    pub fn open(
        disk: &Disk,
        folder: &Path,
        spool: SpoolOptions,
        output: &Path,
        store: StoreOptions,
        observers: Observers,
    ) -> Result<(Self, OutboxSink, Forwarder, Resumed), IoError> {
        let mut spool = Spool::open(disk, &folder.join(DECIDED), spool)?;
        let history = Self::history_in(folder);
        catch_up(disk, &history, &mut spool, &store.header.inputs)?;
        let StoreOptions { config, header, new_decisions, annotate, earlier_config, .. } = store;
        let (terms, inputs) = (header.terms.clone(), header.inputs.clone());
        let options = StoreOptions { new_decisions, earlier_config, ..history_options(header) };
        let (history_sink, resumed) = StoreSink::go_on(disk, &history, options)?;
        let id = spool.id();
        let state = Arc::new(State::new(SharedSpool::new(spool)));
        let target = Target {
            folder: output.to_owned(),
            config,
            inputs,
            new_decisions,
            earlier_config,
            annotate,
            observers,
        };
        let forwarder = Forwarder {
            disk: disk.clone(),
            state: state.clone(),
            target,
            spool: id,
            terms: terms.clone(),
            output: None,
            next: None,
            was_tried: false,
        };
        let sink = OutboxSink {
            disk: disk.clone(),
            state: state.clone(),
            history: history_sink,
            terms,
            output: output.display().to_string(),
            pending: VecDeque::new(),
            durable: resumed.next_ticket,
            has_failed: false,
            acknowledged_at: disk.elapsed(),
            drain: Duration::ZERO,
            is_forwarded: false,
            stop: Arc::default(),
        };
        Ok((Self { state, history }, sink, forwarder, resumed))
    }

    /// The folder whose journal tells of all decisions of the outbox in `folder`.
    pub fn history_in(folder: &Path) -> PathBuf {
        folder.join(HISTORY)
    }

    /// The folder whose journal tells of all decisions.
    pub fn history(&self) -> &Path {
        &self.history
    }

    /// The same pairs, each let in when there is room for its decision, or `stop` is set.
    pub fn admit(&self, source: Box<dyn Source>, stop: Arc<AtomicBool>) -> Admitted {
        Admitted::new(source, self.state.clone(), stop)
    }

    /// How full it is now.
    pub fn level(&self) -> Level {
        let spool = self.state.spool.lock();
        Level {
            pairs: spool.waiting(),
            bytes: spool.bytes(),
            max_bytes: spool.max_bytes(),
            is_full: self.state.is_full.load(Ordering::SeqCst),
        }
    }
}

impl OutboxSink {
    /// The same where `forwarder` brings pairs on a thread of its own. When the run ends, the output gets
    /// `drain` to take what waits; `stop` ends waiting for room.
    ///
    /// # Errors
    /// The system's, which gives no thread.
    pub fn forwarded_by(
        mut self,
        forwarder: Forwarder,
        drain: Duration,
        stop: Arc<AtomicBool>,
    ) -> std::io::Result<Self> {
        forwarder.start()?;
        (self.drain, self.stop, self.is_forwarded) = (drain, stop, true);
        Ok(self)
    }
}

/// How the history is written: to disk when it is said.
fn history_options(header: Header) -> StoreOptions {
    let options = StoreOptions::new(StorageConfig::default(), header);
    StoreOptions { stores: false, endless: true, ..options }
}

/// Enters decisions into the history that frames tell of and it does not.
fn catch_up(
    disk: &Disk,
    folder: &Path,
    spool: &mut Spool,
    inputs: &[String],
) -> Result<(), IoError> {
    let mut known = None;
    let mut history: Option<(StoreSink, Terms)> = None;
    while let Some((sequence, payload)) = spool.next_pair()? {
        let Some(Waiting { judged, record, terms }) = waiting::read(&payload) else {
            spool.spoil(sequence);
            continue;
        };
        let known = match &mut known {
            Some(known) => known,
            none => none.insert(Known::of(folder, judged.ticket, |record| Some(record.ticket))?),
        };
        if known.has(judged.ticket) {
            continue;
        }
        let (sink, deciding) = match &mut history {
            Some(open) => open,
            none => {
                let header = Header::new(terms.clone(), inputs.to_vec());
                let options = StoreOptions { new_decisions: true, ..history_options(header) };
                none.insert((StoreSink::go_on(disk, folder, options)?.0, terms.clone()))
            }
        };
        if *deciding != terms {
            sink.epoch(&terms, judged.ticket)?;
            *deciding = terms;
        }
        sink.accept_spooled(&judged, record, None)?;
    }
    spool.read_again_from(0);
    history.map_or(Ok(()), |(mut sink, _)| sink.finish(RunEnd::Interrupted))
}
