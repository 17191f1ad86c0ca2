//! Embeddings that lie beside what tells of their pairs.

use std::path::{Path, PathBuf};

use pairgate_core::pair::{Digest, Uid};

use super::row::RecordedRow;
use super::{unread, wrong};
use crate::disk::IoError;
use crate::embeddings::arrays::{Pairs, Plain, array_names};
use crate::embeddings::{ByTicket, Covers, Names};
use crate::score::PairEmbeddings;

/// A row's uid, where the file tells it, and its embeddings, where the pair has any.
type NpzRow = (Option<Uid>, Option<PairEmbeddings>);

/// One `.npz`, pair by pair.
#[derive(Debug)]
pub(super) struct Npz {
    path: PathBuf,
    pairs: Pairs,
    uids: Option<Plain>,
    left: u64,
    /// What it says of itself, where pairgate has written it.
    pub covers: Option<Covers>,
    pub model: Option<Digest>,
}

impl Npz {
    /// Opens the file at `path`, where there is one.
    pub fn find(path: &Path, names: Option<&Names>) -> Result<Option<Self>, IoError> {
        if !path.is_file() {
            return Ok(None);
        }
        let own = array_names(path)?.iter().any(|name| name == "covers");
        let pairs = match names {
            Some(names) => Pairs::open(path, names)?,
            None if own => Pairs::open_any(path)?,
            None => Pairs::open(path, &Names::default())?,
        };
        let uids = Plain::open(path, "uid", "|S32")?;
        if let Some(uids) = uids.as_ref().filter(|uids| uids.len() != pairs.len()) {
            return Err(uids.failed(wrong("it has not the length of the embeddings")));
        }
        let covers = text_of(path, "covers", "|S4", 4)?;
        let covers = covers.map(|text| text.parse().map_err(wrong).map_err(unread(path)));
        let model = text_of(path, "model", "|S64", 64)?;
        let model = model.map(|text| {
            text.parse().map_err(|why| unread(path)(wrong(format!("its model: {why}"))))
        });
        let left = pairs.len();
        let path = path.to_owned();
        Ok(Some(Self {
            path,
            pairs,
            uids,
            left,
            covers: covers.transpose()?,
            model: model.transpose()?,
        }))
    }

    pub fn dimension(&self) -> usize {
        self.pairs.dimension()
    }

    pub fn len(&self) -> u64 {
        self.pairs.len()
    }

    /// The next row; `None` behind the last.
    pub fn next(&mut self) -> Result<Option<NpzRow>, IoError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let uid = self.uids.as_mut().map(next_uid).transpose()?;
        let pair = self.pairs.next()?;
        Ok(Some((uid, is_there(&pair).then_some(pair))))
    }

    fn failed(&self, why: String) -> IoError {
        unread(&self.path)(wrong(why))
    }
}

fn next_uid(uids: &mut Plain) -> Result<Uid, IoError> {
    let mut text = [0; 32];
    uids.read(&mut text)?;
    let uid = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    uid.ok_or_else(|| uids.failed(wrong("a uid is not 32 hex digits")))
}

/// Of a pair without embeddings all values are NaN.
fn is_there(pair: &PairEmbeddings) -> bool {
    pair.image.iter().chain(&pair.text).any(|value| !value.is_nan())
}

fn text_of(path: &Path, name: &str, kind: &str, bytes: usize) -> Result<Option<String>, IoError> {
    let Some(mut array) = Plain::open(path, name, kind)? else { return Ok(None) };
    let mut text = vec![0; bytes];
    array.read(&mut text)?;
    let text = String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned();
    Ok(Some(text))
}

/// Where the embeddings of a run's pairs come from.
#[derive(Debug)]
pub(super) enum Embedded {
    Nowhere,
    /// One row for each pair, in the same order.
    Each(Box<Npz>),
    /// By the pairs' tickets.
    ByTicket(Box<ByTicket>),
    /// Beside the shards that kept pairs are in.
    Shards(Box<Shards>),
}

impl Embedded {
    /// The embeddings of the next pair.
    pub fn next(&mut self, row: &RecordedRow) -> Result<Option<PairEmbeddings>, IoError> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Each(npz) => {
                let Some((found, pair)) = npz.next()? else {
                    let why = format!("it has {} rows, fewer than there are pairs", npz.len());
                    return Err(npz.failed(why));
                };
                match found {
                    Some(found) if found != row.uid && !row.is_malformed => {
                        let why = format!("a row is of the pair {found}, and not of {}", row.uid);
                        Err(npz.failed(why))
                    }
                    _ => Ok(pair),
                }
            }
            Self::ByTicket(found) => {
                let pair = found.of(row.ticket)?;
                Ok(pair.map(|pair| PairEmbeddings::clone(&pair)))
            }
            Self::Shards(shards) => match row.stored {
                // One that was made of a stored sample is out of its order.
                Some(shard) if !row.is_recovered => shards.next(shard, row.uid),
                _ => Ok(None),
            },
        }
    }

    /// Checks that all rows were asked for.
    pub fn end(&mut self) -> Result<(), IoError> {
        match self {
            Self::Each(npz) if npz.left > 0 => {
                Err(npz.failed(format!("it has {} rows, more than there are pairs", npz.len())))
            }
            _ => Ok(()),
        }
    }
}

/// The `.npz` files beside kept shards.
#[derive(Debug)]
pub(super) struct Shards {
    at: At,
    names: Option<Names>,
    current: Option<(u32, Option<Npz>)>,
}

/// Where they are.
#[derive(Debug)]
pub(super) enum At {
    /// By the shards' numbers in an output folder.
    Folder(PathBuf),
    /// One for all.
    File(PathBuf),
}

impl Shards {
    pub fn new(at: At, names: Option<&Names>) -> Self {
        Self { at, names: names.cloned(), current: None }
    }

    fn path(&self, shard: u32) -> PathBuf {
        match &self.at {
            At::Folder(folder) => folder.join(format!("{shard:05}.npz")),
            At::File(path) => path.clone(),
        }
    }

    /// The embeddings of a stored pair. A shard that is gone, or is not finished, has none.
    fn next(&mut self, shard: u32, uid: Uid) -> Result<Option<PairEmbeddings>, IoError> {
        if self.current.as_ref().is_none_or(|(open, _)| *open != shard) {
            let npz = Npz::find(&self.path(shard), self.names.as_ref())?;
            self.current = Some((shard, npz));
        }
        let Some((_, Some(npz))) = &mut self.current else { return Ok(None) };
        // Those of pairs whose records are lost are passed over.
        while let Some((found, pair)) = npz.next()? {
            if found == Some(uid) {
                return Ok(pair);
            }
        }
        Err(npz.failed(format!("it has no row of the pair {uid}, or not in the journal's order")))
    }
}
