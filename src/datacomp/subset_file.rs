//! Subset files: the uids that DataComp's resharder copies.
//!
//! A uid is two unsigned 64-bit numbers, the upper half first (NumPy's `u8,u8`, little-endian), and
//! the uids are sorted. The resharder copies a sample once for each time that its uid is in the
//! file.

use std::io::{self, Write};
use std::path::Path;

use pairgate_core::pair::Uid;

use crate::disk::IoError;
use crate::disk::{Disk, PartialFile, failed};

/// How the uids are laid down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A NumPy array, with the header that `np.save` writes.
    Npy,
    /// The array's bytes alone, which the resharder maps into memory.
    Raw,
}

impl Form {
    /// The form that a file's name asks for: `.npy`, or `.bin`, `.raw`, `.memmap`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "npy" => Some(Self::Npy),
            "bin" | "raw" | "memmap" => Some(Self::Raw),
            _ => None,
        }
    }
}

/// Writes `uids`, which are sorted, to the file at `path`, which appears, or is replaced, when it
/// is on disk.
///
/// # Errors
/// [`IoError::Write`] if it cannot be written.
pub fn write(path: &Path, form: Form, uids: &[Uid]) -> Result<(), IoError> {
    debug_assert!(uids.is_sorted());
    let mut file = PartialFile::create(&Disk::system(), path)?;
    write_to(&mut file, form, uids).map_err(failed(path))?;
    file.publish()
}

fn write_to(file: &mut impl Write, form: Form, uids: &[Uid]) -> io::Result<()> {
    if form == Form::Npy {
        file.write_all(&npy_header(uids.len()))?;
    }
    uids.iter().try_for_each(|uid| file.write_all(&row(uid)))
}

/// A uid's two halves as little-endian numbers.
fn row(uid: &Uid) -> [u8; 16] {
    let mut row = uid.0;
    row[..8].reverse();
    row[8..].reverse();
    row
}

/// NumPy's header (format 1.0): padded with blanks, so that the data start at a multiple of 64.
fn npy_header(rows: usize) -> Vec<u8> {
    let text = format!(
        "{{'descr': [('f0', '<u8'), ('f1', '<u8')], 'fortran_order': False, 'shape': ({rows},), }}"
    );
    let unpadded = 10 + text.len() + 1;
    let blanks = unpadded.next_multiple_of(64) - unpadded;
    let length = (text.len() + blanks + 1) as u16;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend(length.to_le_bytes());
    header.extend(text.bytes());
    header.resize(header.len() + blanks, b' ');
    header.push(b'\n');
    header
}
