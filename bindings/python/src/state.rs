//! Frozen selections.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::selection::State as Loaded;
use pairgate::{Digest, IoError, Model};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::parameters::absolute;

create_exception!(
    pairgate_dfn,
    StateError,
    PyValueError,
    "A state that cannot be read, is of another model, or is another one than that which was pickled."
);

#[doc = stub!("State")]
#[pyclass(frozen, weakref, eq, module = "pairgate_dfn")]
pub struct State {
    loaded: Arc<Loaded>,
    path: PathBuf,
}

/// The same bytes are the same state, wherever they lie.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.loaded.digest() == other.loaded.digest()
    }
}

#[pymethods]
impl State {
    #[doc = stub!("State.read")]
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Self::at(py, &path, None)
    }

    #[doc = stub!("State.path")]
    #[getter]
    #[pyo3(name = "path")]
    fn path_name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    #[doc = stub!("State.digest")]
    #[getter]
    fn digest(&self) -> String {
        self.loaded.digest().to_string()
    }

    #[doc = stub!("State.expression")]
    #[getter]
    fn expression(&self) -> &str {
        &self.loaded.about().expression
    }

    #[doc = stub!("State.model")]
    #[getter]
    fn model(&self) -> &str {
        &self.loaded.about().model_name
    }

    #[doc = stub!("State.model_digest")]
    #[getter]
    fn model_digest(&self) -> String {
        self.loaded.about().model.to_string()
    }

    #[doc = stub!("State.dimension")]
    #[getter]
    fn dimension(&self) -> u32 {
        self.loaded.about().dimension
    }

    #[doc = stub!("State.seed")]
    #[getter]
    fn seed(&self) -> u64 {
        self.loaded.about().seed
    }

    #[doc = stub!("State.calibration")]
    #[getter]
    fn calibration(&self) -> String {
        self.loaded.about().calibration.to_string()
    }

    #[doc = stub!("State.pairs")]
    #[getter]
    fn pairs(&self) -> u64 {
        self.loaded.about().pairs
    }

    #[doc = stub!("State.threshold")]
    #[getter]
    fn threshold(&self) -> Option<f32> {
        self.loaded.about().threshold
    }

    #[doc = stub!("State.moving")]
    #[getter]
    fn moving(&self) -> Option<&'static str> {
        self.loaded.moving()
    }

    #[doc = stub!("State.memory")]
    #[getter]
    fn memory(&self) -> u64 {
        self.loaded.memory()
    }

    #[doc = stub!("State.growth")]
    #[getter]
    fn growth(&self) -> u64 {
        self.loaded.growth()
    }

    #[doc = stub!("State.measures")]
    #[getter]
    fn measures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let named = self.loaded.parts().iter().flat_map(|part| {
            let width = part.measure().map_or(0, |measure| measure.width());
            std::iter::repeat_n(part.name.as_str(), width)
        });
        PyTuple::new(py, named.collect::<Vec<_>>())
    }

    #[doc = stub!("State.parts")]
    #[getter]
    fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let parts = PyList::empty(py);
        for part in self.loaded.parts() {
            let (told, arrays) = (PyDict::new(py), PyDict::new(py));
            for array in part.to_arrays() {
                arrays.set_item(array.name, PyTuple::new(py, array.shape)?)?;
            }
            told.set_item("method", &part.name)?;
            told.set_item("arrays", arrays)?;
            parts.append(told)?;
        }
        Ok(parts)
    }

    #[doc = stub!("State.to_dict")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("path", self.path_name())?;
        dict.set_item("digest", self.digest())?;
        dict.set_item("expression", self.expression())?;
        dict.set_item("model", self.model())?;
        dict.set_item("model_digest", self.model_digest())?;
        dict.set_item("dimension", self.dimension())?;
        dict.set_item("seed", self.seed())?;
        dict.set_item("calibration", self.calibration())?;
        dict.set_item("pairs", self.pairs())?;
        dict.set_item("threshold", self.threshold())?;
        dict.set_item("moving", self.moving())?;
        dict.set_item("memory", self.memory())?;
        dict.set_item("growth", self.growth())?;
        dict.set_item("measures", self.measures(py)?)?;
        dict.set_item("parts", self.parts(py)?)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        let (expression, digest) = (self.expression(), self.digest());
        format!("<State {expression:?} digest={}>", &digest[..12])
    }

    fn __hash__(&self) -> u64 {
        let Digest(bytes) = self.loaded.digest();
        u64::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 8]))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (py, this) = (slf.py(), slf.get());
        let restore = py.import("pairgate_dfn._native")?.getattr("state_of")?;
        Ok((restore, (this.path_name(), this.digest()).into_pyobject(py)?))
    }
}

impl State {
    fn at(py: Python<'_>, path: &Path, digest: Option<&str>) -> PyResult<Self> {
        let path = absolute(path)?;
        let loaded = Arc::new(py.detach(|| Loaded::load(&path)).map_err(unreadable)?);
        if let Some(digest) = digest.filter(|digest| *digest != loaded.digest().to_string()) {
            return Err(StateError::new_err(format!(
                "{}: the state with the digest {} is not the one that was pickled, whose digest is {digest}",
                path.display(),
                loaded.digest()
            )));
        }
        Ok(Self { loaded, path })
    }

    /// One that lies at `path` and is loaded already.
    pub fn holding(loaded: Arc<Loaded>, path: PathBuf) -> Self {
        Self { loaded, path }
    }

    /// What it is.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses another model than the one that it was fitted on.
    ///
    /// # Errors
    /// [`StateError`] that names the file and both models.
    pub fn check(&self, model: &Model) -> PyResult<()> {
        let manifest = model.manifest();
        let name = format!("{} {}", manifest.name, manifest.version);
        let checked = self.loaded.check_model(&name, model.digest(), manifest.embedding_size);
        checked.map_err(|why| StateError::new_err(format!("{}: {why}", self.path.display())))
    }
}

fn unreadable(error: IoError) -> PyErr {
    StateError::new_err(error.to_string())
}

/// What is given where a state is asked for.
pub enum StateArgument {
    /// A file.
    Path(PathBuf),
    /// One that is loaded.
    Loaded(Arc<Loaded>, PathBuf),
}

impl StateArgument {
    /// Takes a path or a [`State`].
    pub fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        match given.cast::<State>() {
            Ok(state) => {
                let state = state.get();
                Ok(Self::Loaded(state.loaded.clone(), state.path.clone()))
            }
            Err(_) => Ok(Self::Path(given.extract()?)),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        match self {
            Self::Path(path) | Self::Loaded(_, path) => path,
        }
    }

    /// What was given, or what a config names.
    pub fn or_configured(given: Option<Self>, path: &str) -> Option<Self> {
        given.or_else(|| (!path.is_empty()).then(|| Self::Path(path.into())))
    }

    /// The state; with a `digest` it must have that one.
    pub fn load(self, py: Python<'_>, digest: Option<&str>) -> PyResult<State> {
        match self {
            Self::Path(path) => State::at(py, &path, digest),
            Self::Loaded(loaded, path) => Ok(State { loaded, path }),
        }
    }
}

#[doc = stub!("state_of")]
#[pyfunction]
pub fn state_of(py: Python<'_>, path: PathBuf, digest: &str) -> PyResult<State> {
    State::at(py, &path, Some(digest))
}
