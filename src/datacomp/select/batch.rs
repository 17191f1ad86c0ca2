//! Rows of a table, some at a time.

use pairgate_core::pair::Uid;
use parquet::data_type::ByteArray;

use crate::datacomp::filter::{Ending, ScoreSource};
use crate::datacomp::metadata::{Numbers, Table};
use crate::datacomp::scores::UidScores;
use crate::disk::IoError;

/// Rows of a batch.
const BATCH: usize = 8192;

/// The sizes of the batches of so many rows.
pub(super) fn batches(rows: u64) -> impl Iterator<Item = usize> {
    (0..rows).step_by(BATCH).map(move |first| (rows - first).min(BATCH as u64) as usize)
}

/// The scores of one test in a row group.
pub(super) enum ScoreColumn<'a> {
    Column(Box<Numbers>),
    Run(&'a UidScores),
}

impl<'a> ScoreColumn<'a> {
    pub(super) fn open(
        table: &Table,
        group: usize,
        source: &'a ScoreSource,
    ) -> Result<Self, IoError> {
        Ok(match source {
            ScoreSource::Column(name) => Self::Column(Box::new(table.numbers(group, name)?)),
            ScoreSource::Run(scores) => Self::Run(scores),
        })
    }

    pub(super) fn read(
        &mut self,
        rows: usize,
        uids: &[Result<Uid, Ending>],
        out: &mut Vec<Option<f64>>,
    ) -> Result<(), IoError> {
        match self {
            Self::Column(numbers) => numbers.read(rows, out),
            Self::Run(scores) => {
                let find = |uid: &Result<Uid, Ending>| scores.find(uid.as_ref().ok()?);
                out.clear();
                out.extend(uids.iter().map(|uid| find(uid).map(f64::from)));
                Ok(())
            }
        }
    }
}

/// What is read of some rows.
#[derive(Default)]
pub(super) struct Batch {
    pub uid_texts: Vec<Option<ByteArray>>,
    pub uids: Vec<Result<Uid, Ending>>,
    pub captions: Vec<Option<ByteArray>>,
    pub widths: Vec<Option<f64>>,
    pub heights: Vec<Option<f64>>,
    pub column: Vec<Option<f64>>,
    pub scores: Vec<Vec<Option<f64>>>,
    pub embeddings: Vec<f32>,
    pub endings: Vec<Ending>,
}

impl Batch {
    pub(super) fn parse_uids(&mut self) {
        let parse = |text: &Option<ByteArray>| {
            let text = text.as_ref().ok_or(Ending::UidMissing)?;
            let text = std::str::from_utf8(text.data()).map_err(|_| Ending::UidMalformed)?;
            text.parse().map_err(|_| Ending::UidMalformed)
        };
        self.uids.clear();
        self.uids.extend(self.uid_texts.iter().map(parse));
    }
}
