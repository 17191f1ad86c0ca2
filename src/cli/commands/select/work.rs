//! What fitting and applying share: the pool, threads, progress.

use std::error::Error;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use pairgate_kernels::Team;
use serde_json::{Value, json};

use super::args::PoolArgs;
use crate::cli::signals::Stop;
use crate::select::fit::{Step, Told, Work};
use crate::select::runs::Runs;

/// Time between two lines of progress.
const EVERY: Duration = Duration::from_secs(5);

/// The runs.
pub fn runs(args: &PoolArgs) -> Result<Runs, Box<dyn Error>> {
    Ok(Runs {
        paths: args.runs.clone(),
        names: args.embedding_names.as_deref().map(str::parse).transpose()?,
        score: args.score_column.clone(),
        sources: args.source.clone(),
        options: args.images.options(),
    })
}

/// Threads, a way to stop, and lines of progress.
pub struct Crew {
    team: Team,
    stop: Arc<AtomicBool>,
    tell: Box<dyn FnMut(Told)>,
    /// Held, so that signals are heard.
    _signals: Stop,
}

impl Crew {
    pub fn new(args: &PoolArgs) -> Result<Self, Box<dyn Error>> {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let team = Team::new(args.threads.map_or(cores, usize::from))?;
        let signals = Stop::on_signal()?;
        let (mut last, mut method) = (Instant::now(), "");
        let tell = move |told: Told| match told {
            Told::Method(name) => {
                method = name;
                log::info!("{name}");
            }
            _ if last.elapsed() < EVERY => {}
            Told::Round(round, rounds) => {
                last = Instant::now();
                log::info!("{method}: round {round} of at most {rounds}");
            }
            Told::Read(pairs) => {
                last = Instant::now();
                log::info!("{method}: {pairs} pairs");
            }
        };
        Ok(Self { team, stop: signals.asked.clone(), tell: Box::new(tell), _signals: signals })
    }

    pub fn work(&mut self) -> Work<'_> {
        Work { team: &self.team, stop: &self.stop, tell: &mut *self.tell }
    }
}

/// The methods with what came to each and what it kept, as a table.
pub fn table(steps: &[Step]) -> String {
    let mut text = format!("{:<14}{:>12}{:>12}{:>9}\n", "method", "came", "kept", "share");
    for step in steps {
        let share = 100.0 * step.kept as f64 / step.came.max(1) as f64;
        let flags = if step.flags { "  (flags)" } else { "" };
        text +=
            &format!("{:<14}{:>12}{:>12}{share:>8.2}%{flags}\n", step.method, step.came, step.kept);
    }
    text
}

/// The same as JSON.
pub fn steps_json(steps: &[Step]) -> Vec<Value> {
    let step = |step: &Step| json!({ "method": step.method, "came": step.came, "kept": step.kept, "flags": step.flags });
    steps.iter().map(step).collect()
}
