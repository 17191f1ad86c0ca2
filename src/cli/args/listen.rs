//! Where a run tells of itself.

use clap::Args as ClapArgs;

#[cfg(feature = "serve")]
use crate::cli::args::headings::WATCHING;

/// Where a run tells of itself; nothing of it in a binary without the feature `serve`.
#[derive(Debug, Clone, ClapArgs)]
pub struct ListenArgs {
    /// Show a page, metrics and health over HTTP.
    ///
    /// At this address, such as 127.0.0.1:8787: / is a page to look at, /metrics is for Prometheus,
    /// /healthz and /readyz are for who watches services. Such as: pairgate capture /dev/video0
    /// --labels now.txt -o kept --listen 127.0.0.1:8787
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "ADDR", help_heading = WATCHING)]
    pub listen: Option<std::net::SocketAddr>,
    /// Listen at an address that others reach too.
    ///
    /// Whoever reaches it sees the counts, and the latest pictures unless the config's agent.thumbnails
    /// is 0. Such as: --listen 0.0.0.0:8787 --open
    #[cfg(feature = "serve")]
    #[arg(long, requires = "listen", help_heading = WATCHING)]
    pub open: bool,
}
