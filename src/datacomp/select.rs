//! All rows of a pool through the filters: row groups in parallel, each in batches. Where groups are
//! few the rows of a batch are shared too, so that one big group keeps all cores busy.
//!
//! What is held of the whole pool are the uids of kept rows and, for a fraction, the scores.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::data_type::ByteArray;
use rayon::prelude::*;

use super::embeddings::{Rows, beside};
use super::filter::{Ending, Filter, ImageBased, Limit, ScoreSource, score_ending};
use super::language::fasttext::Scratch;
use super::metadata::{Numbers, Precision, Table, Texts};
use super::threshold::Pool;
use super::{unread, wrong};
use crate::error::RunError;
use crate::pair::Uid;

/// Rows of a batch.
const BATCH: usize = 8192;
/// Rows that one thread tests in a go.
const CHUNK: usize = 256;
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
    /// [`RunError::Source`] that names table and column.
    pub fn open(paths: &[PathBuf], filter: &Filter) -> Result<Self, RunError> {
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
    /// [`RunError::Source`] where a table, or what lies beside it, cannot be read.
    pub fn select(
        &self,
        filter: &Filter,
        watch: &(dyn Fn(u64) + Sync),
    ) -> Result<Selection, RunError> {
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
    ) -> Result<Vec<f64>, RunError> {
        let tests = filter.scores.iter().enumerate();
        let threshold = |(place, test): (usize, &super::filter::ScoreTest)| match test.limit {
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
    ) -> Result<Pool, RunError> {
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
    ) -> Result<Vec<T>, RunError> {
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
fn survey(path: &Path, filter: &Filter) -> Result<Vec<Group>, RunError> {
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
        let precision = |test: &super::filter::ScoreTest| match &test.source {
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
fn watched<T>(path: &Path, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
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
) -> Result<Rows, RunError> {
    Rows::open(&beside(table), &images.array, rows, images.centroids.size(), range)
}

/// The sizes of the batches of so many rows.
fn batches(rows: u64) -> impl Iterator<Item = usize> {
    (0..rows).step_by(BATCH).map(move |first| (rows - first).min(BATCH as u64) as usize)
}

/// The scores of one test in a row group.
enum ScoreColumn<'a> {
    Column(Box<Numbers>),
    Run(&'a super::scores::UidScores),
}

impl<'a> ScoreColumn<'a> {
    fn open(table: &Table, group: usize, source: &'a ScoreSource) -> Result<Self, RunError> {
        Ok(match source {
            ScoreSource::Column(name) => Self::Column(Box::new(table.numbers(group, name)?)),
            ScoreSource::Run(scores) => Self::Run(scores),
        })
    }

    fn read(
        &mut self,
        rows: usize,
        uids: &[Result<Uid, Ending>],
        out: &mut Vec<Option<f64>>,
    ) -> Result<(), RunError> {
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
struct Batch {
    uid_texts: Vec<Option<ByteArray>>,
    uids: Vec<Result<Uid, Ending>>,
    captions: Vec<Option<ByteArray>>,
    widths: Vec<Option<f64>>,
    heights: Vec<Option<f64>>,
    column: Vec<Option<f64>>,
    scores: Vec<Vec<Option<f64>>>,
    embeddings: Vec<f32>,
    endings: Vec<Ending>,
}

impl Batch {
    fn parse_uids(&mut self) {
        let parse = |text: &Option<ByteArray>| {
            let text = text.as_ref().ok_or(Ending::UidMissing)?;
            let text = std::str::from_utf8(text.data()).map_err(|_| Ending::UidMalformed)?;
            text.parse().map_err(|_| Ending::UidMalformed)
        };
        self.uids.clear();
        self.uids.extend(self.uid_texts.iter().map(parse));
    }
}

/// What came of a row group.
struct Part {
    uids: Vec<Uid>,
    endings: [u64; Ending::ALL.len()],
    malformed: Vec<String>,
}

/// The columns of a row group that a filter reads.
struct Columns<'a> {
    uids: Texts,
    captions: Option<Texts>,
    sizes: Option<[Numbers; 2]>,
    scores: Vec<ScoreColumn<'a>>,
    embeddings: Option<Rows>,
}

/// One row group on its way through the filters.
struct Pass<'a> {
    group: &'a Group,
    filter: &'a Filter,
    thresholds: &'a [f64],
    /// Whether threads share the rows of a batch.
    splits: bool,
}

impl<'a> Pass<'a> {
    fn run(&self, watch: &(dyn Fn(u64) + Sync)) -> Result<Part, RunError> {
        let mut columns = self.columns()?;
        let mut part = Part { uids: Vec::new(), endings: [0; _], malformed: Vec::new() };
        let mut batch = Batch::default();
        batch.scores.resize(columns.scores.len(), Vec::new());
        let mut first = self.group.first;
        for rows in batches(self.group.rows) {
            columns.read(rows, &mut batch)?;
            self.test(rows, &mut batch);
            self.account(first, &batch, &mut part);
            first += rows as u64;
            watch(rows as u64);
        }
        Ok(part)
    }

    fn columns(&self) -> Result<Columns<'a>, RunError> {
        let Self { group, filter, .. } = self;
        let table = Table::open(&group.path)?;
        let text = |name| table.texts(group.place, name);
        let number = |name| table.numbers(group.place, name);
        let sizes = || Ok::<_, RunError>([number("original_width")?, number("original_height")?]);
        let scores = filter.scores.iter();
        let range = group.first..group.first + group.rows;
        let embeddings = |images| embeddings(&group.path, images, group.table_rows, range.clone());
        Ok(Columns {
            uids: text("uid")?,
            captions: filter.reads_captions().then(|| text("text")).transpose()?,
            sizes: filter.basic.then(sizes).transpose()?,
            scores: scores
                .map(|test| ScoreColumn::open(&table, group.place, &test.source))
                .collect::<Result<_, _>>()?,
            embeddings: filter.image_based.as_ref().map(embeddings).transpose()?,
        })
    }

    fn test(&self, rows: usize, batch: &mut Batch) {
        let mut endings = std::mem::take(&mut batch.endings);
        endings.clear();
        endings.resize(rows, Ending::Kept);
        let test = |scratch: &mut Scratch, (chunk, endings): (usize, &mut [Ending])| {
            let first = chunk * CHUNK;
            for (i, ending) in endings.iter_mut().enumerate() {
                *ending = self.row_ending(batch, first + i, scratch);
            }
            self.near_target(batch, first, endings);
        };
        if self.splits {
            endings.par_chunks_mut(CHUNK).enumerate().for_each_init(Scratch::default, test);
        } else {
            let mut scratch = Scratch::default();
            endings.chunks_mut(CHUNK).enumerate().for_each(|part| test(&mut scratch, part));
        }
        batch.endings = endings;
    }

    /// Tests one row, what is cheap first, all but its embedding.
    fn row_ending(&self, batch: &Batch, row: usize, scratch: &mut Scratch) -> Ending {
        if let Err(ending) = batch.uids[row] {
            return ending;
        }
        if self.filter.basic {
            let ending = Filter::size_ending(batch.widths[row], batch.heights[row]);
            if ending != Ending::Kept {
                return ending;
            }
        }
        for (place, scores) in batch.scores.iter().enumerate() {
            let ending = score_ending(scores[row], self.threshold(place));
            if ending != Ending::Kept {
                return ending;
            }
        }
        if self.filter.reads_captions() {
            return self.filter.caption_ending(batch.captions[row].as_ref(), scratch);
        }
        Ending::Kept
    }

    /// What the scores of a test must reach in this table.
    fn threshold(&self, place: usize) -> f64 {
        match self.filter.scores[place].limit {
            Limit::AtLeast(number) => self.group.precisions[place].round(number),
            Limit::Fraction(_) => self.thresholds[place],
        }
    }

    /// Tests the embeddings of those rows that passed everything else.
    fn near_target(&self, batch: &Batch, first: usize, endings: &mut [Ending]) {
        let Some(images) = &self.filter.image_based else {
            return;
        };
        let size = images.centroids.size();
        let open: Vec<usize> = (0..endings.len()).filter(|&i| endings[i] == Ending::Kept).collect();
        let mut embeddings = Vec::with_capacity(open.len() * size);
        for &i in &open {
            embeddings.extend_from_slice(&batch.embeddings[(first + i) * size..][..size]);
        }
        for (i, near) in open.into_iter().zip(images.centroids.near_target(&embeddings)) {
            if !near {
                endings[i] = Ending::NotNearTarget;
            }
        }
    }

    fn account(&self, first: u64, batch: &Batch, part: &mut Part) {
        for (row, &ending) in batch.endings.iter().enumerate() {
            part.endings[ending as usize] += 1;
            match (ending, &batch.uids[row]) {
                (Ending::Kept, Ok(uid)) => part.uids.push(*uid),
                (Ending::UidMalformed, _) if part.malformed.len() < NAMED => {
                    let text = batch.uid_texts[row].as_ref().map_or(&[][..], |text| text.data());
                    let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
                    let (path, row) = (self.group.path.display(), first + row as u64);
                    part.malformed.push(format!("{path}: row {row}: {text:?}"));
                }
                _ => {}
            }
        }
    }
}

impl Columns<'_> {
    fn read(&mut self, rows: usize, batch: &mut Batch) -> Result<(), RunError> {
        self.uids.read(rows, &mut batch.uid_texts)?;
        batch.parse_uids();
        if let Some(captions) = &mut self.captions {
            captions.read(rows, &mut batch.captions)?;
        }
        if let Some([widths, heights]) = &mut self.sizes {
            widths.read(rows, &mut batch.widths)?;
            heights.read(rows, &mut batch.heights)?;
        }
        for (column, scores) in self.scores.iter_mut().zip(&mut batch.scores) {
            column.read(rows, &batch.uids, scores)?;
        }
        if let Some(embeddings) = &mut self.embeddings {
            embeddings.read(rows, &mut batch.embeddings)?;
        }
        Ok(())
    }
}

/// Reads the scores of a table with the columns `uid` and `score`, as `pairgate score` writes it.
///
/// # Errors
/// [`RunError::Source`] that names the column.
pub fn scores_in_table(path: &Path) -> Result<super::scores::UidScores, RunError> {
    watched(path, || {
        let table = Table::open(path)?;
        let mut batch = Batch::default();
        let (mut scores, mut malformed) = (Vec::new(), 0);
        for (group, rows) in table.groups()?.into_iter().enumerate() {
            let mut uids = table.texts(group, "uid")?;
            let mut numbers = table.numbers(group, "score")?;
            for rows in batches(rows) {
                uids.read(rows, &mut batch.uid_texts)?;
                batch.parse_uids();
                numbers.read(rows, &mut batch.column)?;
                for (uid, score) in batch.uids.iter().zip(&batch.column) {
                    match uid {
                        Ok(uid) => scores.push((*uid, score.map_or(f32::NAN, |s| s as f32))),
                        Err(_) => malformed += 1,
                    }
                }
            }
        }
        Ok(super::scores::UidScores::new(scores, malformed))
    })
}
