//! One row group on its way through the filters.

use pairgate_core::pair::Uid;
use rayon::prelude::*;

use super::batch::{Batch, ScoreColumn, batches};
use super::{Group, NAMED, embeddings};
use crate::datacomp::embeddings::Rows;
use crate::datacomp::filter::{Ending, Filter, Limit, score_ending};
use crate::datacomp::language::fasttext::Scratch;
use crate::datacomp::metadata::{Numbers, Table, Texts};
use crate::disk::IoError;

/// Rows that one thread tests in a go.
const CHUNK: usize = 256;

/// What came of a row group.
pub(super) struct Part {
    pub uids: Vec<Uid>,
    pub endings: [u64; Ending::ALL.len()],
    pub malformed: Vec<String>,
}

/// The columns of a row group that a filter reads.
struct Columns<'a> {
    uids: Texts,
    captions: Option<Texts>,
    sizes: Option<[Numbers; 2]>,
    scores: Vec<ScoreColumn<'a>>,
    embeddings: Option<Rows>,
}

impl Columns<'_> {
    fn read(&mut self, rows: usize, batch: &mut Batch) -> Result<(), IoError> {
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

/// One row group on its way through the filters.
pub(super) struct Pass<'a> {
    pub group: &'a Group,
    pub filter: &'a Filter,
    pub thresholds: &'a [f64],
    /// Whether threads share the rows of a batch.
    pub splits: bool,
}

impl<'a> Pass<'a> {
    pub(super) fn run(&self, watch: &(dyn Fn(u64) + Sync)) -> Result<Part, IoError> {
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

    fn columns(&self) -> Result<Columns<'a>, IoError> {
        let Self { group, filter, .. } = self;
        let table = Table::open(&group.path)?;
        let text = |name| table.texts(group.place, name);
        let number = |name| table.numbers(group.place, name);
        let sizes = || Ok::<_, IoError>([number("original_width")?, number("original_height")?]);
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
