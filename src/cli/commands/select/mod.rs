//! `pairgate select`: methods that select by more than one pair's score, fitted and applied.

#[cfg(feature = "parquet")]
mod apply;
mod args;
#[cfg(feature = "parquet")]
mod fit;
mod inspect;
#[cfg(feature = "parquet")]
mod output;
#[cfg(feature = "parquet")]
mod refresh;
#[cfg(feature = "parquet")]
mod work;

use std::error::Error;
use std::process::ExitCode;

#[cfg(feature = "parquet")]
pub use crate::select::resources::tokens_of;
pub use args::SelectCommand;

/// Runs the command.
pub fn run(command: &SelectCommand) -> Result<ExitCode, Box<dyn Error>> {
    match command {
        #[cfg(feature = "parquet")]
        SelectCommand::Fit(args) => fit::run(args),
        #[cfg(feature = "parquet")]
        SelectCommand::Refresh(args) => refresh::run(args),
        #[cfg(feature = "parquet")]
        SelectCommand::Apply(args) => apply::run(args),
        #[cfg(not(feature = "parquet"))]
        SelectCommand::Fit(_) | SelectCommand::Refresh(_) | SelectCommand::Apply(_) => {
            Err("this pairgate is built without the feature `parquet`, and reads no embeddings"
                .into())
        }
        SelectCommand::Inspect(args) => inspect::run(args),
    }
}
