//! What `pairgate select` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::args::headings::{INPUT, MODEL, OUTPUT, PASSES, SPEED};
use crate::cli::args::{ImageArgs, threshold};
#[cfg(feature = "parquet")]
use crate::select::resources::ResourceFiles;

#[derive(Debug, Subcommand)]
pub enum SelectCommand {
    Fit(FitArgs),
    Refresh(RefreshArgs),
    Apply(ApplyArgs),
    Inspect(InspectArgs),
}

/// The recorded pool.
#[derive(Debug, ClapArgs)]
pub struct PoolArgs {
    /// Recorded runs with embeddings.
    ///
    /// What `score --embeddings` and `filter --embeddings all` have written, or DataComp's metadata.
    #[arg(required = true, value_name = "RUN", help_heading = INPUT)]
    pub runs: Vec<PathBuf>,
    /// The pairs' own shards, in the runs' order.
    ///
    /// Methods read captions and metadata there, where the runs do not hold them.
    #[arg(long, value_name = "IN", num_args = 1.., help_heading = INPUT)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// What the arrays of embeddings are called.
    ///
    /// Such as l14_img,l14_txt. Default: as pairgate has written them.
    #[arg(long, value_name = "IMAGE,TEXT", help_heading = MODEL)]
    pub embedding_names: Option<String>,
    /// The column of scores in a metadata table.
    #[arg(long, value_name = "NAME", help_heading = INPUT)]
    pub score_column: Option<String>,
    /// Lowest score of the pool, -1 to 1.
    ///
    /// Pairs below it, and those that broke a rule, are not of the pool. Default: what the model
    /// recommends.
    #[arg(
        short,
        long,
        value_name = "X",
        allow_negative_numbers = true,
        value_parser = threshold,
        help_heading = PASSES
    )]
    pub threshold: Option<f32>,
    /// Threads. Default: one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = SPEED)]
    pub threads: Option<u16>,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

/// What methods are fitted with beside the pool.
#[derive(Debug, ClapArgs)]
pub struct ReferenceArgs {
    /// Entries for `entries`, a line each.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub entries: Option<PathBuf>,
    /// Pictures' embeddings of a target, for `targets`.
    ///
    /// Rows of a .npy, or a recorded run, of the same model.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub targets: Option<PathBuf>,
    /// Marked pairs, for `linear`, `prototypes`, `color`.
    ///
    /// JSON lines with uid and mark, which is good or bad, as the report exports them; a class, where
    /// prototypes are to be told apart.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub labels: Option<PathBuf>,
    /// Examples of base classes, for `prototypes`.
    ///
    /// Lines as of --labels: pairs of the pool, good ones of well-known classes. Prototypes of few
    /// examples are calibrated by them (TEEN).
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub base_labels: Option<PathBuf>,
    /// Phrases for `unsafe`, a line each.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub phrases: Option<PathBuf>,
    /// A language model of all captions (ARPA).
    ///
    /// Over the model's own tokens. Default: one that is learnt from the pool.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub prior: Option<PathBuf>,
    /// A language model of wanted captions (ARPA).
    ///
    /// Default: one that is learnt from pairs that are marked good.
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub cond: Option<PathBuf>,
}

#[cfg(feature = "parquet")]
impl ReferenceArgs {
    /// The files.
    pub fn files(&self) -> ResourceFiles {
        ResourceFiles {
            entries: self.entries.clone(),
            targets: self.targets.clone(),
            labels: self.labels.clone(),
            base_labels: self.base_labels.clone(),
            phrases: self.phrases.clone(),
            prior: self.prior.clone(),
            cond: self.cond.clone(),
        }
    }
}

/// Fit methods on a recorded pool: a frozen state.
///
/// The state decides offline over a pool (`select apply`) and pair by pair (`filter --select`).
/// Methods: score, contrast, targets, prototypes, linear, unsafe, perplexity, color, clusters,
/// duplicates, sources, entries; docs/selection.md says what each does. They are combined by
/// all(A, B), which goes from left to right, any(A, B) and ranks(2*A + B) keep 20%.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate select fit scores.parquet -m 'clusters keep 20%' -o a.pgsel",
    after_long_help = "\
Examples:
  pairgate score shards/ --embeddings -o scores.parquet
  pairgate select fit scores.parquet -m 'clusters k 500 keep 20%' -o a.pgsel
  pairgate select fit scores.parquet -o a.pgsel \\
      -m 'all(duplicates eps 0.05, sources by url:host keep 50%)' \\
      --source shards/
  pairgate select apply scores.parquet --state a.pgsel -o subset.npy
  pairgate filter shards/ --select a.pgsel -o kept"
)]
pub struct FitArgs {
    #[command(flatten)]
    pub pool: PoolArgs,
    /// The methods: 'clusters keep 20%'.
    ///
    /// Default: the config's select.method.
    #[arg(short, long, value_name = "METHOD", help_heading = PASSES)]
    pub method: Option<String>,
    /// A config whose [select] tells the methods.
    #[arg(long, value_name = "FILE", conflicts_with = "method", help_heading = PASSES)]
    pub config: Option<PathBuf>,
    /// The state's file, NAME.pgsel.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
    /// What all that is drawn is drawn by.
    #[arg(long, value_name = "N", default_value_t = crate::select::SEED, help_heading = PASSES)]
    pub seed: u64,
    #[command(flatten)]
    pub references: ReferenceArgs,
    /// The model that scored the runs.
    ///
    /// Default: the model in the binary.
    #[arg(long, value_name = "BUNDLE", help_heading = MODEL)]
    pub model: Option<PathBuf>,
}

/// Fit a state again under a new model, on the same pairs.
///
/// RUN is what the new model has recorded of the pairs that the state was fitted on; --from what the
/// old one had. Methods, seed and entries are the state's; targets, labels, phrases and language
/// models are given again, as for `fit`.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "pairgate select refresh [OPTIONS] --state <FILE> --from <OLD>...\n       \
                      <RUN>... -o <FILE>",
    after_help = "\
Example: pairgate select refresh --from old.parquet --state a.pgsel \\
             new.parquet --model new -o b.pgsel",
    after_long_help = "\
Examples:
  pairgate score shards/ --model new --embeddings -o new.parquet
  pairgate calibrate new.parquet --from old.parquet --threshold 0.21
                                          the threshold for -t
  pairgate select refresh new.parquet --state a.pgsel --from old.parquet \\
      --model new -t 0.18 -o b.pgsel"
)]
pub struct RefreshArgs {
    #[command(flatten)]
    pub pool: PoolArgs,
    /// The state.
    #[arg(long, value_name = "FILE", help_heading = PASSES)]
    pub state: PathBuf,
    /// The runs that the state was fitted on.
    #[arg(long, value_name = "OLD", num_args = 1.., required = true, help_heading = INPUT)]
    pub from: Vec<PathBuf>,
    #[command(flatten)]
    pub references: ReferenceArgs,
    /// The new state's file, NAME.pgsel.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
    /// The new model.
    ///
    /// Default: the model in the binary.
    #[arg(long, value_name = "BUNDLE", help_heading = MODEL)]
    pub model: Option<PathBuf>,
}

/// Apply a state to a recorded pool: what it keeps.
///
/// Shares are then shares of this pool, exactly, with what is frozen of the methods. --frozen decides pair
/// by pair, as `filter --select` does.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example: pairgate select apply scores.parquet --state a.pgsel -o subset.npy")]
pub struct ApplyArgs {
    #[command(flatten)]
    pub pool: PoolArgs,
    /// The state.
    #[arg(long, value_name = "FILE", help_heading = PASSES)]
    pub state: PathBuf,
    /// The state's model, for captions' tokens.
    ///
    /// `perplexity` and `color` look at them. Default: the model in the binary.
    #[arg(long, value_name = "BUNDLE", help_heading = MODEL)]
    pub model: Option<PathBuf>,
    /// Decide pair by pair, as a stream does.
    #[arg(long, help_heading = PASSES)]
    pub frozen: bool,
    /// .npy, .txt, .jsonl: what is kept; .parquet: all.
    ///
    /// NAME.npy is a subset file of uids for DataComp's resharder (.bin, .raw, .memmap: the same
    /// without a header); NAME.jsonl has a line with uid, key, shard and score; all else is keys. NAME.parquet
    /// is a table of all pairs of the pool: whether each is kept, why not, and what its scorers gave.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
}

/// What a state holds, in words.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example: pairgate select inspect a.pgsel")]
pub struct InspectArgs {
    /// The state.
    #[arg(value_name = "FILE")]
    pub state: PathBuf,
    /// Print as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
