//! The embeddings of a journal's pairs, found again in their order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::IoError;
use crate::score::PairEmbeddings;

/// The folder beside a journal, in which `.npz` files hold the embeddings of its pairs.
pub const FOLDER: &str = "embeddings";

/// The name of the file with this number there.
pub(crate) fn segment_name(number: u32) -> String {
    format!("{number:08}.npz")
}

/// The number of such a file, or of the rows that wait for it.
pub(crate) fn number_of(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?.trim_start_matches('.');
    let (digits, ending) = name.split_once('.')?;
    let is_ours = ["npz", "npz.partial", "embeddings.partial"].contains(&ending);
    let is_number = digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours && is_number)
}

/// The files of `folder`, in their order, those that are not whole left out.
///
/// # Errors
/// [`IoError::Read`] if the folder cannot be read; one that is not there has none.
pub fn segments(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let unread = |why| IoError::Read { from: folder.display().to_string(), why };
    let entries = match std::fs::read_dir(folder) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unread)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(unread)?;
    paths.retain(|path| {
        let is_whole = path.extension().is_some_and(|extension| extension == "npz");
        is_whole && number_of(path).is_some()
    });
    paths.sort_by_key(|path| number_of(path));
    Ok(paths)
}

/// Finds embeddings by ticket, which are asked for in ascending order. One file is open at a time.
#[derive(Debug, Default)]
pub struct ByTicket {
    rest: std::vec::IntoIter<PathBuf>,
    #[cfg(feature = "parquet")]
    current: Option<archive::Segment>,
    #[cfg(feature = "parquet")]
    ahead: Option<(u64, PairEmbeddings)>,
}

impl ByTicket {
    /// Opens what lies in `folder`, an output folder or that of a first pass.
    ///
    /// # Errors
    /// [`IoError::Read`] if its files cannot be listed.
    pub fn open(folder: &Path) -> Result<Self, IoError> {
        Ok(Self::over(segments(&folder.join(FOLDER))?))
    }

    /// Opens the `.npz` of a one-to-one output's scores, where a pair's ticket is its row.
    pub fn of_file(path: &Path) -> Self {
        Self::over(vec![path.to_owned()])
    }

    fn over(paths: Vec<PathBuf>) -> Self {
        Self {
            rest: paths.into_iter(),
            #[cfg(feature = "parquet")]
            current: None,
            #[cfg(feature = "parquet")]
            ahead: None,
        }
    }

    /// Whether there are no files.
    pub fn is_empty(&self) -> bool {
        self.rest.len() == 0
    }

    /// The embeddings of the pair with this ticket, if it has any.
    ///
    /// # Errors
    /// [`IoError::Read`] if a file is damaged.
    pub fn of(&mut self, ticket: u64) -> Result<Option<Arc<PairEmbeddings>>, IoError> {
        #[cfg(feature = "parquet")]
        return self.find(ticket);
        #[cfg(not(feature = "parquet"))]
        match self.rest.next() {
            Some(path) => {
                let _ = ticket;
                super::npz::check_built(&path).map(|()| None)
            }
            None => Ok(None),
        }
    }
}

#[cfg(feature = "parquet")]
mod archive {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use super::{ByTicket, IoError, PairEmbeddings};
    use crate::embeddings::arrays::{Pairs, Plain};
    use crate::embeddings::{unread, wrong};

    /// One file that is being read.
    #[derive(Debug)]
    pub(super) struct Segment {
        pairs: Pairs,
        /// Without such an array a pair's ticket is its row.
        tickets: Option<Plain>,
        path: PathBuf,
        left: u64,
        last: Option<u64>,
    }

    impl Segment {
        fn open(path: &Path) -> Result<Self, IoError> {
            let pairs = Pairs::open_any(path)?;
            let tickets = Plain::open(path, "ticket", "<u8")?;
            if tickets.as_ref().is_some_and(|tickets| tickets.len() != pairs.len()) {
                return Err(unread(path)(wrong("its arrays have not the same length")));
            }
            let path = path.to_owned();
            Ok(Self { left: pairs.len(), pairs, tickets, path, last: None })
        }

        fn next(&mut self) -> Result<Option<(u64, PairEmbeddings)>, IoError> {
            if self.left == 0 {
                return Ok(None);
            }
            let row = self.pairs.len() - self.left;
            self.left -= 1;
            let ticket = match &mut self.tickets {
                Some(tickets) => {
                    let mut bytes = [0; 8];
                    tickets.read(&mut bytes)?;
                    u64::from_le_bytes(bytes)
                }
                None => row,
            };
            if self.last.is_some_and(|last| last >= ticket) {
                return Err(unread(&self.path)(wrong("its tickets do not ascend")));
            }
            self.last = Some(ticket);
            Ok(Some((ticket, self.pairs.next()?)))
        }
    }

    impl ByTicket {
        pub(super) fn find(&mut self, ticket: u64) -> Result<Option<Arc<PairEmbeddings>>, IoError> {
            loop {
                match self.ahead.take() {
                    Some((found, pair)) if found == ticket => return Ok(Some(Arc::new(pair))),
                    Some(later) if later.0 > ticket => {
                        self.ahead = Some(later);
                        return Ok(None);
                    }
                    _ => {}
                }
                self.ahead = match &mut self.current {
                    Some(segment) => segment.next()?,
                    None => None,
                };
                if self.ahead.is_none() {
                    let Some(path) = self.rest.next() else { return Ok(None) };
                    self.current = Some(Segment::open(&path)?);
                }
            }
        }
    }
}
