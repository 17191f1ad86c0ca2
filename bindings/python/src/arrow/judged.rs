//! Decisions as columns.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Float32Builder, StringBuilder};
use arrow_schema::{DataType, Field};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::decision::Decision;

/// The columns' names, in their order.
const NAMES: [&str; 6] = ["verdict", "reason", "score", "threshold", "kept", "uid"];

/// The columns, each name with `prefix` before it.
pub fn fields(prefix: &str) -> Vec<Field> {
    let kind = |name| match name {
        "score" | "threshold" => DataType::Float32,
        "kept" => DataType::Boolean,
        _ => DataType::Utf8,
    };
    NAMES.iter().map(|name| Field::new(format!("{prefix}{name}"), kind(*name), true)).collect()
}

#[doc = stub!("judged_names")]
#[pyfunction]
pub fn judged_names(prefix: &str, beside: Vec<String>) -> PyResult<Vec<String>> {
    check_names(prefix, beside.iter().map(String::as_str))?;
    Ok(NAMES.iter().map(|name| format!("{prefix}{name}")).collect())
}

/// Whether the columns can be put beside those with these names.
///
/// # Errors
/// `ValueError` that names those which are there already.
pub fn check_names<'a>(
    prefix: &str,
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> PyResult<()> {
    let is_there = |name: &String| names.clone().into_iter().any(|other| other == name);
    let ours = NAMES.iter().map(|name| format!("{prefix}{name}"));
    let twice: Vec<_> = ours.filter(is_there).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "the table has columns called {} already: give prefix=\"gate_\" or the like, or rename them",
        twice.join(", ")
    )))
}

/// Columns that decisions are added to.
#[derive(Default)]
pub struct Judged {
    verdict: StringBuilder,
    reason: StringBuilder,
    score: Float32Builder,
    threshold: Float32Builder,
    kept: BooleanBuilder,
    uid: StringBuilder,
}

impl Judged {
    /// Adds the next row's.
    pub fn add(&mut self, decision: &Decision) {
        self.verdict.append_value(decision.verdict());
        self.reason.append_value(decision.reason());
        self.score.append_option(decision.score());
        self.threshold.append_option(decision.threshold);
        self.kept.append_value(decision.kept());
        self.uid.append_value(decision.uid());
    }

    /// The columns, in the order of [`fields`].
    pub fn columns(mut self) -> Vec<ArrayRef> {
        vec![
            Arc::new(self.verdict.finish()),
            Arc::new(self.reason.finish()),
            Arc::new(self.score.finish()),
            Arc::new(self.threshold.finish()),
            Arc::new(self.kept.finish()),
            Arc::new(self.uid.finish()),
        ]
    }
}
