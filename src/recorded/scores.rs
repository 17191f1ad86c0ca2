//! Scores by uid: all that DataComp's filters ask of a run.

use std::path::Path;

use super::row::{Field, ReadAs};
use super::rows::Rows;
use crate::datacomp::scores::UidScores;
use crate::disk::IoError;

/// Reads the scores of a run, NaN where a pair has none. A file may be a stream.
///
/// # Errors
/// [`IoError::Read`] where a row is no score with its uid.
pub fn scores_by_uid(path: &Path) -> Result<UidScores, IoError> {
    let (mut scores, mut malformed) = (Vec::new(), 0);
    for row in Rows::open(path, &ReadAs::fields(&[Field::Uid, Field::Score], &[]))? {
        let row = row?;
        match row.is_malformed {
            true => malformed += 1,
            false => scores.push((row.uid, row.score.unwrap_or(f32::NAN))),
        }
    }
    Ok(UidScores::new(scores, malformed))
}
