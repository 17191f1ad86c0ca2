//! What `pairgate serve` is asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::cli::args::headings::{ACCESS, OUTPUT};
use crate::cli::args::{EmbeddingArgs, LayerArgs, ModelArgs, PolicyArgs, SpoolArgs};
use crate::cli::outputs;

/// Judge and store pairs that programs send by HTTP.
///
/// It goes on until Ctrl-C or SIGTERM, and then finishes what it has taken. Nothing is answered "kept"
/// before it is on disk, and a pair that was sent with a uid may be sent again: it is stored once. An
/// output folder is gone on with, also after the power has failed.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate serve -o kept
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate serve -o kept
  curl -F image=@photo.jpg -F caption='a dog' http://127.0.0.1:8787/v1/judge
  curl --data-binary @00000.tar http://127.0.0.1:8787/v1/pairs
  pairgate serve -o kept --socket /run/pairgate/serve.sock
  pairgate serve -o kept --listen 0.0.0.0:8787 --token-file token"
)]
pub struct ServeArgs {
    /// Folder for the kept shards and the journal.
    ///
    /// One that is there is gone on with.
    #[arg(
        short,
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().try_map(outputs::folder),
        help_heading = OUTPUT
    )]
    pub output: PathBuf,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Address to listen on, such as 127.0.0.1:8787.
    ///
    /// It may be given more than once; port 0 is one that is free. Default: 127.0.0.1:8787, or none
    /// beside --socket.
    #[arg(long, value_name = "ADDRESS", help_heading = ACCESS)]
    pub listen: Vec<String>,
    /// Unix socket to listen on.
    ///
    /// Its owner alone may use it (mode 0600).
    #[arg(long, value_name = "PATH", help_heading = ACCESS)]
    pub socket: Option<PathBuf>,
    /// Ask for the token in this file.
    ///
    /// Clients send it as `Authorization: Bearer TOKEN`; over the socket it is not asked for.
    #[arg(long, value_name = "FILE", help_heading = ACCESS)]
    pub token_file: Option<PathBuf>,
    /// Listen beyond this machine without a token.
    ///
    /// Whoever reaches the address may then store pairs.
    #[arg(long, help_heading = ACCESS)]
    pub open: bool,
    /// Name that clients may ask by.
    ///
    /// Addresses and localhost are taken anyway, other names are refused without a token: a page in a
    /// browser could use them. It may be given more than once.
    #[arg(long, value_name = "NAME", help_heading = ACCESS)]
    pub host: Vec<String>,
    #[command(flatten)]
    pub embeddings: EmbeddingArgs,
    #[command(flatten)]
    pub spool: SpoolArgs,
    #[command(flatten)]
    pub policy: PolicyArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layers: LayerArgs,
}
