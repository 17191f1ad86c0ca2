//! What an output folder is written with.

#[cfg(feature = "model")]
use std::path::PathBuf;

use pairgate_core::config::StorageConfig;
use pairgate_core::pair::Digest;

use super::ShardObserver;
use crate::disk::FolderLock;
use crate::embeddings::{ByTicket, Recording};
#[cfg(feature = "model")]
use crate::gate::GateSettings;
use crate::journal::Header;
#[cfg(feature = "model")]
use crate::journal::Terms;
#[cfg(feature = "model")]
use crate::model::Model;

/// What a folder is written with.
#[derive(Debug)]
pub struct StoreOptions {
    /// How kept pairs reach the disk.
    pub config: StorageConfig,
    /// What the journal begins with.
    pub header: Header,
    /// Whether kept pairs are stored; else there is the journal alone.
    pub stores: bool,
    /// Whether the source gives pairs again that have not reached the disk; a camera does not.
    pub again: bool,
    /// Whether the run goes on and on: what it reads is not one list of inputs, and another version of
    /// the program goes on by itself. So it is where the source gives no pair again.
    pub endless: bool,
    /// Whether another model, config or version may go on in a folder.
    pub new_decisions: bool,
    /// Whether all kept pairs go into one shard, which is there though none is kept.
    pub one_shard: bool,
    /// The settings' digest as formats 1 and 2 have it.
    pub earlier_config: Option<Digest>,
    /// Whether kept samples' `.json` members are told of the decision.
    pub annotate: bool,
    /// Which embeddings are recorded, if any; see [`recording`](Self::recording).
    pub recording: Option<Recording>,
    /// Recorded embeddings of pairs whose evidence has none, by their tickets.
    pub recorded: Option<ByTicket>,
    /// Who is told of stored pairs.
    pub observer: Option<Box<dyn ShardObserver>>,
    /// The folder's lock, where it is held already.
    pub lock: Option<FolderLock>,
}

impl StoreOptions {
    /// Options with the usual settings of storage, for a gate on `model` with `settings` that reads
    /// `inputs`.
    #[cfg(feature = "model")]
    pub fn of(model: &Model, settings: &GateSettings, inputs: &[PathBuf]) -> Self {
        let names = inputs.iter().map(|input| input.display().to_string()).collect();
        let header = Header::new(Terms::of(model, settings), names);
        let earlier_config = Some(settings.earlier_digest(model.arithmetic()));
        Self { earlier_config, ..Self::new(StorageConfig::default(), header) }
    }

    /// Options of a source that can be read again, where nobody is told.
    pub fn new(config: StorageConfig, header: Header) -> Self {
        let (observer, lock, earlier_config) = (None, None, None);
        Self {
            config,
            header,
            stores: true,
            again: true,
            endless: false,
            new_decisions: false,
            one_shard: false,
            earlier_config,
            annotate: false,
            recording: None,
            recorded: None,
            observer,
            lock,
        }
    }

    /// The same with recorded embeddings, of which the journal tells among its settings; or without.
    pub fn recording(mut self, recording: impl Into<Option<Recording>>) -> Self {
        let recording = recording.into();
        self.header.terms.settings.extend(recording.as_ref().map(setting_of));
        Self { recording, ..self }
    }

    /// The same for one shard: nothing closes it before its input has ended, and nothing takes it away.
    pub fn into_one_shard(self) -> Self {
        let StorageConfig { min_free, .. } = self.config;
        let shard_pairs = StorageConfig::MOST_SHARD_PAIRS;
        let config = StorageConfig { shard_pairs, min_free, ..StorageConfig::default() };
        Self { config, one_shard: true, ..self }
    }
}

/// What a setting of recorded embeddings begins with.
const EMBEDDINGS: &str = "embeddings=";

/// How a journal's settings tell of recorded embeddings.
pub(super) fn setting_of(recording: &Recording) -> String {
    let Recording { covers, names, dimension, .. } = recording;
    format!("{EMBEDDINGS}{} {names} {dimension}", covers.name())
}

/// The setting of recorded embeddings, where a run has one.
pub(super) fn recording_of(settings: &[String]) -> Option<&str> {
    settings.iter().find_map(|setting| setting.strip_prefix(EMBEDDINGS))
}
