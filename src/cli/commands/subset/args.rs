//! What `pairgate subset` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::fraction;
use crate::cli::args::headings::{OUTPUT, PASSES};

/// The group of what the filters go by.
const FILTER_DATA: &str = "What filters go by";

/// Apply DataComp's filters to metadata, or take a gate's decisions.
///
/// Writes the subset file that DataComp's resharder takes. Rows must pass all filters that are
/// named. Metadata are parquet tables of DataComp or img2dataset with the columns uid, text,
/// original_width, original_height, clip_b32_similarity_score and clip_l14_similarity_score, as far
/// as the filters ask for them. Journals in place of metadata give the pairs that were kept.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate subset metadata/ --filter basic -o subset.npy
         (--help shows more, and what each filter asks)",
    after_long_help = "\
Filters:
  no_filter    every row
  basic        English; at least 3 words, 6 characters, 200 px on the shorter
               side; aspect at most 3
  clip_score   a score of at least --threshold, or the best --fraction of all
               rows (with N rows, those that reach the score at place
               int(N * F); rows without a score count, and come last)
  laion2b      a ViT-B/32 score of at least 0.28; English. DataComp asks gcld3
               for the language, here it is what the other filters ask.
  image_based  English; at least 2 tokens and 6 characters; the centroid nearest
               to the embedding in NAME.npz beside NAME.parquet is one of
               --targets

English is what the identifier in the binary says (whichlang). DataComp's own is
fastText's lid.176: give it as --language-model lid.176.bin, or .ftz.

Subset files are sorted uids, NumPy's u8,u8. A uid of several rows is written
once (see --repeats). Rows whose uid is not 32 hex digits are left out, named,
and end in exit code 1. The resharder finds a sample by the uid in its .json: of
pairs that had none there, journals and scores hold one that pairgate made of
picture and caption, which it will not find.

Examples:
  pairgate subset metadata/ --filter basic -o subset.npy
  pairgate subset metadata/ --filter basic,clip_score --fraction 30% \\
      -o subset.npy
  pairgate subset metadata/ --filter image_based,clip_score --fraction 30% \\
      --centroids centroids.npy --targets in1k.npy -o datacomp_1b.npy
  pairgate score shards/ -o scores.jsonl
  pairgate subset metadata/ --scores scores.jsonl --filter basic,clip_score \\
      --fraction 15% -o subset.npy
  pairgate subset kept/ -o subset.npy     what a gate kept, for the resharder"
)]
pub struct SubsetArgs {
    /// Metadata (.parquet, or folders of them), or journals.
    ///
    /// Journals may be folders that hold one.
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// The subset file: .npy, .bin, .raw or .memmap.
    ///
    /// The last three are the array without a header.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
    /// Write a uid as often as rows have it.
    ///
    /// So does DataComp's script: the resharder then copies each of its samples as often.
    #[arg(long, help_heading = OUTPUT)]
    pub repeats: bool,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// no_filter, basic, clip_score, laion2b, image_based.
    ///
    /// Rows must pass all that are named.
    #[arg(
        short,
        long,
        value_enum,
        value_name = "NAME",
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = PASSES
    )]
    pub filter: Vec<FilterArg>,
    /// Lowest score that clip_score passes.
    #[arg(
        short,
        long,
        value_name = "X",
        allow_negative_numbers = true,
        value_parser = number,
        help_heading = PASSES
    )]
    pub threshold: Option<f64>,
    /// Share of all rows that clip_score passes.
    ///
    /// Such as 30% or 0.3.
    #[arg(
        long,
        value_name = "F",
        conflicts_with = "threshold",
        value_parser = fraction,
        help_heading = PASSES
    )]
    pub fraction: Option<f64>,
    /// Whose scores.
    ///
    /// They are what clip_score asks for. Default: l14.
    #[arg(
        long,
        value_enum,
        default_value_t = ArchArg::L14,
        hide_default_value = true,
        help_heading = FILTER_DATA
    )]
    pub arch: ArchArg,
    /// The column of scores, in place of --arch.
    ///
    /// They are what clip_score asks for.
    #[arg(long, value_name = "NAME", conflicts_with = "arch", help_heading = FILTER_DATA)]
    pub score_column: Option<String>,
    /// Scores by uid, in place of a column.
    ///
    /// They are what clip_score asks for: the output of `score` (.jsonl, .parquet) or a journal.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["arch", "score_column"],
        help_heading = FILTER_DATA
    )]
    pub scores: Option<PathBuf>,
    /// image_based's centroids, .npy.
    ///
    /// Floats, one row each.
    #[arg(long, value_name = "FILE", help_heading = FILTER_DATA)]
    pub centroids: Option<PathBuf>,
    /// image_based's targets, .npy.
    ///
    /// Places of centroids, counted from 0.
    #[arg(long, value_name = "FILE", help_heading = FILTER_DATA)]
    pub targets: Option<PathBuf>,
    /// The array in the .npz files.
    ///
    /// It holds the embeddings; the .npz lies beside each table.
    #[arg(long, value_name = "NAME", default_value = "l14_img", help_heading = FILTER_DATA)]
    pub embeddings: String,
    /// A fastText classifier, .bin or .ftz.
    ///
    /// It tells languages; English is its __label__en. Default: what is built in.
    #[arg(long, value_name = "FILE", help_heading = FILTER_DATA)]
    pub language_model: Option<PathBuf>,
}

/// DataComp's filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum FilterArg {
    /// Every row.
    NoFilter,
    /// Caption, size and language.
    #[value(alias = "basic_filter")]
    Basic,
    /// A score.
    ClipScore,
    /// ViT-B/32 score and language.
    #[value(name = "laion2b")]
    Laion2b,
    /// Caption, language and embedding.
    ImageBased,
}

/// Networks whose scores are in DataComp's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArchArg {
    /// ViT-B/32.
    B32,
    /// ViT-L/14.
    L14,
}

fn number(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| !number.is_nan());
    number.ok_or_else(|| "must be a number".into())
}
