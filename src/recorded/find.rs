//! What a path is, by its name and by what is in it.

use std::io;
use std::path::{Path, PathBuf};

use super::beside::{At, Embedded, Npz, Shards};
use super::journal::JournalRows;
use super::table::TableRows;
use super::text::TextRows;
use super::{About, Part, ReadAs, RecordedRow, Rows};
use crate::datacomp::metadata::{Table, tables_in};
use crate::disk::IoError;
use crate::embeddings::by_ticket::{FOLDER, segments};
use crate::embeddings::npz::beside;
use crate::embeddings::{ByTicket, Covers};
use crate::journal;

/// Names the file in an I/O error of reading.
pub(super) fn unread(path: &Path) -> impl Fn(io::Error) -> IoError + '_ {
    move |why| IoError::Read { from: path.display().to_string(), why }
}

/// A file whose bytes are not what they should be.
pub(super) fn wrong(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

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
    if path.is_dir() {
        return open_folder(path, read);
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.unwrap_or_default() {
        "pairgate" => open_journal(path, read),
        "parquet" => open_table(path, read),
        "tar" => open_table(&path.with_extension("parquet"), read),
        "csv" => open_text(path, read, TextRows::csv),
        "npz" => open_npz(path, read),
        _ => open_text(path, read, TextRows::lines),
    }
}

/// An output folder: a row for each record of its journal.
fn open_folder(folder: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let reader = journal::Reader::open(folder)?;
    let digest = reader.terms().model();
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
    let dimension = first.as_ref().map(Npz::dimension);
    let model = first.and_then(|npz| npz.model).or_else(|| Some(digest).filter(is_known));
    let about = About { rows: Covers::All, embeddings: covers, model, dimension };
    Ok(Part { rows: Box::new(JournalRows::new(reader, embedded)), about })
}

fn is_known(digest: &pairgate_core::pair::Digest) -> bool {
    *digest != pairgate_core::pair::Digest::default()
}

/// A journal in one file: that of `score`, or of a one-to-one output.
fn open_journal(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let reader = journal::Reader::open(path)?;
    let digest = Some(reader.terms().model()).filter(is_known);
    let file = beside(path);
    let npz = Npz::find(&file, read.names.as_ref())?;
    let about = about(npz.as_ref(), Covers::All, digest);
    let embedded = match npz {
        None => Embedded::Nowhere,
        Some(npz) if npz.covers == Some(Covers::Kept) => {
            Embedded::Shards(Box::new(Shards::new(At::File(file), read.names.as_ref())))
        }
        Some(npz) => Embedded::Each(Box::new(npz)),
    };
    Ok(Part { rows: Box::new(JournalRows::new(reader, embedded)), about })
}

/// What a file holds whose rows are `rows`, with the `.npz` beside it.
fn about(npz: Option<&Npz>, rows: Covers, model: Option<pairgate_core::pair::Digest>) -> About {
    let embeddings = npz.map(|npz| npz.covers.unwrap_or(rows));
    let model = npz.and_then(|npz| npz.model).or(model);
    About { rows, embeddings, model, dimension: npz.map(Npz::dimension) }
}

fn each(npz: Option<Npz>) -> Embedded {
    npz.map_or(Embedded::Nowhere, |npz| Embedded::Each(Box::new(npz)))
}

/// A table of scores, the table beside a kept shard, or DataComp's metadata.
fn open_table(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let table = Table::open(path)?;
    let npz = Npz::find(&beside(path), read.names.as_ref())?;
    // What only the table beside a kept shard has.
    let is_kept = table.check_text("source_shard").is_ok();
    let covers = if is_kept { Covers::Kept } else { Covers::All };
    let model = table.told("pairgate.model").and_then(|text| text.parse().ok()).filter(is_known);
    let about = about(npz.as_ref(), covers, model);
    let rows = TableRows::new(path, table, is_kept, read, each(npz))?;
    Ok(Part { rows: Box::new(rows), about })
}

fn open_text(
    path: &Path,
    read: &ReadAs,
    rows: impl Fn(&Path, Embedded) -> Result<TextRows, IoError>,
) -> Result<Part, IoError> {
    let npz = Npz::find(&beside(path), read.names.as_ref())?;
    let about = about(npz.as_ref(), Covers::All, None);
    Ok(Part { rows: Box::new(rows(path, each(npz))?), about })
}

/// Embeddings by themselves.
fn open_npz(path: &Path, read: &ReadAs) -> Result<Part, IoError> {
    let missing = || unread(path)(io::ErrorKind::NotFound.into());
    let npz = Npz::find(path, read.names.as_ref())?.ok_or_else(missing)?;
    let covers = npz.covers.unwrap_or(Covers::All);
    let about = about(Some(&npz), covers, None);
    Ok(Part { rows: Box::new(Alone(npz)), about })
}

/// The rows of an `.npz` that nothing tells more of.
#[derive(Debug)]
struct Alone(Npz);

impl Rows for Alone {
    fn next(&mut self) -> Result<Option<RecordedRow>, IoError> {
        let Some((uid, embeddings)) = self.0.next()? else { return Ok(None) };
        Ok(Some(RecordedRow { uid: uid.unwrap_or_default(), embeddings, ..RecordedRow::default() }))
    }
}
