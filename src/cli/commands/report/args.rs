//! What `pairgate report` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::ImageArgs;

/// Make one self-contained HTML page of journals: score histogram, share kept by threshold, counts by
/// reason and source, contact sheets of borderline, best and worst pairs and of each reason, and a
/// slider that moves the threshold.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate report kept/ --source shards/ -o report.html
  pairgate report kept/ -o report.html                  with the pictures of the kept pairs alone")]
pub struct ReportArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// The page to write.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Where the pictures are: folders, shards or manifests that were judged [default: the kept
    /// shards beside the journals].
    #[arg(long, value_name = "IN", num_args = 1..)]
    pub source: Vec<PathBuf>,
    #[command(flatten)]
    pub images: ImageArgs,
}
