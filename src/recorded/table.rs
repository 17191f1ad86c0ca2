//! The rows of a Parquet table: scores, kept pairs, or DataComp's metadata.

use std::path::{Path, PathBuf};

use parquet::data_type::ByteArray;

use super::beside::Embedded;
use super::text::{reason_of, verdict_of};
use super::{ReadAs, RecordedRow, Rows};
use crate::datacomp::metadata::{Numbers, Table, Texts};
use crate::disk::IoError;
use pairgate_core::decision::Verdict;
use pairgate_core::pair::Uid;

/// Rows that are read at once.
const BATCH: u64 = 256;

/// One row a row of the table.
#[derive(Debug)]
pub(super) struct TableRows {
    columns: Columns,
    table: Table,
    path: PathBuf,
    is_kept: bool,
    /// Row groups that are left, by their rows.
    groups: std::vec::IntoIter<(usize, u64)>,
    left: u64,
    open: Open,
    batch: Batch,
    embedded: Embedded,
    malformed: u64,
}

/// The names of the columns that are read, as far as the table has them.
#[derive(Debug)]
struct Columns {
    texts: Vec<Option<String>>,
    score: Option<String>,
}

/// Places of texts in a batch.
const UID: usize = 0;
const KEY: usize = 1;
const SHARD: usize = 2;
const REASON: usize = 3;
const VERDICT: usize = 4;
const CAPTION: usize = 5;

/// The columns of the row group that is being read.
#[derive(Default)]
struct Open {
    texts: Vec<Option<Texts>>,
    score: Option<Numbers>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Batch {
    texts: Vec<Vec<Option<ByteArray>>>,
    scores: Vec<Option<f64>>,
    next: usize,
    rows: usize,
}

impl TableRows {
    pub fn new(
        path: &Path,
        table: Table,
        is_kept: bool,
        read: &ReadAs,
        embedded: Embedded,
    ) -> Result<Self, IoError> {
        table.check_text("uid")?;
        let first = |names: &[&str]| {
            let found = names.iter().find(|name| table.check_text(name).is_ok());
            found.map(|name| (*name).to_owned())
        };
        let (key, shard) = match is_kept {
            true => (first(&["source_key", "key"]), first(&["source_shard"])),
            false => (first(&["key"]), first(&["shard"])),
        };
        let caption = first(&["caption", "text", "metadata_caption"]);
        let texts = vec![
            Some("uid".to_owned()),
            key,
            shard,
            first(&["reason"]),
            first(&["verdict"]),
            caption,
        ];
        let score = match &read.score {
            // A column that was asked for must be there.
            Some(name) => {
                table.precision(name)?;
                Some(name.clone())
            }
            None => table.precision("score").is_ok().then(|| "score".to_owned()),
        };
        let groups: Vec<_> = table.groups()?.into_iter().enumerate().collect();
        Ok(Self {
            columns: Columns { texts, score },
            table,
            path: path.to_owned(),
            is_kept,
            groups: groups.into_iter(),
            left: 0,
            open: Open::default(),
            batch: Batch::default(),
            embedded,
            malformed: 0,
        })
    }

    /// Reads the next batch; `false` behind the last.
    fn fill(&mut self) -> Result<bool, IoError> {
        while self.left == 0 {
            let Some((group, rows)) = self.groups.next() else { return Ok(false) };
            self.left = rows;
            self.open = self.open_group(group)?;
        }
        let rows = self.left.min(BATCH) as usize;
        self.left -= rows as u64;
        let batch = &mut self.batch;
        batch.texts.resize_with(self.open.texts.len(), Vec::new);
        for (column, out) in self.open.texts.iter_mut().zip(&mut batch.texts) {
            match column {
                Some(column) => column.read(rows, out)?,
                None => out.clear(),
            }
        }
        match &mut self.open.score {
            Some(column) => column.read(rows, &mut batch.scores)?,
            None => batch.scores.clear(),
        }
        (batch.next, batch.rows) = (0, rows);
        Ok(true)
    }

    fn open_group(&self, group: usize) -> Result<Open, IoError> {
        let text = |name: &Option<String>| {
            name.as_ref().map(|name| self.table.texts(group, name)).transpose()
        };
        let texts = self.columns.texts.iter().map(text).collect::<Result<_, _>>()?;
        let score = self.columns.score.as_ref();
        let score = score.map(|name| self.table.numbers(group, name)).transpose()?;
        Ok(Open { texts, score })
    }

    fn take(&mut self) -> Result<Option<RecordedRow>, IoError> {
        let at = self.batch.next;
        self.batch.next += 1;
        let text = |place: usize| -> Option<&str> {
            let cell = self.batch.texts[place].get(at)?.as_ref()?;
            str::from_utf8(cell.data()).ok()
        };
        let uid: Option<Uid> = text(UID).and_then(|uid| uid.parse().ok());
        let score = self.batch.scores.get(at).copied().flatten();
        let owned = |place| text(place).unwrap_or_default().to_owned();
        let told = text(VERDICT).map(verdict_of(&self.path)).transpose()?;
        let row = RecordedRow {
            uid: uid.unwrap_or_default(),
            key: owned(KEY),
            shard: owned(SHARD),
            score: score.map(|score| score as f32).filter(|score| !score.is_nan()),
            reason: text(REASON).map(reason_of(&self.path)).transpose()?,
            verdict: told.or_else(|| self.is_kept.then_some(Verdict::Kept)),
            caption: text(CAPTION).map(str::to_owned),
            embeddings: None,
        };
        let embeddings = self.embedded.next(uid, 0, None)?;
        if uid.is_none() {
            self.malformed += 1;
            return Ok(None);
        }
        Ok(Some(RecordedRow { embeddings, ..row }))
    }
}

impl Rows for TableRows {
    fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        loop {
            if self.batch.next == self.batch.rows && !self.fill()? {
                self.embedded.end()?;
                return Ok(None);
            }
            if let Some(row) = self.take()? {
                return Ok(Some(row));
            }
        }
    }

    fn malformed(&self) -> u64 {
        self.malformed
    }
}
