//! What `pairgate plan fit` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::super::args::samples;

/// Fit the planner's constants to small runs of your own.
///
/// Cut the pool into parts of one size by score, train one small model on each
/// alone, and note its error as it sees it again and again.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate plan fit runs.csv --bucket 1.28M -o fits.toml
         (--help shows more)",
    after_long_help = "\
The table, CSV or JSON lines, has a line for each measured error:

  bucket,epochs,error
  1,1,0.92
  1,2,0.85
  1,4,0.81
  2,1,0.93

bucket counts from 1, the best by score. In place of epochs there may be
samples, those seen in all; in place of error, accuracy. Each bucket needs
errors at 3 sample counts or more, 2 of them beyond its first pass.

Example:
  pairgate plan fit runs.csv --bucket 1.28M --pool 12.8M -o fits.toml"
)]
pub struct FitArgs {
    /// The runs: .csv or .jsonl.
    #[arg(value_name = "RUNS")]
    pub runs: PathBuf,
    /// Samples in each bucket, such as 12.8M.
    #[arg(short, long, value_name = "N", value_parser = samples)]
    pub bucket: f64,
    /// Samples in the whole pool.
    ///
    /// Default: those of all buckets together. Shares are told of the pool.
    #[arg(short, long, value_name = "N", value_parser = samples)]
    pub pool: Option<f64>,
    /// The constants, a .toml file.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print as JSON.
    #[arg(long)]
    pub json: bool,
}
