//! What several subjects need: the default model, once, and paths; shards, and the program run beside them.

pub mod shards;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pairgate::model::ModelError;
use pairgate::model::bundle::Bundle;
use pairgate::model::import::{Import, Imported, import};
use pairgate::model::{Arithmetic, Model};
use tempfile::TempDir;

/// A file or folder below tests/data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The embedded model, loaded once for all tests.
pub fn default_model() -> Arc<Model> {
    static MODEL: OnceLock<Arc<Model>> = OnceLock::new();
    let load = || Arc::new(Model::load(&Bundle::embedded().unwrap(), Arithmetic::Float).unwrap());
    MODEL.get_or_init(load).clone()
}

/// Fixtures: small models of each family.
pub const FAMILIES: [&str; 10] = [
    "open_clip-vit",
    "open_clip-vit-quickgelu",
    "open_clip-rn50",
    "open_clip-mobileclip",
    "open_clip-siglip",
    "transformers-clip",
    "transformers-siglip",
    "optimum-clip",
    "optimum-clip-legacy77",
    "optimum-siglip",
];

/// A fixture's folder.
pub fn fixture(name: &str) -> PathBuf {
    data("models").join(name)
}

/// The quantized forms that a fixture comes in.
pub fn forms(name: &str) -> Vec<String> {
    let mut forms: Vec<String> = fs::read_dir(fixture(name))
        .unwrap()
        .filter_map(|entry| {
            let file = entry.unwrap().file_name().into_string().unwrap();
            Some(file.strip_prefix("golden_")?.strip_suffix(".json")?.to_owned())
        })
        .collect();
    forms.sort();
    forms
}

/// Settings that make up for what some folders do not say.
pub fn settings() -> Vec<String> {
    ["licence=CC0-1.0", "logit_scale=unknown"].map(str::to_owned).to_vec()
}

/// How a fixture is imported.
pub fn import_of(folder: PathBuf, variant: Option<&str>) -> Import {
    Import { folder, variant: variant.map(str::to_owned), settings: settings(), golden: None }
}

/// Imports to `bundle` in a new folder.
pub fn run_import(wanted: &Import) -> Result<(TempDir, Imported), ModelError> {
    let folder = tempfile::tempdir().unwrap();
    let imported = import(wanted, &folder.path().join("bundle"), &mut |_| {})?;
    Ok((folder, imported))
}

/// A fixture in one of its forms, imported to `bundle` in a folder.
pub fn imported(name: &str, variant: Option<&str>) -> (TempDir, Imported) {
    run_import(&import_of(fixture(name), variant))
        .unwrap_or_else(|e| panic!("{name} {variant:?}: {e}"))
}

/// Makes a named pipe, which nobody writes to.
#[cfg(unix)]
pub fn named_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success(), "{}", path.display());
}

/// What `work` gives, if it ends within a minute: what waits for a pipe never does.
pub fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || told.send(work()));
    let limit = std::time::Duration::from_secs(60);
    heard.recv_timeout(limit).unwrap_or_else(|why| panic!("{what}: {why}"))
}
