//! The marker of an output: that it is whole, what it holds, and what decided.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::stats::Counts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DATA, JOURNAL, MARKER, Names};
use crate::disk::IoError;
use crate::journal::{SegmentReader, Terms};
use crate::score_text::shortest;
use crate::store::stats::{Share, Tallies};

/// The format that is written.
const FORMAT: u16 = 1;

/// What was done with an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Its kept pairs were stored.
    Filter,
    /// Its pairs were scored.
    Score,
}

/// Length and digest of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

/// What decided, as a marker tells it; the journal's header tells more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkedTerms {
    /// Version of the program.
    pub program: String,
    /// Version of its decisions.
    pub decision_version: u32,
    /// Name and version of the model.
    pub model: String,
    /// SHA-256 of its manifest, in hex.
    pub model_digest: String,
    /// SHA-256 of the settings, in hex.
    pub config_digest: String,
    /// Those that are not the default.
    pub settings: Vec<String>,
    /// Lowest score that passes; null where pairs are only scored.
    pub threshold: Value,
}

impl MarkedTerms {
    /// What the marker tells of these terms.
    pub fn of(terms: &Terms) -> Self {
        Self {
            program: terms.program.clone(),
            decision_version: terms.decision_version,
            model: terms.models.last().map(|model| model.name.clone()).unwrap_or_default(),
            model_digest: terms.model().to_string(),
            config_digest: terms.config.to_string(),
            settings: terms.settings.clone(),
            threshold: terms.threshold.map_or(Value::Null, shortest),
        }
    }

    /// Whether the same was decided by; another version of the program may decide the same.
    pub fn decide_as(&self, other: &Self) -> bool {
        let decisive = |terms: &Self| {
            let Self { model_digest, config_digest, threshold, decision_version, .. } = terms;
            (model_digest.clone(), config_digest.clone(), threshold.clone(), *decision_version)
        };
        decisive(self) == decisive(other)
    }
}

/// What an attempt is at: the input, and what decides.
#[derive(Debug, Clone)]
pub struct Claim {
    /// What is done with it.
    pub kind: Kind,
    /// The input, as it was named.
    pub input: String,
    /// Its bytes, where it is a file.
    pub input_bytes: Option<u64>,
    /// What decides.
    pub terms: Terms,
}

/// Counts by verdict and reason, by their names.
type Named = BTreeMap<String, BTreeMap<String, u64>>;

/// That an output is whole. It holds no time, and nothing of who made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// The marker's format.
    pub pairgate_marker: u16,
    /// What was done with the input.
    pub kind: Kind,
    /// The input, as it was named.
    pub input: String,
    /// Its bytes, where it is a file.
    pub input_bytes: Option<u64>,
    /// What img2dataset says beside a shard.
    #[serde(flatten)]
    pub shard: Option<Tallies>,
    /// How many pairs ended with each verdict and reason.
    pub decisions: Named,
    /// What decided.
    pub terms: MarkedTerms,
    /// The output's files, by their names.
    pub files: BTreeMap<String, FileMark>,
    /// Of scored pairs that a share is taken of: how many have scores with these upper 16 bits (see
    /// [`share`](crate::decide::share)), ascending, those that none has left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub score_counts: Vec<(u16, u64)>,
}

impl Marker {
    /// The marker of what `claim` is at, which came to `share`; its files are not known yet.
    pub fn new(claim: &Claim, share: &Share) -> Self {
        Self {
            pairgate_marker: FORMAT,
            kind: claim.kind,
            input: claim.input.clone(),
            input_bytes: claim.input_bytes,
            shard: (claim.kind == Kind::Filter).then(|| share.tallies()),
            decisions: named(share.counts()),
            terms: MarkedTerms::of(&claim.terms),
            files: BTreeMap::new(),
            score_counts: Vec::new(),
        }
    }

    /// The marker's bytes.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the marker of an output; `None` where there is none.
    ///
    /// # Errors
    /// [`IoError::Read`] where a file of its name is no marker, or cannot be read.
    pub fn read(names: &Names) -> Result<Option<Self>, IoError> {
        let path = names.path(MARKER);
        let failed = |why| IoError::Read { from: path.display().to_string(), why };
        let bytes = match fs::read(&path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(failed)?,
        };
        let foreign = |why: String| failed(io::Error::new(io::ErrorKind::InvalidData, why));
        let marker: Self = serde_json::from_slice(&bytes)
            .map_err(|why| foreign(format!("it is no marker of a one-to-one output: {why}")))?;
        match marker.pairgate_marker {
            FORMAT => Ok(Some(marker)),
            format => Err(foreign(format!("a marker of format {format}, not {FORMAT}"))),
        }
    }

    /// The first of its files that is not there, or has another length.
    pub fn missing(&self, names: &Names) -> Option<String> {
        self.files.iter().find_map(|(file, mark)| match fs::metadata(names.folder().join(file)) {
            Ok(found) if found.len() == mark.bytes => None,
            Ok(found) => Some(format!("{file} has {} bytes, not {}", found.len(), mark.bytes)),
            Err(why) => Some(format!("{file}: {why}")),
        })
    }

    /// What tells its input, and what was done with it, from an attempt at this, in words.
    pub fn of_another(&self, claim: &Claim) -> Vec<String> {
        let mut found = Vec::new();
        if self.kind != claim.kind {
            let word = |kind| match kind {
                Kind::Filter => "filtered",
                Kind::Score => "scored",
            };
            found.push(format!("it was {}, it is to be {}", word(self.kind), word(claim.kind)));
        }
        if self.input != claim.input {
            found.push(format!("the input was {}, it is {}", self.input, claim.input));
        } else if self.input_bytes != claim.input_bytes {
            let told =
                |bytes: Option<u64>| bytes.map_or("no file".into(), |n| format!("{n} bytes"));
            let (was, is) = (told(self.input_bytes), told(claim.input_bytes));
            found.push(format!("the input had {was}, it has {is}"));
        }
        found
    }

    /// What decided otherwise than `now` would, in words.
    pub fn decided_otherwise(&self, names: &Names, now: &Terms) -> Vec<String> {
        match self.terms.decide_as(&MarkedTerms::of(now)) {
            true => Vec::new(),
            false => self.other_terms(names, now),
        }
    }

    /// What decided otherwise, by the journal where that can be read.
    fn other_terms(&self, names: &Names, now: &Terms) -> Vec<String> {
        let journal = SegmentReader::open(&names.path(JOURNAL));
        let told = journal.map(|journal| {
            let was = &journal.header().terms;
            let mut found = was.differences(now);
            found.extend(was.version_difference(now));
            found
        });
        let told = told.unwrap_or_default();
        if told.is_empty() { vec!["other settings decided".to_owned()] } else { told }
    }

    /// How its pairs came out. Reasons of a later version are passed over.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for verdict in Verdict::ALL {
            let Some(reasons) = self.decisions.get(verdict.name()) else { continue };
            for (name, count) in reasons {
                let reason = Reason::ALL.iter().copied().find(|reason| reason.name() == name);
                reason.into_iter().for_each(|reason| counts.add_many(verdict, reason, *count));
            }
        }
        counts
    }

    /// Samples in the shard.
    pub fn stored(&self) -> u64 {
        self.shard.as_ref().map_or(0, |shard| shard.successes)
    }

    /// The data's length and digest; of scores, the journal's.
    pub fn data(&self, names: &Names) -> Option<&FileMark> {
        let ending = match self.kind {
            Kind::Filter => DATA,
            Kind::Score => JOURNAL,
        };
        self.files.get(&names.file(ending))
    }
}

/// Counts by the names of verdicts and reasons.
fn named(counts: &Counts) -> Named {
    let reasons = |verdict| -> BTreeMap<String, u64> {
        let rows = counts.reasons(verdict);
        rows.map(|(reason, count)| (reason.name().to_owned(), count)).collect()
    };
    Verdict::ALL.into_iter().map(|verdict| (verdict.name().to_owned(), reasons(verdict))).collect()
}

/// What stands in the place of an output.
#[derive(Debug)]
pub enum Standing {
    /// No marker.
    Absent,
    /// A marker of the same, and files of the right lengths.
    Done(Box<Marker>),
    /// A marker of the same, whose files are not there as they were: what is wrong.
    Broken(String),
    /// The same input was done, and decided otherwise: in which way.
    Decided(Box<Marker>, Vec<String>),
    /// A marker of another input, or of something else that was done with it: in which way.
    Other(Vec<String>),
}

impl Standing {
    /// Looks at what is there for an attempt at this.
    ///
    /// # Errors
    /// [`IoError::Read`] where a file of the marker's name is none; [`IoError::Write`] where there are data
    /// without marker and journal: they are somebody's.
    pub fn of(names: &Names, claim: &Claim) -> Result<Self, IoError> {
        let Some(marker) = Marker::read(names)? else {
            let data = names.path(DATA);
            let is_foreign = data.exists() && !names.path(JOURNAL).exists();
            return if is_foreign { Err(foreign(names)) } else { Ok(Self::Absent) };
        };
        let of_another = marker.of_another(claim);
        if !of_another.is_empty() {
            return Ok(Self::Other(of_another));
        }
        if let Some(why) = marker.missing(names) {
            return Ok(Self::Broken(why));
        }
        let decided = marker.decided_otherwise(names, &claim.terms);
        Ok(match decided.is_empty() {
            true => Self::Done(Box::new(marker)),
            false => Self::Decided(Box::new(marker), decided),
        })
    }
}

fn foreign(names: &Names) -> IoError {
    let why = "it is there already, without a journal or a marker beside it; name another folder, or \
               pass --overwrite to replace it";
    let to = names.path(DATA).display().to_string();
    IoError::Write { to, why: io::Error::new(io::ErrorKind::AlreadyExists, why) }
}
