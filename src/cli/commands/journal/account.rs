//! What a journal comes to, and whether the shards beside it agree.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use pairgate_core::decision::Verdict;
use pairgate_core::stats::Counts;
use serde_json::{Map, Value, json};

use super::parts;
use crate::journal::{self, Entry, FORMAT_VERSION, Found, Salvage, Terms};
use crate::score_text::shortest;
use crate::store::one_to_one::{self, Kind, Marker, Names};
use crate::store::{Checkpoint, Ledger, marks, shard_name};

/// What a journal comes to.
pub struct Account {
    pub path: PathBuf,
    pub terms: Terms,
    pub counts: Counts,
    /// Kept pairs that were taken for stored; the rest had no members.
    stored: u64,
    /// Those whose shard is told, by its number.
    by_shard: BTreeMap<u32, u64>,
    /// Samples of shards that were removed, by their numbers.
    gone: BTreeMap<u32, u64>,
    /// What went before the first segment that is there; `None` where that is not known.
    before: Option<Ledger>,
    pub records: u64,
    /// What is damaged, by file.
    pub damage: Vec<(PathBuf, Found)>,
}

impl Account {
    pub fn of(path: &Path) -> Result<Self, Box<dyn Error>> {
        let parts = parts(path)?;
        let before = before(&parts[0]);
        let (mut terms, mut counts, mut stored) = (None, Counts::default(), 0);
        let mut gone = BTreeMap::new();
        let (mut records, mut damage, mut by_shard) = (0, Vec::new(), BTreeMap::new());
        for part in parts {
            let header = Salvage::open(&part)?.header().clone();
            let is_earlier = header.format < FORMAT_VERSION;
            let found = journal::examine_entries(&part, |entry| {
                if let Entry::Dropped(dropped) = entry {
                    gone.insert(dropped.shard, dropped.samples);
                }
                let Entry::Record(record) = entry else { return };
                counts.add(&record.decision());
                let kept = record.verdict == Verdict::Kept;
                stored += u64::from(kept && (is_earlier || record.stored.is_some()));
                if let Some(stored) = record.stored.as_ref().filter(|_| kept) {
                    *by_shard.entry(stored.shard).or_default() += 1;
                }
            })?;
            terms = Some(found.terms.clone().unwrap_or(header.terms));
            records += found.records;
            if !found.is_whole() {
                damage.push((part, found));
            }
        }
        let terms = terms.ok_or("a journal without files")?;
        let path = path.to_owned();
        Ok(Self { path, terms, counts, stored, by_shard, gone, before, records, damage })
    }

    pub fn json(&self) -> Value {
        let reasons = |verdict| -> Map<String, Value> {
            let rows = self.counts.reasons(verdict);
            rows.map(|(reason, count)| (reason.name().to_owned(), count.into())).collect()
        };
        json!({
            "journal": self.path.display().to_string(),
            "records": self.records,
            "kept": self.counts.total(Verdict::Kept),
            "rejected": self.counts.total(Verdict::Rejected),
            "failed": self.counts.total(Verdict::Failed),
            "dropped": self.gone().1,
            "dropped_shards": self.gone().0,
            "kept_reasons": reasons(Verdict::Kept),
            "rejected_reasons": reasons(Verdict::Rejected),
            "failed_reasons": reasons(Verdict::Failed),
            "threshold": self.terms.threshold.map(shortest),
            "follow": self.terms.tracker,
            "model_digest": self.terms.model().to_string(),
            "config_digest": self.terms.config.to_string(),
            "settings": self.terms.settings,
            "damage": self.damage.iter().flat_map(|(_, found)| &found.damage).collect::<Vec<_>>(),
            "damaged_files": self.damage.iter().map(|(path, _)| path.display().to_string()).collect::<Vec<_>>(),
        })
    }

    pub fn state(&self) -> String {
        let Some((path, found)) = self.damage.first() else { return "whole".into() };
        let places = || self.damage.iter().flat_map(|(_, found)| &found.damage);
        let bytes: u64 = places().map(|(from, to)| to - from).sum();
        let first = found.damage.first().map_or(0, |(from, _)| *from);
        let (count, path) = (places().count(), path.display());
        format!("DAMAGED: {bytes} bytes in {count} places, the first at byte {first} of {path}")
    }

    /// Shards that were removed, and pairs that were in them.
    fn gone(&self) -> (u64, u64) {
        let before = self.before.as_ref().map(|ledger| ledger.gone).unwrap_or_default();
        (before.shards + self.gone.len() as u64, before.pairs + self.gone.values().sum::<u64>())
    }

    /// Whether the shards beside the journal hold as many samples as it says; `None` where there are none,
    /// or nobody can tell.
    pub fn shards_beside(&self) -> Option<Result<Beside, String>> {
        let single = parts(&self.path).ok()?;
        let single: Vec<_> =
            single.iter().filter_map(|part| one_to_one::of_journal(part)).collect();
        if !single.is_empty() {
            return self.outputs_beside(&single);
        }
        let folder = if self.path.is_dir() { &self.path } else { self.path.parent()? };
        let before = self.before.as_ref()?;
        let begun = marks(folder).unwrap_or_default();
        let below = self.gone.last_key_value().map_or(before.gone.below, |(last, _)| last + 1);
        let begun = begun.into_iter().filter(|dropped| dropped.shard >= below);
        let begun: BTreeMap<u32, u64> = begun.map(|d| (d.shard, d.samples)).collect();
        let is_gone = |shard: u32| shard < below || begun.contains_key(&shard);
        let samples = |path: &Path| {
            let shard = shard_of(path)?;
            if is_gone(shard) && !folder.join(shard_name(shard)).exists() {
                return None;
            }
            serde_json::from_slice::<Value>(&fs::read(path).ok()?).ok()?["successes"].as_u64()
        };
        let names = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
        let shards: Vec<u64> = names.filter_map(|path| samples(&path)).collect();
        let is_unfinished =
            |shard: u32| folder.join(format!(".{}.partial", shard_name(shard))).exists();
        let last = self.by_shard.last_key_value();
        let unfinished =
            last.filter(|(shard, _)| is_unfinished(**shard)).map_or(0, |(_, pairs)| *pairs);
        let (gone_shards, gone_pairs) = self.gone();
        let gone = (gone_shards + begun.len() as u64, gone_pairs + begun.values().sum::<u64>());
        if shards.is_empty() && gone.0 == 0 {
            return None;
        }
        let stored: u64 = shards.iter().sum();
        let kept = (before.stored + self.stored).saturating_sub(unfinished + gone.1);
        Some(match stored == kept {
            true => Ok(Beside { stored, unfinished, gone }),
            false => Err(format!("its shards hold {stored} samples, {kept} pairs were kept")),
        })
    }
}

impl Account {
    /// The same of one-to-one outputs, by their markers; `None` of scores.
    fn outputs_beside(&self, outputs: &[Names]) -> Option<Result<Beside, String>> {
        let markers = outputs.iter().map(|names| match Marker::read(names) {
            Ok(marker) => marker.ok_or_else(|| format!("{} has no marker", names.name())),
            Err(why) => Err(why.to_string()),
        });
        let markers = match markers.collect::<Result<Vec<_>, _>>() {
            Ok(markers) => markers,
            Err(why) => return Some(Err(why)),
        };
        if markers.iter().all(|marker| marker.kind == Kind::Score) {
            return None;
        }
        let stored = markers.iter().map(Marker::stored).sum();
        Some(match stored == self.stored {
            true => Ok(Beside { stored, unfinished: 0, gone: (0, 0) }),
            false => {
                let kept = self.stored;
                Err(format!("its shards hold {stored} samples, {kept} pairs were kept"))
            }
        })
    }
}

/// What the shards beside a journal hold.
pub struct Beside {
    stored: u64,
    /// Pairs in a shard that is not finished.
    unfinished: u64,
    /// Shards that were removed, and pairs that were in them.
    gone: (u64, u64),
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, unfinished, gone } = self;
        match unfinished {
            0 => write!(f, "its shards hold the {stored} kept pairs")?,
            more => {
                write!(
                    f,
                    "its shards hold {stored} kept pairs, {more} more are in an unfinished one"
                )?;
            }
        }
        match gone {
            (0, _) => Ok(()),
            (shards, pairs) => {
                write!(
                    f,
                    "; {pairs} more are gone with {shards} shards that were removed to make room"
                )
            }
        }
    }
}

/// The number of the shard that the statistics at `path` tell of.
fn shard_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix("_stats.json")?.parse().ok()
}

/// What went before the journal's first file that is there: nothing, where none before it was removed.
fn before(first: &Path) -> Option<Ledger> {
    match Salvage::open(first).ok()?.header().first_ticket {
        0 => Some(Ledger::default()),
        _ => Checkpoint::beside(first).map(|checkpoint| checkpoint.ledger()),
    }
}
