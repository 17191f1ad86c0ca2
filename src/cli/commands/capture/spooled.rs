//! Frames that wait on disk: `capture.on_full = "spool"`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pairgate_core::config::{Config, OnFull, SpoolConfig, SpoolSync};

use crate::capture::silence::Silence;
use crate::cli::summary::Spooled;
use crate::disk::{Disk, IoError};
use crate::source::Source;
use crate::spool::{
    Filler, SharedSpool, Spool, SpoolOptions, SpoolSource, SyncPolicy, WhenFull, decided,
};
use crate::store::{Resumed, StoreOptions};

/// Longest time that a decision waits for the disk where the config gives none: what is decided leaves
/// the spool only then.
const SYNC_MS: u64 = 1000;
/// How long frames that are taken may need to reach the spool after the run was stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// A camera's frames on their way through a spool.
pub struct Spooling {
    spool: SharedSpool,
    filler: Option<Filler>,
    stop: Arc<AtomicBool>,
    /// Pairs that an earlier run has left.
    before: u64,
}

/// Whether the config wants frames to wait on disk. A file can wait by itself.
pub fn is_wanted(config: &Config, is_plain_file: bool) -> bool {
    config.capture.on_full == OnFull::Spool && !is_plain_file
}

/// What the output folder is written with where its pairs come from a spool.
pub fn set_options(options: &mut StoreOptions) {
    // What has not reached the disk is still in the spool.
    (options.again, options.endless) = (true, true);
    if options.config.sync_ms == 0 {
        options.config.sync_ms = SYNC_MS;
    }
}

impl Spooling {
    /// Opens the config's spool, or the one in `folder` where it names none, which goes on behind what
    /// the journal in `decided_in` tells of.
    pub fn open(
        config: &SpoolConfig,
        folder: &Path,
        decided_in: &Path,
        resumed: &Resumed,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, IoError> {
        let folder = match config.dir.as_str() {
            "" => folder.to_owned(),
            dir => PathBuf::from(dir),
        };
        let sync = match config.sync {
            SpoolSync::Always => SyncPolicy::Always,
            SpoolSync::Interval => SyncPolicy::Interval(Duration::from_millis(config.sync_ms)),
        };
        let options = SpoolOptions::new(config.max_bytes, sync);
        let mut spool = Spool::open(&Disk::system(), &folder, options)?;
        let next = decided(decided_in, spool.id(), resumed)?;
        spool.go_on_from(next);
        let before = spool.waiting();
        if before > 0 {
            log::info!("{}: {before} pairs wait in it", folder.display());
        }
        Ok(Self { spool: SharedSpool::new(spool), filler: None, stop, before })
    }

    /// Who hears what is durable in the output folder.
    pub fn listener(&self) -> SharedSpool {
        self.spool.clone()
    }

    /// The spool's pairs in the place of `camera`'s, which are brought into it.
    pub fn source(
        &mut self,
        camera: Box<dyn Source>,
        silence: Arc<Silence>,
    ) -> Result<SpoolSource, IoError> {
        let (spool, stop) = (self.spool.clone(), self.stop.clone());
        let shed = move || silence.shed();
        let filler = Filler::start(camera, spool, WhenFull::DropNewest, stop, shed)?;
        self.filler = Some(filler.clone());
        Ok(SpoolSource::new(self.spool.clone(), Some(filler), self.stop.clone()))
    }

    /// Brings the frames to disk that were taken, and tells what became of all.
    pub fn end(&self) -> Result<Spooled, IoError> {
        let (mut spooled, mut shed) = (0, 0);
        if let Some(filler) = &self.filler {
            if self.stop.load(Ordering::SeqCst) && !filler.wait(PATIENCE) {
                log::warn!("frames that were taken last did not reach the spool");
            }
            (spooled, shed) = (filler.taken(), filler.shed());
        }
        let mut spool = self.spool.lock();
        spool.sync()?;
        let (left, lost) = (spool.waiting(), spool.lost().damaged);
        Ok(Spooled { before: self.before, spooled, shed, left, lost })
    }
}
