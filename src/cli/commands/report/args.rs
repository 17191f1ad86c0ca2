//! What `pairgate report` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::RangedU64ValueParser;

use crate::cli::args::ImageArgs;
use crate::cli::args::headings::{INPUT, OUTPUT};

/// Make a page of a journal: scores, reasons, pictures, a slider.
///
/// One self-contained HTML page: score histograms, share kept by threshold, counts by reason,
/// source and cluster, a slider that moves the threshold and all of these, and pairs with their pictures to
/// search, sort, filter and mark as good or bad: marks give precision and recall, and labels. Of two
/// runs over the same pairs the later one is shown, and the two are compared.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate report kept/ --source shards/ -o report.html
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate report kept/ --source shards/ -o report.html
  pairgate report kept/ -o report.html      with pictures of the kept pairs alone
  pairgate report kept/ --source shards/ --state a.pgsel -o report.html
                                            by the clusters of a state
  pairgate report old/ new/ --source shards/ -o report.html
                                            new/, and how it compares with old/"
)]
pub struct ReportArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Where the pictures are.
    ///
    /// Folders, shards or manifests that were judged. Default: the kept shards beside the journals.
    #[arg(long, value_name = "IN", num_args = 1.., help_heading = INPUT)]
    pub source: Vec<PathBuf>,
    /// A state whose clusters pairs are shown by.
    ///
    /// Of `select fit` with the journal's model. Where it selected, the journal tells the clusters; else they
    /// are those of the embeddings beside it (--embeddings all).
    #[arg(long, value_name = "FILE", help_heading = INPUT)]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
    /// Pairs from all over the scores.
    ///
    /// At equal ranks. Some more are shown: at the threshold, the best and the worst, and of each reason and source. A
    /// pair takes about 10 kB of the page.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 240,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000),
        help_heading = OUTPUT
    )]
    pub pairs: usize,
    /// The page to write.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
}
