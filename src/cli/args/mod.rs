//! The command line, as it is said: the program's, and what several commands share. What one command
//! is asked stands beside it.

mod embeddings;
mod gate;
mod groups;
pub mod headings;
mod input;
mod layers;
mod listen;
mod model;
mod mqtt;
mod output;
mod policy;
mod rules;
mod spool;
mod threshold;
mod values;

use clap::{ArgAction, Parser, Subcommand};

use super::commands::calibrate::CalibrateArgs;
use super::commands::capture::CaptureArgs;
use super::commands::compare::CompareArgs;
use super::commands::config::ConfigCommand;
use super::commands::cut::CutArgs;
use super::commands::filter::FilterArgs;
use super::commands::health::HealthArgs;
use super::commands::journal::JournalCommand;
use super::commands::judge::JudgeArgs;
#[cfg(feature = "manual")]
use super::commands::manual::{CompletionsArgs, ManArgs};
use super::commands::merge::MergeArgs;
use super::commands::model::ModelCommand;
use super::commands::plan::PlanArgs;
use super::commands::replay::ReplayArgs;
use super::commands::report::ReportArgs;
use super::commands::score::ScoreArgs;
use super::commands::select::SelectCommand;
use super::commands::serve::ServeArgs;
use super::commands::subset::SubsetArgs;
use super::commands::watch::WatchArgs;

pub use embeddings::{EmbeddingArgs, EmbeddingNameArgs};
pub use gate::{ArithmeticArg, DecodeArg, RulesArg};
pub use groups::GroupArgs;
pub use input::{FormatArg, ImageArgs, InputArgs};
pub use layers::LayerArgs;
pub use listen::ListenArgs;
pub use model::ModelArgs;
pub use mqtt::MqttArgs;
pub use output::OutputArgs;
pub use policy::PolicyArgs;
pub use rules::RuleArgs;
pub use spool::SpoolArgs;
pub use threshold::ThresholdArgs;
pub use values::{cosine, fraction, share, threshold};

/// A gate for image-text pairs: lets only good ones reach storage.
///
/// It scores each pair with a small data filtering network: how well the caption describes the
/// image.
#[derive(Debug, Parser)]
#[command(
    name = "pairgate",
    version,
    max_term_width = 100,
    after_help = "\
Example: pairgate filter shards/ -o kept
Exit codes: 0 done; 1 done, but some pairs could not be judged, or none were found; 2 could not run
to the end; 130 interrupted."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// More log lines.
    ///
    /// Twice for all of them. RUST_LOG is read too. Without it, warnings that repeat are counted.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The commands. What one is about stands on its arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Filter(FilterArgs),
    Score(ScoreArgs),
    Cut(CutArgs),
    Capture(CaptureArgs),
    Serve(ServeArgs),
    Judge(JudgeArgs),
    Watch(WatchArgs),
    Health(HealthArgs),
    Calibrate(CalibrateArgs),
    Merge(MergeArgs),
    Replay(ReplayArgs),
    Report(ReportArgs),
    Compare(CompareArgs),
    Subset(SubsetArgs),
    Plan(PlanArgs),
    /// Decision journals: list, print, explain, check, repair.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Model bundles: make one, look into one, check one.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Configs: check one, show it resolved, pack it for firmware.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Selection: fit methods, apply them, look into a state.
    #[command(subcommand)]
    Select(SelectCommand),
    #[cfg(feature = "manual")]
    Completions(CompletionsArgs),
    #[cfg(feature = "manual")]
    Man(ManArgs),
}
