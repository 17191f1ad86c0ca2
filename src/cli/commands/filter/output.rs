//! The folders that a run writes to: `filter`'s and `cut`'s.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::outputs::check_folder;
use crate::disk::{FolderLock, IoError};
use crate::store::OutputFolder;

/// What a run writes to, and reads.
pub struct Places<'a> {
    /// `None`: a dry run.
    pub folder: Option<&'a Path>,
    pub rejected: Option<&'a Path>,
    pub overwrite: bool,
    pub inputs: Vec<PathBuf>,
}

/// The folders that the run writes to, ready.
pub struct Output {
    /// `None`: a dry run.
    pub folder: Option<PathBuf>,
    /// Held until the run ends.
    pub lock: Option<FolderLock>,
    /// Whether the folder holds a run that is gone on with.
    pub is_begun: bool,
}

impl Output {
    pub fn prepare(places: &Places<'_>) -> Result<Self, Box<dyn Error>> {
        let folder = places.folder;
        for folder in folder.into_iter().chain(places.rejected) {
            check_folder(folder)?;
            refuse_overlap(folder, &places.inputs)?;
        }
        let Some(folder) = folder else {
            Self::prepare_rejected(places, false)?;
            return Ok(Self { folder: None, lock: None, is_begun: false });
        };
        let unmade = |why| format!("writing {}: {why}", folder.display());
        fs::create_dir_all(folder).map_err(unmade)?;
        let lock = FolderLock::take(folder)?;
        let first = folder.join(OutputFolder::FIRST_PASS);
        let is_begun = !places.overwrite
            && (OutputFolder::is_begun(folder)? || OutputFolder::is_begun(&first)?);
        if !is_begun {
            OutputFolder::prepare(folder, places.overwrite)?;
        }
        Self::prepare_rejected(places, is_begun)?;
        Ok(Self { folder: Some(folder.to_owned()), lock: Some(lock), is_begun })
    }

    fn prepare_rejected(places: &Places<'_>, is_begun: bool) -> Result<(), IoError> {
        match places.rejected {
            Some(rejected) if !is_begun => {
                OutputFolder::prepare(rejected, places.overwrite).map(drop)
            }
            _ => Ok(()),
        }
    }
}

/// An output inside an input would be read as input, and one around it could be overwritten.
pub fn refuse_overlap(output: &Path, inputs: &[PathBuf]) -> Result<(), String> {
    let Ok(output_path) = absolute(output) else { return Ok(()) };
    for input in inputs {
        let Ok(input_path) = fs::canonicalize(input) else { continue };
        if input_path.starts_with(&output_path) || output_path.starts_with(&input_path) {
            let (input, output) = (input.display(), output.display());
            return Err(format!("the output {output} and the input {input} lie in each other"));
        }
    }
    Ok(())
}

/// The path that `output` will have, though its last parts may not exist yet.
fn absolute(output: &Path) -> std::io::Result<PathBuf> {
    let output = std::path::absolute(output)?;
    let existing = output.ancestors().find(|part| part.exists()).unwrap_or(&output);
    let rest = output.strip_prefix(existing).unwrap_or(Path::new(""));
    Ok(fs::canonicalize(existing)?.join(rest))
}
