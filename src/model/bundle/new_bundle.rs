//! A bundle in the making: a folder that appears under its own name when it is whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::{MANIFEST, file_digest};
use crate::model::ModelError;
use crate::model::file::{MAX_WEIGHT_BYTES, ModelFile};

/// The working folder of a new bundle, which goes with it unless it is published.
#[derive(Debug)]
pub(in crate::model) struct NewBundle {
    to: PathBuf,
    work: PathBuf,
    /// SHA-256 of the files that were there when they were last asked for, by path in the bundle.
    digests: BTreeMap<String, String>,
}

impl NewBundle {
    /// For a bundle `to`; until then it is called `to.suffix`.
    ///
    /// # Errors
    /// [`ModelError::Write`] if `to` has no name, or one of the two is there already.
    pub fn create(to: &Path, suffix: &str) -> Result<Self, ModelError> {
        let refused = |path: &Path, why: &str| {
            written(path, io::Error::new(io::ErrorKind::AlreadyExists, why))
        };
        let name = to.file_name().ok_or_else(|| refused(to, "it has no name"))?;
        let work = to.with_file_name(format!("{}.{suffix}", name.to_string_lossy()));
        for path in [to, &work] {
            if path.exists() {
                return Err(refused(path, "it is there already"));
            }
        }
        fs::create_dir_all(&work).map_err(|why| written(&work, why))?;
        Ok(Self { to: to.to_owned(), work, digests: BTreeMap::new() })
    }

    /// The working folder.
    pub fn folder(&self) -> &Path {
        &self.work
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`ModelError::Write`] if that fails.
    pub fn save(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let path = self.work.join(name);
        fs::write(&path, bytes).map_err(|why| written(&path, why))
    }

    /// Copies a regular file to the path `name` in the bundle, whose folders are made.
    ///
    /// # Errors
    /// [`ModelError`] that names the file that cannot be read or written; [`ModelError::Write`] for
    /// a name that leads out of the bundle.
    pub fn copy(&self, from: &Path, name: &str) -> Result<(), ModelError> {
        let path = self.work.join(name);
        if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_))) {
            let why = "its path leads out of the bundle";
            return Err(written(Path::new(name), io::Error::new(io::ErrorKind::InvalidInput, why)));
        }
        let save = |mut read: ModelFile| {
            fs::create_dir_all(path.parent().unwrap_or(&self.work))?;
            io::copy(&mut read, &mut fs::File::create(&path)?)
        };
        let read = ModelFile::open(from, MAX_WEIGHT_BYTES)?;
        save(read).map(|_| ()).map_err(|why| written(&path, why))
    }

    /// SHA-256 of all files but the manifest. Those that were told before are not read again:
    /// weights may be big.
    ///
    /// # Errors
    /// [`ModelError`] if a file cannot be read.
    pub fn digests(&mut self) -> Result<&BTreeMap<String, String>, ModelError> {
        for (name, path) in files(&self.work)? {
            if name != MANIFEST && !self.digests.contains_key(&name) {
                self.digests.insert(name, file_digest(&path)?.to_string());
            }
        }
        Ok(&self.digests)
    }

    /// Bytes of all files.
    ///
    /// # Errors
    /// [`ModelError`] if a file cannot be looked at.
    pub fn bytes(&self) -> Result<u64, ModelError> {
        let size = |path: &Path| fs::metadata(path).map_err(|why| written(path, why));
        files(&self.work)?.iter().map(|(_, path)| Ok(size(path)?.len())).sum()
    }

    /// Gives the bundle its name.
    ///
    /// # Errors
    /// [`ModelError::Write`] if that fails; the working folder is gone then too.
    pub fn publish(self) -> Result<(), ModelError> {
        fs::rename(&self.work, &self.to).map_err(|why| written(&self.to, why))
    }
}

impl Drop for NewBundle {
    fn drop(&mut self) {
        // It is not there where the bundle was published; else there is an error to tell already.
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, ModelError> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.map_err(|why| written(folder, why.into()))?;
        if let (true, Ok(name)) = (entry.file_type().is_file(), entry.path().strip_prefix(folder)) {
            let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            files.push((parts.join("/"), entry.path().to_owned()));
        }
    }
    Ok(files)
}

fn written(path: &Path, why: io::Error) -> ModelError {
    ModelError::Write { file: path.display().to_string(), why }
}
