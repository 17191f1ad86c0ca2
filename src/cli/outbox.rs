//! The output of a command that runs on and on: a folder, or one behind a spool.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pairgate_core::config::{Config, SpoolSync};

use crate::cli::args::SpoolArgs;
use crate::cli::commands::filter::refuse_overlap;
use crate::cli::outputs::check_folder;
use crate::disk::Disk;
use crate::journal::Terms;
use crate::sink::Sink;
use crate::source::Source;
use crate::spool::outbox::{Level, Outbox};
use crate::spool::{SpoolOptions, SyncPolicy};
use crate::store::{Judged, OutputFolder, Resumed, ShardObserver, StoreOptions, StoreSink};

/// How long a run that ends lets the output take what waits.
const DRAIN: Duration = Duration::from_secs(10);
/// Longest time that a pair in the output waits for the disk where the config gives none: what was
/// brought leaves the spool only then.
const SYNC_MS: u64 = 1000;

/// Where a run's decisions go.
pub struct Destination {
    /// Takes them.
    pub sink: Box<dyn Sink>,
    /// What was decided before.
    pub resumed: Resumed,
    /// The folder whose journal tells of all decisions.
    pub decided: PathBuf,
    outbox: Option<Outbox>,
    stop: Arc<AtomicBool>,
}

/// Refuses a spool that cannot be one.
pub fn check(args: &SpoolArgs, output: &Path, config: &Config) -> Result<(), Box<dyn Error>> {
    let Some(folder) = &args.spool else { return Ok(()) };
    check_folder(folder)?;
    if refuse_overlap(folder, &[output.to_owned()]).is_err() {
        let (folder, output) = (folder.display(), output.display());
        return Err(format!("--spool: {folder} and the output {output} lie in each other").into());
    }
    let (most, sample) = (config.spool.max_bytes, config.sample.max_sample_bytes);
    if most < sample.saturating_add(1 << 20) {
        return Err(format!(
            "--spool: spool.max_bytes = {most} does not hold the largest pair: give at least 1 MiB more \
             than sample.max_sample_bytes, which is {sample}"
        )
        .into());
    }
    Ok(())
}

/// Bytes of memory that a spool takes at worst: a pair that goes in, and one that comes out.
pub fn memory(args: &SpoolArgs, config: &Config) -> u64 {
    let most = config.sample.max_sample_bytes.saturating_add(1 << 20).saturating_mul(2);
    args.spool.as_ref().map_or(0, |_| most)
}

/// Opens `output`, or the spool that `args` name before it. Whoever waits for a decision waits `most_ms`
/// for the disk, where that is shorter than the config has it; `stop` ends waiting for room.
pub fn open(
    args: &SpoolArgs,
    output: &Path,
    config: &Config,
    most_ms: Option<u64>,
    mut options: StoreOptions,
    stop: Arc<AtomicBool>,
) -> Result<Destination, Box<dyn Error>> {
    let disk = Disk::system();
    let Some(folder) = &args.spool else {
        let (store, resumed) = StoreSink::go_on(&disk, output, options)?;
        let (sink, decided) = (Box::new(store), output.to_owned());
        return Ok(Destination { sink, resumed, decided, outbox: None, stop });
    };
    if options.config.sync_ms == 0 {
        options.config.sync_ms = SYNC_MS;
    }
    let sync_ms = most_ms.map_or(config.spool.sync_ms, |most| most.min(config.spool.sync_ms));
    let sync = match config.spool.sync {
        SpoolSync::Always => SyncPolicy::Always,
        SpoolSync::Interval => SyncPolicy::Interval(Duration::from_millis(sync_ms)),
    };
    let spool = SpoolOptions::new(config.spool.max_bytes, sync);
    let shared = options.observer.take().map(|observer| Shared(Arc::new(Mutex::new(observer))));
    let observers = Box::new(move || {
        let shared = shared.clone()?;
        Some(Box::new(shared) as Box<dyn ShardObserver>)
    });
    let (outbox, sink, forwarder, resumed) =
        Outbox::open(&disk, folder, spool, output, options, observers)?;
    let left = outbox.level().pairs;
    if left > 0 {
        log::info!("{}: {left} decided pairs wait in it", folder.display());
    }
    let sink = Box::new(sink.forwarded_by(forwarder, DRAIN, stop.clone())?);
    let decided = outbox.history().to_owned();
    Ok(Destination { sink, resumed, decided, outbox: Some(outbox), stop })
}

/// Refuses a folder in which a run has decided of which the spool that `args` name does not know: what it
/// was given would be taken for new.
pub fn refuse_unknown(args: &SpoolArgs, output: &Path) -> Result<(), Box<dyn Error>> {
    let Some(spool) = &args.spool else { return Ok(()) };
    let is_known = OutputFolder::is_begun(&Outbox::history_in(spool))?;
    if !is_known && OutputFolder::is_begun(output).unwrap_or(false) {
        return Err(format!(
            "{}: runs without the spool {} have decided here, and what they were given would be \
             judged again: name another folder, or leave --spool out",
            output.display(),
            spool.display()
        )
        .into());
    }
    Ok(())
}

impl Destination {
    /// Whether decisions wait in a spool.
    #[cfg(feature = "serve")]
    pub fn is_spooled(&self) -> bool {
        self.outbox.is_some()
    }

    /// What tells how full the spool is.
    pub fn levels(&self) -> Levels {
        Levels(self.outbox.clone())
    }

    /// What lets pairs in.
    pub fn admission(&self) -> Admission {
        Admission { outbox: self.outbox.clone(), stop: self.stop.clone() }
    }
}

/// Lets pairs in while there is room for their decisions.
pub struct Admission {
    outbox: Option<Outbox>,
    stop: Arc<AtomicBool>,
}

impl Admission {
    /// The same pairs, which wait where the spool has no room for their decisions.
    pub fn admit(&self, source: Box<dyn Source>) -> Box<dyn Source> {
        match &self.outbox {
            Some(outbox) => Box::new(outbox.admit(source, self.stop.clone())),
            None => source,
        }
    }
}

/// How full a spool is, where there is one.
pub struct Levels(Option<Outbox>);

impl Levels {
    /// The level now.
    pub fn now(&self) -> Option<Level> {
        self.0.as_ref().map(Outbox::level)
    }
}

/// An observer that stays while the output comes and goes.
#[derive(Debug, Clone)]
struct Shared(Arc<Mutex<Box<dyn ShardObserver>>>);

impl Shared {
    fn with(&self, tell: impl FnOnce(&mut dyn ShardObserver)) {
        tell(&mut **self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ShardObserver for Shared {
    fn stored(&mut self, judged: &Judged, shard: &Path, key: &str) {
        self.with(|observer| observer.stored(judged, shard, key));
    }

    fn published(&mut self, shard: &Path) {
        self.with(|observer| observer.published(shard));
    }

    fn epoch(&mut self, terms: &Terms) {
        self.with(|observer| observer.epoch(terms));
    }
}
