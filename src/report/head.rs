//! What a report says of the run above all else: who decided, by what, on which inputs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pairgate_core::pair::Digest;
use serde::Serialize;

use super::sums::Sums;
use crate::embeddings::by_ticket;
use crate::embeddings::npz::beside;
use crate::journal::parts;

/// Inputs that are named.
const MOST_INPUTS: usize = 12;
/// Settings that commands say otherwise, or that say nothing of how pairs are scored.
const KNOWN: [&str; 5] = ["policy.", "select.", "groups.", "scores=", "embeddings="];
/// Stands for the threshold in a command.
const MARK: &str = "{threshold}";

/// What a model was calibrated with.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// Of the model's manifest.
    #[serde(skip)]
    pub model: Digest,
    /// The threshold that the model recommends.
    pub recommended: Option<f32>,
    /// Scores of its calibration set at 0 %, 1 %, ... 100 %, ascending; empty if not calibrated.
    pub quantiles: Vec<f32>,
}

#[derive(Debug, Serialize)]
pub(super) struct Head {
    journals: Vec<String>,
    /// Name and version; empty where they are not known.
    model: String,
    model_digest: String,
    program: String,
    inputs: Vec<String>,
    more_inputs: usize,
    /// Settings that are not the default, as `name=value`.
    settings: Vec<String>,
    threshold: Option<f32>,
    /// The digest of the state that selected, where one did.
    state: Option<String>,
    /// What groups with thresholds of their own are told by, where there are such.
    by: Option<String>,
    /// The share to keep, where the threshold followed the scores.
    follows: Option<f64>,
    calibration: Option<Calibration>,
    /// The day on which the journal was written to last, in UTC.
    written: Option<String>,
    /// Names the records: what people mark is kept under it.
    digest: String,
    /// Commands that keep what the slider keeps; [`MARK`] stands for the threshold.
    commands: Vec<Command>,
}

#[derive(Debug, Serialize)]
struct Command {
    what: &'static str,
    line: String,
}

impl Head {
    pub fn of(
        journals: &[PathBuf],
        sums: &Sums,
        calibration: Option<Calibration>,
        state: Option<&Path>,
    ) -> Self {
        let terms = sums.terms.as_ref();
        let model = terms.map(|terms| terms.model()).unwrap_or_default();
        let inputs = sums.header.as_ref().map_or(&[][..], |header| &header.inputs);
        let settings = terms.map_or(&[][..], |terms| &terms.settings);
        let name = terms.and_then(|terms| terms.models.last()).map(|model| model.name.clone());
        Self {
            journals: journals.iter().map(|path| path.display().to_string()).collect(),
            model: name.unwrap_or_default(),
            model_digest: model.to_string(),
            program: terms.map_or_else(String::new, |terms| terms.program.clone()),
            more_inputs: inputs.len().saturating_sub(MOST_INPUTS),
            inputs: inputs.iter().take(MOST_INPUTS).cloned().collect(),
            settings: settings.to_vec(),
            threshold: sums.threshold,
            state: value_of(settings, "select.state="),
            by: value_of(settings, "groups.by="),
            follows: terms.and_then(|terms| terms.tracker).map(|rule| rule.keep),
            commands: commands(journals, inputs, settings, calibration.as_ref(), model, state),
            calibration: calibration.filter(|calibration| calibration.model == model),
            written: written(journals),
            digest: sums.digest.to_string(),
        }
    }
}

fn commands(
    journals: &[PathBuf],
    inputs: &[String],
    settings: &[String],
    built_in: Option<&Calibration>,
    model: Digest,
    state: Option<&Path>,
) -> Vec<Command> {
    let named = || match inputs.len() {
        1..=MOST_INPUTS => inputs.iter().map(|input| quoted(input)).collect::<Vec<_>>().join(" "),
        _ => "INPUTS".to_owned(),
    };
    let mut filter = format!("pairgate filter {}", named());
    let is_set = |name: &str| settings.iter().any(|setting| setting.starts_with(name));
    if is_set("arithmetic=float") {
        filter += " --arithmetic float";
    }
    let is_option = |setting: &&String| {
        let is_known = KNOWN.iter().any(|known| setting.starts_with(known));
        !is_known && setting.as_str() != "arithmetic=float"
    };
    if settings.iter().any(|setting| is_option(&setting)) {
        // What set them is not known: options, a config, a board.
        filter += " --config CONFIG";
    }
    if built_in.is_none_or(|built_in| built_in.model != model) {
        filter += " --model BUNDLE";
    }
    let select = value_of(settings, "select.state=").map_or_else(String::new, |_| {
        let state = state.map_or("STATE".into(), |state| quoted(&state.display().to_string()));
        format!(" --select {state}")
    });
    filter += &format!(" --threshold {MARK}{select} -o kept");
    let mut commands = vec![Command { what: "judge again", line: filter }];
    // A state selects by embeddings: without any beside the journal it must be judged again.
    let is_cut = |journal: &Path| select.is_empty() || has_embeddings(journal);
    if let [journal] = journals
        && is_cut(journal)
    {
        let journal = quoted(&journal.display().to_string());
        let line = format!(
            "pairgate cut {journal} --source {} --threshold {MARK}{select} -o kept",
            named()
        );
        commands.insert(0, Command { what: "without judging again", line });
    }
    commands
}

/// Whether embeddings of all pairs lie beside a journal.
fn has_embeddings(journal: &Path) -> bool {
    match journal.is_dir() {
        true => journal.join(by_ticket::FOLDER).is_dir(),
        false => beside(journal).is_file(),
    }
}

/// What a setting says, where it is there.
fn value_of(settings: &[String], name: &str) -> Option<String> {
    settings.iter().find_map(|setting| setting.strip_prefix(name)).map(str::to_owned)
}

/// A word as a shell reads it, and as no option.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_./-+,:@%=".contains(c);
    let word = if word.starts_with('-') { format!("./{word}") } else { word.to_owned() };
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The day on which the journals were written to last, in UTC.
fn written(journals: &[PathBuf]) -> Option<String> {
    let files = journals.iter().filter_map(|path| parts(path).ok()).flatten();
    let times = files.filter_map(|file| fs::metadata(file).and_then(|file| file.modified()).ok());
    let last: SystemTime = times.max()?.max(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_seconds(last).to_string();
    text.split('T').next().map(str::to_owned)
}
