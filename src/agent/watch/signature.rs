//! Numbers that stand for files as they are.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};

/// What positions of watched files have for their input: "WTCH".
pub(super) const INPUT: u32 = 0x5754_4348;

/// Makes numbers of files below one folder.
#[derive(Debug, Clone)]
pub(super) struct Signer {
    root: PathBuf,
    canonical: PathBuf,
}

impl Signer {
    /// Files below `root`, which must be there.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.to_owned(), canonical: root.canonicalize()? })
    }

    /// The number of the file at `path`: of its path, its size and its time of change. Another file of
    /// that name has another one.
    pub fn of(&self, path: &Path, about: &Metadata) -> u64 {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let modified = about.modified().ok();
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = since.unwrap_or_default().as_nanos();
        let hash = Sha256::new()
            .chain_update(self.canonical.as_os_str().as_encoded_bytes())
            .chain_update(b"\0")
            .chain_update(below.as_os_str().as_encoded_bytes())
            .chain_update(b"\0")
            .chain_update(about.len().to_le_bytes())
            .chain_update(nanoseconds.to_le_bytes());
        first_8(hash)
    }

    /// The same, looked up; `None` where it is no file, or not there.
    pub fn at(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(about) if about.is_file() => Ok(Some(self.of(path, &about))),
            Ok(_) => Ok(None),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// The path below the folder.
    pub fn below<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The number of a sample in a shard; `None` is the last one, however many there are.
pub(super) fn in_shard(shard: u64, number: Option<u64>) -> u64 {
    let number = number.unwrap_or(u64::MAX);
    first_8(Sha256::new().chain_update(shard.to_le_bytes()).chain_update(number.to_le_bytes()))
}

fn first_8(hash: Sha256) -> u64 {
    let hash = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(bytes)
}
