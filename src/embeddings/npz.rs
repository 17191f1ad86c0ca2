//! The `.npz` of recorded embeddings: NumPy's archive of arrays, as DataComp has one beside each table.
//!
//! | array | type | |
//! |---|---|---|
//! | `image`, `text` or the names asked for | `<f2 [rows, dimension]` | NaN where the pair has none |
//! | `uid` | `\|S32 [rows]` | 32 hex digits |
//! | `ticket` | `<u8 [rows]` | the pair's place in its run; beside a journal alone |
//! | `model` | `\|S64` | digest of the model, hex |
//! | `covers` | `\|S4` | `kept` or `all` |
//!
//! Members are stored as they are, each array's values at a multiple of 64 bytes, with sizes of 64 bits
//! and without times: the same rows give the same bytes.

use std::path::Path;

use super::recording::Recording;
use crate::disk::{Disk, IoError};

/// What the `.npz` beside a file is called.
pub fn beside(path: &Path) -> std::path::PathBuf {
    path.with_extension("npz")
}

/// Which rows go into the arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Select {
    /// So many, in the order in which they came, also those of pairs without embeddings.
    Every(u64),
    /// Those of pairs with embeddings, and their tickets with them.
    WithTickets,
}

/// An error where this build cannot write the files.
///
/// # Errors
/// [`IoError::Write`] without the feature `parquet`.
pub fn check_built(path: &Path) -> Result<(), IoError> {
    if cfg!(feature = "parquet") {
        return Ok(());
    }
    let why = "this pairgate is built without the feature `parquet`, which embeddings need";
    let why = std::io::Error::new(std::io::ErrorKind::Unsupported, why);
    Err(crate::disk::failed(path)(why))
}

/// Makes the `.npz` at `path` of the rows that wait for it, and gives it its name, in place of a file of
/// that name; the rows stay where they are.
///
/// # Errors
/// [`IoError::Read`] if there are no such rows, [`IoError::Write`] if it cannot be written.
#[cfg(not(feature = "parquet"))]
pub(crate) fn publish(_: &Disk, path: &Path, _: &Recording, _: Select) -> Result<(), IoError> {
    check_built(path)
}

#[cfg(feature = "parquet")]
pub(crate) use archive::publish;

#[cfg(feature = "parquet")]
mod archive {
    use std::io::{self, Write};
    use std::path::Path;

    use half::f16;
    use pairgate_core::pair::Uid;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, DateTime, ZipWriter};

    use super::{Disk, IoError, Recording, Select};
    use crate::disk::{PartialFile, failed};
    use crate::embeddings::numpy::Header;
    use crate::embeddings::rows::{Row, RowsReader, Slot};
    use crate::embeddings::{unread, wrong};

    /// Arrays' values begin at a multiple of this.
    const ALIGNMENT: u16 = 64;

    type Zip = ZipWriter<zip::write::StreamWriter<PartialFile>>;

    /// As documented above.
    pub(crate) fn publish(
        disk: &Disk,
        path: &Path,
        recording: &Recording,
        select: Select,
    ) -> Result<(), IoError> {
        let rows = Rows { path, recording, select };
        let count = rows.count()?;
        let file = PartialFile::create(disk, path)?;
        let mut zip = ZipWriter::new_stream(file);
        rows.write(&mut zip, count)?;
        let file = zip.finish().map_err(io::Error::from).map_err(failed(path))?.into_inner();
        file.publish()
    }

    /// The rows that wait for an `.npz`.
    struct Rows<'a> {
        path: &'a Path,
        recording: &'a Recording,
        select: Select,
    }

    impl Rows<'_> {
        fn open(&self) -> Result<RowsReader, IoError> {
            let reader = RowsReader::open(self.path)?;
            let missing = || unread(self.path)(wrong("the rows that it is made of are not there"));
            let reader = reader.ok_or_else(missing)?;
            let (is, wanted) = (reader.dimension(), self.recording.dimension);
            if is != wanted {
                let why = format!("its rows have {is} values an embedding, not {wanted}");
                return Err(unread(self.path)(wrong(why)));
            }
            Ok(reader)
        }

        /// Gives each row to `take`; `None` for one that is damaged.
        fn each(
            &self,
            mut take: impl FnMut(Option<&Row>) -> io::Result<()>,
        ) -> Result<u64, IoError> {
            let mut reader = self.open()?;
            let mut count = 0;
            let most = match self.select {
                Select::Every(most) => most,
                Select::WithTickets => u64::MAX,
            };
            while count < most
                && let Some(slot) = reader.next()?
            {
                let row = match &slot {
                    Slot::Whole(row) => Some(row),
                    Slot::Damaged => None,
                };
                if self.select == Select::WithTickets && row.is_none_or(|row| !row.is_there()) {
                    continue;
                }
                take(row).map_err(failed(self.path))?;
                count += 1;
            }
            Ok(count)
        }

        fn count(&self) -> Result<u64, IoError> {
            let count = self.each(|_| Ok(()))?;
            match self.select {
                Select::Every(wanted) if wanted != count => {
                    let why = format!("there are {count} rows of {wanted} pairs");
                    Err(unread(self.path)(wrong(why)))
                }
                _ => Ok(count),
            }
        }

        fn write(&self, zip: &mut Zip, count: u64) -> Result<(), IoError> {
            let Recording { covers, names, dimension, model } = self.recording;
            let sides = [count, *dimension as u64];
            let none = f16::NAN.to_le_bytes().repeat(*dimension);
            begin(zip, self.path, names.image(), "<f2", &sides)?;
            self.each(|row| zip.write_all(row.map_or(&none, Row::image)))?;
            begin(zip, self.path, names.text(), "<f2", &sides)?;
            self.each(|row| zip.write_all(row.map_or(&none, Row::text)))?;
            begin(zip, self.path, "uid", "|S32", &[count])?;
            let uid = |row: Option<&Row>| row.map_or_else(Uid::default, |row| row.uid);
            self.each(|row| zip.write_all(uid(row).to_string().as_bytes()))?;
            if self.select == Select::WithTickets {
                begin(zip, self.path, "ticket", "<u8", &[count])?;
                let ticket = |row: Option<&Row>| row.map_or(0, |row| row.ticket).to_le_bytes();
                self.each(|row| zip.write_all(&ticket(row)))?;
            }
            begin(zip, self.path, "model", "|S64", &[])?;
            zip.write_all(model.to_string().as_bytes()).map_err(failed(self.path))?;
            begin(zip, self.path, "covers", "|S4", &[])?;
            let covers = format!("{:\0<4}", covers.name());
            zip.write_all(covers.as_bytes()).map_err(failed(self.path))
        }
    }

    fn begin(
        zip: &mut Zip,
        path: &Path,
        name: &str,
        kind: &str,
        shape: &[u64],
    ) -> Result<(), IoError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(true)
            .with_alignment(ALIGNMENT);
        let header = Header { kind: kind.to_owned(), shape: shape.to_vec() }.to_bytes();
        let begun = zip.start_file(format!("{name}.npy"), options).map_err(io::Error::from);
        begun.and_then(|()| zip.write_all(&header)).map_err(failed(path))
    }
}
