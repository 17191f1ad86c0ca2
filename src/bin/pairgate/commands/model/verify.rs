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

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Box<dyn Error>> {
    let golden = Golden::open(&args.golden)?;
    // The golden file at hand decides, not the bundle's own.
    let model = Arc::new(Model::unchecked(&Bundle::load(&args.model)?)?);
    let folder = args.golden.parent().unwrap_or(Path::new(""));
    let steps = Steps::new("verifying", golden.pairs.len() as u64);
    let agreement = verify(model, &golden, folder, &mut |done| steps.show(done as u64))?;
    drop(steps);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&agreement)?);
    } else {
        print(&golden, &agreement);
    }
    let agrees = agreement.ids_differ.is_empty()
        && agreement.image.min_cosine >= args.min_cosine
        && agreement.text.min_cosine >= args.min_cosine;
    if !agrees {
        eprintln!("pairgate: the bundle does not agree with {}", args.golden.display());
    }
    Ok(ExitCode::from(if agrees { 0 } else { SOME_FAILED }))
}

fn print(golden: &Golden, agreement: &Agreement) {
    println!("against {}, {} pairs\n", golden.made_by, agreement.pairs);
    println!("{:<8} {:>16} {:>12} {:>12}", "tower", "max difference", "min cosine", "mean cosine");
    for (name, tower) in [("image", &agreement.image), ("text", &agreement.text)] {
        let TowerAgreement { max_difference, min_cosine, mean_cosine } = tower;
        println!("{name:<8} {max_difference:>16.2e} {min_cosine:>12.6} {mean_cosine:>12.6}");
    }
    let same = agreement.pairs - agreement.ids_differ.len();
    println!("\ncaptions with the same token ids  {same} of {}", agreement.pairs);
    if let Some(first) = agreement.ids_differ.first() {
        println!("  the first that differs: {:?}", golden.pairs[*first].caption);
    }
    println!("scores, pictures x captions       {}", agreement.scores);
    println!("largest score difference          {:.2e}", agreement.score_max_difference);
    println!("rank correlation                  {:.6}", agreement.rank_correlation);
    println!(
        "verdicts that flip at the top {:.0} %  {} of {}",
        100.0 * KEEP,
        agreement.flips,
        agreement.kept
    );
}
