//! A table's file, of which nothing behind its end is read.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

/// A file whose end is an error where more of it is wanted: the reader of tables takes nothing for what it
/// asked for, and goes on with as many fields as a damaged header says, billions of them.
pub(crate) struct BoundedFile(pub File);

/// What lies from some place on.
pub(crate) struct Rest(File);

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => {
                Err(io::Error::new(ErrorKind::UnexpectedEof, "it ends within a page's header"))
            }
            n => Ok(n),
        }
    }
}

impl Length for BoundedFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for BoundedFile {
    type T = BufReader<Rest>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::new(Rest(file)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        self.0.get_bytes(start, length)
    }
}
