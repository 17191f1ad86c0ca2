//! Tables of pairs: what becomes a pair, and what happens where a table is not what it should be.

mod csv;
mod folders;
mod golden;
mod json;
#[cfg(feature = "parquet")]
mod parquet;
mod streams;

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::source::{InputOptions, Inputs, Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use serde_json::Value;
use tempfile::TempDir;

/// A picture's first bytes, and some more.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n a picture that nobody decodes here";

const LIMITS: SampleLimits = SampleLimits { max_sample_bytes: 4096, max_caption_bytes: 1024 };

fn tables() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tables")
}

/// A folder with these files and the picture `a.png`.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, data) in [("a.png", PNG)].iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, data).unwrap();
    }
    folder
}

fn read_with(options: InputOptions, path: &Path) -> Vec<Sample> {
    let mut inputs = Inputs::open_with(options, &[path.to_owned()], LIMITS).unwrap();
    std::iter::from_fn(|| inputs.next().unwrap()).collect()
}

fn read(path: &Path) -> Vec<Sample> {
    read_with(InputOptions::default(), path)
}

/// The pairs of a table with this name and text, beside `a.png`.
fn read_text(name: &str, text: &str) -> Vec<Sample> {
    let folder = folder(&[(name, text.as_bytes())]);
    read(&folder.path().join(name))
}

fn caption(sample: &Sample) -> Option<String> {
    sample.member("txt").map(|text| String::from_utf8_lossy(text).into_owned())
}

fn json(sample: &Sample) -> Value {
    serde_json::from_slice(sample.member("json").unwrap()).unwrap()
}

/// Key, caption and fault of each pair, such as `k: a dog` or `k: !image_missing`.
fn lines(samples: &[Sample]) -> Vec<String> {
    let line = |sample: &Sample| {
        let caption = caption(sample).unwrap_or_default();
        let fault = sample.fault.map_or(String::new(), |fault| format!("!{fault}"));
        assert_eq!(sample.fault.is_none(), sample.image().is_some(), "{sample:?}");
        format!("{}: {}", sample.key, caption + &fault)
    };
    samples.iter().map(line).collect()
}

const INVALID: Option<Reason> = Some(Reason::MetadataInvalid);
