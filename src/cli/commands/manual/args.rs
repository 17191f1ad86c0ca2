//! What `pairgate completions` and `pairgate man` are asked.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap_complete::Shell;

/// Print completions for a shell.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Example:
  pairgate completions bash > /etc/bash_completion.d/pairgate")]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Print the manual page, or write those of all commands.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  pairgate man | man -l -
  pairgate man ~/.local/share/man/man1      then: man pairgate-filter")]
pub struct ManArgs {
    /// Folder for the pages of all commands.
    ///
    /// It is made if it is missing. Without it, the program's own page is printed.
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}
