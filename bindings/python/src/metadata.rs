//! What is known of a pair beside it, as Python gives it.

use arrow_buffer::Buffer;
use pairgate::Metadata;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyDict, PyString};

/// A sample's `.json`, as text.
pub enum Json {
    /// There is none.
    Missing,
    Bytes(PyBackedBytes),
    Text(PyBackedStr),
    /// What is in a table, not copied.
    Shared(Buffer),
}

impl Json {
    /// Takes what Python gave; `place` names it in messages.
    ///
    /// # Errors
    /// `TypeError` for what is neither `dict`, `str`, `bytes` nor `None`; what Python's `json` says of a dict
    /// that cannot be written.
    pub fn of(given: &Bound<'_, PyAny>, place: impl Fn() -> String) -> PyResult<Self> {
        if given.is_none() {
            return Ok(Self::Missing);
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        if let Ok(text) = given.cast::<PyString>() {
            return PyBackedStr::try_from(text.clone()).map(Self::Text);
        }
        if given.is_instance_of::<PyDict>() {
            let json = given.py().import(intern!(given.py(), "json"))?;
            let text = json.call_method1(intern!(given.py(), "dumps"), (given,))?;
            return PyBackedStr::try_from(text.cast_into::<PyString>()?).map(Self::Text);
        }
        let kind = given.get_type().fully_qualified_name()?;
        let why = format!("{}: {kind} is no metadata: give a dict, JSON or None", place());
        Err(PyTypeError::new_err(why))
    }

    /// The text.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Missing => None,
            Self::Bytes(bytes) => Some(bytes),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Shared(bytes) => Some(bytes),
        }
    }

    /// What it says of the pair.
    pub fn parse(&self) -> Metadata {
        self.bytes().map(Metadata::parse).unwrap_or_default()
    }
}
