//! What `pairgate score` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::cli::args::headings::{OUTPUT, PASSES};
use crate::cli::args::{InputArgs, RulesArg};
use crate::cli::outputs;

/// Score every pair and copy nothing: JSON lines, Parquet or CSV.
///
/// One line or row a pair, with its key, its score or null, the reason that speaks against it or
/// null, and the sample's metadata. Pairs that break a rule are scored too.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate score shards/ -o scores.parquet      (--help shows more)",
    after_long_help = "\
Examples:
  pairgate score shards/ -o scores.jsonl
  pairgate score shards/ -o scores.parquet     for pandas, polars, DuckDB; or .csv
  pairgate score shards/ -o scores.pairgate && \\
      pairgate replay scores.pairgate --keep 15%
  pairgate score pairs.jsonl -o - | jq .score
  pairgate score --format frames camera.bin -o scores.jsonl"
)]
pub struct ScoreArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// .jsonl, .parquet, .csv, .pairgate; - is JSON lines.
    ///
    /// The file is written whole or not at all; - is standard output. NAME.parquet and NAME.csv are
    /// tables, metadata as typed columns; NAME.pairgate is a decision journal, for `replay`; all
    /// else is JSON lines.
    #[arg(
        short,
        long,
        value_name = "FILE",
        value_parser = PathBufValueParser::new().try_map(outputs::scores_file),
        help_heading = OUTPUT
    )]
    pub output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Rules noted as a reason.
    ///
    /// Default: the config's, else basic.
    #[arg(long, value_enum, value_name = "RULES", help_heading = PASSES)]
    pub rules: Option<RulesArg>,
}
