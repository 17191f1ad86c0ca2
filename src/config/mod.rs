//! Configs from TOML files, one laid over the other, and where each value comes from.

mod groups;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::Config;
use pairgate_core::error::ConfigError;
use pairgate_core::rules::Rules;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

pub use groups::GroupsConfig;

/// A board's name and its file's text.
type Board = (&'static str, &'static str);

macro_rules! boards {
    ($($name:literal),*) => {
        /// The configs that the library brings, by the names of their boards.
        pub const BOARDS: &[Board] = &[$((
            $name,
            include_str!(concat!("../../firmware-config/", $name, ".toml")),
        )),*];
    };
}
boards!(
    "rpi-zero-2w",
    "rpi4",
    "rpi5",
    "imx8mp",
    "jetson-orin-cpu",
    "graviton-crawler",
    "x86-crawler"
);

/// A config that cannot be used, with the file and the line to blame.
#[derive(Debug, thiserror::Error)]
#[error("config {place}: {why}")]
pub struct ConfigFileError {
    place: Origin,
    why: String,
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file, the board or the command line.
    pub layer: Arc<str>,
    /// The line there, from 1; 0 where there are none.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.layer),
            line => write!(f, "{}, line {line}", self.layer),
        }
    }
}

/// TOML layers, each laid over those before it, key by key.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    merged: Table,
    /// Origins of the keys that were said, by their dotted names.
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Lays the config of a board over what there is.
    ///
    /// # Errors
    /// [`ConfigFileError`] if there is no such board.
    pub fn add_board(&mut self, name: &str) -> Result<(), ConfigFileError> {
        let known = BOARDS.iter().find(|(board, _)| *board == name);
        let (_, text) = known.ok_or_else(|| {
            let names: Vec<_> = BOARDS.iter().map(|(board, _)| *board).collect();
            let place = Origin { layer: format!("board {name}").into(), line: 0 };
            ConfigFileError { place, why: format!("not known; there are {}", names.join(", ")) }
        })?;
        self.add(&format!("board {name}"), text)
    }

    /// Lays the file at `path` over what there is.
    ///
    /// # Errors
    /// [`ConfigFileError`] if it cannot be read, or as [`add`](Self::add).
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigFileError> {
        let layer = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|why| ConfigFileError {
            place: Origin { layer: layer.as_str().into(), line: 0 },
            why: why.to_string(),
        })?;
        self.add(&layer, &text)
    }

    /// Lays `text`, which messages call `layer`, over what there is.
    ///
    /// # Errors
    /// [`ConfigFileError`] for what is no TOML, unknown keys, values of another type and wrong
    /// units, with the line. Ranges are looked at by [`resolve`](Self::resolve).
    pub fn add(&mut self, layer: &str, text: &str) -> Result<(), ConfigFileError> {
        let layer: Arc<str> = layer.into();
        let wrong = |error: toml::de::Error| ConfigFileError {
            place: Origin {
                layer: layer.clone(),
                line: error.span().map_or(0, |span| line_of(text, span.start)),
            },
            why: error.message().to_owned(),
        };
        let mut parsed = DeTable::parse(text).map_err(wrong)?;
        note_origins(parsed.get_ref(), "", text, &layer, &mut self.origins);
        match groups::taken_from(&mut parsed) {
            // Names of groups are no keys: they are not among those that firmware has too.
            Some(groups) => {
                GroupsConfig::check(groups).map_err(wrong)?;
                Config::deserialize(toml::Deserializer::from(parsed)).map_err(wrong)?;
            }
            None => drop(toml::from_str::<Config>(text).map_err(wrong)?),
        }
        merge(&mut self.merged, toml::from_str(text).map_err(wrong)?);
        Ok(())
    }

    /// Says one value, as a command line does.
    pub fn set(&mut self, table: &str, key: &str, value: impl Into<Value>, layer: &str) {
        let inner = Table::from_iter([(key.to_owned(), value.into())]);
        merge(&mut self.merged, Table::from_iter([(table.to_owned(), Value::Table(inner))]));
        let origin = Origin { layer: layer.into(), line: 0 };
        self.origins.insert(format!("{table}.{key}"), origin);
    }

    /// Says every rule, as [`set`](Self::set) does.
    pub fn set_rules(&mut self, rules: Rules, layer: &str) {
        let Rules { min_words, min_chars, min_side, max_aspect, max_words, languages } = rules;
        let numbers = [
            ("min_words", min_words),
            ("min_chars", min_chars),
            ("min_side", min_side),
            ("max_words", max_words),
        ];
        for (key, value) in numbers {
            self.set("rules", key, i64::from(value), layer);
        }
        self.set("rules", "max_aspect", max_aspect, layer);
        self.set("rules", "languages", languages.codes().collect::<Vec<_>>(), layer);
    }

    /// Takes back what the layers say of a key.
    pub fn unset(&mut self, table: &str, key: &str) {
        if let Some(Value::Table(inner)) = self.merged.get_mut(table) {
            inner.remove(key);
        }
        self.origins.remove(&format!("{table}.{key}"));
    }

    /// The config that the layers come to, checked.
    ///
    /// # Errors
    /// [`ConfigFileError`] for a value that is out of range, or values that exclude each other.
    pub fn resolve(&self) -> Result<Config, ConfigFileError> {
        let mut merged = self.merged.clone();
        merged.remove(groups::TABLE);
        let config = Config::deserialize(merged).map_err(|error| as_a_whole(&error))?;
        config.check().map_err(|error| self.blame(&error))?;
        Ok(config)
    }

    /// How pairs are grouped, as far as the layers say it.
    ///
    /// # Errors
    /// [`ConfigFileError`] for a value of another type.
    pub fn groups(&self) -> Result<GroupsConfig, ConfigFileError> {
        let Some(groups) = self.merged.get(groups::TABLE) else {
            return Ok(GroupsConfig::default());
        };
        GroupsConfig::deserialize(groups.clone()).map_err(|error| as_a_whole(&error))
    }

    /// The error with the place where its key was said.
    pub fn blame(&self, error: &ConfigError) -> ConfigFileError {
        let origin = error.key().and_then(|key| self.origin(key)).cloned();
        let place = origin.unwrap_or_else(|| Origin { layer: "default".into(), line: 0 });
        ConfigFileError { place, why: error.to_string() }
    }

    /// Where the key with this dotted name was said; `None` where it has its default.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }
}

fn as_a_whole(error: &toml::de::Error) -> ConfigFileError {
    let place = Origin { layer: "as a whole".into(), line: 0 };
    ConfigFileError { place, why: error.message().to_owned() }
}

/// Lays `over` over `under`.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

fn note_origins(
    table: &DeTable<'_>,
    prefix: &str,
    text: &str,
    layer: &Arc<str>,
    into: &mut BTreeMap<String, Origin>,
) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => note_origins(inner, &format!("{name}."), text, layer, into),
            _ => {
                let line = line_of(text, Spanned::span(value).start);
                into.insert(name, Origin { layer: layer.clone(), line });
            }
        }
    }
}

/// The line, from 1, of a byte of the text.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}
