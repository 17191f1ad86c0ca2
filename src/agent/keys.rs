//! Which keys of a config may change while a run goes on.

use std::collections::BTreeSet;

use pairgate_core::config::Config;
use toml::{Table, Value};

/// Tables, and single keys, that examiners and deciders are made of. All others are for what was opened
/// or started by them: outputs, queues, threads, cameras.
const RELOADED: &[&str] = &[
    "image",
    "rules",
    "policy",
    "model.bundle",
    "sample.max_caption_bytes",
    "follow.enabled",
    "follow.first_threshold",
    "follow.warm_up",
    "follow.window",
    "follow.every",
];

/// A key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Changed {
    /// With its table, as `storage.shard_pairs`.
    pub key: String,
    /// The value before, as a config has it.
    pub was: String,
    /// The value now.
    pub is: String,
}

/// Keys that differ between the config of a run that goes on and `now`, and that it cannot take over;
/// `held` are tables and keys beside the usual ones that it cannot.
pub fn held(was: &Config, now: &Config, held: &[&str]) -> Vec<Changed> {
    let names = |list: &[&str], key: &str| list.iter().any(|name| is_in(key, name));
    let is_held = |changed: &Changed| !names(RELOADED, &changed.key) || names(held, &changed.key);
    changed(was, now).into_iter().filter(is_held).collect()
}

/// Keys that differ.
pub fn changed(was: &Config, now: &Config) -> Vec<Changed> {
    let (was, now) = (flat(was), flat(now));
    let keys: BTreeSet<&String> = was.iter().chain(&now).map(|(key, _)| key).collect();
    let told = |values: &[(String, Value)], key: &String| {
        let found = values.iter().find(|(name, _)| name == key);
        found.map_or("unset".to_owned(), |(_, value)| value.to_string())
    };
    let pairs = keys.into_iter().map(|key| Changed {
        key: key.clone(),
        was: told(&was, key),
        is: told(&now, key),
    });
    pairs.filter(|changed| changed.was != changed.is).collect()
}

/// Whether `key` is `name` or in the table `name`.
fn is_in(key: &str, name: &str) -> bool {
    key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Every key with its value.
fn flat(config: &Config) -> Vec<(String, Value)> {
    // A checked config has an encoding; without one no key would differ, and nothing would be reloaded.
    let table = Table::try_from(config).unwrap_or_default();
    let mut found = Vec::new();
    flatten("", table, &mut found);
    found
}

fn flatten(prefix: &str, table: Table, into: &mut Vec<(String, Value)>) {
    for (key, value) in table {
        let name = format!("{prefix}{key}");
        match value {
            Value::Table(inner) => flatten(&format!("{name}."), inner, into),
            value => into.push((name, value)),
        }
    }
}
