//! A look at what was not kept: a few pairs for each reason, in folders that a person opens.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::{Size, Uid};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::IoError;
use crate::disk::failed;
use crate::sink::{Judged, RunEnd, Sink};
use crate::store::names::{distinct_extensions, flat_key};
use crate::store::refuse_rejected;

/// The extension of the file that tells the decision.
const DECISION: &str = "decision.json";

/// Keeps a sample of fixed size for each reason, spread evenly over all of the input.
///
/// Each pair has a number drawn from the SHA-256 of its uid, key and shard, and for each reason
/// those with the smallest numbers stay: which ones that are does not depend on the order of the
/// input, and another run gives the same. A pair is written when it arrives and deleted when it
/// is pushed out, so that only names are held in memory, and the folder never holds more than the
/// sample.
///
/// `{folder}/{reason}/{key}-{first 8 digits of the uid}.{extension}` are the pair's members as
/// they came, and `....decision.json` is the decision. They are not fsynced: they are a look at
/// data that the input still has.
#[derive(Debug)]
pub struct RejectedSink {
    folder: PathBuf,
    per_reason: usize,
    samples: BTreeMap<Reason, BTreeSet<Drawn>>,
}

/// A pair that is in the sample, in the order in which pairs are preferred.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Drawn {
    number: u64,
    stem: String,
    files: Vec<PathBuf>,
}

impl RejectedSink {
    /// A sink into `folder`, which is made if it is not there, for `per_reason` pairs of each
    /// reason. [`OutputFolder::prepare`](crate::store::OutputFolder::prepare) can clear what
    /// an earlier run left there.
    ///
    /// # Errors
    /// [`IoError::Write`] if the folder cannot be made, or has an earlier run's pairs in it.
    pub fn create(folder: &Path, per_reason: usize) -> Result<Self, IoError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        refuse_rejected(folder)?;
        Ok(Self { folder: folder.to_owned(), per_reason, samples: BTreeMap::new() })
    }

    /// Goes on with the sample that an earlier run has left in `folder`; what cannot be read of it
    /// stays as it is.
    ///
    /// # Errors
    /// [`IoError::Write`] if the folder cannot be made or read.
    pub fn go_on(folder: &Path, per_reason: usize) -> Result<Self, IoError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut samples: BTreeMap<Reason, BTreeSet<Drawn>> = BTreeMap::new();
        for reason in Reason::ALL {
            let Ok(entries) = fs::read_dir(folder.join(reason.name())) else { continue };
            let files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            for file in &files {
                samples.entry(*reason).or_default().extend(Drawn::read(file, &files));
            }
        }
        Ok(Self { folder: folder.to_owned(), per_reason, samples })
    }

    /// Makes room for the pair, if it belongs to the sample.
    fn admit(&mut self, reason: Reason, number: u64, stem: &str) -> Result<bool, IoError> {
        let sample = self.samples.entry(reason).or_default();
        let full = sample.len() >= self.per_reason;
        if full && sample.last().is_none_or(|last| (number, stem) >= (last.number, &*last.stem)) {
            return Ok(false);
        }
        // Files of one name can hold one pair only: the one that is preferred.
        let namesake = sample.iter().find(|drawn| drawn.stem == stem).map(|drawn| drawn.number);
        let pushed_out = match namesake {
            Some(other) if other <= number => return Ok(false),
            Some(other) => {
                sample.extract_if(.., |drawn| drawn.number == other && drawn.stem == stem).next()
            }
            None if full => sample.pop_last(),
            None => None,
        };
        for file in pushed_out.iter().flat_map(|drawn| &drawn.files) {
            fs::remove_file(file).map_err(failed(file))?;
        }
        Ok(true)
    }
}

impl Sink for RejectedSink {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let reason = judged.decision.reason;
        if judged.decision.verdict == Verdict::Kept {
            return Ok(());
        }
        let number = draw(judged.uid, &judged.sample.key, &judged.sample.shard);
        let stem = stem(judged);
        if !self.admit(reason, number, &stem)? {
            return Ok(());
        }
        let files = write_pair(&self.folder.join(reason.name()), &stem, judged)?;
        self.samples.entry(reason).or_default().insert(Drawn { number, stem, files });
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

impl Drawn {
    /// The pair whose decision is in `file`, which may be any; `all` are the files beside it.
    fn read(file: &Path, all: &[PathBuf]) -> Option<Self> {
        let stem = file.file_name()?.to_str()?.strip_suffix(DECISION)?.strip_suffix('.')?;
        let told: Note = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let number = draw(told.uid.parse().ok()?, &told.key, &told.shard);
        let is_its = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.'))
        };
        let files = all.iter().filter(is_its).cloned().collect();
        Some(Self { number, stem: stem.to_owned(), files })
    }
}

/// What is read back of a decision.
#[derive(Deserialize)]
struct Note {
    key: String,
    shard: String,
    uid: String,
}

fn draw(uid: Uid, key: &str, shard: &str) -> u64 {
    let mut hash = Sha256::new();
    hash.update(uid.0);
    for name in [key, shard] {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}

fn stem(judged: &Judged) -> String {
    let uid = judged.uid.to_string();
    format!("{}-{}", flat_key(&judged.sample.key), &uid[..8])
}

fn write_pair(folder: &Path, stem: &str, judged: &Judged) -> Result<Vec<PathBuf>, IoError> {
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let members = &judged.sample.members;
    let extensions = members.iter().map(|member| member.extension.as_str());
    let extensions = distinct_extensions(extensions, &[DECISION]);
    let mut files = Vec::with_capacity(members.len() + 1);
    let mut write = |extension: &str, bytes: &[u8]| -> Result<(), IoError> {
        let file = folder.join(format!("{stem}.{extension}"));
        fs::write(&file, bytes).map_err(failed(&file))?;
        files.push(file);
        Ok(())
    };
    for (extension, member) in extensions.iter().zip(members) {
        write(extension, &member.data)?;
    }
    write(DECISION, explain(judged).as_bytes())?;
    Ok(files)
}

fn explain(judged: &Judged) -> String {
    let facts = judged.decision.facts;
    let explained = Explained {
        key: &judged.sample.key,
        shard: &judged.sample.shard,
        uid: judged.uid.to_string(),
        verdict: judged.decision.verdict.name(),
        reason: judged.decision.reason.name(),
        score: facts.score,
        size: facts.size,
        caption_length: facts.caption_length,
    };
    // Strings and numbers always have a JSON form.
    serde_json::to_string_pretty(&explained).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Explained<'a> {
    key: &'a str,
    shard: &'a str,
    uid: String,
    verdict: &'static str,
    reason: &'static str,
    score: Option<f32>,
    size: Size,
    caption_length: u32,
}
