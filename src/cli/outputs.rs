//! What may be written where, told before a run begins.

use std::path::{Path, PathBuf};

/// Extensions of files that people take scores for and that are not written; JSON lines under such a
/// name would be read by nothing.
const UNWRITTEN: &[&str] = &[
    "arrow", "avro", "bz2", "db", "duckdb", "feather", "gz", "h5", "hdf5", "html", "ipc",
    "msgpack", "npy", "npz", "ods", "orc", "parq", "pickle", "pkl", "pq", "sqlite", "tab", "tar",
    "tsv", "xls", "xlsm", "xlsx", "xml", "xz", "yaml", "yml", "zip", "zst",
];

/// A file of scores, by its name.
///
/// # Errors
/// What is written in place of another kind of table.
pub fn scores_file(path: PathBuf) -> Result<PathBuf, String> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    match extension.to_str().filter(|extension| UNWRITTEN.contains(extension)) {
        None => Ok(path),
        Some(extension) => Err(format!(
            ".{extension} files are not written: the name may end in .parquet, .csv, .jsonl or \
             .pairgate (a journal), or be - for JSON lines on standard output"
        )),
    }
}

/// A folder for shards and a journal.
///
/// # Errors
/// Standard output is none.
pub fn folder(path: PathBuf) -> Result<PathBuf, String> {
    match path.as_os_str() == "-" {
        true => Err("a folder is needed: shards and a journal are no stream".into()),
        false => Ok(path),
    }
}

/// Refuses a folder whose name a file has.
pub fn check_folder(path: &Path) -> Result<(), String> {
    let is_file = path.exists() && !path.is_dir();
    refuse(is_file, path, "it is a file: name a folder")
}

/// Refuses a file whose name a folder has, or whose folder is missing.
pub fn check_file(path: &Path) -> Result<(), String> {
    refuse(path.is_dir(), path, "it is a folder: name a file in it")?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let missing = folder.filter(|folder| !folder.exists());
    let missing = missing.map(|folder| format!("there is no folder {}", folder.display()));
    refuse(missing.is_some(), path, &missing.unwrap_or_default())
}

fn refuse(is_refused: bool, path: &Path, why: &str) -> Result<(), String> {
    if is_refused { Err(format!("writing {}: {why}", path.display())) } else { Ok(()) }
}
