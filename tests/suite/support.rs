//! What several subjects need: the default model, once, and paths.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pairgate::model::Model;
use pairgate::model::bundle::Bundle;

/// A file or folder below tests/data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The embedded model, loaded once for all tests.
pub fn default_model() -> Arc<Model> {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    let load = || Arc::new(Model::load(&Bundle::embedded().unwrap()).unwrap());
    MODEL.get_or_init(load).clone()
}
