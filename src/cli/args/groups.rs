//! Groups with thresholds of their own: what `filter` and `cut` share.

use clap::Args as ClapArgs;

use crate::cli::args::headings::PASSES;
use crate::decide::groups::{By, Goal};

/// Thresholds or shares by group.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct GroupArgs {
    /// A threshold, or a share, for each group.
    ///
    /// shard, or a field of the pairs' metadata: licence, source.name for one in an object, url:host
    /// for a URL's host. --keep 15% then keeps 15 % of each group. Pairs without the field are in the
    /// group `other`, and so are those of groups beyond 10000. Such as --by url:host --keep 15%.
    #[arg(long, value_name = "FIELD", help_heading = PASSES)]
    pub by: Option<By>,
    /// With --by: a group's own share or threshold.
    ///
    /// A share ends in %: --group wiki=40%; else it is a threshold: --group wiki=0.21. A shard's file
    /// name stands for it. Can be given often.
    #[arg(long = "group", value_name = "NAME=X", value_parser = goal, help_heading = PASSES)]
    pub groups: Vec<(String, Goal)>,
}

fn goal(text: &str) -> Result<(String, Goal), String> {
    let (name, goal) = text
        .rsplit_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or("not a group's name, =, and a share such as 20% or a threshold such as 0.27")?;
    Ok((name.to_owned(), goal.parse()?))
}
