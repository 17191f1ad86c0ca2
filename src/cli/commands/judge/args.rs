//! What `pairgate judge` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::cli::args::headings::{ACCESS, OUTPUT};

/// Ask a running `pairgate serve` about one pair.
///
/// The answer comes when the pair is on disk. Exit codes: 0 kept, 1 rejected or could not be judged, 2
/// could not be asked.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate judge photo.jpg 'a dog on a beach'
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate judge photo.jpg 'a dog on a beach'
  pairgate judge photo.jpg 'a dog' --to http://gate:8787 --token-file token
  pairgate judge - 'a dog' --to /run/pairgate/serve.sock < photo.jpg
  pairgate judge photo.jpg 'a dog' --only --json"
)]
pub struct JudgeArgs {
    /// The picture, or - for standard input.
    #[arg(value_name = "IMAGE")]
    pub image: PathBuf,
    /// The caption.
    #[arg(value_name = "CAPTION")]
    pub caption: String,
    /// The service, http://HOST:PORT or a socket's path.
    ///
    /// Default: http://127.0.0.1:8787.
    #[arg(
        long,
        value_name = "URL|SOCKET",
        default_value = "http://127.0.0.1:8787",
        hide_default_value = true,
        help_heading = ACCESS
    )]
    pub to: String,
    /// The file with the service's token.
    #[arg(long, value_name = "FILE", help_heading = ACCESS)]
    pub token_file: Option<PathBuf>,
    /// The pair's identity, 32 hex digits.
    ///
    /// Asked again with it, the service gives its old answer, and stores nothing twice.
    #[arg(long, value_name = "UID")]
    pub uid: Option<String>,
    /// The pair's name in its shard.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Judge only, and store nothing.
    #[arg(long)]
    pub only: bool,
    /// Print the answer as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}
