//! What `pairgate score` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::{InputArgs, RulesArg};

/// Score every pair and copy nothing: one line or row a pair, with its key, its score or null, the
/// reason that speaks against it or null, and the sample's metadata. Pairs that break a rule are
/// scored too.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate score shards/ -o scores.jsonl
  pairgate score shards/ -o scores.parquet             for pandas, polars, DuckDB; or scores.csv
  pairgate score shards/ -o scores.pairgate && pairgate replay scores.pairgate --keep 15%
  pairgate score pairs.jsonl -o - | jq .score
  pairgate score --format frames camera.bin -o scores.jsonl")]
pub struct ScoreArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// File for the scores, written whole or not at all; - is standard output. NAME.parquet and
    /// NAME.csv are tables, metadata as typed columns; NAME.pairgate is a decision journal, for
    /// `replay`; all else is JSON lines.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The rules that are noted as a reason [default: the config's, else basic].
    #[arg(long, value_enum)]
    pub rules: Option<RulesArg>,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
}
