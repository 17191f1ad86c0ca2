//! Inputs one by one, each with a name of its own: what one-to-one outputs are called by.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::braces::expand_paths;
use super::inputs::{TAR_NAMES, is_tar_name, tells_of_a_shard};
use super::table::kind::Named;
use crate::disk::IoError;

/// Longest name, in bytes: with what is put before and behind it, it stays within the 255 that file
/// systems allow.
const MAX_NAME: usize = 200;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SingleInput {
    /// Its path, as it was named.
    pub path: PathBuf,
    /// Its file's name without what says of which kind it is.
    pub name: String,
}

/// The inputs that `paths` name: braces expanded, and a folder of shards and of what tells of them taken for
/// these shards, in the order of their names. Any other folder is one input.
///
/// # Errors
/// [`IoError::Read`] for a folder that holds shards and other things, a name that no output can have, and two
/// inputs of one name.
pub fn single_inputs(paths: &[PathBuf]) -> Result<Vec<SingleInput>, IoError> {
    let mut inputs = Vec::new();
    for path in expand_paths(paths)? {
        let shards = if path.is_dir() { shards_in(&path)? } else { Vec::new() };
        let found = if shards.is_empty() { vec![path] } else { shards };
        for path in found {
            let name = name_of(&path).map_err(|why| refused(&path, why))?;
            inputs.push(SingleInput { path, name });
        }
    }
    refuse_equal(&inputs)?;
    Ok(inputs)
}

fn refuse_equal(inputs: &[SingleInput]) -> Result<(), IoError> {
    let mut seen = BTreeMap::new();
    for input in inputs {
        if let Some(other) = seen.insert(&input.name, &input.path) {
            let why = format!(
                "its output would have the name of that of {}: give them different folders",
                other.display()
            );
            return Err(refused(&input.path, why));
        }
    }
    Ok(())
}

/// The shards of a folder that holds nothing else; none where there is no shard in it.
fn shards_in(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let failed = |why| IoError::Read { from: folder.display().to_string(), why };
    let (mut shards, mut other) = (Vec::new(), None);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_passed_over(&path) {
            continue;
        }
        if path.is_file() && is_tar_name(&path) {
            shards.push(path);
        } else {
            other.get_or_insert(path);
        }
    }
    match other {
        Some(other) if !shards.is_empty() => {
            let other = other.display();
            Err(refused(folder, format!("it holds shards, and {other} too: name the shards")))
        }
        _ => {
            shards.sort_unstable();
            Ok(shards)
        }
    }
}

/// Whether a name says that it is none of anybody's pairs: hidden, or what a run leaves beside shards.
fn is_passed_over(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_ours = name == b"journal" || name.ends_with(b".pairgate") || name.ends_with(b".sketch");
    name.starts_with(b".") || is_ours || tells_of_a_shard(path)
}

/// What an input's output is called.
fn name_of(path: &Path) -> Result<String, String> {
    if path.as_os_str() == "-" {
        return Err("standard input has no name, and cannot be read again".into());
    }
    let file = path.file_name().or_else(|| path.parent()?.file_name());
    let Some(file) = file.and_then(|file| file.to_str()) else {
        return Err("its name is no text, which an output must be called by".into());
    };
    let name = match path.is_dir() {
        true => file,
        false => stem(path, file),
    };
    if name.is_empty() || name.starts_with('.') || name.chars().any(char::is_control) {
        return Err("an output cannot be called by its name".into());
    }
    if name.len() > MAX_NAME {
        return Err(format!("its name has more than {MAX_NAME} bytes"));
    }
    Ok(name.to_owned())
}

/// A file's name without its extension, and without that of what it is packed by.
fn stem<'a>(path: &Path, file: &'a str) -> &'a str {
    let lower = file.to_lowercase();
    let longest = TAR_NAMES.iter().filter(|end| lower.ends_with(*end)).map(|end| end.len()).max();
    if let Some(end) = longest.filter(|_| lower.len() == file.len()) {
        return &file[..file.len() - end];
    }
    let plain = file.rsplit_once('.').map_or(file, |(plain, _)| plain);
    let is_packed_table = Named::of(path).is_some() && Named::of(Path::new(plain)).is_some();
    if is_packed_table { plain.rsplit_once('.').map_or(plain, |(stem, _)| stem) } else { plain }
}

fn refused(path: &Path, why: impl Into<String>) -> IoError {
    let why = io::Error::new(io::ErrorKind::InvalidInput, why.into());
    IoError::Read { from: path.display().to_string(), why }
}
