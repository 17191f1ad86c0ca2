//! What `pairgate select apply` writes: keys, lines or uids of kept pairs, or a table of all.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;
use serde_json::json;

use crate::datacomp::subset_file::{self, Form};
use crate::disk::{Disk, IoError, PartialFile, failed};
use crate::journal::Choice;
use crate::score_text::shortest;
use crate::select::{Pool, PoolPair, SelectError, State};
use crate::table::{About, Cell, Column, Kind, ParquetRows};

/// Bytes of a row group's values, before encoding, from which it is written.
const GROUP_BYTES: usize = 32 << 20;

/// Whether a file's name asks for a table.
pub fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// Writes what is kept, in the form that the file's name asks for.
pub fn write(pool: &mut dyn Pool, kept: &[u32], path: &Path) -> Result<(), Box<dyn Error>> {
    if let Some(form) = Form::of(path) {
        let mut uids: Vec<Uid> = Vec::with_capacity(kept.len());
        each_kept(pool, kept, &mut |pair| {
            uids.push(pair.uid);
            Ok(())
        })?;
        uids.sort_unstable();
        return Ok(subset_file::write(path, form, &uids)?);
    }
    let as_json = path.extension().is_some_and(|extension| extension == "jsonl");
    let path = target(path);
    let mut file = PartialFile::create(&Disk::system(), &path)?;
    each_kept(pool, kept, &mut |pair| {
        let line = if as_json {
            json!({
                "uid": pair.uid.to_string(),
                "key": pair.key,
                "shard": pair.shard,
                "score": shortest(pair.score),
            })
            .to_string()
        } else {
            pair.key.clone()
        };
        Ok(writeln!(file, "{line}").map_err(failed(&path))?)
    })?;
    Ok(file.publish()?)
}

/// A link stays, and what it points to is replaced.
fn target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn each_kept(
    pool: &mut dyn Pool,
    kept: &[u32],
    each: &mut dyn FnMut(&PoolPair) -> Result<(), SelectError>,
) -> Result<(), SelectError> {
    let mut kept = kept.iter().peekable();
    let mut place = 0;
    pool.read(&mut |pair| {
        let is_kept = kept.next_if_eq(&&place).is_some();
        place += 1;
        if is_kept { each(&pair) } else { Ok(()) }
    })
}

/// A row for every pair of a pool: whether it is kept, why not, and what that rests on. The file appears, or is
/// replaced, when it is whole.
pub struct ChosenTable {
    rows: ParquetRows<PartialFile>,
    path: PathBuf,
    measures: usize,
    is_frozen: bool,
}

impl ChosenTable {
    /// Begins the table of what `state` chooses; `is_frozen`: with what a stream notes of a choice.
    pub fn create(path: &Path, state: &State, is_frozen: bool) -> Result<Self, IoError> {
        let path = target(path);
        let names = state.value_names();
        let about = About { model: state.about().model, config: state.digest() };
        let file = PartialFile::create(&Disk::system(), &path)?;
        let rows = ParquetRows::start(file, &columns(&names, is_frozen), about, GROUP_BYTES);
        let rows = rows.map_err(failed(&path))?;
        Ok(Self { rows, path, measures: names.len(), is_frozen })
    }

    /// Adds the next pair of the pool.
    pub fn add(&mut self, pair: &PoolPair, reason: Reason, choice: &Choice) -> Result<(), IoError> {
        let is_kept = reason == Reason::Passed;
        let text = |text: &str| Cell::Text(text.to_owned().into());
        let mut cells = vec![
            Cell::Text(pair.uid.to_string().into()),
            text(&pair.key),
            text(&pair.shard),
            number(Some(&pair.score)),
            Cell::Bool(is_kept),
            if is_kept { Cell::Null } else { text(reason.name()) },
        ];
        cells.extend((0..self.measures).map(|place| number(choice.measures.get(place))));
        if self.is_frozen {
            let like = choice.like.and_then(|like| i64::try_from(like).ok());
            cells.push(choice.group.map_or(Cell::Null, Cell::Whole));
            cells.push(like.map_or(Cell::Null, Cell::Int));
            cells.push(match choice.flags.is_empty() {
                true => Cell::Null,
                false => Cell::Text(choice.flag_names().join(",").into()),
            });
        }
        self.rows.add(&cells).map_err(failed(&self.path))
    }

    /// Brings the table to where it belongs.
    pub fn finish(self) -> Result<(), IoError> {
        self.rows.end().map_err(failed(&self.path))?.publish()
    }
}

fn columns(measures: &[String], is_frozen: bool) -> Vec<Column> {
    let column = |name: &str, kind, nullable, repeats| Column {
        name: name.to_owned(),
        kind,
        nullable,
        repeats,
    };
    let mut columns = vec![
        column("uid", Kind::Text, false, false),
        column("key", Kind::Text, false, false),
        column("shard", Kind::Text, false, true),
        column("score", Kind::Float32, true, false),
        column("kept", Kind::Bool, false, false),
        column("reason", Kind::Text, true, true),
    ];
    columns.extend(measures.iter().map(|name| column(name, Kind::Float32, true, false)));
    if is_frozen {
        columns.push(column("group", Kind::Uint32, true, true));
        columns.push(column("like", Kind::Int64, true, false));
        columns.push(column("flags", Kind::Text, true, true));
    }
    columns
}

fn number(value: Option<&f32>) -> Cell<'static> {
    value.filter(|value| value.is_finite()).map_or(Cell::Null, |value| Cell::Score(*value))
}
