//! Decision journals: what became of each pair of a run.
//!
//! | file | idea |
//! |---|---|
//! | `record` | one decision |
//! | `columns` | what is known of each, by name: for records, for NumPy, for Arrow |
//! | `table` | all of them for Arrow, part by part |

mod columns;
mod record;
mod table;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pairgate::{IoError, JournalReader};
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrow::ArrowStream;
pub use record::Record;
use record::Row;

/// Records that are read together.
const AT_ONCE: usize = 8192;

#[doc = stub!("Journal")]
#[pyclass(frozen, module = "pairgate_dfn")]
pub struct Journal {
    path: PathBuf,
    reader: Mutex<JournalReader>,
}

#[pymethods]
impl Journal {
    #[doc = stub!("Journal.model")]
    #[getter]
    fn model(&self) -> PyResult<String> {
        Ok(self.lock()?.terms().models.last().map(|model| model.name.clone()).unwrap_or_default())
    }

    #[doc = stub!("Journal.model_digest")]
    #[getter]
    fn model_digest(&self) -> PyResult<String> {
        Ok(self.lock()?.terms().model().to_string())
    }

    #[doc = stub!("Journal.threshold")]
    #[getter]
    fn threshold(&self) -> PyResult<Option<f32>> {
        Ok(self.lock()?.terms().threshold)
    }

    #[doc = stub!("Journal.settings")]
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let settings = PyDict::new(py);
        for setting in &self.lock()?.terms().settings {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            settings.set_item(name, value)?;
        }
        Ok(settings)
    }

    #[doc = stub!("Journal.program")]
    #[getter]
    fn program(&self) -> PyResult<String> {
        Ok(self.lock()?.terms().program.clone())
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self) -> PyResult<Option<Record>> {
        let row = Row::next(&mut *self.lock()?).map_err(unreadable)?;
        Ok(row.map(Record))
    }

    #[doc = stub!("Journal.columns")]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut columns = columns::Columns::default();
        loop {
            let rows = py.detach(|| {
                let mut reader = self.lock()?;
                let rows = std::iter::from_fn(|| Row::next(&mut reader).transpose()).take(AT_ONCE);
                rows.collect::<Result<Vec<_>, _>>().map_err(unreadable)
            })?;
            if rows.is_empty() {
                return columns.into_dict(py);
            }
            columns.add(&rows);
            py.check_signals()?;
        }
    }

    fn __repr__(&self) -> String {
        format!("<Journal {}>", self.path.display())
    }
}

impl Journal {
    /// # Errors
    /// `RuntimeError` where another thread reads it just now: two of them would share its records.
    fn lock(&self) -> PyResult<MutexGuard<'_, JournalReader>> {
        match self.reader.try_lock() {
            Ok(reader) => Ok(reader),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => {
                Ok(PoisonError::into_inner(poisoned))
            }
            Err(std::sync::TryLockError::WouldBlock) => {
                Err(PyRuntimeError::new_err("another thread is reading this journal"))
            }
        }
    }
}

#[doc = stub!("read_journal")]
#[pyfunction]
pub fn read_journal(path: PathBuf) -> PyResult<Journal> {
    let reader = Mutex::new(open(&path)?);
    Ok(Journal { path, reader })
}

#[doc = stub!("journal_table")]
#[pyfunction]
pub fn journal_table(path: PathBuf) -> PyResult<ArrowStream> {
    Ok(ArrowStream::once(Box::new(table::Table::of(open(&path)?))))
}

fn open(path: &Path) -> PyResult<JournalReader> {
    JournalReader::open(path).map_err(unreadable)
}

/// What Python raises for a file that cannot be read: `FileNotFoundError` and the like where the system
/// said why, with the file's name in the text.
pub fn unreadable(error: IoError) -> PyErr {
    match &error {
        IoError::Read { why, .. } => std::io::Error::new(why.kind(), error.to_string()).into(),
        _ => PyOSError::new_err(error.to_string()),
    }
}
