//! One picture and one caption, by hand.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use pairgate_core::config::{Config, SampleLimits};
use pairgate_core::decision::{Decision, Reason, Verdict};
use pairgate_core::pair::PairRef;
use pairgate_core::policy::Policy;
use serde_json::json;

use super::ScoreArgs;
use crate::cli::session::{SOME_FAILED, Session};
use crate::cli::terminal::{BAD, GOOD, POOR, Styled};
use crate::cli::{hints, settings};
use crate::config::Layers;
use crate::gate::{Examine, GateSettings, Screening};
use crate::model::bundle::manifest::Manifest;
use crate::score_text::shortest;

/// Scores the picture that the arguments name under `caption`, and prints the answer.
pub fn run(args: &ScoreArgs, caption: &str) -> Result<ExitCode, Box<dyn Error>> {
    if caption.trim().is_empty() {
        return Err("--caption is empty: a score is of a picture and what is said of it".into());
    }
    let [path] = args.input.inputs.as_slice() else {
        return Err("--caption is of one picture: name one, or - for standard input".into());
    };
    let session = Session::with(layers(args)?, &args.input.model)?;
    let image = read(path, session.config.sample)?;
    let threshold = Threshold::of(args, &session.config, session.model.manifest());
    let policy = Policy { threshold: threshold.map(|(value, _)| value), ..Policy::default() };
    let of_config = GateSettings::of(&session.config);
    let settings = GateSettings { policy, screening: Screening::Note, ..of_config };
    let mut gates = session.gates(settings, |need| need.without_capture())?;
    let pair = PairRef {
        image: Some(&image),
        caption: Some(caption.as_bytes()),
        original_size: None,
        fault: None,
    };
    let gate = gates.first_mut().ok_or("no worker")?;
    let found = gate.examine(&[pair])?;
    let evidence = found.first().ok_or("nothing was found of the pair")?;
    let decision = policy.decide(evidence.found, evidence.facts);
    let answer = Answer { decision, threshold, manifest: session.model.manifest() };
    if args.json { answer.json(&session) } else { answer.text() }.print()?;
    let failed = decision.verdict == Verdict::Failed;
    Ok(ExitCode::from(if failed { SOME_FAILED } else { 0 }))
}

/// The config, and over it what the options say; one worker is enough.
fn layers(args: &ScoreArgs) -> Result<Layers, Box<dyn Error>> {
    let mut layers = settings::of_input(&args.input)?;
    settings::set_rules(&mut layers, &args.rules);
    layers.set("pipeline", "workers", 1, settings::COMMAND_LINE);
    Ok(layers)
}

/// The picture's bytes, of which no more are read than a sample may have.
fn read(path: &Path, limits: SampleLimits) -> Result<Vec<u8>, String> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".into() } else { path.to_string_lossy() };
    let failed = |why: io::Error| format!("reading {name}: {why}");
    if path.is_dir() {
        return Err(format!("reading {name}: it is a folder; --caption is of one picture"));
    }
    let reader: Box<dyn Read> =
        if is_stdin { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
    let most = limits.max_sample_bytes;
    let mut bytes = Vec::new();
    reader.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Err(format!("reading {name}: it is empty"));
    }
    if bytes.len() as u64 > most {
        return Err(format!("reading {name}: more than sample.max_sample_bytes = {most}"));
    }
    Ok(bytes)
}

/// Who said the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threshold {
    Option,
    Config,
    Model,
}

impl Threshold {
    /// The threshold that decides, and who said it; `None` where nobody did.
    fn of(args: &ScoreArgs, config: &Config, manifest: &Manifest) -> Option<(f32, Self)> {
        let said = args.threshold.map(|value| (value, Self::Option));
        let set = config.policy.threshold.map(|value| (value, Self::Config));
        let recommended = manifest.recommended_threshold.map(|value| (value, Self::Model));
        said.or(set).or(recommended)
    }

    /// The name in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Config => "config",
            Self::Model => "model",
        }
    }

    fn told(self) -> &'static str {
        match self {
            Self::Option => "by --threshold",
            Self::Config => "by the config",
            Self::Model => "which the model recommends",
        }
    }
}

/// What there is to say of the pair.
struct Answer<'a> {
    decision: Decision,
    threshold: Option<(f32, Threshold)>,
    manifest: &'a Manifest,
}

impl Answer<'_> {
    /// In steps of a tenth: the quantiles are of whole percents.
    fn percentile(&self) -> Option<f64> {
        let percentile = self.manifest.percentile(self.decision.facts.score?)?;
        Some((percentile * 10.0).round() / 10.0)
    }

    fn reason(&self) -> Option<Reason> {
        Some(self.decision.reason).filter(|reason| *reason != Reason::Passed)
    }

    /// `None` where nothing speaks against the pair and no threshold decides.
    fn verdict(&self) -> Option<Verdict> {
        let verdict = self.decision.verdict;
        (self.threshold.is_some() || verdict != Verdict::Kept).then_some(verdict)
    }

    fn text(&self) -> Styled {
        let mut text = Styled::default();
        let facts = self.decision.facts;
        if let Some(score) = facts.score {
            text.plain(&format!("score       {}\n", shortest(score)));
        }
        if let Some(percentile) = self.percentile() {
            text.plain(&format!(
                "percentile  {percentile:.1} of the pairs that the model is calibrated on\n"
            ));
        }
        self.tell_verdict(&mut text);
        if let Some(reason) = self.reason() {
            text.plain(&format!("reason      {reason}\n"));
            // Of a low score the lines above say all.
            let hint = hints::of(reason).filter(|_| reason != Reason::LowSimilarity);
            if let Some(hint) = hint {
                text.plain(&format!("            {}\n", hint.text.replace('\n', "\n            ")));
            }
        }
        text
    }

    fn tell_verdict(&self, text: &mut Styled) {
        let Some(verdict) = self.verdict() else {
            text.plain("verdict     none: the model recommends no threshold; give --threshold\n");
            return;
        };
        let style = match verdict {
            Verdict::Kept => GOOD,
            Verdict::Rejected => POOR,
            Verdict::Failed => BAD,
        };
        text.plain("verdict     ").styled(style, verdict.name());
        if let Some((threshold, by)) = self.threshold {
            text.plain(&format!("; the threshold is {}, {}", shortest(threshold), by.told()));
        }
        text.plain("\n");
    }

    fn json(&self, session: &Session) -> Styled {
        let facts = self.decision.facts;
        let answer = json!({
            "score": facts.score.map(shortest),
            "percentile": self.percentile(),
            "verdict": self.verdict().map(Verdict::name),
            "reason": self.reason().map(Reason::name),
            "threshold": self.threshold.map(|(value, _)| shortest(value)),
            "threshold_by": self.threshold.map(|(_, by)| by.name()),
            "caption_length": facts.caption_length,
            "width": facts.size.width,
            "height": facts.size.height,
            "sha256": facts.content.to_string(),
            "model": format!("{} {}", self.manifest.name, self.manifest.version),
            "model_digest": session.model.digest().to_string(),
        });
        let mut text = Styled::default();
        text.plain(&format!("{answer:#}\n"));
        text
    }
}
