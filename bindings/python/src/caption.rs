//! A caption as Python gives it.

use arrow_buffer::Buffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::image::is_missing;

/// What some editors put in front of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What was given in a caption's place.
pub enum Caption {
    /// `None`, or what tables have in its place.
    Missing,
    /// `bytes`, not copied.
    Bytes(PyBackedBytes),
    /// `str`, not copied.
    Text(PyBackedStr),
    /// What is in a table, not copied.
    Shared(Buffer),
    /// What had to be copied.
    Copied(Vec<u8>),
}

impl Caption {
    /// Takes what Python gave; `place` names it in messages.
    ///
    /// # Errors
    /// `TypeError` for what is neither `str`, `bytes`, `bytearray` nor `None`.
    pub fn of(given: &Bound<'_, PyAny>, place: impl Fn() -> String) -> PyResult<Self> {
        if let Ok(text) = given.cast::<PyString>() {
            return Self::of_text(text);
        }
        if let Ok(bytes) = given.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone().into()));
        }
        if let Ok(bytes) = given.cast::<PyByteArray>() {
            return Ok(Self::Copied(bytes.to_vec()));
        }
        if is_missing(given)? {
            return Ok(Self::Missing);
        }
        let kind = given.get_type().fully_qualified_name()?;
        let why = format!("{}: {kind} is no caption: give str, bytes or None", place());
        Err(PyTypeError::new_err(why))
    }

    fn of_text(text: &Bound<'_, PyString>) -> PyResult<Self> {
        if let Ok(text) = PyBackedStr::try_from(text.clone()) {
            return Ok(Self::Text(text));
        }
        // Lone surrogates are no text: as bytes they are not UTF-8, which is a reason.
        let encoded = text.call_method1("encode", ("utf-8", "surrogatepass"))?;
        Ok(Self::Copied(encoded.cast::<PyBytes>()?.as_bytes().to_vec()))
    }

    /// What a table has as bytes.
    pub fn of_shared_file(bytes: &Buffer) -> Self {
        let mark = if bytes.starts_with(MARK) { MARK.len() } else { 0 };
        Self::Shared(bytes.slice(mark))
    }

    /// The bytes; those of a file without the mark that some editors put in front.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Missing => None,
            Self::Bytes(bytes) => Some(bytes.strip_prefix(MARK).unwrap_or(bytes)),
            Self::Shared(bytes) => Some(bytes),
            Self::Text(text) => Some(text.as_bytes()),
            Self::Copied(bytes) => Some(bytes),
        }
    }
}
