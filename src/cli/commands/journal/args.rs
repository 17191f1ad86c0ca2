//! What `pairgate journal` is asked.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use pairgate_core::decision::Reason;

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// List journals: records, verdicts, threshold, model.
    Ls(JournalArgs),
    Cat(CatArgs),
    /// Find damage, and whether the shards beside hold what was kept.
    Check(JournalArgs),
    Why(WhyArgs),
    Repair(RepairArgs),
}

/// Look at whole journals.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if `check` finds damage.

Examples:
  pairgate journal ls kept/ boards/*.pairgate
  pairgate journal check kept/")]
pub struct JournalArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Print as JSON, one line a journal.
    #[arg(long)]
    pub json: bool,
}

/// Tell all that is known of one pair: its decision, and why.
///
/// It tells every rule that the pair breaks, its scores, where it came from and where it is stored.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit code 1 if no pair has that name.

Examples:
  pairgate journal why 000000003 kept/
  pairgate journal why 3f0c52a1b9d84e6fa0c15d3e77b2a901 kept/ --json")]
pub struct WhyArgs {
    /// The pair's uid, or its key in its source or shard.
    #[arg(value_name = "KEY|UID")]
    pub name: String,
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Print as JSON, one line a pair.
    #[arg(long)]
    pub json: bool,
}

/// Print the records of journals as JSON lines.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate journal cat kept/ | jq 'select(.score > 0.3) | .key'
  pairgate journal cat kept/ --reason image_truncated")]
pub struct CatArgs {
    /// Journals, or folders that hold one.
    #[arg(required = true, value_name = "JOURNAL")]
    pub journals: Vec<PathBuf>,
    /// Records with this reason alone.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub reason: Option<Reason>,
}

/// Leave out what is damaged; all records that are whole stay.
///
/// Those behind the damage stay too. The journal as it was stays beside it, as NAME.damaged-1. A damaged
/// journal with shards beside it is refused: the command that made the folder repairs both.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  pairgate journal repair scores.pairgate")]
pub struct RepairArgs {
    /// The journal, or the folder that holds it.
    #[arg(value_name = "JOURNAL")]
    pub journal: PathBuf,
}

fn reason(text: &str) -> Result<Reason, String> {
    let known = Reason::ALL.iter().copied().find(|reason| reason.name() == text);
    known.ok_or_else(|| {
        let names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        format!("no reason has that name; there are {}", names.join(", "))
    })
}
