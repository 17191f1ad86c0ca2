//! One input: looked at, done where it is not, published.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use super::announce::Announcement;
use super::row::Row;
use super::{Failure, OneToOne, scores};
use crate::cli::mqtt::Listener;
use crate::cli::progress::Pass;
use crate::cli::session::{SessionDecider, embedding};
use crate::decide::share::{self, Coarse};
use crate::decide::sketch::ScoreSketch;
use crate::decide::{Fixed, Recorded};
use crate::disk::Disk;
use crate::embeddings::ByTicket;
use crate::gate::DigestOnly;
use crate::pipeline::Outcome;
use crate::replay::pooled_score;
use crate::sink::Sink;
use crate::source::SingleInput;
use crate::store::one_to_one::{
    Attempt, Claim, DATA, EMBEDDINGS, Kind, Marker, Names, Published, SKETCH, Standing,
};
use crate::store::{StoreOptions, StoreSink};

/// How an input ended.
pub enum Ended {
    /// Its output is there.
    Done(Box<Row>),
    /// The run was asked to stop: it has no output.
    Interrupted,
}

impl OneToOne<'_> {
    /// Sees to it that an input has its output.
    pub(super) fn shard(&self, input: &SingleInput, listener: &Listener) -> Result<Ended, Failure> {
        let names = Names::new(self.folder, &input.name);
        let options = self.options(input);
        let claim = self.claim(input, &options);
        if let Some(marker) = self.done_before(&names, &claim)? {
            return Ok(Ended::Done(Box::new(Row::of(input, &names, &marker, true))));
        }
        let attempt = Attempt::begin(&Disk::system(), &names)?;
        let told = listener.observer(self.settings.policy.threshold);
        let told = told.map(|inner| Announcement::new(inner, names.path(DATA)));
        let observer = told.as_ref().map(Announcement::observer);
        let recorded = self.recorded(input)?;
        let mut sink = attempt.sink(StoreOptions { observer, recorded, ..options })?;
        let outcome = self.examine(input, &claim, &mut sink)?;
        drop(sink);
        if let Some(error) = outcome.error {
            return Err(error.into());
        }
        if outcome.interrupted {
            return Ok(Ended::Interrupted);
        }
        let marker = self.marker(&attempt, &claim, &outcome)?;
        let published = attempt.publish(marker, self.overwrite)?;
        let is_first = matches!(published, Published::First(_));
        if let Some(told) = told.filter(|_| is_first) {
            told.publish();
        }
        Ok(Ended::Done(Box::new(Row::of(input, &names, published.marker(), !is_first))))
    }

    fn options(&self, input: &SingleInput) -> StoreOptions {
        let path = std::slice::from_ref(&input.path);
        let mut options = StoreOptions::of(&self.session.model, &self.settings, path);
        options.header.terms.read_as(self.input.options().named());
        options.config = self.session.config.storage;
        options.stores = self.kind == Kind::Filter;
        options.annotate = self.annotate;
        options.recording(self.recording.clone())
    }

    /// The embeddings that lie beside the recorded scores.
    fn recorded(&self, input: &SingleInput) -> Result<Option<ByTicket>, Failure> {
        let Some(scores) = self.scores.filter(|_| self.recording.is_some()) else {
            return Ok(None);
        };
        let path = Names::new(scores, &input.name).path(EMBEDDINGS);
        if !path.is_file() {
            let path = path.display();
            let why = format!("{path}: not there; give `pairgate score --one-to-one --embeddings`");
            return Err(Failure::Fatal(why.into()));
        }
        Ok(Some(ByTicket::of_file(&path)))
    }

    fn claim(&self, input: &SingleInput, options: &StoreOptions) -> Claim {
        let file = fs::metadata(&input.path).ok().filter(fs::Metadata::is_file);
        Claim {
            kind: self.kind,
            input: input.path.to_string_lossy().into_owned(),
            input_bytes: file.map(|file| file.len()),
            terms: options.header.terms.clone(),
        }
    }

    /// The marker of what has been done, and is not to be done again.
    fn done_before(&self, names: &Names, claim: &Claim) -> Result<Option<Marker>, Failure> {
        if self.overwrite {
            return Ok(None);
        }
        let refuse = |why: Vec<String>, how: &str| {
            let (path, why) = (names.path("").display().to_string(), why.join("; "));
            Err(Failure::Fatal(format!("{path}: {why}: {how}").into()))
        };
        match Standing::of(names, claim)? {
            Standing::Absent => Ok(None),
            Standing::Done(marker) if self.recording.is_some() => {
                let has = marker.files.contains_key(&names.file(EMBEDDINGS));
                let why = vec!["it was done without --embeddings".to_owned()];
                if has {
                    return Ok(Some(*marker));
                }
                refuse(why, "name another folder, or pass --overwrite to do all again")
            }
            Standing::Done(marker) => Ok(Some(*marker)),
            Standing::Broken(why) => {
                log::warn!("{}: {why}; it is done again", names.path("").display());
                Ok(None)
            }
            Standing::Decided(marker, _) if self.accept => Ok(Some(*marker)),
            Standing::Decided(_, why) => refuse(
                why,
                "--overwrite does all inputs again, --accept-new-decisions leaves those that are done",
            ),
            Standing::Other(why) => {
                refuse(why, "name another folder, or pass --overwrite to do it again")
            }
        }
    }

    fn examine(
        &self,
        input: &SingleInput,
        claim: &Claim,
        sink: &mut StoreSink,
    ) -> Result<Outcome, Failure> {
        let path = std::slice::from_ref(&input.path);
        let inputs = self.session.open_paths(self.input.options(), path)?;
        if !inputs.is_repeatable() {
            let why = format!("{}: it is no file that could be read again", input.path.display());
            return Err(Failure::Input(why.into()));
        }
        let sink: &mut dyn Sink = sink;
        let policy = self.settings.policy;
        Ok(match self.scores {
            Some(folder) => {
                let records = scores::records(folder, input, claim)?;
                let workers = vec![DigestOnly; self.session.config.pipeline.workers];
                let mut decider = Recorded::new(records, policy);
                self.session.run_through(inputs, workers, &mut decider, sink, Pass::Keeping, 0)
            }
            None => {
                let gates = self.session.gates(self.settings, |need| {
                    need.without_capture().with_sink(self.sink_bytes())
                })?;
                let gates = embedding(gates, self.recording.is_some());
                let pass = match self.kind {
                    Kind::Filter => Pass::Filtering,
                    Kind::Score => Pass::Scoring,
                };
                let mut decider = match self.settings.selection {
                    None => SessionDecider::Fixed(Fixed(policy)),
                    Some(_) => self.session.new_decider(&self.settings),
                };
                self.session.run_through(inputs, gates, decider.as_decider(), sink, pass, 0)
            }
        })
    }

    /// Bytes that storing takes at worst.
    fn sink_bytes(&self) -> u64 {
        let storage = self.options_of_storage();
        let embeddings = self.recording.as_ref().map_or(0, |_| StoreSink::EMBEDDINGS_MEMORY);
        self.queue_bytes + StoreSink::memory(&storage) + share::MEMORY + embeddings
    }

    fn options_of_storage(&self) -> pairgate_core::config::StorageConfig {
        let options = StoreOptions::of(&self.session.model, &self.settings, &[PathBuf::new()]);
        options.into_one_shard().config
    }

    /// The marker of a complete run; the scores' sketch is written beside its files.
    fn marker(
        &self,
        attempt: &Attempt,
        claim: &Claim,
        outcome: &Outcome,
    ) -> Result<Marker, Failure> {
        let (mut coarse, mut sketch) = (Coarse::default(), ScoreSketch::new());
        let tally = attempt.tally(|record| {
            if let Some(score) = pooled_score(record) {
                coarse.add(score);
                sketch.add(score);
            }
        })?;
        if *tally.share.counts() != outcome.counts {
            let why: Box<dyn Error> = "the journal does not hold what was decided".into();
            return Err(Failure::Fatal(why));
        }
        sketch.save(&attempt.path(SKETCH), claim.terms.model())?;
        let mut marker = Marker::new(claim, &tally.share);
        if self.kind == Kind::Score {
            marker.score_counts = coarse.counts();
        }
        Ok(marker)
    }
}
