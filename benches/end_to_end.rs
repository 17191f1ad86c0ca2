//! Pairs a second through the whole pipeline, by workers:
//! `cargo bench --bench end_to_end [-- [--model=BUNDLE] SHARDS...]`.
//!
//! Every run must come to the same decisions in the same order, which is checked before timing.
//! Runs with one worker and with two take turns.

mod common;

use std::sync::Arc;

use common::{median, model, print_host, samples, seconds};
use pairgate::decide::Fixed;
use pairgate::disk::IoError;
use pairgate::gate::{Gate, GateSettings, Screening};
use pairgate::model::Model;
use pairgate::pipeline::{Run, Signals};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::source::{Sample, Source};
use pairgate_core::config::PipelineConfig;
use pairgate_core::decision::Decision;

const ROUNDS: usize = 9;
const PAIRS: usize = 600;

/// Gives samples that lie in memory, over and over.
struct Repeat {
    samples: Arc<Vec<Sample>>,
    next: usize,
}

impl Source for Repeat {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        let sample = self.samples[self.next % self.samples.len()].clone();
        self.next += 1;
        Ok((self.next <= PAIRS).then_some(sample))
    }
}

#[derive(Default)]
struct Collect(Vec<Decision>);

impl Sink for Collect {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        self.0.push(judged.decision);
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

fn run(model: &Arc<Model>, samples: &Arc<Vec<Sample>>, workers: usize) -> (f64, Vec<Decision>) {
    let settings = GateSettings { screening: Screening::Note, ..GateSettings::default() };
    let gate = |_| Gate::new(model.clone(), settings);
    let gates: Vec<Gate> = (0..workers).map(gate).collect();
    let source = Box::new(Repeat { samples: samples.clone(), next: 0 });
    let mut sink = Collect::default();
    let signals = Signals::default();
    let time = seconds(|| {
        let config = PipelineConfig::default();
        let run = Run {
            source,
            decider: &mut Fixed(settings.policy),
            sink: &mut sink,
            config: &config,
            signals: &signals,
            first_ticket: 0,
        };
        let outcome = run.through(gates, |_| ());
        assert!(outcome.error.is_none() && outcome.read == PAIRS as u64);
    });
    (time, sink.0)
}

fn main() {
    let model = model();
    print_host(&model);
    let samples = Arc::new(samples(PAIRS));
    let (_, one) = run(&model, &samples, 1);
    let (_, two) = run(&model, &samples, 2);
    assert_eq!(one, two, "workers must not change a decision");

    let (mut ones, mut twos, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (one, two) = (run(&model, &samples, 1).0, run(&model, &samples, 2).0);
        ratios.push(one / two);
        ones.push(PAIRS as f64 / one);
        twos.push(PAIRS as f64 / two);
    }
    println!("{PAIRS} pairs, median of {ROUNDS} rounds");
    println!("1 worker  {:>8.1} pairs/s", median(ones));
    println!("2 workers {:>8.1} pairs/s", median(twos));
    println!("2 workers / 1 worker {:.2}", median(ratios));
}
