//! The gate.

use std::path::PathBuf;
use std::sync::Arc;

use pairgate::{Gate as Examiner, GateSettings, Model as Loaded, ModelError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::caption::Caption;
use crate::columns::columns;
use crate::decision::Decision;
use crate::image::Image;
use crate::lists::Pairs;
use crate::metadata::Json;
use crate::model::{Model, ModelArgument};
use crate::pairs::{Pair, judge};
use crate::parameters::{Parameters, Said, checked_threads};
use crate::pool::Pool;
use crate::spread::{cores, spread};

#[doc = stub!("Gate")]
#[pyclass(frozen, weakref, module = "pairgate_dfn")]
pub struct Gate {
    parameters: Parameters,
    path: Option<PathBuf>,
    model: Arc<Loaded>,
    settings: GateSettings,
    threads: usize,
    pool: Pool<Examiner>,
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (*, threshold=None, keep=None, model=None, config=None, rules=None, threads=None, scaled=None, score_all=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        py: Python<'_>,
        threshold: Option<f64>,
        keep: Option<f64>,
        model: Option<&Bound<'_, PyAny>>,
        config: Option<&Bound<'_, PyAny>>,
        rules: Option<String>,
        threads: Option<i64>,
        scaled: Option<bool>,
        score_all: bool,
    ) -> PyResult<Self> {
        let config = config.map(Said::of).transpose()?;
        let parameters = Parameters { threshold, keep, config, rules, threads, scaled, score_all };
        Self::of(py, parameters, ModelArgument::of(model)?, None)
    }

    #[doc = stub!("Gate.threshold")]
    #[getter]
    fn threshold(&self) -> Option<f32> {
        self.settings.policy.threshold
    }

    #[doc = stub!("Gate.threads")]
    #[getter]
    fn threads(&self) -> usize {
        self.threads
    }

    #[doc = stub!("Gate.model")]
    #[getter]
    fn model(&self) -> Model {
        Model::holding(self.model.clone(), self.path.clone(), None)
    }

    #[doc = stub!("Gate.settings")]
    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.settings.named(self.model.arithmetic()) {
            dict.set_item(name, value)?;
        }
        Ok(dict)
    }

    #[doc = stub!("Gate.settings_digest")]
    #[getter]
    fn settings_digest(&self) -> String {
        self.settings.digest(self.model.arithmetic()).to_string()
    }

    #[doc = stub!("Gate.__call__")]
    #[pyo3(signature = (image, caption, *, metadata=None))]
    fn __call__(
        &self,
        py: Python<'_>,
        image: &Bound<'_, PyAny>,
        caption: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Decision> {
        let image = Image::of(image, &self.settings.image, || "image".into())?;
        let caption = Caption::of(caption, || "caption".into())?;
        let metadata =
            metadata.map_or(Ok(Json::Missing), |given| Json::of(given, || "metadata".into()))?;
        let pair = Pair { image, caption, metadata };
        let judged = py.detach(|| self.examine(std::slice::from_ref(&pair)));
        let decision = judged.map_err(broken)?.pop();
        decision.ok_or_else(|| PyRuntimeError::new_err("the gate gave no answer"))
    }

    #[doc = stub!("Gate.judge")]
    #[pyo3(signature = (images, captions, *, metadata=None, threads=None, columns=false))]
    fn judge<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        captions: &Bound<'py, PyAny>,
        metadata: Option<&Bound<'py, PyAny>>,
        threads: Option<i64>,
        columns: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let threads = threads.map(checked_threads).transpose()?.unwrap_or(self.threads);
        let mut pairs = Pairs::of(images, captions, metadata)?;
        let mut decisions = Vec::new();
        loop {
            let next = pairs.next(&self.settings)?;
            if next.is_empty() {
                break;
            }
            decisions.extend(py.detach(|| self.judge_on(&next, threads))?);
        }
        if columns {
            return Ok(self::columns(py, &decisions)?.into_any());
        }
        Ok(PyList::new(py, decisions)?.into_any())
    }

    #[doc = stub!("Gate.judge_table")]
    #[pyo3(signature = (table, *, image="jpg", caption="txt", metadata=None, threads=None, prefix=""))]
    fn judge_table<'py>(
        slf: &Bound<'py, Self>,
        table: &Bound<'py, PyAny>,
        image: &str,
        caption: &str,
        metadata: Option<&str>,
        threads: Option<i64>,
        prefix: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let by_library = slf.py().import("pairgate_dfn._arrow")?.getattr("judge_table")?;
        by_library.call1((slf, table, image, caption, metadata, threads, prefix))
    }

    fn __repr__(&self) -> String {
        let manifest = self.model.manifest();
        let threshold = self.settings.policy.threshold.unwrap_or(f32::NAN);
        let Self { threads, .. } = self;
        format!(
            "<Gate {} {} threshold={threshold} threads={threads}>",
            manifest.name, manifest.version
        )
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let restore = py.import("pairgate_dfn._native")?.getattr("gate_of")?;
        let Parameters { threshold, keep, config, rules, threads, scaled, score_all } =
            &this.parameters;
        let config = config.as_ref().map(|config| config.pickled(py)).transpose()?;
        let values = (
            threshold,
            keep,
            config,
            rules,
            threads,
            scaled,
            score_all,
            this.path.as_ref().map(|path| path.to_string_lossy()),
            this.model.digest().to_string(),
        );
        Ok((restore, values.into_pyobject(py)?))
    }
}

impl Gate {
    fn of(
        py: Python<'_>,
        parameters: Parameters,
        model: ModelArgument,
        digest: Option<&str>,
    ) -> PyResult<Self> {
        let config = parameters.resolve()?;
        let (model, path) = model.or_configured(&config.model.bundle)?.load(py, digest)?;
        let settings = parameters.settings(&config, &model)?;
        let threads = match config.pipeline.workers {
            0 => cores(),
            workers => workers,
        };
        Ok(Self { parameters, path, model, settings, threads, pool: Pool::default() })
    }

    /// What it says of the pairs, on the calling thread.
    fn examine(&self, pairs: &[Pair]) -> Result<Vec<Decision>, ModelError> {
        let mut examiner = self.pool.take(|| Examiner::new(self.model.clone(), self.settings));
        let judged = judge(&mut examiner, &self.settings, pairs)?;
        self.pool.give(examiner);
        Ok(judged)
    }

    /// What it says of the pairs, on its threads or on so many, detached from Python.
    pub fn decide(&self, pairs: &[Pair], threads: Option<usize>) -> PyResult<Vec<Decision>> {
        self.judge_on(pairs, threads.unwrap_or(self.threads))
    }

    fn judge_on(&self, pairs: &[Pair], threads: usize) -> PyResult<Vec<Decision>> {
        let work = |part: std::ops::Range<usize>| self.examine(&pairs[part]).map_err(Broken);
        Ok(spread(pairs.len(), threads, work)?.into_iter().flatten().collect())
    }
}

#[doc = stub!("gate_of")]
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "called by pickle alone")]
pub fn gate_of(
    py: Python<'_>,
    threshold: Option<f64>,
    keep: Option<f64>,
    config: Option<&Bound<'_, PyAny>>,
    rules: Option<String>,
    threads: Option<i64>,
    scaled: Option<bool>,
    score_all: bool,
    path: Option<PathBuf>,
    digest: &str,
) -> PyResult<Gate> {
    let config = config.map(Said::of).transpose()?;
    let parameters = Parameters { threshold, keep, config, rules, threads, scaled, score_all };
    Gate::of(py, parameters, ModelArgument::Path(path), Some(digest))
}

/// A model that does not work.
struct Broken(ModelError);

impl From<Broken> for PyErr {
    fn from(Broken(error): Broken) -> Self {
        broken(error)
    }
}

fn broken(error: ModelError) -> PyErr {
    PyRuntimeError::new_err(error.to_string())
}
