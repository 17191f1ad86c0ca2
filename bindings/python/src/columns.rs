//! Decisions as columns: arrays of NumPy for what is counted, lists of text.

use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::decision::Decision;

/// The columns of these decisions, by the names of [`Decision`]'s attributes; a score that is not there
/// is NaN.
pub fn columns<'py>(py: Python<'py>, decisions: &[Decision]) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("kept", array(py, decisions, Decision::kept))?;
    dict.set_item("verdict", list(decisions, Decision::verdict))?;
    dict.set_item("reason", list(decisions, Decision::reason))?;
    dict.set_item("score", array(py, decisions, |d| d.score().unwrap_or(f32::NAN)))?;
    dict.set_item("threshold", array(py, decisions, |d| d.threshold.unwrap_or(f32::NAN)))?;
    dict.set_item("uid", list(decisions, Decision::uid))?;
    dict.set_item("width", array(py, decisions, Decision::width))?;
    dict.set_item("height", array(py, decisions, Decision::height))?;
    dict.set_item("caption_length", array(py, decisions, Decision::caption_length))?;
    dict.set_item("sha256", list(decisions, Decision::sha256))?;
    dict.set_item("broken_rules", list(decisions, Decision::broken_names))?;
    Ok(dict)
}

fn array<'py, T: numpy::Element>(
    py: Python<'py>,
    decisions: &[Decision],
    value: impl Fn(&Decision) -> T,
) -> Bound<'py, PyArray1<T>> {
    PyArray1::from_vec(py, decisions.iter().map(value).collect())
}

fn list<T>(decisions: &[Decision], value: impl Fn(&Decision) -> T) -> Vec<T> {
    decisions.iter().map(value).collect()
}
