//! Recorded scores of any form, as records: what `pairgate score` writes, and journals.

mod csv;
mod lines;
mod row;
#[cfg(feature = "parquet")]
mod table;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;
use sha2::{Digest as _, Sha256};

use crate::decide::matched::{Records, Scores};
use crate::disk::IoError;
use crate::journal::{ModelName, Reader, Terms};
use crate::sink::table::Format;

/// Files of scores, one after the other.
#[derive(Debug, Clone)]
pub struct ScoreFiles {
    files: Vec<(PathBuf, Form)>,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// JSON lines.
    Lines,
    Csv,
    Parquet,
    /// A journal, or a folder with one, or with one-to-one outputs.
    Journal,
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
    /// Looks at what each path is.
    ///
    /// # Errors
    /// [`IoError::Read`] for one that is missing, that can be read only once, or whose form this build does
    /// not read.
    pub fn at(paths: &[PathBuf]) -> Result<Self, IoError> {
        let form = |path: &PathBuf| Ok((path.clone(), Form::of(path).map_err(unread(path))?));
        Ok(Self { files: paths.iter().map(form).collect::<Result<_, IoError>>()? })
    }

    /// Goes over all scores once.
    ///
    /// # Errors
    /// [`IoError::Read`] for what cannot be read, and scores of two models.
    pub fn survey(&self) -> Result<Surveyed, IoError> {
        let mut hash = Sha256::new();
        let (mut count, mut terms) = (0, None);
        for (path, form) in &self.files {
            if let Some(found) = terms_of(path, *form)? {
                let other = terms.get_or_insert_with(|| found.clone());
                if other.model() != found.model() {
                    let why = "its scores are of another model than those before it";
                    return Err(unread(path)(io::Error::other(why)));
                }
            }
            for record in records_of(path, *form)? {
                let record = record?;
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
        let mut files = self.files.clone().into_iter();
        let mut current: Option<Records> = None;
        let next = move || loop {
            match current.as_mut().and_then(Iterator::next) {
                Some(record) => return Some(record),
                None => {
                    let (path, form) = files.next()?;
                    match records_of(&path, form) {
                        Ok(records) => current = Some(records),
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        };
        Ok(Box::new(std::iter::from_fn(next)))
    }
}

impl Form {
    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Err(io::Error::other("scores are read more than once: write them to a file"));
        }
        if path.is_dir() {
            return Ok(Self::Journal);
        }
        match Format::of(path) {
            Some(Format::Csv) => return Ok(Self::Csv),
            Some(Format::Parquet) if cfg!(feature = "parquet") => return Ok(Self::Parquet),
            Some(Format::Parquet) => {
                return Err(io::Error::other(
                    "this pairgate is built without the feature `parquet`",
                ));
            }
            None => {}
        }
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("scores are read more than once: name a file"));
        }
        let mut front = Vec::new();
        file.take(64).read_to_end(&mut front)?;
        let front = front.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&front);
        Ok(match front.trim_ascii_start().first() {
            Some(b'{') | None => Self::Lines,
            Some(_) => Self::Journal,
        })
    }
}

fn records_of(path: &Path, form: Form) -> Result<Records, IoError> {
    Ok(match form {
        Form::Lines => Box::new(lines::open(path)?),
        Form::Csv => Box::new(csv::open(path)?),
        #[cfg(feature = "parquet")]
        Form::Parquet => Box::new(table::open(path)?),
        #[cfg(not(feature = "parquet"))]
        Form::Parquet => Box::new(std::iter::empty()),
        // What was stored without a record has no score.
        Form::Journal => Box::new(
            Reader::open(path)?.filter(|record| record.as_ref().map_or(true, |r| !r.recovered)),
        ),
    })
}

/// Who gave the scores of a file; `None` where it does not tell.
fn terms_of(path: &Path, form: Form) -> Result<Option<Terms>, IoError> {
    match form {
        Form::Lines | Form::Csv => Ok(None),
        Form::Journal => {
            let mut journal = Reader::open(path)?;
            let terms = journal.terms().clone();
            while let Some(entry) = journal.next_entry()? {
                let is_other = matches!(entry, crate::journal::Entry::Epoch(epoch)
                    if epoch.terms.model() != terms.model());
                if is_other {
                    let why = "it holds scores of two models: they have no threshold in common";
                    return Err(unread(path)(io::Error::other(why)));
                }
            }
            Ok(Some(terms))
        }
        #[cfg(feature = "parquet")]
        Form::Parquet => Ok(table::model(path)?.map(of_model)),
        #[cfg(not(feature = "parquet"))]
        Form::Parquet => Ok(None),
    }
}

/// Terms of which nothing is known but the model.
pub fn of_model(digest: Digest) -> Terms {
    let name = ModelName { name: String::new(), digest };
    let terms = Terms::new(name, Digest::default(), Vec::new(), None, None);
    Terms { decision_version: 0, ..terms }
}

fn unread(path: &Path) -> impl Fn(io::Error) -> IoError + '_ {
    |why| IoError::Read { from: path.display().to_string(), why }
}
