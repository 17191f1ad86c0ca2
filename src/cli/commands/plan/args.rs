//! What `pairgate plan` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::fit::FitArgs;
use crate::plan::law::Floor;

/// How much of a pool to keep for a compute budget.
///
/// Good data wears off as it is repeated: a small budget is best spent on the
/// best part of the pool, a large one on more of it. The constants come from
/// small training runs of your own, which `pairgate plan fit` reads.
#[derive(Debug, ClapArgs)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Example: pairgate plan fits.toml --samples 128M     (--help shows more)",
    after_long_help = "\
Examples:
  pairgate plan fit runs.csv --bucket 1.28M -o fits.toml
                              constants from one small run a bucket
  pairgate plan fits.toml --samples 128M
                              the share to keep, for 128M samples seen
  pairgate plan fits.toml --samples 32M,128M,640M -o plan.html
                              several budgets, and a plot"
)]
pub struct PlanArgs {
    /// The constants, as `plan fit` wrote them.
    #[arg(value_name = "FITS", required = true)]
    pub fits: Option<PathBuf>,
    /// Samples seen in training, repeats included: 128M.
    ///
    /// Several budgets with commas between them.
    #[arg(
        short,
        long,
        value_name = "N",
        value_delimiter = ',',
        value_parser = samples,
        required_unless_present = "epochs"
    )]
    pub samples: Vec<f64>,
    /// The budget as passes over the whole pool.
    #[arg(short, long, value_name = "E", conflicts_with = "samples", value_parser = epochs)]
    pub epochs: Option<f64>,
    /// When the floor is added.
    ///
    /// It is the error that no training undercuts. last: as the published formula has it. before: as the published code
    /// has it, before the passes from the second on. Where the two choose
    /// otherwise, both are told.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = FloorArg::Last)]
    pub floor: FloorArg,
    /// Take constants that nobody fitted.
    ///
    /// The output says on each page that they are invented. They say nothing
    /// of your data.
    #[arg(long)]
    pub illustrative: bool,
    /// Write the plot: a .html page or an .svg file.
    #[arg(short, long, value_name = "FILE", value_parser = picture)]
    pub output: Option<PathBuf>,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    Fit(FitArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FloorArg {
    Before,
    Last,
}

impl From<FloorArg> for Floor {
    fn from(floor: FloorArg) -> Self {
        match floor {
            FloorArg::Before => Self::Before,
            FloorArg::Last => Self::Last,
        }
    }
}

/// A number of samples: 12800000, 12.8M, 1.28e7.
pub fn samples(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, times) = match text.chars().next_back() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1e3),
        Some('m' | 'M') => (&text[..text.len() - 1], 1e6),
        Some('b' | 'B' | 'g' | 'G') => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    let wanted = || "not a number of samples, such as 128M or 1.28e8".to_owned();
    let value = number.replace('_', "").parse::<f64>().map_err(|_| wanted())? * times;
    // Decimals of millions are whole numbers.
    let value = value.round();
    (value.is_finite() && (1.0..=1e15).contains(&value)).then_some(value).ok_or_else(wanted)
}

fn epochs(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| *value > 0.0 && *value <= 1000.0);
    value.ok_or_else(|| "not a number above 0 and up to 1000".to_owned())
}

fn picture(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "svg") => Ok(path),
        _ => Err("the name must end in .html or .svg".to_owned()),
    }
}
