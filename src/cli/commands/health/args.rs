//! What `pairgate health` is asked.

use std::num::NonZeroU64;

use clap::Args as ClapArgs;

/// Ask a running pairgate whether it makes progress.
///
/// One line says so, and the exit code: 0 it does, 1 it does not or gives no answer, 2 the URL is none.
/// For the health check of a container, which has no other program in it.
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "\
Example: pairgate health http://127.0.0.1:8787
         (--help shows more)",
    after_long_help = "\
Examples:
  pairgate health http://127.0.0.1:8787
  pairgate health http://127.0.0.1:8787/readyz      whether it takes more work"
)]
pub struct HealthArgs {
    /// Where it listens, by plain HTTP.
    ///
    /// Without a path, /healthz is asked for.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8787", hide_default_value = true)]
    pub url: String,
    /// Seconds that the answer may take.
    ///
    /// Default: 5.
    #[arg(long, value_name = "SECONDS", default_value = "5", hide_default_value = true)]
    pub timeout: NonZeroU64,
}
