//! What each group must reach.

use std::fmt;
use std::str::FromStr;

use pairgate_core::policy::parse_fraction;

use super::By;
use super::names::{MAX_GROUPS, OTHER};
use crate::journal::{MAX_GROUP, cut};

/// Groups with a goal of their own at most.
pub const MAX_EXCEPTIONS: usize = 1000;

/// What the pairs of a group must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// To be among this share of the group's scored pairs, above 0, at most 1.
    Share(f64),
    /// This score, -1 to 1.
    Threshold(f32),
}

impl FromStr for Goal {
    type Err = String;

    /// `20%` is a share, `0.2` a threshold.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.ends_with('%') {
            let share = parse_fraction(text).map(Self::Share);
            return share.ok_or_else(|| "not a share above 0% and up to 100%".into());
        }
        let threshold = text.trim().parse().ok().filter(|x: &f32| (-1.0..=1.0).contains(x));
        let why = "neither a share such as 20% nor a threshold from -1 to 1";
        threshold.map(Self::Threshold).ok_or_else(|| why.into())
    }
}

impl fmt::Display for Goal {
    /// As it is read again, to the bit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The shortest decimal of the share, its point moved.
            Self::Share(share) => write!(f, "{}%", percent(*share)),
            Self::Threshold(threshold) => write!(f, "{threshold:?}"),
        }
    }
}

/// A share in percent, without rounding its digits.
fn percent(share: f64) -> String {
    let shortest = share.to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    let fraction = format!("{fraction:0<2}");
    let (up, rest) = fraction.split_at(2);
    let whole = format!("{whole}{up}");
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// How pairs are grouped, and the groups that have a goal of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupRules {
    /// What a pair's group is found by.
    pub by: By,
    /// The goal of groups without one of their own; `None` where pairs are only scored.
    pub goal: Option<Goal>,
    exceptions: Vec<(String, Goal)>,
}

impl GroupRules {
    /// Groups by `by`; `exceptions` are names and goals, sorted here: their order says nothing.
    ///
    /// # Errors
    /// What is wrong: a name that is there twice, or too many of them.
    pub fn new(by: By, mut exceptions: Vec<(String, Goal)>) -> Result<Self, String> {
        exceptions.iter_mut().for_each(|(name, _)| *name = cut(name, MAX_GROUP).to_owned());
        exceptions.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = exceptions.windows(2).find(|pair| pair[0].0 == pair[1].0);
        if let Some((name, _)) = twice.and_then(<[_]>::first) {
            return Err(format!("the group {name:?} is there twice"));
        }
        if exceptions.len() > MAX_EXCEPTIONS {
            return Err(format!("more than {MAX_EXCEPTIONS} groups with a goal of their own"));
        }
        Ok(Self { by, goal: None, exceptions })
    }

    /// The same where groups without a goal of their own have this one.
    pub fn with_goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// The goal of a group.
    pub fn goal_of(&self, name: &str) -> Option<Goal> {
        let goal = self.goal?;
        Some(self.own_goal(name).unwrap_or(goal))
    }

    /// The goal of a group, where it has its own. A shard is also called by its file's name.
    pub fn own_goal(&self, name: &str) -> Option<Goal> {
        let find = |name: &str| {
            let place = self.exceptions.binary_search_by(|(known, _)| known.as_str().cmp(name));
            place.ok().map(|place| self.exceptions[place].1)
        };
        find(name).or_else(|| {
            let file = name.rsplit(['/', '\\']).next().filter(|_| self.by == By::Shard)?;
            find(file)
        })
    }

    /// Whether a goal is a share.
    pub fn has_shares(&self) -> bool {
        let own = self.exceptions.iter().map(|(_, goal)| goal);
        own.chain(&self.goal).any(|goal| matches!(goal, Goal::Share(_)))
    }

    /// Those with a goal of their own that none of `seen` is.
    pub fn unseen<'r>(&'r self, seen: &[impl AsRef<str>]) -> Vec<&'r str> {
        let is_seen = |wanted: &str| {
            seen.iter().map(AsRef::as_ref).any(|name: &str| {
                let is_file =
                    self.by == By::Shard && name.rsplit(['/', '\\']).next() == Some(wanted);
                name == wanted || is_file
            })
        };
        let names = self.exceptions.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != OTHER && !is_seen(name)).collect()
    }

    /// What decides beside the policy's threshold, as `name=value`, for the journal.
    pub fn named(&self) -> Vec<String> {
        let usual = match self.goal {
            Some(Goal::Share(share)) => Some(format!("groups.keep={share:?}")),
            _ => None,
        };
        let goal = |(name, goal): &(String, Goal)| match goal {
            Goal::Share(share) => format!("groups.keep.{name}={share:?}"),
            Goal::Threshold(threshold) => format!("groups.threshold.{name}={threshold:?}"),
        };
        let by = format!("groups.by={}", self.by);
        [by].into_iter().chain(usual).chain(self.exceptions.iter().map(goal)).collect()
    }

    /// Bytes that names, counts and shares take at most.
    pub const MEMORY: u64 = super::MEMORY + 256 * (MAX_GROUPS + MAX_EXCEPTIONS) as u64;
}
