//! Scores pairs on the calling thread, and starts no other: the shortest way through the library, and
//! the one program for a machine that has no threads, such as an emulated processor.
//!
//! ```sh
//! cargo run --release --example score_pairs -- SHARD_OR_FOLDER...
//! ```
//!
//! Standard output gets the lines that `pairgate score --rules none` writes, each as soon as its pair is
//! scored; standard error the instruction set in use. It ends with 1 where a pair could not be judged,
//! and with 2 where it could not run.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use pairgate::disk::IoError;
use pairgate::gate::{Examine, Gate, GateSettings, Screening};
use pairgate::model::bundle::Bundle;
use pairgate::model::{Arithmetic, Model};
use pairgate::sink::scores::ScoresSink;
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Inputs, Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Class;
use pairgate_core::policy::Policy;
use pairgate_core::rules::Rules;
use pairgate_kernels::Isa;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("score_pairs: {error}");
            ExitCode::from(2)
        }
    }
}

/// Scores all inputs; whether every pair could be judged.
fn run() -> Result<bool, Box<dyn Error>> {
    let paths: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err("usage: score_pairs SHARD_OR_FOLDER...".into());
    }
    eprintln!("score_pairs: int8 on {}", Isa::chosen());
    let mut gate = gate()?;
    let mut inputs = Inputs::open(&paths, SampleLimits::default())?;
    let mut all_judged = true;
    while let Some(sample) = inputs.next()? {
        let judged = judge(&mut gate, sample)?;
        all_judged &= judged.decision.reason.class() != Class::Faulty;
        print(&judged)?;
    }
    Ok(all_judged)
}

/// A gate on the model in the library that asks it of every pair. Golden pairs, which would be scored
/// on a thread of their own, are left alone.
fn gate() -> Result<Gate, Box<dyn Error>> {
    let model = Model::unchecked(&Bundle::embedded()?, Arithmetic::int8())?;
    let settings =
        GateSettings { rules: Rules::NONE, screening: Screening::Note, ..GateSettings::default() };
    Ok(Gate::new(Arc::new(model), settings))
}

fn judge(gate: &mut Gate, sample: Sample) -> Result<Judged, Box<dyn Error>> {
    let metadata = sample.metadata();
    let found = gate.examine(&[sample.pair(&metadata)])?;
    let evidence = found.into_iter().next().ok_or("a gate examines every pair")?;
    let decision = Policy::default().decide(evidence.found, evidence.facts);
    let uid = sample.uid(&metadata, decision.facts.content);
    Ok(Judged::new(0, sample, uid, decision))
}

/// Writes one line. A sink is buffered until it is finished, so each line has its own.
fn print(judged: &Judged) -> Result<(), IoError> {
    let mut sink = ScoresSink::create(Path::new("-"))?;
    sink.accept(judged)?;
    sink.finish(RunEnd::Complete)
}
