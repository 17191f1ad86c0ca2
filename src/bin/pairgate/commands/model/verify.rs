//! `pairgate model verify`: a bundle against what its model says in Python.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use pairgate::model::Model;
use pairgate::model::bundle::Bundle;
use pairgate::model::golden::Golden;
use pairgate::model::verify::{Agreement, KEEP, TowerAgreement, verify};

use crate::args::VerifyArgs;
use crate::progress::Steps;
use crate::run::SOME_FAILED;
use crate::summary::print;

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Box<dyn Error>> {
    let golden = Golden::open(&args.golden)?;
    // The golden file at hand decides, not the bundle's own.
    let model = Arc::new(Model::unchecked(&Bundle::load(&args.model)?)?);
    let folder = args.golden.parent().unwrap_or(Path::new(""));
    let steps = Steps::new("verifying", golden.pairs.len() as u64);
    let agreement = verify(model, &golden, folder, &mut |done| steps.show(done as u64))?;
    drop(steps);
    let text = match args.json {
        true => serde_json::to_string_pretty(&agreement)? + "\n",
        false => table(&golden, &agreement),
    };
    print(&text)?;
    let agrees = agreement.ids_differ.is_empty()
        && agreement.image.min_cosine >= args.min_cosine
        && agreement.text.min_cosine >= args.min_cosine;
    if !agrees {
        eprintln!("pairgate: the bundle does not agree with {}", args.golden.display());
    }
    Ok(ExitCode::from(if agrees { 0 } else { SOME_FAILED }))
}

fn table(golden: &Golden, agreement: &Agreement) -> String {
    let mut text = format!("against {}, {} pairs\n\n", golden.made_by, agreement.pairs);
    text += &format!(
        "{:<8} {:>16} {:>12} {:>12}\n",
        "tower", "max difference", "min cosine", "mean cosine"
    );
    for (name, tower) in [("image", &agreement.image), ("text", &agreement.text)] {
        let TowerAgreement { max_difference, min_cosine, mean_cosine } = tower;
        text +=
            &format!("{name:<8} {max_difference:>16.2e} {min_cosine:>12.6} {mean_cosine:>12.6}\n");
    }
    text.push('\n');
    let mut row = |name: &str, value: String| text += &format!("{name:<34} {value}\n");
    let same = agreement.pairs - agreement.ids_differ.len();
    row("captions with the same token ids", format!("{same} of {}", agreement.pairs));
    if let Some(first) = agreement.ids_differ.first() {
        row("  the first that differs", format!("{:?}", golden.pairs[*first].caption));
    }
    row("scores, pictures x captions", agreement.scores.to_string());
    row("largest score difference", format!("{:.2e}", agreement.score_max_difference));
    row("rank correlation", format!("{:.6}", agreement.rank_correlation));
    let flips = format!("verdicts that flip at the top {:.0} %", 100.0 * KEEP);
    row(&flips, format!("{} of {}", agreement.flips, agreement.kept));
    text
}
