//! `pairgate model verify`: a bundle against what its model says in Python, or in floats.

mod args;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::args::ArithmeticArg;
use crate::cli::progress::Steps;
use crate::cli::session::SOME_FAILED;
use crate::cli::terminal::{print, tell_error};
use crate::decode::{Rgb8, decode, probe};
use crate::model::Model;
use crate::model::bundle::Bundle;
use crate::model::check::golden::Golden;
use crate::model::check::verify::{Agreement, KEEP, Shown, TowerAgreement, compare_models, verify};
use crate::source::{Inputs, Source as _};

pub use args::VerifyArgs;
use pairgate_core::config::Config;

/// Least cosine that passes in floats, where nothing else is said.
const MIN_COSINE: f64 = 0.9999;
/// Likewise in int8.
const MIN_COSINE_INT8: f64 = 0.995;

/// Runs the command.
pub fn run(args: &VerifyArgs) -> Result<ExitCode, Box<dyn Error>> {
    let (arithmetic, verified) = match &args.golden {
        Some(golden) => with_golden(args, golden)?,
        None => with_itself(args)?,
    };
    let Verified { agreement, against, first_differing } = verified;
    let text = match args.json {
        true => serde_json::to_string_pretty(&agreement)? + "\n",
        false => table(&against, first_differing.as_deref(), &agreement),
    };
    print(&text)?;
    let usual = if arithmetic == ArithmeticArg::Float { MIN_COSINE } else { MIN_COSINE_INT8 };
    let min_cosine = args.min_cosine.unwrap_or(usual);
    let agrees = agreement.ids_differ.is_empty()
        && agreement.image.min_cosine >= min_cosine
        && agreement.text.min_cosine >= min_cosine;
    if !agrees {
        tell_error(&format!(
            "the bundle does not agree with {against}: a cosine is below {min_cosine} or token ids differ"
        ));
    }
    Ok(ExitCode::from(if agrees { 0 } else { SOME_FAILED }))
}

/// What was found, and what it was compared with.
struct Verified {
    agreement: Agreement,
    against: String,
    /// The first caption whose token ids differ.
    first_differing: Option<String>,
}

fn with_golden(
    args: &VerifyArgs,
    path: &Path,
) -> Result<(ArithmeticArg, Verified), Box<dyn Error>> {
    let golden = Golden::open(path)?;
    let arithmetic = args.arithmetic.unwrap_or(ArithmeticArg::Float);
    // The golden file at hand decides, not the bundle's own.
    let model = Arc::new(Model::unchecked(&Bundle::load(&args.model)?, arithmetic.into())?);
    let folder = path.parent().unwrap_or(Path::new(""));
    let steps = Steps::new("verifying", golden.pairs.len() as u64);
    let agreement = verify(model, &golden, folder, &mut |done| steps.show(done as u64))?;
    let first = agreement.ids_differ.first();
    let first_differing = first.map(|first| format!("{:?}", golden.pairs[*first].caption));
    Ok((arithmetic, Verified { agreement, against: golden.made_by, first_differing }))
}

fn with_itself(args: &VerifyArgs) -> Result<(ArithmeticArg, Verified), Box<dyn Error>> {
    let arithmetic = args.arithmetic.unwrap_or(ArithmeticArg::Int8);
    let reference = args.against.unwrap_or(ArithmeticArg::Float);
    let pairs = shown(args)?;
    let bundle = Bundle::load(&args.model)?;
    let [model, reference_model] = [arithmetic, reference]
        .map(|arithmetic| Model::unchecked(&bundle, arithmetic.into()).map(Arc::new));
    let steps = Steps::new("comparing", pairs.len() as u64);
    let agreement =
        compare_models(model?, reference_model?, &pairs, &mut |done| steps.show(done as u64))?;
    let name = |arithmetic: ArithmeticArg| match arithmetic {
        ArithmeticArg::Int8 => "int8",
        ArithmeticArg::Float => "float",
    };
    let against = format!("{} in {}", args.model.display(), name(reference));
    Ok((arithmetic, Verified { agreement, against, first_differing: None }))
}

/// The first pairs of the inputs whose picture and caption can be read.
fn shown(args: &VerifyArgs) -> Result<Vec<Shown>, Box<dyn Error>> {
    let config = Config::default();
    let mut inputs = Inputs::open_with(args.images.options(), &args.inputs, config.sample)?;
    let mut pairs = Vec::new();
    while pairs.len() < args.pairs
        && let Some(sample) = inputs.next()?
    {
        let metadata = sample.metadata();
        let pair = sample.pair(&metadata);
        let caption = pair.caption.and_then(|caption| std::str::from_utf8(caption).ok());
        let (Some(image), Some(caption)) = (pair.image, caption) else { continue };
        let mut picture = Rgb8::default();
        let decoded = probe(image, &config.image)
            .and_then(|header| decode(image, &header, &config.image, &mut picture));
        if decoded.is_ok() {
            pairs.push(Shown { picture, caption: caption.to_owned() });
        }
    }
    if pairs.is_empty() {
        return Err("the inputs hold no pair whose picture and caption can be read".into());
    }
    Ok(pairs)
}

fn table(against: &str, first_differing: Option<&str>, agreement: &Agreement) -> String {
    let mut text = format!("against {against}, {} pairs\n\n", agreement.pairs);
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
    if let Some(first) = first_differing {
        row("  the first that differs", first.to_owned());
    }
    row("scores, pictures x captions", agreement.scores.to_string());
    let [half, most, nearly_all, largest] = agreement.score_differences;
    row("score differences, 50 / 90 / 99 %", format!("{half:.2e} / {most:.2e} / {nearly_all:.2e}"));
    row("largest score difference", format!("{largest:.2e}"));
    row("rank correlation", format!("{:.6}", agreement.rank_correlation));
    let flips = format!("verdicts that flip at the top {:.0} %", 100.0 * KEEP);
    row(&flips, format!("{} of {}", agreement.flips, agreement.kept));
    text
}
