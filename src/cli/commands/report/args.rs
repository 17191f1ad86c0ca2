//! What `pairgate report` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::ImageArgs;
use crate::cli::args::headings::{INPUT, OUTPUT};

/// Make a page of a journal: scores, reasons, pictures, a slider.
///
/// One self-contained HTML page: score histogram, share kept by threshold, counts by reason and
/// source, contact sheets of borderline, best and worst pairs and of each reason, and a slider that
/// moves the threshold.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate report kept/ --source shards/ -o report.html
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate report kept/ --source shards/ -o report.html
  pairgate report kept/ -o report.html      with pictures of the kept pairs alone"
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
    #[command(flatten)]
    pub images: ImageArgs,
    /// The page to write.
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    pub output: PathBuf,
}
