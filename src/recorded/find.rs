//! What a path is, by its name and by what is in it.

use std::io;
use std::path::{Path, PathBuf};

use pairgate_core::pair::Digest;

use super::beside::{At, Embedded, Npz, Shards};
use super::row::ReadAs;
use super::run::{About, Pairs, Part};
use super::{Rows, unread, wrong};
use crate::datacomp::metadata::tables_in;
use crate::disk::IoError;
use crate::embeddings::by_ticket::{FOLDER, segments};
use crate::embeddings::npz::beside;
use crate::embeddings::{ByTicket, Covers};
use crate::journal;

/// The files and folders that are read one by one.
pub(super) fn parts_of(path: &Path) -> Result<Vec<PathBuf>, IoError> {
    let is_folder = std::fs::metadata(path).map_err(unread(path))?.is_dir();
    if !is_folder {
        return Ok(vec![path.to_owned()]);
    }
    let single = journal::one_to_one(path).map_err(unread(path))?;
    if !single.is_empty() {
        return Ok(single);
    }
    if !journal::parts(path).map_err(unread(path))?.is_empty() {
        return Ok(vec![output_folder(path)]);
    }
    tables_in(&[path.to_owned()]).map_err(|_| {
        unread(path)(wrong("the folder holds no journal and no .parquet: it is no recorded run"))
    })
}

/// The output folder, also where its journal's folder is named.
fn output_folder(path: &Path) -> PathBuf {
    let around = path.parent().filter(|_| path.file_name().is_some_and(|n| n == journal::FOLDER));
    around.unwrap_or(path).to_owned()
}

/// Opens a file or folder.
pub(super) fn open(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default() {
        _ if path.is_dir() => open_folder(path, read),
        "tar" => open_file(&path.with_extension("parquet"), read),
        "npz" => open_npz(path, read),
        _ => open_file(path, read),
    }
}

/// An output folder: a row for each record of its journal.
fn open_folder(folder: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let rows = Rows::open(folder, read)?;
    let segments = segments(&folder.join(FOLDER))?;
    let names = read.names.as_ref();
    let first_shard = || -> Result<Option<Npz>, IoError> {
        let entries = std::fs::read_dir(folder).map_err(unread(folder))?;
        let paths = entries.flatten().map(|entry| entry.path());
        let shards = paths.filter(|path| path.extension().is_some_and(|found| found == "npz"));
        shards.min().map_or(Ok(None), |path| Npz::find(&path, names))
    };
    let (embedded, first, covers) = match segments.first() {
        Some(first) => {
            let found = Embedded::ByTicket(Box::new(ByTicket::open(folder)?));
            (found, Npz::find(first, names)?, Some(Covers::All))
        }
        None => match first_shard()? {
            Some(first) => {
                let shards = Shards::new(At::Folder(folder.to_owned()), names);
                (Embedded::Shards(Box::new(shards)), Some(first), Some(Covers::Kept))
            }
            None => (Embedded::Nowhere, None, None),
        },
    };
    let about = About { embeddings: covers, ..about(first.as_ref(), Some(&rows)) };
    Ok(Part { pairs: Pairs::Rows(rows, embedded), about })
}

/// A file of scores, the table beside a kept shard, DataComp's metadata; the journal of `score`, or of a
/// one-to-one output.
fn open_file(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let rows = Rows::open(path, read)?;
    let file = beside(path);
    let npz = Npz::find(&file, read.names.as_ref())?;
    let about = about(npz.as_ref(), Some(&rows));
    let embedded = match npz {
        None => Embedded::Nowhere,
        Some(npz) if rows.is_journal() && npz.covers == Some(Covers::Kept) => {
            Embedded::Shards(Box::new(Shards::new(At::File(file), read.names.as_ref())))
        }
        Some(npz) => Embedded::Each(Box::new(npz)),
    };
    Ok(Part { pairs: Pairs::Rows(rows, embedded), about })
}

/// Embeddings by themselves.
fn open_npz(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let missing = || unread(path)(io::ErrorKind::NotFound.into());
    let npz = Npz::find(path, read.names.as_ref())?.ok_or_else(missing)?;
    let about = about(Some(&npz), None);
    Ok(Part { pairs: Pairs::Alone(Box::new(npz)), about })
}

/// What there is of embeddings and of rows.
fn about(npz: Option<&Npz>, rows: Option<&Rows>) -> About {
    let told = npz.and_then(|npz| npz.covers).unwrap_or(Covers::All);
    let covers = rows.map_or(told, Rows::covers);
    let model = rows.and_then(Rows::terms).map(|terms| terms.model());
    let model = model.filter(|digest| *digest != Digest::default());
    About {
        rows: covers,
        embeddings: npz.map(|npz| npz.covers.unwrap_or(covers)),
        model: npz.and_then(|npz| npz.model).or(model),
        dimension: npz.map(Npz::dimension),
    }
}
