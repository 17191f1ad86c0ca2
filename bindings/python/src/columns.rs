//! Decisions as columns: arrays of NumPy for what is counted, lists of text.

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::decision::Decision;

/// The columns of these decisions, by the names of [`Decision`]'s attributes; a score that is not there
/// is NaN. Where a state measures so many values (`width`) of each pair, they are further ones.
pub fn columns<'py>(
    py: Python<'py>,
    decisions: &[Decision],
    width: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
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
    if let Some(width) = width {
        dict.set_item("measures", measures(py, decisions, width)?)?;
    }
    Ok(dict)
}

/// What a state measured of each pair, `[pairs, width]`; NaN where it was not asked.
fn measures<'py>(
    py: Python<'py>,
    decisions: &[Decision],
    width: usize,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let mut values = Vec::with_capacity(decisions.len() * width);
    for decision in decisions {
        let measured = decision.choice.as_ref().map(|choice| choice.values());
        match measured.filter(|measured| measured.len() == width) {
            Some(measured) => values.extend_from_slice(measured),
            None => values.extend(std::iter::repeat_n(f32::NAN, width)),
        }
    }
    PyArray1::from_vec(py, values).reshape([decisions.len(), width])
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
