//! `pairgate calibrate --from OLD`: the threshold that keeps what another model's threshold kept.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::scored::{Scored, is_recorded};
use super::{CalibrateArgs, quantiles, tell_next};
use crate::cli::progress::Pass;
use crate::cli::session::{Session, exit_code, load_bundle, load_model};
use crate::cli::terminal::print;
use crate::decide::sketch::ScoreSketch;
use crate::decide::swap::Swap;
use crate::disk::{Disk, IoError, write_whole};
use crate::gate::GateSettings;
use crate::model::bundle::Bundle;
use crate::model::bundle::calibrate::calibrate;
use crate::score_text::shortest;
use crate::sink::{Judged, RunEnd, Sink};
use pairgate_core::decision::Reason;
use pairgate_core::pair::Uid;
use pairgate_core::policy::Policy;

/// Fewest pairs that say anything.
const LEAST_PAIRS: usize = 100;

/// Runs the command.
pub fn run(args: &CalibrateArgs) -> Result<ExitCode, Box<dyn Error>> {
    let (old, new, code) = read(args)?;
    let old_threshold = old_threshold(args, &old)?;
    let mut matched = Matched::of(&old.scored, &new)?;
    let swapped = matched.swap(old_threshold, args.confidence)?;
    let mut sketch = ScoreSketch::new();
    new.pairs.iter().filter_map(|(_, score)| *score).for_each(|score| sketch.add(score));
    let found = Found {
        swap: swapped,
        old_threshold,
        left_out: matched.left_out,
        quantiles: quantiles(&mut sketch),
    };
    if let Some(path) = &args.output {
        write_whole(&Disk::system(), path, found.policy(args).as_bytes())?;
    }
    if let Some(bundle) = &args.into {
        calibrate(bundle, found.quantiles.clone(), found.swap.threshold)?;
    }
    print(&if args.json { found.json(args) } else { found.table(args) })?;
    // Of scores in a file, the pairs are not known.
    if !args.json && !args.input.inputs.iter().any(|path| is_scored(args, path)) {
        tell_next(args, found.swap.threshold)?;
    }
    Ok(code)
}

/// The old model's scores, and the threshold that it recommends.
struct Old {
    scored: Scored,
    /// Where scores were made by a bundle just now.
    bundle: Option<Bundle>,
}

/// Reads or makes both models' scores of the pairs.
fn read(args: &CalibrateArgs) -> Result<(Old, Scored, ExitCode), Box<dyn Error>> {
    let (recorded, bundles): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.from.iter().partition(|path| is_recorded(path));
    let (mut new, mut old) = (Scored::default(), Old { scored: Scored::default(), bundle: None });
    if !bundles.is_empty() {
        let ([bundle], true) = (&bundles[..], recorded.is_empty()) else {
            return Err("--from takes one bundle, or journals and files of scores".into());
        };
        let mut session = Session::start(&args.input, &args.rules)?;
        let arithmetic = args.input.model.arithmetic;
        // What is no bundle is told before anything is scored.
        let bundle = load_bundle(&session.config, Some(bundle), arithmetic)?;
        let code = score(args, &session, &args.input.inputs, &mut new)?;
        session.model = Arc::new(load_model(&bundle, arithmetic)?);
        score(args, &session, &args.input.inputs, &mut old.scored)?;
        old.bundle = Some(bundle);
        new.sort();
        old.scored.sort();
        return Ok((old, new, code));
    }
    let mut code = ExitCode::SUCCESS;
    recorded.iter().try_for_each(|path| old.scored.read(path))?;
    let (scored, pairs): (Vec<&PathBuf>, Vec<&PathBuf>) =
        args.input.inputs.iter().partition(|path| is_scored(args, path));
    scored.iter().try_for_each(|path| new.read(path))?;
    if !pairs.is_empty() {
        let session = Session::start(&args.input, &args.rules)?;
        let pairs: Vec<PathBuf> = pairs.into_iter().cloned().collect();
        code = score(args, &session, &pairs, &mut new)?;
    }
    new.sort();
    old.scored.sort();
    Ok((old, new, code))
}

/// Whether an input holds the new scores. Tables may hold pairs as well: whoever names a model has pairs for it.
fn is_scored(args: &CalibrateArgs, path: &Path) -> bool {
    args.input.model.model.is_none() && is_recorded(path)
}

fn score(
    args: &CalibrateArgs,
    session: &Session,
    inputs: &[PathBuf],
    scored: &mut Scored,
) -> Result<ExitCode, Box<dyn Error>> {
    let settings = GateSettings { policy: Policy::default(), ..GateSettings::of(&session.config) };
    let opened = session.open_paths(args.input.options(), inputs)?;
    let outcome = session.run(opened, settings, &mut Collect(scored), Pass::Scoring)?;
    match outcome.error {
        Some(error) => Err(error.into()),
        None => Ok(exit_code(&outcome, &outcome.counts)),
    }
}

/// Takes scored pairs by their uids.
struct Collect<'a>(&'a mut Scored);

impl Sink for Collect<'_> {
    fn accept(&mut self, judged: &Judged) -> Result<(), IoError> {
        let decision = &judged.decision;
        self.0.add(judged.uid, decision.facts.score.filter(|_| decision.reason == Reason::Passed));
        Ok(())
    }

    fn finish(&mut self, _: RunEnd) -> Result<(), IoError> {
        Ok(())
    }
}

/// The option's, else the one that decided or that the old bundle recommends.
fn old_threshold(args: &CalibrateArgs, old: &Old) -> Result<f32, String> {
    if let Some(threshold) = args.threshold {
        return Ok(threshold);
    }
    if let Some(bundle) = &old.bundle {
        let recommended = bundle.manifest.recommended_threshold;
        return recommended
            .ok_or_else(|| "the old model recommends no threshold: give it as --threshold".into());
    }
    let mut thresholds = old.scored.thresholds.iter().map(|bits| f32::from_bits(*bits));
    match (thresholds.next(), thresholds.next()) {
        (Some(threshold), None) => Ok(threshold),
        (None, _) => {
            Err("the old scores name no threshold: give the one that decided as --threshold".into())
        }
        (Some(_), Some(_)) => {
            Err("the old threshold moved: give the one that is to be kept as --threshold".into())
        }
    }
}

/// Pairs that both have.
struct Matched {
    /// Old and new score of each.
    scores: Vec<(f32, f32)>,
    /// Pairs that one of them did not score.
    left_out: usize,
}

impl Matched {
    /// Both in the order of their uids.
    fn of(old: &Scored, new: &Scored) -> Result<Self, String> {
        check_same(&old.pairs, &new.pairs)?;
        let both = old.pairs.iter().zip(&new.pairs);
        let scores: Vec<(f32, f32)> = both.filter_map(|(old, new)| old.1.zip(new.1)).collect();
        let any = old
            .pairs
            .iter()
            .zip(&new.pairs)
            .filter(|(old, new)| old.1.is_some() || new.1.is_some());
        let left_out = any.count() - scores.len();
        Ok(Self { scores, left_out })
    }

    fn swap(&mut self, old_threshold: f32, confidence: f64) -> Result<Swap, String> {
        let pairs = self.scores.len();
        if pairs < LEAST_PAIRS {
            return Err(format!(
                "both models scored {pairs} pairs: {LEAST_PAIRS} or more are needed to tell one scale from the other"
            ));
        }
        let found = Swap::find(&mut self.scores, old_threshold, confidence);
        found.ok_or_else(|| {
            let kept = self.scores.iter().filter(|(old, _)| *old >= old_threshold).count();
            let which = if kept == 0 { "none" } else { "all" };
            format!("the old threshold {old_threshold} keeps {which} of the {pairs} pairs: they say nothing of it")
        })
    }
}

/// Refuses runs that are not over the same pairs.
fn check_same(old: &[(Uid, Option<f32>)], new: &[(Uid, Option<f32>)]) -> Result<(), String> {
    let missing = |of: &[(Uid, Option<f32>)], from: &[(Uid, Option<f32>)]| {
        let mut there = from.iter().map(|(uid, _)| *uid).peekable();
        let mut missing = Vec::new();
        for (uid, _) in of {
            while there.next_if(|other| other < uid).is_some() {}
            if there.peek() != Some(uid) {
                missing.push(*uid);
            }
        }
        missing
    };
    for (of, from, names) in [(old, new, ["old", "new"]), (new, old, ["new", "old"])] {
        let missing = missing(of, from);
        if let Some(first) = missing.first() {
            let [one, other] = names;
            return Err(format!(
                "{} of {} pairs with {one} scores have no {other} ones (the first has the uid {first}): \
                 let both models score the same pairs",
                missing.len(),
                of.len()
            ));
        }
    }
    Ok(())
}

/// What there is to tell.
struct Found {
    swap: Swap,
    old_threshold: f32,
    left_out: usize,
    quantiles: Vec<f32>,
}

impl Found {
    fn policy(&self, args: &CalibrateArgs) -> String {
        let Swap { pairs, threshold, interval, .. } = self.swap;
        format!(
            "# Keeps {:.4} % of {pairs} pairs, as another model's threshold {} does; {} % interval {:.4} to {:.4}.\n\
             [policy]\nthreshold = {threshold}\n",
            100.0 * self.swap.share(),
            self.old_threshold,
            100.0 * args.confidence,
            interval.0,
            interval.1
        )
    }

    fn json(&self, args: &CalibrateArgs) -> String {
        let Swap { pairs, kept_before, kept, threshold, interval, lost, gained } = self.swap;
        let value = json!({
            "pairs": pairs,
            "pairs_left_out": self.left_out,
            "old_threshold": shortest(self.old_threshold),
            "old_kept": kept_before,
            "keep": self.swap.share(),
            "threshold": shortest(threshold),
            "interval": [shortest(interval.0), shortest(interval.1)],
            "interval_by": "sign test",
            "confidence": args.confidence,
            "kept": kept,
            "agreement": self.swap.agreement(),
            "agreement_by_chance": self.swap.agreement_by_chance(),
            "kept_by_old_alone": lost,
            "kept_by_new_alone": gained,
            "score_quantiles": self.quantiles.iter().copied().map(shortest).collect::<Vec<_>>(),
        });
        format!("{value:#}\n")
    }

    fn table(&self, args: &CalibrateArgs) -> String {
        let Swap { pairs, kept, threshold, interval, lost, gained, .. } = self.swap;
        let mut text = String::new();
        let mut row = |name: &str, value: String| text += &format!("{name:<34} {value}\n");
        row("pairs that both scored", pairs.to_string());
        if self.left_out > 0 {
            row("pairs that only one scored", self.left_out.to_string());
        }
        row("old threshold", format!("{:.4}", self.old_threshold));
        row("share that it keeps", format!("{:.2} %", 100.0 * self.swap.share()));
        row("threshold that keeps as many", format!("{threshold:.4}"));
        let confidence = format!("{:.2}", 100.0 * args.confidence);
        let confidence = confidence.trim_end_matches('0').trim_end_matches('.');
        row(
            &format!("{confidence} % interval, by a sign test"),
            format!("{:.4} to {:.4}", interval.0, interval.1),
        );
        if kept != self.swap.kept_before {
            row(
                "share kept, scores being equal",
                format!("{:.2} %", 100.0 * kept as f64 / pairs as f64),
            );
        }
        row(
            "decided alike",
            format!(
                "{:.2} % (by chance {:.2} %)",
                100.0 * self.swap.agreement(),
                100.0 * self.swap.agreement_by_chance()
            ),
        );
        row("kept by the old model alone", lost.to_string());
        row("kept by the new model alone", gained.to_string());
        text
    }
}
