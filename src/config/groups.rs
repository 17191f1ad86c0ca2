//! Groups of pairs with thresholds of their own: `[groups]`. Not in a packed config, and not among the
//! keys that firmware knows: names of groups are of any number and length.
//!
//! ```toml
//! [groups]
//! by = "url:host"            # or "shard", or a field of the pairs' metadata
//! [groups.goals]
//! "example.com" = "20%"      # a share ends in %
//! "example.org" = 0.27       # a threshold
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The table's name.
pub(super) const TABLE: &str = "groups";

/// How pairs are grouped, and the groups that have a goal of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupsConfig {
    /// What a pair's group is found by; nothing: there are no groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Names, and goals: `20%` is a share, `0.27` a threshold.
    #[serde(deserialize_with = "goals")]
    pub goals: BTreeMap<String, String>,
}

impl GroupsConfig {
    /// Checks the types in a file's table.
    pub(super) fn check(table: Spanned<DeValue<'_>>) -> Result<(), toml::de::Error> {
        let span = table.span();
        let DeValue::Table(table) = table.into_inner() else {
            return Err(serde::de::Error::custom("groups is a table"));
        };
        Self::deserialize(toml::Deserializer::from(Spanned::new(span, table))).map(drop)
    }
}

/// Takes the table out of a file.
pub(super) fn taken_from<'i>(file: &mut Spanned<DeTable<'i>>) -> Option<Spanned<DeValue<'i>>> {
    file.get_mut().remove(TABLE)
}

/// Numbers are taken as they are written.
fn goals<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Goal {
        Text(String),
        Whole(i64),
        Number(f64),
    }
    let goals = BTreeMap::<String, Goal>::deserialize(from)?;
    let text = |goal| match goal {
        Goal::Text(text) => text,
        Goal::Whole(number) => number.to_string(),
        Goal::Number(number) => number.to_string(),
    };
    Ok(goals.into_iter().map(|(name, goal)| (name, text(goal))).collect())
}
