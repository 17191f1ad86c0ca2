//! SHA-256 of what pairs and models are made of.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pairgate_core::pair::Digest;
use sha2::{Digest as _, Sha256};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

/// Bytes of a file that are held at once.
const PIECE: usize = 1 << 20;

/// Length and SHA-256 of the file at `path`.
///
/// # Errors
/// The system's.
pub fn sha256_of_file(path: &Path) -> io::Result<(u64, Digest)> {
    let (mut file, mut hash) = (File::open(path)?, Sha256::new());
    let (mut bytes, mut piece) = (0, vec![0; PIECE]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((bytes, Digest(hash.finalize().into()))),
            count => {
                hash.update(&piece[..count]);
                bytes += count as u64;
            }
        }
    }
}
