//! `pairgate filter`: the main job.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use pairgate::config::file::Layers;
use pairgate::config::{Config, StorageConfig};
use pairgate::decision::Verdict;
use pairgate::error::RunError;
use pairgate::gate::{Gate, GateSettings};
use pairgate::model::manifest::Manifest;
use pairgate::pipeline::{Outcome, decide_again};
use pairgate::policy::fraction_threshold;
use pairgate::sink::journal::{JournalFile, JournalSink};
use pairgate::sink::output::OutputFolder;
use pairgate::sink::rejected::RejectedSink;
use pairgate::sink::store::StoreSink;
use pairgate::sink::{Judged, Sink};
use pairgate::source::Inputs;
use pairgate::wire;

use crate::args::{FilterArgs, OnErrorArg};
use crate::mqtt::{Listener, Plan};
use crate::progress::{Pass, Progress};
use crate::run::{Session, exit_code};
use crate::settings::{self, COMMAND_LINE};
use crate::summary::Summary;

/// How the run finds its threshold.
enum Cut {
    /// It is known before the run.
    At(f32),
    /// It is the one that keeps this share of the scored pairs.
    Fraction(f64),
}

/// Runs the command.
pub fn run(args: &FilterArgs) -> Result<ExitCode, Box<dyn Error>> {
    let plan = Plan::of(&args.mqtt)?;
    let session = Session::with(layers(args)?, args.input.model.as_deref(), args.input.arithmetic)?;
    let inputs = session.open(&args.input)?;
    let config = &session.config;
    let cut = resolve_cut(config, session.model.manifest(), inputs.is_repeatable())?;
    let mut settings = GateSettings::of(config);
    if let Cut::At(threshold) = cut {
        settings.policy.threshold = Some(threshold);
        settings.follow = settings::follow_rule(config);
    }
    // Before an earlier run's files are removed: this run may be refused for its memory.
    let queue = plan.queue_bytes();
    let gates = session.gates(settings, |need| need.without_capture().with_sink(queue))?;
    let output = prepare_output(args)?;
    let listener = plan.open()?;
    let mut summary = Summary::start(&session.model, &settings, "kept");
    let outcome = match cut {
        Cut::At(_) => {
            summary.set_threshold(&settings);
            let storage = &config.storage;
            let (header, output) = (session.header(&settings), output.as_deref());
            let mut sinks = sinks(args, storage, output, header, &listener)?;
            let mut follow = session.follow(&settings);
            let following = follow.as_mut();
            let pass = Pass::Filtering;
            let outcome = session.run_through(inputs, gates, following, &mut sinks, pass);
            summary.set_followed(follow.as_ref());
            outcome
        }
        Cut::Fraction(fraction) => {
            let mut passes =
                TwoPasses { args, session: &session, settings, output, listener: &listener };
            let outcome = passes.run(inputs, gates, fraction)?;
            summary.set_threshold(&passes.settings);
            outcome
        }
    };
    summary.print(&outcome, args.json)?;
    listener.close(&outcome);
    Ok(exit_code(&outcome))
}

/// The config, and over it what the options say.
fn layers(args: &FilterArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = settings::of_input(&args.input, args.rules)?;
    settings::set_policy(&mut layers, args.threshold, args.keep);
    settings::set_follow(&mut layers, &args.follow);
    if let Some(on_error) = args.on_error {
        let name = match on_error {
            OnErrorArg::Drop => "drop",
            OnErrorArg::Keep => "keep",
        };
        layers.set("policy", "on_error", name, COMMAND_LINE);
    }
    if let Some(pairs) = args.shard_size {
        layers.set("storage", "shard_pairs", i64::try_from(pairs)?, COMMAND_LINE);
    }
    Ok(layers)
}

fn resolve_cut(
    config: &Config,
    manifest: &Manifest,
    repeatable: bool,
) -> Result<Cut, Box<dyn Error>> {
    match config.policy.keep {
        Some(fraction) if repeatable && !config.follow.enabled => Ok(Cut::Fraction(fraction)),
        _ => settings::stream_threshold(config, manifest).map(Cut::At),
    }
}

fn prepare_output(args: &FilterArgs) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let output = args.output.as_ref().filter(|_| !args.dry_run);
    let folders = || output.iter().copied().chain(&args.rejected);
    for folder in folders() {
        refuse_overlap(folder, &args.input.inputs)?;
    }
    for folder in folders() {
        OutputFolder::prepare(folder, args.overwrite)?;
    }
    Ok(output.cloned())
}

/// An output inside an input would be read as input, and one around it could be overwritten.
fn refuse_overlap(output: &Path, inputs: &[PathBuf]) -> Result<(), String> {
    let Ok(output_path) = absolute(output) else { return Ok(()) };
    for input in inputs {
        let Ok(input_path) = fs::canonicalize(input) else { continue };
        if input_path.starts_with(&output_path) || output_path.starts_with(&input_path) {
            let (input, output) = (input.display(), output.display());
            return Err(format!("the output {output} and the input {input} lie in each other"));
        }
    }
    Ok(())
}

/// The path that `output` will have, though its last parts may not exist yet.
fn absolute(output: &Path) -> std::io::Result<PathBuf> {
    let output = std::path::absolute(output)?;
    let existing = output.ancestors().find(|part| part.exists()).unwrap_or(&output);
    let rest = output.strip_prefix(existing).unwrap_or(Path::new(""));
    Ok(fs::canonicalize(existing)?.join(rest))
}

fn sinks(
    args: &FilterArgs,
    storage: &StorageConfig,
    output: Option<&Path>,
    header: wire::Header,
    listener: &Listener,
) -> Result<Vec<Box<dyn Sink>>, RunError> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(output) = output {
        let observer = listener.observer(header.threshold);
        sinks.push(Box::new(StoreSink::create(output, storage, header, observer)?));
    }
    if let Some(rejected) = &args.rejected {
        sinks.push(Box::new(RejectedSink::create(rejected, args.rejected_per_reason)?));
    }
    listener.add_to(&mut sinks);
    Ok(sinks)
}

/// `--keep`: the first pass scores, the second decides by the threshold that the scores gave.
struct TwoPasses<'a> {
    args: &'a FilterArgs,
    session: &'a Session,
    settings: GateSettings,
    output: Option<PathBuf>,
    listener: &'a Listener,
}

impl TwoPasses<'_> {
    fn run(
        &mut self,
        inputs: Inputs,
        gates: Vec<Gate>,
        fraction: f64,
    ) -> Result<Outcome, Box<dyn Error>> {
        let provisional = Provisional::new(self.output.as_deref());
        let header = self.session.header(&self.settings);
        let journal = JournalSink::create(&provisional.path, header)?;
        let mut first = FirstPass { journal, scores: Vec::new() };
        let mut outcome = self.session.run_through(inputs, gates, None, &mut first, Pass::Scoring);
        if outcome.error.is_some() || outcome.interrupted {
            // What has passed so far waits for a threshold that will not come.
            outcome.unstored += outcome.counts.remove(Verdict::Kept);
            log::warn!("ended before the threshold was known: nothing was kept");
            return Ok(outcome);
        }
        self.settings.policy.threshold = fraction_threshold(&mut first.scores, fraction);
        self.second(&provisional.path)
    }

    fn second(&self, journal: &Path) -> Result<Outcome, Box<dyn Error>> {
        let mut inputs = self.session.open(&self.args.input)?;
        let mut progress = Progress::new(Pass::Keeping, inputs.meter());
        let header = self.session.header(&self.settings);
        let storage = &self.session.config.storage;
        let output = self.output.as_deref();
        let mut sinks = sinks(self.args, storage, output, header, self.listener)?;
        let records = JournalFile::open(journal)?;
        let policy = &self.settings.policy;
        let watch = |counts: &_| progress.show(counts);
        let stop = &self.session.signals.stop;
        Ok(decide_again(&mut inputs, records, policy, &mut sinks, stop, watch))
    }
}

/// The first pass's journal, which goes when the run ends.
struct Provisional {
    path: PathBuf,
}

impl Provisional {
    /// Beside the output, where there is room; a dry run's goes to the system's folder for such.
    fn new(output: Option<&Path>) -> Self {
        let path = output.map_or_else(
            || std::env::temp_dir().join(format!("pairgate-{}.pass1", std::process::id())),
            |output| output.join(OutputFolder::FIRST_PASS),
        );
        Self { path }
    }
}

impl Drop for Provisional {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_file(&self.path) {
            log::debug!("removing {}: {why}", self.path.display());
        }
    }
}

/// Records every decision and collects the scores, 4 bytes a pair.
struct FirstPass {
    journal: JournalSink,
    scores: Vec<f32>,
}

impl Sink for FirstPass {
    fn accept(&mut self, judged: &Judged) -> Result<(), RunError> {
        self.scores.extend(judged.decision.facts.score.filter(|score| score.is_finite()));
        self.journal.accept(judged)
    }

    fn finish(&mut self) -> Result<(), RunError> {
        self.journal.finish()
    }
}
