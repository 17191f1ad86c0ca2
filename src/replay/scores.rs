//! Recorded scores of any form, as records: what `pairgate score` writes, and journals.

use std::path::PathBuf;

use pairgate_core::decision::{Reason, ReasonSet, Verdict};
use pairgate_core::pair::{Digest, Position};
use sha2::{Digest as _, Sha256};

use crate::decide::matched::{Records, Scores};
use crate::disk::IoError;
use crate::journal::{Record, Terms};
use crate::recorded::{Field, ReadAs, RecordedRow, Rows, check_repeatable};

/// What a score must tell, so that its pair is known again.
const NEEDS: &[Field] =
    &[Field::Uid, Field::Key, Field::Shard, Field::Score, Field::Reason, Field::Sha256];
const ALSO: &[Field] = &[Field::CaptionLength, Field::Width, Field::Height];

/// Files of scores, one after the other.
#[derive(Debug, Clone)]
pub struct ScoreFiles {
    paths: Vec<PathBuf>,
}

/// What all scores come to.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Their number.
    pub count: u64,
    /// A digest of what they say, in whatever form.
    pub digest: Digest,
    /// Who gave them, as far as they tell.
    pub terms: Option<Terms>,
}

impl ScoreFiles {
    /// Looks whether each path is there.
    ///
    /// # Errors
    /// [`IoError::Read`] for one that is missing, or that can be read only once.
    pub fn at(paths: &[PathBuf]) -> Result<Self, IoError> {
        paths.iter().try_for_each(|path| check_repeatable(path))?;
        Ok(Self { paths: paths.to_vec() })
    }

    /// Goes over all scores once.
    ///
    /// # Errors
    /// [`IoError::Read`] for what cannot be read, and scores of two models.
    pub fn survey(&self) -> Result<Surveyed, IoError> {
        let mut hash = Sha256::new();
        let (mut count, mut terms) = (0, None);
        for path in &self.paths {
            let mut rows = Rows::open(path, &ReadAs::fields(NEEDS, ALSO))?;
            check_model(&mut terms, &rows)?;
            while let Some(record) = next_record(&mut rows)? {
                check_model(&mut terms, &rows)?;
                count += 1;
                let score = record.facts.score.map_or(u32::MAX, f32::to_bits);
                hash.update(record.uid.0);
                hash.update(record.facts.content.0);
                hash.update(score.to_le_bytes());
                hash.update([record.reason as u8]);
                for name in [&record.key, &record.shard] {
                    hash.update((name.len() as u64).to_le_bytes());
                    hash.update(name);
                }
            }
        }
        Ok(Surveyed { count, digest: Digest(hash.finalize().into()), terms })
    }
}

impl Scores for ScoreFiles {
    fn open(&self) -> Result<Records, IoError> {
        let mut paths = self.paths.clone().into_iter();
        let mut current: Option<Rows> = None;
        let mut next = move || loop {
            if let Some(record) = current.as_mut().map(next_record).transpose()?.flatten() {
                return Ok(Some(record));
            }
            let Some(path) = paths.next() else { return Ok(None) };
            current = Some(Rows::open(&path, &ReadAs::fields(NEEDS, ALSO))?);
        };
        Ok(Box::new(std::iter::from_fn(move || next().transpose())))
    }
}

/// Checks that the last row's score is of the model of those before it.
fn check_model(terms: &mut Option<Terms>, rows: &Rows) -> Result<(), IoError> {
    let Some(found) = rows.terms() else { return Ok(()) };
    match terms.get_or_insert_with(|| found.clone()).model() == found.model() {
        true => Ok(()),
        false => Err(rows.refuse(
            "its scores are of another model than those before it: they have no threshold in common",
        )),
    }
}

/// The next score.
fn next_record(rows: &mut Rows) -> Result<Option<Record>, IoError> {
    loop {
        let Some(row) = rows.next().transpose()? else { return Ok(None) };
        // What was stored without a record has no score.
        if !row.is_recovered {
            return record(row).map(Some).map_err(|why| rows.refuse(why));
        }
    }
}

fn record(row: RecordedRow) -> Result<Record, &'static str> {
    if row.is_malformed {
        return Err("its uid is not 32 hex digits");
    }
    let (reason, facts) = (row.found(), row.facts());
    let is_open = matches!(reason, Reason::Passed | Reason::LowSimilarity);
    if is_open && !facts.score.is_some_and(f32::is_finite) {
        return Err("there is neither a score nor a reason why there is none");
    }
    Ok(Record {
        ticket: row.ticket,
        uid: row.uid,
        key: row.key,
        shard: row.shard,
        position: Position::default(),
        verdict: row.verdict.unwrap_or(Verdict::Kept),
        reason,
        facts,
        image_bytes: 0,
        broken: ReasonSet::default(),
        stored: None,
        threshold: row.threshold,
        recovered: false,
        spooled: None,
        choice: None,
        group: row.group,
    })
}
