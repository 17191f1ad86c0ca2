//! What `pairgate score` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::cli::args::headings::{INPUT, OUTPUT, PASSES};
use crate::cli::args::{EmbeddingNameArgs, InputArgs, RuleArgs, threshold};
use crate::cli::outputs;

/// Score every pair and copy nothing: JSON lines, Parquet or CSV.
///
/// One line or row a pair, with its key, its score or null, the reason that speaks against it or
/// null, and the sample's metadata. Pairs that break a rule are scored too. With --caption one
/// picture is scored, and its score printed.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate score shards/ -o scores.parquet      (--help shows more)",
    after_long_help = "\
Examples:
  pairgate score photo.jpg --caption 'a dog on a beach'
  pairgate score shards/ -o scores.jsonl
  pairgate score shards/ -o scores.parquet     for pandas, polars, DuckDB; or .csv
  pairgate score shards/ -o scores.pairgate && \\
      pairgate replay scores.pairgate --keep 15%
  pairgate score pairs.jsonl -o - | jq .score
  pairgate score --format frames camera.bin -o scores.jsonl
  pairgate score 00017.tar --one-to-one -o scores
                                               one of many, then: pairgate merge"
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
        conflicts_with = "caption",
        value_parser = PathBufValueParser::new().try_map(outputs::scores_file),
        help_heading = OUTPUT
    )]
    pub output: Option<PathBuf>,
    /// Scores for each input, in a folder.
    ///
    /// -o is then a folder: IN/00000.tar becomes DIR/00000.pairgate, a journal of its scores, and, last,
    /// DIR/00000_stats.json, which says that it is whole. `merge --keep` finds the threshold of all, and
    /// `filter --one-to-one --scores` decides by them.
    #[arg(long, conflicts_with = "caption", help_heading = OUTPUT)]
    pub one_to_one: bool,
    /// Record both embeddings of each pair.
    ///
    /// NAME.npz beside NAME.parquet, or whatever the scores are called, with a row for each of theirs: NumPy
    /// arrays of 16-bit floats, image and text, NaN for a pair that has none, and the uids. It is what
    /// selection is fitted on. Example: pairgate score shards/ -o scores.parquet --embeddings
    #[arg(long, conflicts_with = "caption", help_heading = OUTPUT)]
    pub embeddings: bool,
    #[command(flatten)]
    pub embedding_names: EmbeddingNameArgs,
    /// With --one-to-one: do all inputs again.
    #[arg(long, requires = "one_to_one", help_heading = OUTPUT)]
    pub overwrite: bool,
    /// The caption of one picture, which IN is.
    ///
    /// Its score is printed, with the percentile that it has under the model's calibration, the
    /// verdict, and the reason that speaks against the pair. With - the picture is read from standard
    /// input.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, help_heading = INPUT)]
    pub caption: Option<String>,
    /// Print the summary, or the answer, as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Lowest score that passes, -1 to 1.
    ///
    /// Each line or row then says the verdict: kept, rejected or failed. Default: none; of one
    /// picture the config's, else the model's recommended one.
    #[arg(
        short,
        long,
        value_name = "X",
        allow_negative_numbers = true,
        value_parser = threshold,
        help_heading = PASSES
    )]
    pub threshold: Option<f32>,
    /// Let a frozen state select among what passes.
    ///
    /// It is what `pairgate select fit` has made with the same model; reasons say what it leaves out,
    /// and columns or fields what its scorers gave of each pair.
    #[arg(long, value_name = "FILE", conflicts_with = "caption", help_heading = PASSES)]
    pub select: Option<PathBuf>,
    #[command(flatten)]
    pub rules: RuleArgs,
}
