//! One decision of a journal.

use pairgate::{IoError, JournalReader, Reason, Record as Recorded};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::columns::{NAMES, value};
use crate::choice::Choice;

/// A record, and the threshold that it was held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub record: Recorded,
    pub threshold: Option<f32>,
}

impl Row {
    /// The next one of a journal.
    ///
    /// # Errors
    /// [`IoError`] where the journal is damaged, once.
    pub fn next(reader: &mut JournalReader) -> Result<Option<Self>, IoError> {
        let Some(record) = reader.next().transpose()? else { return Ok(None) };
        let threshold = record.threshold.or(reader.terms().threshold);
        Ok(Some(Self { record, threshold }))
    }

    /// The names of the rules that the pair breaks.
    pub fn broken_names(&self) -> Vec<&'static str> {
        self.record.broken.iter().map(Reason::name).collect()
    }

    /// The name of the shard that it is stored in.
    pub fn stored_shard(&self) -> Option<String> {
        self.record.stored.as_ref().map(|stored| pairgate::shard_name(stored.shard))
    }

    /// Its key there.
    pub fn stored_key(&self) -> Option<&str> {
        self.record.stored.as_ref().map(|stored| stored.key.as_str())
    }
}

#[doc = stub!("Record")]
#[pyclass(frozen, eq, module = "pairgate_dfn")]
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub Row);

#[pymethods]
impl Record {
    #[doc = stub!("Record.ticket")]
    #[getter]
    fn ticket(&self) -> u64 {
        self.0.record.ticket
    }

    #[doc = stub!("Record.uid")]
    #[getter]
    fn uid(&self) -> String {
        self.0.record.uid.to_string()
    }

    #[doc = stub!("Record.key")]
    #[getter]
    fn key(&self) -> &str {
        &self.0.record.key
    }

    #[doc = stub!("Record.shard")]
    #[getter]
    fn shard(&self) -> &str {
        &self.0.record.shard
    }

    #[doc = stub!("Record.input")]
    #[getter]
    fn input(&self) -> u32 {
        self.0.record.position.input
    }

    #[doc = stub!("Record.item")]
    #[getter]
    fn item(&self) -> u64 {
        self.0.record.position.item
    }

    #[doc = stub!("Record.verdict")]
    #[getter]
    fn verdict(&self) -> &'static str {
        self.0.record.verdict.name()
    }

    #[doc = stub!("Record.reason")]
    #[getter]
    fn reason(&self) -> &'static str {
        self.0.record.reason.name()
    }

    #[doc = stub!("Record.score")]
    #[getter]
    fn score(&self) -> Option<f32> {
        self.0.record.facts.score
    }

    #[doc = stub!("Record.threshold")]
    #[getter]
    fn threshold(&self) -> Option<f32> {
        self.0.threshold
    }

    #[doc = stub!("Record.width")]
    #[getter]
    fn width(&self) -> u32 {
        self.0.record.facts.size.width
    }

    #[doc = stub!("Record.height")]
    #[getter]
    fn height(&self) -> u32 {
        self.0.record.facts.size.height
    }

    #[doc = stub!("Record.caption_length")]
    #[getter]
    fn caption_length(&self) -> u32 {
        self.0.record.facts.caption_length
    }

    #[doc = stub!("Record.sha256")]
    #[getter]
    fn sha256(&self) -> String {
        self.0.record.facts.content.to_string()
    }

    #[doc = stub!("Record.image_bytes")]
    #[getter]
    fn image_bytes(&self) -> u64 {
        self.0.record.image_bytes
    }

    #[doc = stub!("Record.broken_rules")]
    #[getter]
    fn broken_rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.broken_names())
    }

    #[doc = stub!("Record.stored_shard")]
    #[getter]
    fn stored_shard(&self) -> Option<String> {
        self.0.stored_shard()
    }

    #[doc = stub!("Record.stored_key")]
    #[getter]
    fn stored_key(&self) -> Option<&str> {
        self.0.stored_key()
    }

    #[doc = stub!("Record.recovered")]
    #[getter]
    fn recovered(&self) -> bool {
        self.0.record.recovered
    }

    #[doc = stub!("Record.choice")]
    #[getter]
    fn choice(&self) -> Option<Choice> {
        self.0.record.choice.as_deref().cloned().map(Choice::from)
    }

    #[doc = stub!("Record.keys")]
    fn keys(&self) -> Vec<&'static str> {
        NAMES.to_vec()
    }

    #[doc = stub!("Record.to_dict")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for name in NAMES {
            dict.set_item(name, value(py, &self.0, name)?)?;
        }
        Ok(dict)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        value(py, &self.0, name)?.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __contains__(&self, name: &str) -> bool {
        NAMES.contains(&name)
    }

    fn __len__(&self) -> usize {
        NAMES.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyTuple::new(py, NAMES)?.try_iter()?.into_any())
    }

    fn __repr__(&self) -> String {
        let Recorded { ticket, key, verdict, reason, facts, .. } = &self.0.record;
        let score = facts.score.map(|score| format!(" score={score}")).unwrap_or_default();
        let (verdict, reason) = (verdict.name(), reason.name());
        format!("<Record {ticket} {key:?} {verdict} {reason}{score}>")
    }
}
