//! Odd inputs, held against what Python's own readers say of the same bytes. `tests/golden/tars.py`
//! has written the files and the values.

mod chosen;
mod json;
mod tars;

use std::path::PathBuf;

use pairgate::source::tar::TarSource;
use pairgate::source::{Sample, Source};
use pairgate_core::config::SampleLimits;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/odd")
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("expected.json")).unwrap()).unwrap()
}

fn limits() -> SampleLimits {
    SampleLimits::default()
}

fn read_all(source: &mut dyn Source) -> Vec<Sample> {
    std::iter::from_fn(|| source.next().unwrap()).collect()
}

fn read_tar(bytes: &[u8]) -> Vec<Sample> {
    read_all(&mut TarSource::new(bytes, "s.tar", limits()))
}
