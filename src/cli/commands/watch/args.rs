//! What `pairgate watch` is asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::agent::watch::After;
use crate::cli::args::headings::{INPUT, OUTPUT};
use crate::cli::args::{
    EmbeddingArgs, LayerArgs, ListenArgs, ModelArgs, MqttArgs, PolicyArgs, SpoolArgs,
};
use crate::cli::outputs;

/// Judge what appears in a folder, and keep the good pairs.
///
/// Pictures with their captions beside them, and shards (.tar), in it and in the folders in it. It goes on
/// until it is stopped. A file is read when it is whole; what was decided is not judged again, also after
/// a restart. An output folder is gone on with, also after the power has failed.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate watch incoming/ -o kept
         (--help shows more)",
    after_long_help = "\
Best written elsewhere on the same disk and renamed into the folder, the captions
first. Names that begin with a dot are passed over.

Examples:
  pairgate watch incoming/ -o kept
  pairgate watch incoming/ -o kept --after delete
  pairgate watch incoming/ -o kept --after move=done/
  pairgate watch /mnt/nfs/incoming -o kept --scan 30s"
)]
pub struct WatchArgs {
    /// The folder.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// What becomes of files that are decided.
    ///
    /// keep, delete, or move=DIR. It is done when the decision is on disk. With delete, files that
    /// could not be judged stay. Default: keep.
    #[arg(
        long,
        value_name = "WHAT",
        value_parser = after,
        default_value = "keep",
        hide_default_value = true,
        help_heading = INPUT
    )]
    pub after: After,
    /// Time between two scans, such as 30s.
    ///
    /// They find what no event told of. Default: 60s; 5s where there are no events.
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = INPUT)]
    pub scan: Option<Duration>,
    /// Do not ask the system for events.
    ///
    /// On network file systems it is not asked: there it does not know what others write.
    #[arg(long, help_heading = INPUT)]
    pub no_inotify: bool,
    /// How long a file must stand still, such as 5s.
    ///
    /// Of files that no event vouches for. Default: 2s; 10s where there are no events.
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = INPUT)]
    pub settle: Option<Duration>,
    /// How long a picture waits for its caption.
    ///
    /// Then it counts as caption_missing. Default: 60s.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration,
        default_value = "60s",
        hide_default_value = true,
        help_heading = INPUT
    )]
    pub caption_wait: Duration,
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
    /// Go on though model or config changed.
    ///
    /// Go on in a folder although another model, config or version decided there so far.
    #[arg(long, help_heading = OUTPUT)]
    pub accept_new_decisions: bool,
    /// Print the summary as JSON.
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
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
    #[command(flatten)]
    pub mqtt: MqttArgs,
    #[command(flatten)]
    pub listen: ListenArgs,
}

fn after(text: &str) -> Result<After, String> {
    match text.split_once('=') {
        None if text == "keep" => Ok(After::Keep),
        None if text == "delete" => Ok(After::Delete),
        Some(("move", folder)) if !folder.is_empty() => Ok(After::Move(folder.into())),
        _ => Err("keep, delete or move=DIR is needed".to_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|why| format!("{why}, such as in 30s"))?;
    let fits = time >= Duration::from_millis(10) && time <= Duration::from_secs(30 * 86_400);
    if fits { Ok(time) } else { Err("it may be 10ms to 30days".to_owned()) }
}
