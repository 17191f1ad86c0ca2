//! The gate.

use std::path::PathBuf;
use std::sync::Arc;

use pairgate::{Gate as Examiner, GateSettings, Model as Loaded, ModelError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::caption::Caption;
use crate::columns::columns;
use crate::deciding::Deciding;
use crate::decision::Decision;
use crate::image::Image;
use crate::lists::{Pairs, shard_of};
use crate::metadata::Json;
use crate::model::{Model, ModelArgument};
use crate::pairs::{Found, Pair, examine};
use crate::parameters::{Parameters, Said, checked_threads};
use crate::pool::Pool;
use crate::spread::{cores, spread};
use crate::state::{State, StateArgument};

/// Pairs that are examined before a state decides on them: their embeddings are held meanwhile.
const SELECTED_AT_ONCE: usize = 4096;

#[doc = stub!("Gate")]
#[pyclass(frozen, weakref, module = "pairgate_dfn")]
pub struct Gate {
    parameters: Parameters,
    path: Option<PathBuf>,
    model: Arc<Loaded>,
    settings: GateSettings,
    deciding: Deciding,
    /// Where the state lies.
    state: Option<PathBuf>,
    threads: usize,
    pool: Pool<Examiner>,
}

#[pymethods]
impl Gate {
    #[new]
    #[pyo3(signature = (*, threshold=None, keep=None, model=None, config=None, rules=None, threads=None, scaled=None, score_all=false, select=None))]
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
        select: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let config = config.map(Said::of).transpose()?;
        let state = select.map(StateArgument::of).transpose()?;
        let select = state.as_ref().map(|state| state.path().to_owned());
        let parameters =
            Parameters { threshold, keep, config, rules, threads, scaled, score_all, select };
        Self::of(py, parameters, ModelArgument::of(model)?, state, None)
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

    #[doc = stub!("Gate.state")]
    #[getter]
    fn state(&self) -> Option<State> {
        let (state, path) = self.deciding.state().zip(self.state.as_ref())?;
        Some(State::holding(state.clone(), path.clone()))
    }

    #[doc = stub!("Gate.forget")]
    fn forget(&self, py: Python<'_>) {
        py.detach(|| self.deciding.forget());
    }

    #[doc = stub!("Gate.__call__")]
    #[pyo3(signature = (image, caption, *, metadata=None, shard=None))]
    fn __call__(
        &self,
        py: Python<'_>,
        image: &Bound<'_, PyAny>,
        caption: &Bound<'_, PyAny>,
        metadata: Option<&Bound<'_, PyAny>>,
        shard: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Decision> {
        // A pair may have no metadata, but it comes from somewhere.
        self.deciding.check_told(shard.is_some(), true)?;
        let shard = shard.map(|given| shard_of(given, || "shard".into())).transpose()?;
        let image = Image::of(image, &self.settings.image, || "image".into())?;
        let caption = Caption::of(caption, || "caption".into())?;
        let metadata =
            metadata.map_or(Ok(Json::Missing), |given| Json::of(given, || "metadata".into()))?;
        let pairs = [Pair { image, caption, metadata, shard }];
        let judged = py.detach(|| {
            let found = self.examine(&pairs).map_err(broken)?;
            self.deciding.decide(&pairs, found)
        });
        let decision = judged?.pop();
        decision.ok_or_else(|| PyRuntimeError::new_err("the gate gave no answer"))
    }

    #[doc = stub!("Gate.judge")]
    #[pyo3(signature = (images, captions, *, metadata=None, shard=None, threads=None, columns=false))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn judge<'py>(
        &self,
        py: Python<'py>,
        images: &Bound<'py, PyAny>,
        captions: &Bound<'py, PyAny>,
        metadata: Option<&Bound<'py, PyAny>>,
        shard: Option<&Bound<'py, PyAny>>,
        threads: Option<i64>,
        columns: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let threads = threads.map(checked_threads).transpose()?.unwrap_or(self.threads);
        self.deciding.check_told(shard.is_some(), metadata.is_some())?;
        let mut pairs = Pairs::of(images, captions, metadata, shard)?;
        let mut decisions = Vec::new();
        loop {
            let next = pairs.next(&self.settings)?;
            if next.is_empty() {
                break;
            }
            decisions.extend(py.detach(|| self.judge_on(&next, threads))?);
        }
        if columns {
            let width = self.deciding.state().map(|state| state.width());
            return Ok(self::columns(py, &decisions, width)?.into_any());
        }
        Ok(PyList::new(py, decisions)?.into_any())
    }

    #[doc = stub!("Gate.judge_table")]
    #[pyo3(signature = (table, *, image="jpg", caption="txt", metadata=None, threads=None, prefix="", shard=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords in Python")]
    fn judge_table<'py>(
        slf: &Bound<'py, Self>,
        table: &Bound<'py, PyAny>,
        image: &str,
        caption: &str,
        metadata: Option<&str>,
        threads: Option<i64>,
        prefix: &str,
        shard: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.get().check_told(shard.is_some(), metadata.is_some())?;
        let by_library = slf.py().import("pairgate_dfn._arrow")?.getattr("judge_table")?;
        by_library.call1((slf, table, image, caption, metadata, threads, prefix, shard))
    }

    fn __repr__(&self) -> String {
        let manifest = self.model.manifest();
        let threshold = self.settings.policy.threshold.unwrap_or(f32::NAN);
        let Self { threads, .. } = self;
        let (name, version) = (&manifest.name, &manifest.version);
        let state =
            self.deciding.state().map(|state| format!(" select={:?}", state.about().expression));
        let state = state.unwrap_or_default();
        format!("<Gate {name} {version} threshold={threshold} threads={threads}{state}>")
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let restore = py.import("pairgate_dfn._native")?.getattr("gate_of")?;
        let Parameters { threshold, keep, config, rules, threads, scaled, score_all, select: _ } =
            &this.parameters;
        let state = this.state.as_ref().map(|path| path.to_string_lossy());
        let of_state = this.deciding.state().map(|state| state.digest().to_string());
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
            state.zip(of_state),
        );
        Ok((restore, values.into_pyobject(py)?))
    }
}

impl Gate {
    fn of(
        py: Python<'_>,
        parameters: Parameters,
        model: ModelArgument,
        state: Option<StateArgument>,
        pickled: Option<&Pickled>,
    ) -> PyResult<Self> {
        let config = parameters.resolve()?;
        let digest = pickled.map(|pickled| pickled.model.as_str());
        let (model, path) = model.or_configured(&config.model.bundle)?.load(py, digest)?;
        let mut settings = parameters.settings(&config, &model)?;
        let digest = pickled.and_then(|pickled| pickled.state.as_deref());
        let state = StateArgument::or_configured(state, &config.select.state);
        let state = state.map(|state| state.load(py, digest)).transpose()?;
        if let Some(state) = &state {
            state.check(&model)?;
            settings.selection = Some(state.loaded().digest());
        }
        let loaded = state.as_ref().map(|state| state.loaded().clone());
        let deciding = Deciding::new(settings.policy, loaded);
        let state = state.map(|state| state.path().to_owned());
        let threads = match config.pipeline.workers {
            0 => cores(),
            workers => workers,
        };
        let pool = Pool::default();
        Ok(Self { parameters, path, model, settings, deciding, state, threads, pool })
    }

    /// What it finds of the pairs, on the calling thread.
    fn examine(&self, pairs: &[Pair]) -> Result<Vec<Found>, ModelError> {
        let mut examiner = self.pool.take(|| self.examiner());
        let found = examine(&mut examiner, &self.settings, pairs)?;
        self.pool.give(examiner);
        Ok(found)
    }

    fn examiner(&self) -> Examiner {
        let examiner = Examiner::new(self.model.clone(), self.settings);
        match self.deciding.state() {
            None => examiner,
            Some(state) if state.needs_embeddings() => {
                examiner.measuring(state.measures()).embedding()
            }
            Some(state) => examiner.measuring(state.measures()),
        }
    }

    /// As of [`Deciding::check_told`].
    pub fn check_told(&self, shard: bool, metadata: bool) -> PyResult<()> {
        self.deciding.check_told(shard, metadata)
    }

    /// What it says of the pairs, on its threads or on so many, detached from Python.
    pub fn decide(&self, pairs: &[Pair], threads: Option<usize>) -> PyResult<Vec<Decision>> {
        self.judge_on(pairs, threads.unwrap_or(self.threads))
    }

    fn judge_on(&self, pairs: &[Pair], threads: usize) -> PyResult<Vec<Decision>> {
        let at_once = match self.deciding.state() {
            None => pairs.len().max(1),
            Some(_) => SELECTED_AT_ONCE,
        };
        let mut decisions = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(at_once) {
            let work = |part: std::ops::Range<usize>| self.examine(&pairs[part]).map_err(Broken);
            let found = spread(pairs.len(), threads, work)?.into_iter().flatten().collect();
            decisions.extend(self.deciding.decide(pairs, found)?);
        }
        Ok(decisions)
    }
}

/// What a gate that was pickled must find again.
struct Pickled {
    /// The model's digest.
    model: String,
    /// The state's.
    state: Option<String>,
}

#[doc = stub!("gate_of")]
#[pyfunction]
#[pyo3(signature = (threshold, keep, config, rules, threads, scaled, score_all, path, digest, state=None))]
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
    digest: String,
    state: Option<(PathBuf, String)>,
) -> PyResult<Gate> {
    let config = config.map(Said::of).transpose()?;
    let (select, of_state) = state.unzip();
    let pickled = Pickled { model: digest, state: of_state };
    let state = select.clone().map(StateArgument::Path);
    let parameters =
        Parameters { threshold, keep, config, rules, threads, scaled, score_all, select };
    Gate::of(py, parameters, ModelArgument::Path(path), state, Some(&pickled))
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
