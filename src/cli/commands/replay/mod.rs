//! `pairgate replay`: decisions again, from journals.

mod args;

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::args::{ArithmeticArg, ModelArgs};
use crate::cli::progress::Pass;
use crate::cli::session::{SOME_FAILED, Session};
use crate::cli::settings;
use crate::cli::terminal::print;
use crate::config::Layers;
use crate::decide::share::fraction_threshold_in_passes;
use crate::disk::IoError;
use crate::gate::{GateSettings, Screening};
use crate::journal::{FORMAT_VERSION, Reader, Record, Terms};
use crate::pipeline::Outcome;
use crate::printable::printable_line;
use crate::replay::{
    Confusion, Difference, RecordedThresholds, VerifySink, difference, pooled_score,
    recorded_policy,
};
use crate::score_text::shortest;
use crate::select::selecting::{First, Selecting};

pub use args::ReplayArgs;
use pairgate_core::config::{Need, PolicyConfig};
use pairgate_core::decision::Verdict;
use pairgate_core::policy::{OnError, Policy};

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<ExitCode, Box<dyn Error>> {
    let journals = args.journals.as_slice();
    if !args.source.is_empty() {
        return judge_again(args, journals);
    }
    if args.verify {
        return verify(args, journals);
    }
    let policy = policy(args, journals)?;
    let mut confusion = Confusion::new(args.examples);
    let mut kept = args.output.as_deref().map(Kept::create).transpose()?;
    for path in journals {
        for record in Reader::open(path)? {
            let record = record?;
            let decision = policy.decide_again(record.reason, record.facts);
            confusion.add(&record, decision.verdict);
            if let Some(kept) = kept.as_mut().filter(|_| decision.verdict == Verdict::Kept) {
                kept.add(&record)?;
            }
        }
    }
    kept.map_or(Ok(()), Kept::finish)?;
    let text = if args.json { as_json(&confusion, &policy) } else { as_table(&confusion, &policy) };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What decides: an option, a config's policy, or what the model recommended at the time.
fn policy(args: &ReplayArgs, journals: &[PathBuf]) -> Result<Policy, Box<dyn Error>> {
    let mut config = PolicyConfig::default();
    if let Some(path) = &args.policy {
        let mut layers = Layers::default();
        layers.add_file(path)?;
        config = layers.resolve()?.policy;
    }
    let on_error = if args.policy.is_some() { config.on_error } else { OnError::Drop };
    let fraction = args.decide.keep.or(config.keep);
    let threshold = match (args.decide.threshold.or(config.threshold), fraction) {
        (Some(threshold), _) => threshold,
        (None, Some(fraction)) => share_threshold(journals, fraction)?,
        (None, None) => {
            return Err("what is to decide? give --threshold, --keep, --policy or --verify".into());
        }
    };
    Ok(Policy { threshold: Some(threshold), on_error })
}

fn share_threshold(journals: &[PathBuf], fraction: f64) -> Result<f32, Box<dyn Error>> {
    let mut model = None;
    for path in journals {
        let mut journal = Reader::open(path)?;
        while journal.next().transpose()?.is_some() {
            let digest = journal.terms().model();
            if *model.get_or_insert(digest) != digest {
                return Err(format!("{}: scores of another model", path.display()).into());
            }
        }
    }
    let scores = || -> Result<_, IoError> {
        let readers = journals.iter().map(|path| Reader::open(path));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        let score = |record: Result<Record, IoError>| record.map(|r| pooled_score(&r)).transpose();
        Ok(readers.into_iter().flatten().filter_map(score))
    };
    let threshold = fraction_threshold_in_passes(scores, fraction)?;
    threshold.ok_or_else(|| "no pair in the journals was scored".into())
}

/// The keys that would be kept.
struct Kept {
    writer: BufWriter<File>,
    path: PathBuf,
}

impl Kept {
    fn create(path: &Path) -> Result<Self, String> {
        let file =
            File::create(path).map_err(|why| format!("writing {}: {why}", path.display()))?;
        Ok(Self { writer: BufWriter::new(file), path: path.to_owned() })
    }

    fn add(&mut self, record: &Record) -> Result<(), String> {
        let line = json!({
            "key": record.key,
            "uid": record.uid.to_string(),
            "shard": record.shard,
            "score": record.facts.score.map(shortest),
        });
        writeln!(self.writer, "{line}").map_err(|why| self.failed(&why))
    }

    fn finish(mut self) -> Result<(), String> {
        self.writer.flush().map_err(|why| self.failed(&why))
    }

    fn failed(&self, why: &std::io::Error) -> String {
        format!("writing {}: {why}", self.path.display())
    }
}

fn as_json(confusion: &Confusion, policy: &Policy) -> String {
    let mut table = json!({});
    for old in Verdict::ALL {
        for new in Verdict::ALL {
            table[old.name()][new.name()] = confusion.count(old, new).into();
        }
    }
    let example = |example: &crate::replay::Example| -> Value {
        json!({
            "key": example.record.key,
            "uid": example.record.uid.to_string(),
            "shard": example.record.shard,
            "score": example.record.facts.score.map(shortest),
            "old": example.old.name(),
            "new": example.new.name(),
        })
    };
    let examples: Vec<Value> = confusion.examples().iter().map(example).collect();
    let summary = json!({
        "threshold": policy.threshold.map(shortest),
        "kept": confusion.now(Verdict::Kept),
        "rejected": confusion.now(Verdict::Rejected),
        "failed": confusion.now(Verdict::Failed),
        "changed": confusion.changed(),
        "old_to_new": table,
        "examples": examples,
    });
    format!("{summary:#}\n")
}

fn as_table(confusion: &Confusion, policy: &Policy) -> String {
    let mut text = format!("{:<16}", "was \\ is now");
    Verdict::ALL.iter().for_each(|new| text += &format!("{:>12}", new.name()));
    text.push('\n');
    for old in Verdict::ALL {
        text += &format!("{:<16}", old.name());
        for new in Verdict::ALL {
            text += &format!("{:>12}", confusion.count(old, new));
        }
        text.push('\n');
    }
    for example in confusion.examples() {
        let score = example.record.facts.score.map_or("-".into(), |score| format!("{score:.4}"));
        let (old, new) = (example.old.name(), example.new.name());
        text += &format!(
            "\n{old} -> {new}: {} in {}, score {score}",
            printable_line(&example.record.key),
            printable_line(&example.record.shard)
        );
    }
    if !confusion.examples().is_empty() {
        text.push('\n');
    }
    let threshold = policy.threshold.map_or("none".into(), |t| format!("{t:.4}"));
    text + &format!("\nthreshold {threshold}; verdicts that change: {}\n", confusion.changed())
}

/// Holds the recorded decisions against the recorded scores.
fn verify(args: &ReplayArgs, journals: &[PathBuf]) -> Result<ExitCode, Box<dyn Error>> {
    let (mut compared, mut different, mut first) = (0, 0, Vec::new());
    for path in journals {
        let mut journal = Reader::open(path)?;
        while let Some(record) = journal.next().transpose()? {
            if record.recovered {
                // It says where the pair is stored; how it was decided is lost.
                continue;
            }
            let policy = recorded_policy(journal.terms(), &record);
            let now = policy.decide_again(record.reason, record.facts);
            compared += 1;
            if let Some(found) = difference(&record, &now) {
                different += 1;
                first.extend((first.len() < args.examples).then_some(found));
            }
        }
    }
    conclude(args, compared, different, &first)
}

/// Judges the source anew, and holds each decision against the recorded one.
fn judge_again(args: &ReplayArgs, journals: &[PathBuf]) -> Result<ExitCode, Box<dyn Error>> {
    let [path] = journals else {
        return Err("--source verifies one journal at a time".into());
    };
    let mut layers = Layers::default();
    if let Some(config) = &args.config {
        layers.add_file(config)?;
    }
    settings::set_selection(&mut layers, args.select.as_deref());
    let journal = Reader::open(path)?;
    let terms = journal.terms().clone();
    let earlier = journal.header().format < FORMAT_VERSION;
    let model =
        ModelArgs { model: args.model.clone(), arithmetic: ArithmeticArg::Int8, decode: None };
    let session = Session::with(layers, &model)?;
    if session.model.digest() != terms.model() {
        let digest = terms.model();
        return Err(format!(
            "the journal is of another model, with the digest {digest}: give --model"
        )
        .into());
    }
    let settings = recorded_settings(args, &session, &terms, earlier)?;
    let inputs = session.open_paths(args.images.options(), &args.source)?;
    let first_ticket = journal.header().first_ticket;
    if let Some(method) = session.selection.as_ref().and_then(|state| state.moving())
        && first_ticket > 0
    {
        let path = path.display();
        return Err(format!(
            "{path}: its first {first_ticket} records were removed, and its selection's {method} depend \
             on them"
        )
        .into());
    }
    if first_ticket > 0 {
        log::info!("{}: the first {first_ticket} records were removed", path.display());
    }
    let mut sink = VerifySink::new(journal, args.examples).from_ticket(first_ticket);
    let by_groups = terms.settings.iter().any(|setting| setting.starts_with("groups.by="));
    let outcome: Outcome = match session.selection.clone().filter(|_| by_groups) {
        None => session.run(inputs, settings, &mut sink, Pass::Scoring)?,
        Some(state) => {
            // What came to the state is what the groups' thresholds let pass.
            let first = RecordedThresholds::new(Reader::open(path)?, settings.policy, first_ticket);
            let mut decider = Selecting::new(First::Other(Box::new(first)), state);
            let gates = session.gates(settings, Need::without_capture)?;
            session.run_through(inputs, gates, &mut decider, &mut sink, Pass::Scoring, 0)
        }
    };
    if let Some(error) = outcome.error {
        return Err(error.into());
    }
    conclude(args, sink.compared, sink.different, &sink.first)
}

/// The settings that the journal was written under: their digest says whether they are.
fn recorded_settings(
    args: &ReplayArgs,
    session: &Session,
    terms: &Terms,
    earlier: bool,
) -> Result<GateSettings, Box<dyn Error>> {
    let mut settings = session.selecting(GateSettings::of(&session.config));
    settings.policy.threshold = terms.threshold;
    settings.tracker = terms.tracker;
    for screening in [Screening::Stop, Screening::Note] {
        settings.screening = screening;
        let arithmetic = session.model.arithmetic();
        let digest =
            if earlier { settings.earlier_digest(arithmetic) } else { settings.digest(arithmetic) };
        if digest == terms.config || terms.is_of(digest, args.images.options().named()) {
            return Ok(settings);
        }
    }
    let selected = |setting: &String| setting.starts_with("select.state=");
    match (terms.settings.iter().find(|setting| selected(setting)), settings.selection) {
        (Some(state), None) => Err(format!("a state selected ({state}): give --select").into()),
        _ => Err("the journal was written under another config: give --config".into()),
    }
}

fn conclude(
    args: &ReplayArgs,
    compared: u64,
    different: u64,
    first: &[Difference],
) -> Result<ExitCode, Box<dyn Error>> {
    let text = if args.json {
        let named = first.iter().map(|d| json!({ "pair": d.name, "what": d.what }));
        let first: Vec<Value> = named.collect();
        format!("{:#}\n", json!({ "compared": compared, "different": different, "first": first }))
    } else {
        let lines = first.iter().map(|d| format!("{}: {}\n", printable_line(&d.name), d.what));
        lines.collect::<String>() + &format!("{compared} decisions, {different} differ\n")
    };
    print(&text)?;
    Ok(ExitCode::from(if different > 0 { SOME_FAILED } else { 0 }))
}
