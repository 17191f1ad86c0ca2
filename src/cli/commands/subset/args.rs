//! What `pairgate subset` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::fraction;

/// Apply DataComp's filters to its metadata, and write the subset file that its resharder takes. Rows
/// must pass all filters that are named. Metadata are parquet tables of DataComp or img2dataset with
/// the columns uid, text, original_width, original_height, clip_b32_similarity_score and
/// clip_l14_similarity_score, as far as the filters ask for them. Journals in place of metadata give
/// the pairs that were kept.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Filters:
  no_filter    every row
  basic        English; at least 3 words, 6 characters, 200 px on the shorter side; aspect at most 3
  clip_score   a score of at least --threshold, or the best --fraction of all rows (with N rows, those
               that reach the score at place int(N * F); rows without a score count, and come last)
  laion2b      a ViT-B/32 score of at least 0.28; English. DataComp asks gcld3 for the language, here
               it is what the other filters ask.
  image_based  English; at least 2 tokens and 6 characters; the centroid nearest to the embedding in
               NAME.npz beside NAME.parquet is one of --targets

English is what the identifier in the binary says (whichlang). DataComp's own is fastText's lid.176:
give it as --language-model lid.176.bin, or .ftz.

Subset files are sorted uids, NumPy's u8,u8. A uid of several rows is written once (see --repeats).
Rows whose uid is not 32 hex digits are left out, named, and end in exit code 1. The resharder finds a
sample by the uid in its .json: of pairs that had none there, journals and scores hold one that
pairgate made of picture and caption, which it will not find.

Examples:
  pairgate subset metadata/ --filter basic -o subset.npy
  pairgate subset metadata/ --filter basic,clip_score --fraction 30% -o subset.npy
  pairgate subset metadata/ --filter image_based,clip_score --fraction 30% \\
      --centroids centroids.npy --targets in1k.npy -o datacomp_1b.npy
  pairgate score shards/ -o scores.jsonl
  pairgate subset metadata/ --scores scores.jsonl --filter basic,clip_score --fraction 15% -o subset.npy
  pairgate subset kept/ -o subset.npy              what a gate kept, for the resharder")]
pub struct SubsetArgs {
    /// Metadata (.parquet, or folders that hold some), or journals (or folders that hold one).
    #[arg(required = true, value_name = "IN")]
    pub inputs: Vec<PathBuf>,
    /// The subset file: .npy, or .bin, .raw or .memmap for the array without a header.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The filters, of which rows must pass all.
    #[arg(short, long, value_enum, value_name = "NAME", value_delimiter = ',')]
    pub filter: Vec<FilterArg>,
    /// Whose scores clip_score asks for.
    #[arg(long, value_enum, default_value_t = ArchArg::L14)]
    pub arch: ArchArg,
    /// The column of clip_score's scores, in place of --arch.
    #[arg(long, value_name = "NAME", conflicts_with = "arch")]
    pub score_column: Option<String>,
    /// clip_score's scores by uid, in place of a column: the output of `score` (.jsonl, .parquet) or a
    /// journal.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["arch", "score_column"])]
    pub scores: Option<PathBuf>,
    /// Lowest score that clip_score passes.
    #[arg(short, long, value_name = "X", allow_negative_numbers = true, value_parser = number)]
    pub threshold: Option<f64>,
    /// Share of all rows that clip_score passes, such as 30% or 0.3.
    #[arg(long, value_name = "F", conflicts_with = "threshold", value_parser = fraction)]
    pub fraction: Option<f64>,
    /// image_based's centroids: a .npy of floats, one row each.
    #[arg(long, value_name = "FILE")]
    pub centroids: Option<PathBuf>,
    /// image_based's targets: a .npy of places of centroids, counted from 0.
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// The array of embeddings in the .npz beside each table.
    #[arg(long, value_name = "NAME", default_value = "l14_img")]
    pub embeddings: String,
    /// A fastText classifier that tells languages, .bin or .ftz; English is its __label__en.
    #[arg(long, value_name = "FILE")]
    pub language_model: Option<PathBuf>,
    /// Write a uid as often as rows have it, as DataComp's script does: the resharder then copies each
    /// of its samples as often.
    #[arg(long)]
    pub repeats: bool,
    /// Print the summary as JSON.
    #[arg(long)]
    pub json: bool,
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
