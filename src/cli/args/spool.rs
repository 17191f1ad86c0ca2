//! Where decided pairs wait for the output.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::cli::args::headings::OUTPUT;
use crate::cli::outputs;

/// Where decided pairs wait for an output folder that is away.
#[derive(Debug, Clone, ClapArgs)]
pub struct SpoolArgs {
    /// Let decided pairs wait here for the output.
    ///
    /// A folder on a disk that is always there: a decision counts when it is in it, and is brought to
    /// the output folder as soon as that can be written. The config's [spool] says how large it may get.
    /// Such as: -o /mnt/nas/kept --spool /var/lib/pairgate/spool
    #[arg(
        long,
        value_name = "DIR",
        value_parser = PathBufValueParser::new().try_map(outputs::folder),
        help_heading = OUTPUT
    )]
    pub spool: Option<PathBuf>,
}
