//! What is damaged is never deleted: it is renamed, and named.

use std::io;
use std::path::{Path, PathBuf};

use super::{Disk, failed};
use crate::disk::IoError;

/// Names that are tried for one file.
const MOST: u32 = 100_000;

/// The first of `NAME.damaged-1`, `NAME.damaged-2`, ... that is free.
///
/// # Errors
/// [`IoError::Write`] where a hundred thousand are taken.
pub fn free_name(path: &Path) -> Result<PathBuf, IoError> {
    let numbered = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        PathBuf::from(name)
    };
    let free = |candidate: &PathBuf| candidate.symlink_metadata().is_err();
    (1..=MOST)
        .map(numbered)
        .find(free)
        .ok_or_else(|| failed(path)(io::Error::other("there is no free name for what is damaged")))
}

/// Renames a damaged file; gives its new name.
///
/// # Errors
/// [`IoError::Write`] if the system refuses.
pub fn set_aside(disk: &Disk, path: &Path) -> Result<PathBuf, IoError> {
    let aside = free_name(path)?;
    disk.rename(path, &aside)?;
    disk.sync_parent(path)?;
    Ok(aside)
}
