//! `pairgate model quantize`: a bundle with its weights in int8.

mod args;

use std::error::Error;
use std::process::ExitCode;

use crate::cli::terminal::print;
use crate::model::bundle::Bundle;
use crate::model::quantize::quantize;

pub use args::QuantizeArgs;

/// Runs the command.
pub fn run(args: &QuantizeArgs) -> Result<ExitCode, Box<dyn Error>> {
    let bundle = Bundle::load(&args.model)?;
    let quantized = quantize(&bundle, &args.output, &mut |step| log::info!("{step}"))?;
    if args.json {
        print(&(serde_json::to_string_pretty(&quantized)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    let (before, after) = (megabytes(quantized.bytes_before), megabytes(quantized.bytes));
    let mut text = format!("{:<26} {}\n", "weights rounded", quantized.weights);
    text += &format!("{:<26} {before} -> {after}\n", "size");
    if let Some(cosine) = quantized.min_cosine {
        text += &format!("{:<26} {cosine:.6}\n", "least cosine, golden pairs");
    }
    let output = args.output.display();
    text += &format!("see what it costs: pairgate model verify {output} --against float IN\n");
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
