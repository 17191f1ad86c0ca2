//! Models: each is loaded once a process, as long as somebody holds it.

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use pairgate::selection::RunsError;
use pairgate::{Arithmetic, Bundle, Digest, Model};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

create_exception!(
    pairgate_dfn,
    ModelError,
    PyValueError,
    "A model bundle that cannot be loaded, or is another one than that which was pickled."
);

/// Models that are held.
static HELD: Mutex<Vec<(Digest, Weak<Model>)>> = Mutex::new(Vec::new());

/// The model at `path`, or the one in the package, which must have this digest where one is given.
///
/// # Errors
/// [`ModelError`] that names the file and what is wrong with it.
pub fn load(py: Python<'_>, path: Option<&Path>, digest: Option<&str>) -> PyResult<Arc<Model>> {
    py.detach(|| {
        let failed = |error: pairgate::ModelError| ModelError::new_err(error.to_string());
        let bundle = path.map_or_else(Bundle::embedded, Bundle::load).map_err(failed)?;
        if let Some(digest) = digest.filter(|digest| *digest != bundle.digest.to_string()) {
            return Err(another(path, &bundle, digest));
        }
        if let Some(model) = held(bundle.digest) {
            return Ok(model);
        }
        let model = Arc::new(Model::load(&bundle, Arithmetic::int8()).map_err(failed)?);
        hold(&model);
        Ok(model)
    })
}

/// The files of that model.
///
/// # Errors
/// [`RunsError`] that names the file and what is wrong with it.
pub fn bundle(path: Option<&Path>, digest: Option<&str>) -> Result<Bundle, RunsError> {
    let bundle = path.map_or_else(Bundle::embedded, Bundle::load)?;
    match digest.filter(|digest| *digest != bundle.digest.to_string()) {
        Some(digest) => Err(RunsError::refused(format!(
            "{}: {} with the digest {} is not the model that was loaded, whose digest is {digest}",
            place_of(path),
            bundle.manifest.name,
            bundle.digest
        ))),
        None => Ok(bundle),
    }
}

fn another(path: Option<&Path>, bundle: &Bundle, digest: &str) -> PyErr {
    let (name, found) = (&bundle.manifest.name, bundle.digest);
    ModelError::new_err(format!(
        "{}: {name} with the digest {found} is not the model that was pickled, whose digest is {digest}",
        place_of(path)
    ))
}

fn place_of(path: Option<&Path>) -> String {
    path.map_or("the model in the package".into(), |path| path.display().to_string())
}

// Both leave it at that where the lock is held: in a process that was forked it may never be opened.

fn held(digest: Digest) -> Option<Arc<Model>> {
    let held = HELD.try_lock().ok()?;
    held.iter().find(|(known, _)| *known == digest).and_then(|(_, model)| model.upgrade())
}

fn hold(model: &Arc<Model>) {
    if let Ok(mut held) = HELD.try_lock() {
        held.retain(|(_, model)| model.strong_count() > 0);
        held.push((model.digest(), Arc::downgrade(model)));
    }
}
