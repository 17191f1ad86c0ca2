//! The command line, as it is said: the program's, and what several commands share. What one command
//! is asked stands beside it.

mod gate;
mod input;
mod layers;
mod mqtt;
mod tracker;
mod values;

use clap::{ArgAction, Parser, Subcommand};

use super::commands::calibrate::CalibrateArgs;
use super::commands::capture::CaptureArgs;
use super::commands::config::ConfigCommand;
use super::commands::filter::FilterArgs;
use super::commands::journal::JournalCommand;
use super::commands::model::ModelCommand;
use super::commands::replay::ReplayArgs;
use super::commands::report::ReportArgs;
use super::commands::score::ScoreArgs;
use super::commands::subset::SubsetArgs;

pub use gate::{ArithmeticArg, RulesArg};
pub use input::{FormatArg, ImageArgs, InputArgs};
pub use layers::LayerArgs;
pub use mqtt::MqttArgs;
pub use tracker::FollowArgs;
pub use values::{cosine, fraction, threshold};

/// A gate for image-text pairs: scores each pair with a small data filtering network and lets
/// only good pairs reach storage.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done; 1 done, but some pairs could not be judged; 2 could not run to the end;
130 interrupted."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// More log lines; twice for all of them. RUST_LOG is read too.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keep the good pairs: kept shards, a decision journal and a summary.
    Filter(FilterArgs),
    /// Score every pair and copy nothing: JSON lines, Parquet or CSV.
    Score(ScoreArgs),
    /// Take a camera's frames, caption them, and keep the good pairs.
    Capture(CaptureArgs),
    /// Find the threshold that keeps a share of the pairs, and how sure it is.
    Calibrate(CalibrateArgs),
    /// Decide again from a journal: another threshold, or the same one to see that it repeats.
    Replay(ReplayArgs),
    /// A page to look at: histogram, reasons, sources, contact sheets, a slider at the threshold.
    Report(ReportArgs),
    /// Apply DataComp's filters to its metadata, or take a gate's decisions: a subset file.
    Subset(SubsetArgs),
    /// Decision journals: list, print, check, repair.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Model bundles: make one of your own DFN, look into one, check one.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Configs: check one, show it resolved, pack it for firmware.
    #[command(subcommand)]
    Config(ConfigCommand),
}
