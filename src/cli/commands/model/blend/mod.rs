//! `pairgate model blend`: several bundles as one.

mod args;

use std::error::Error;
use std::process::ExitCode;

use crate::cli::terminal::print;
use crate::model::blend::{Blended, Part, blend};
use crate::model::bundle::Bundle;
use crate::printable::printable_line;

pub use args::BlendArgs;

/// Runs the command.
pub fn run(args: &BlendArgs) -> Result<ExitCode, Box<dyn Error>> {
    let weights = weights(args)?;
    let part = |(path, weight): (&std::path::PathBuf, f64)| {
        let bundle = Bundle::load(path)?;
        Ok(Part { bundle, name: path.display().to_string(), weight })
    };
    let parts = args.models.iter().zip(weights).map(part);
    let parts = parts.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let blended = blend(&parts, &args.output, &mut |step| log::info!("{step}"))?;
    let text = match args.json {
        true => serde_json::to_string_pretty(&blended)? + "\n",
        false => table(&blended, args),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// One weight for each bundle. A single one is the second bundle's.
fn weights(args: &BlendArgs) -> Result<Vec<f64>, String> {
    match (&args.weight[..], args.models.len()) {
        ([second], 2) => Ok(vec![1.0 - second, *second]),
        (all, bundles) if all.len() == bundles => Ok(all.to_vec()),
        (all, bundles) => Err(format!(
            "--weight has {} values for {bundles} bundles: give one for each, or two bundles and the \
             share of the second",
            all.len()
        )),
    }
}

fn table(blended: &Blended, args: &BlendArgs) -> String {
    let mut text = String::new();
    for part in &blended.from {
        let (name, version) = (printable_line(&part.name), printable_line(&part.version));
        text += &format!("{:>6.4} x {name} {version} ({})\n", part.weight, &part.digest[..12]);
    }
    let mut row = |name: &str, value: String| text += &format!("{name:<26} {value}\n");
    row("weights averaged", blended.weights_averaged.to_string());
    row("int8 weights made anew", blended.weights_rounded.to_string());
    row("the same in all", blended.constants_same.to_string());
    row("size", format!("{:.1} MB", blended.bytes as f64 / 1e6));
    row("digest", blended.digest[..12].to_owned());
    let output = args.output.display();
    text + &format!("not calibrated: pairgate calibrate SHARDS --model {output} --into {output}\n")
}
