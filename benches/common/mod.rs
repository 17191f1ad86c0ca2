//! What both benches share: medians, the host, and pairs to work on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use pairgate::model::bundle::Bundle;
use pairgate::model::{Arithmetic, Model};
use pairgate::source::{Inputs, Sample, Source};
use pairgate_core::config::SampleLimits;

/// The model of `--model=BUNDLE`, else the embedded one.
pub fn model() -> Arc<Model> {
    let named = std::env::args().find_map(|arg| arg.strip_prefix("--model=").map(PathBuf::from));
    let bundle = named.map_or_else(Bundle::embedded, |folder| Bundle::load(&folder));
    let bundle = bundle.expect("the bundle loads");
    Arc::new(Model::load(&bundle, Arithmetic::int8()).expect("the model loads"))
}

/// Folders and shards named on the command line, else the sample pairs.
pub fn inputs() -> Vec<PathBuf> {
    let named: Vec<PathBuf> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).map(Into::into).collect();
    if named.is_empty() {
        return vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pairs"))];
    }
    named
}

/// At most `count` samples of the inputs, in memory.
pub fn samples(count: usize) -> Vec<Sample> {
    let mut source = Inputs::open(&inputs(), SampleLimits::default()).expect("the inputs open");
    let next = || source.next().expect("the inputs can be read");
    std::iter::from_fn(next).take(count).collect()
}

/// The middle of an odd number of values, or the upper middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds that `work` takes.
pub fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// One line about the machine and the model, for whoever reads the figures.
pub fn print_host(model: &Model) {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("cpu {}, {cores} cores, model {}", cpu.unwrap_or("unknown"), model.digest());
}
