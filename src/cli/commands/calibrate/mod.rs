//! `pairgate calibrate`: the threshold that keeps a share, and how sure it is.

mod args;
mod from;
mod scored;

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use super::journal::journal_at;
use crate::cli::args::FormatArg;
use crate::cli::outputs::check_file;
use crate::cli::progress::Pass;
use crate::cli::session::{Session, exit_code};
use crate::cli::summary::{Command, can_be_named, tell_next_commands};
use crate::cli::terminal::print;
use crate::decide::sketch::{ScoreSketch, known_to, sample_size};
use crate::disk::IoError;
use crate::gate::GateSettings;
use crate::journal::Reader;
use crate::model::bundle::calibrate::calibrate;
use crate::replay::pooled_score;
use crate::score_text::shortest;
use crate::sink::{Judged, RunEnd, Sink};

pub use args::CalibrateArgs;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Digest;
use pairgate_core::policy::Policy;

/// Runs the command.
pub fn run(args: &CalibrateArgs) -> Result<ExitCode, Box<dyn Error>> {
    for path in args.sketch.iter().chain(&args.output) {
        check_file(path)?;
    }
    if !args.from.is_empty() {
        return from::run(args);
    }
    let mut pool = Pool { sketch: ScoreSketch::new(), model: None };
    let mut code = ExitCode::SUCCESS;
    if args.merge {
        args.input.inputs.iter().try_for_each(|path| pool.read_sketch(path))?;
    } else {
        code = pool.read(args)?;
    }
    let model = pool.model.ok_or("nothing to calibrate on")?;
    let result = Calibration::of(&mut pool.sketch, args)?;
    if let Some(path) = &args.sketch {
        pool.sketch.save(path, model)?;
    }
    if let Some(path) = &args.output {
        write_policy(path, &result, args)?;
    }
    if let Some(bundle) = &args.into {
        calibrate(bundle, quantiles(&mut pool.sketch), result.threshold)?;
    }
    print(&if args.json { result.json(args) } else { result.table(args) })?;
    if !args.json {
        tell_next(args, result.threshold)?;
    }
    Ok(code)
}

/// What to do with the threshold.
fn tell_next(args: &CalibrateArgs, threshold: f32) -> io::Result<()> {
    let inputs = &args.input.inputs;
    if args.merge || args.input.format != FormatArg::Auto || !can_be_named(inputs) {
        return Ok(());
    }
    let threshold = format!("--threshold={threshold}");
    if inputs.iter().any(|path| journal_at(path).is_some()) {
        return tell_next_commands(&[Command::new(&["replay"])
            .inputs(&[], inputs)
            .words(&[&threshold])]);
    }
    let filter = Command::new(&["filter"]).inputs(&[], inputs);
    let filter = filter.option("--image-root", args.input.images.image_root.as_deref());
    let filter = filter.option("--model", args.input.model.model.as_deref());
    let filter = match &args.output {
        Some(policy) => filter.option("--config", Some(policy)),
        None => filter.words(&[&threshold]),
    };
    tell_next_commands(&[filter.words(&["-o", "kept"])])
}

/// Scores of pairs that reach the threshold: neither rule nor fault speaks against them.
struct Pool {
    sketch: ScoreSketch,
    /// The model whose scores they are.
    model: Option<Digest>,
}

impl Pool {
    fn claim(&mut self, path: &Path, model: Digest) -> Result<(), String> {
        match *self.model.get_or_insert(model) == model {
            true => Ok(()),
            false => Err(format!("{}: scores of another model", path.display())),
        }
    }

    fn read_sketch(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let (sketch, model) = ScoreSketch::load(path)?;
        self.claim(path, model)?;
        self.sketch.merge(&sketch);
        Ok(())
    }

    /// Reads journals and scores everything else.
    fn read(&mut self, args: &CalibrateArgs) -> Result<ExitCode, Box<dyn Error>> {
        let (journals, inputs): (Vec<_>, Vec<_>) =
            args.input.inputs.iter().cloned().partition(|path| journal_at(path).is_some());
        journals.iter().try_for_each(|path| self.read_journal(path))?;
        if inputs.is_empty() { Ok(ExitCode::SUCCESS) } else { self.score(args, &inputs) }
    }

    fn read_journal(&mut self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            // Another one may have taken over within the journal.
            self.claim(path, journal.terms().model())?;
            pooled_score(&record).into_iter().for_each(|score| self.sketch.add(score));
        }
        Ok(())
    }

    fn score(
        &mut self,
        args: &CalibrateArgs,
        inputs: &[PathBuf],
    ) -> Result<ExitCode, Box<dyn Error>> {
        let session = Session::start(&args.input, &args.rules)?;
        self.claim(&inputs[0], session.model.digest())?;
        let settings =
            GateSettings { policy: Policy::default(), ..GateSettings::of(&session.config) };
        let opened = session.open_paths(args.input.options(), inputs)?;
        let outcome = session.run(opened, settings, self, Pass::Scoring)?;
        match outcome.error {
            Some(error) => Err(error.into()),
            None => Ok(exit_code(&outcome, &outcome.counts)),
        }
    }
}

impl Sink for Pool {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        if let (Reason::Passed, Some(score)) = (judged.decision.reason, judged.decision.facts.score)
        {
            self.sketch.add(score);
        }
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

fn quantiles(sketch: &mut ScoreSketch) -> Vec<f32> {
    (0..=100).filter_map(|percent| sketch.quantile(f64::from(percent) / 100.0)).collect()
}

/// What the scores say.
struct Calibration {
    count: u64,
    threshold: f32,
    interval: (f32, f32),
    /// How far the share that it keeps elsewhere may be off, both ways.
    known_to: f64,
    quantiles: Vec<f32>,
}

impl Calibration {
    fn of(sketch: &mut ScoreSketch, args: &CalibrateArgs) -> Result<Self, Box<dyn Error>> {
        let (count, keep) = (sketch.count(), args.keep);
        let found = sketch.threshold(keep).zip(sketch.interval(keep, args.confidence));
        let (threshold, interval) = found.ok_or("no pair was scored: nothing to calibrate on")?;
        let known_to = known_to(keep, count, args.confidence);
        Ok(Self { count, threshold, interval, known_to, quantiles: quantiles(sketch) })
    }

    fn json(&self, args: &CalibrateArgs) -> String {
        let needed = sample_size(args.keep, args.precision, args.confidence);
        let value = json!({
            "scored": self.count,
            "keep": args.keep,
            "threshold": shortest(self.threshold),
            "interval": [shortest(self.interval.0), shortest(self.interval.1)],
            "confidence": args.confidence,
            "kept_share_known_to": self.known_to,
            "precision": args.precision,
            "pairs_needed": needed,
            "score_quantiles": self.quantiles.iter().copied().map(shortest).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }

    fn table(&self, args: &CalibrateArgs) -> String {
        let percent = |share: f64| {
            format!("{:.4}", 100.0 * share).trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let needed = sample_size(args.keep, args.precision, args.confidence);
        let (low, high) = self.interval;
        let mut text = format!("{:<34} {}\n", "pairs scored", self.count);
        text += &format!(
            "{:<34} {:.4}\n",
            format!("threshold that keeps {} %", percent(args.keep)),
            self.threshold
        );
        text += &format!(
            "{:<34} {low:.4} to {high:.4}\n",
            format!("{} % interval", percent(args.confidence))
        );
        text += &format!(
            "{:<34} +- {:.2} %\n",
            "share kept elsewhere, to within",
            100.0 * self.known_to
        );
        text += &format!(
            "{:<34} {needed}\n\n",
            format!("pairs to know it to +- {} %", percent(args.precision))
        );
        for percent in [0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 100] {
            text += &format!("{percent:>5} % {:>9.4}\n", self.quantiles[percent]);
        }
        text
    }
}

fn write_policy(path: &Path, result: &Calibration, args: &CalibrateArgs) -> Result<(), String> {
    let text = format!(
        "# The threshold that keeps {} % of {} scored pairs; {} % interval {:.4} to {:.4}.\n\
         [policy]\nthreshold = {}\n",
        100.0 * args.keep,
        result.count,
        100.0 * args.confidence,
        result.interval.0,
        result.interval.1,
        result.threshold
    );
    fs::write(path, text).map_err(|why| format!("writing {}: {why}", path.display()))
}
