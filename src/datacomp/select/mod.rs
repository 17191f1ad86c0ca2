//! All rows of a pool through the filters: row groups in parallel, each in batches. Where groups are
//! few the rows of a batch are shared too, so that one big group keeps all cores busy.
//!
//! What is held of the whole pool are the uids of kept rows and, for a fraction, the scores.

mod batch;
mod pass;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use batch::{Batch, ScoreColumn, batches};
use pairgate_core::pair::Uid;
use pass::{Part, Pass};
use rayon::prelude::*;

use super::embeddings::{Rows, beside};
use super::filter::{Ending, Filter, ImageBased, Limit, ScoreSource, ScoreTest};
use super::metadata::{Precision, Table};
use super::threshold::Pool;
use super::{unread, wrong};
use crate::disk::IoError;

/// Malformed uids that are named.
const NAMED: usize = 5;

/// The tables of a pool, opened once to see what they hold.
#[derive(Debug)]
pub struct Tables {
    groups: Vec<Group>,
    rows: u64,
}

/// A row group.
#[derive(Debug)]
struct Group {
    path: PathBuf,
    place: usize,
    /// The table's rows before it, in it, and in the table.
    first: u64,
    rows: u64,
    table_rows: u64,
    /// How precise the numbers of each score test are.
    precisions: Vec<Precision>,
}

/// What came of a pool.
#[derive(Debug)]
pub struct Selection {
    /// Uids of kept rows, sorted; a uid that several rows have is there as often.
    pub uids: Vec<Uid>,
    /// Rows by [`Ending`], in the order of [`Ending::ALL`].
    pub endings: [u64; Ending::ALL.len()],
    /// What each score had to reach, in the filter's order; NaN where none could.
    pub thresholds: Vec<f64>,
    /// Some of the rows whose uid is malformed.
    pub malformed: Vec<String>,
}

impl Tables {
    /// Opens each table, and checks that it has the columns that `filter` reads.
    ///
    /// # Errors
    /// [`IoError::Read`] that names table and column.
    pub fn open(paths: &[PathBuf], filter: &Filter) -> Result<Self, IoError> {
        let tables: Vec<_> =
            paths.par_iter().map(|path| survey(path, filter)).collect::<Result<_, _>>()?;
        let groups: Vec<Group> = tables.into_iter().flatten().collect();
        let rows = groups.iter().map(|group| group.rows).fold(0, u64::saturating_add);
        Ok(Self { groups, rows })
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Runs all rows through `filter`. `watch` is told, from any thread, of rows that are done with;
    /// scores that a fraction is taken of are read once more before.
    ///
    /// # Errors
    /// [`IoError::Read`] where a table, or what lies beside it, cannot be read.
    pub fn select(
        &self,
        filter: &Filter,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Selection, IoError> {
        let thresholds = self.thresholds(filter, watch)?;
        // Where groups are many they are enough for all threads. A thread that waits for its part of a
        // batch would begin other groups meanwhile, and hold their batches too.
        let splits = self.groups.len() < 4 * rayon::current_num_threads();
        let thresholds = &thresholds;
        let parts = self.groups.par_iter().map(|group| {
            watched(&group.path, || Pass { group, filter, thresholds, splits }.run(watch))
        });
        let parts: Vec<Part> = parts.collect::<Result<_, _>>()?;
        let mut selection = Selection {
            uids: Vec::new(),
            endings: [0; _],
            thresholds: thresholds.clone(),
            malformed: Vec::new(),
        };
        for part in parts {
            selection.uids.extend(part.uids);
            selection.malformed.extend(part.malformed);
            selection.endings.iter_mut().zip(part.endings).for_each(|(sum, count)| *sum += count);
        }
        selection.malformed.truncate(NAMED);
        selection.uids.par_sort_unstable();
        Ok(selection)
    }

    /// What each score must reach. A plain number stays as it is: it is rounded for each table.
    fn thresholds(
        &self,
        filter: &Filter,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<f64>, IoError> {
        let tests = filter.scores.iter().enumerate();
        let threshold = |(place, test): (usize, &ScoreTest)| match test.limit {
            Limit::AtLeast(number) => Ok(number),
            Limit::Fraction(fraction) => {
                Ok(self.pool(place, &test.source, watch)?.threshold(fraction))
            }
        };
        tests.map(threshold).collect()
    }

    fn pool(
        &self,
        place: usize,
        source: &ScoreSource,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Pool, IoError> {
        let single = self.groups.iter().all(|group| group.precisions[place] == Precision::Single);
        if single {
            Ok(Pool::Single(self.scores(source, |score| score as f32, watch)?))
        } else {
            Ok(Pool::Double(self.scores(source, |score| score, watch)?))
        }
    }

    fn scores<T: Send + Copy>(
        &self,
        source: &ScoreSource,
        of: impl Fn(f64) -> T + Sync,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<T>, IoError> {
        let parts = self.groups.par_iter().map(|group| {
            watched(&group.path, || {
                let mut scores = Vec::new();
                let table = Table::open(&group.path)?;
                let mut column = ScoreColumn::open(&table, group.place, source)?;
                let mut uids = match source {
                    ScoreSource::Run(_) => Some(table.texts(group.place, "uid")?),
                    ScoreSource::Column(_) => None,
                };
                let mut batch = Batch::default();
                for rows in batches(group.rows) {
                    if let Some(uids) = &mut uids {
                        uids.read(rows, &mut batch.uid_texts)?;
                        batch.parse_uids();
                    }
                    column.read(rows, &batch.uids, &mut batch.column)?;
                    scores.extend(batch.column.iter().map(|score| of(score.unwrap_or(f64::NAN))));
                    watch(rows as u64);
                }
                Ok(scores)
            })
        });
        let parts: Vec<Vec<T>> = parts.collect::<Result<_, _>>()?;
        Ok(parts.concat())
    }
}

/// Opens a table and gives its row groups.
fn survey(path: &Path, filter: &Filter) -> Result<Vec<Group>, IoError> {
    watched(path, || {
        let table = Table::open(path)?;
        table.check_text("uid")?;
        if filter.reads_captions() {
            table.check_text("text")?;
        }
        if filter.basic {
            table.precision("original_width")?;
            table.precision("original_height")?;
        }
        let precision = |test: &ScoreTest| match &test.source {
            ScoreSource::Column(name) => table.precision(name),
            ScoreSource::Run(_) => Ok(Precision::Single),
        };
        let precisions: Vec<_> = filter.scores.iter().map(precision).collect::<Result<_, _>>()?;
        let sizes = table.groups()?;
        let table_rows = sizes.iter().copied().fold(0, u64::saturating_add);
        if let Some(images) = &filter.image_based {
            embeddings(path, images, table_rows, 0..0)?;
        }
        let mut first = 0;
        let group = |(place, rows)| {
            let group = Group {
                path: path.to_owned(),
                place,
                first,
                rows,
                table_rows,
                precisions: precisions.clone(),
            };
            first += rows;
            group
        };
        Ok(sizes.into_iter().enumerate().map(group).collect())
    })
}

/// Runs `work`, and turns its panic into an error: tables come from strangers, and their reader is
/// not proof against all that is in them.
fn watched<T>(path: &Path, work: impl FnOnce() -> Result<T, IoError>) -> Result<T, IoError> {
    let told = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(unread(path)(wrong(format!("it is damaged, its reader gave up: {text}"))))
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(told)
}

fn embeddings(
    table: &Path,
    images: &ImageBased,
    rows: u64,
    range: std::ops::Range<u64>,
) -> Result<Rows, IoError> {
    Rows::open(&beside(table), &images.array, rows, images.centroids.size(), range)
}
