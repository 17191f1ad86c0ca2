//! What a decision of a state rested on.

use pairgate::selection::Choice as Chosen;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::decision::reason_of;

#[doc = stub!("Choice")]
#[pyclass(frozen, eq, module = "pairgate_dfn")]
#[derive(Debug, Clone)]
pub struct Choice {
    chosen: Chosen,
}

/// By their bits, so that what has no measure is equal to itself.
impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        let bits = |chosen: &Chosen| -> Vec<u32> {
            chosen.measures.iter().map(|value| value.to_bits()).collect()
        };
        let rest = |chosen: &Chosen| (chosen.group, chosen.like, chosen.flags.clone());
        let (own, others) = (&self.chosen, &other.chosen);
        bits(own) == bits(others) && rest(own) == rest(others)
    }
}

impl From<Chosen> for Choice {
    fn from(chosen: Chosen) -> Self {
        // What goes on from a journal asks for what was learnt; nobody here does.
        Self { chosen: Chosen { learnt: Vec::new(), ..chosen } }
    }
}

#[pymethods]
impl Choice {
    #[doc = stub!("Choice.measures")]
    #[getter]
    fn measures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.chosen.measures)
    }

    #[doc = stub!("Choice.group")]
    #[getter]
    fn group(&self) -> Option<u32> {
        self.chosen.group
    }

    #[doc = stub!("Choice.like")]
    #[getter]
    fn like(&self) -> Option<u64> {
        self.chosen.like
    }

    #[doc = stub!("Choice.flags")]
    #[getter]
    fn flags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.chosen.flag_names())
    }

    #[doc = stub!("Choice.to_dict")]
    pub fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("measures", &self.chosen.measures)?;
        dict.set_item("group", self.group())?;
        dict.set_item("like", self.like())?;
        dict.set_item("flags", self.chosen.flag_names())?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let Chosen { measures, group, like, .. } = &self.chosen;
        let mut told = format!("measures={measures:?}");
        told += &group.map(|group| format!(" group={group}")).unwrap_or_default();
        told += &like.map(|like| format!(" like={like}")).unwrap_or_default();
        let flags = self.chosen.flag_names();
        if !flags.is_empty() {
            told += &format!(" flags={}", flags.join(","));
        }
        format!("<Choice {told}>")
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let restore = py.import("pairgate_dfn._native")?.getattr("choice_of")?;
        let values = (&this.chosen.measures, this.group(), this.like(), this.chosen.flag_names());
        Ok((restore, values.into_pyobject(py)?))
    }
}

impl Choice {
    /// What the state's measures gave.
    pub fn values(&self) -> &[f32] {
        &self.chosen.measures
    }
}

#[doc = stub!("choice_of")]
#[pyfunction]
pub fn choice_of(
    measures: Vec<f32>,
    group: Option<u32>,
    like: Option<u64>,
    flags: Vec<String>,
) -> PyResult<Choice> {
    let code = |flag: &String| {
        let reason = reason_of(flag)?;
        u8::try_from(reason as u32).map_err(|_| PyValueError::new_err(format!("flag = {flag:?}")))
    };
    let flags = flags.iter().map(code).collect::<PyResult<_>>()?;
    Ok(Chosen { measures, group, like, flags, learnt: Vec::new() }.into())
}
