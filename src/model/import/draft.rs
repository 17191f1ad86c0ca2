//! The manifest in the making: each value with the place that it was read from, and the keys that
//! could not be read.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::model::ModelError;
use crate::model::bundle::manifest::Manifest;

/// One value of the manifest and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The key, with its table, such as `image.size`.
    pub key: String,
    /// The value.
    pub value: Value,
    /// The file and key that says it.
    pub from: String,
}

/// A manifest in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    told: BTreeMap<String, Finding>,
    missing: BTreeMap<String, String>,
}

impl Draft {
    /// A draft that starts with what the user says: `KEY=VALUE`, the value in TOML or plain text.
    ///
    /// # Errors
    /// A text that names the setting which has no `=`.
    pub(super) fn of_settings(settings: &[String]) -> Result<Self, String> {
        let mut draft = Self::default();
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("{setting:?} is not of the form KEY=VALUE"))?;
            draft.tell(key.trim(), toml_value(value.trim()), "the command line");
        }
        Ok(draft)
    }

    /// Records a value; what was told first stays.
    pub(super) fn tell(&mut self, key: &str, value: impl Into<Value>, from: &str) {
        let told = Finding { key: key.to_owned(), value: value.into(), from: from.to_owned() };
        self.told.entry(key.to_owned()).or_insert(told);
    }

    /// Records a value if there is one, else that nothing says it.
    pub(super) fn tell_or_miss(&mut self, key: &str, value: Option<impl Into<Value>>, from: &str) {
        match value {
            Some(value) => self.tell(key, value, from),
            None => self.miss(key, &format!("{from} does not say it")),
        }
    }

    /// Records that nothing says `key`; what the user or another file says makes up for it.
    pub(super) fn miss(&mut self, key: &str, why: &str) {
        self.missing.entry(key.to_owned()).or_insert(why.to_owned());
    }

    /// What was told of `key`.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.told.get(key).map(|told| &told.value)
    }

    /// The whole number that was told of `key`.
    pub(super) fn integer(&self, key: &str) -> Option<usize> {
        self.value(key).and_then(Value::as_integer).and_then(|value| value.try_into().ok())
    }

    /// The text that was told of `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_str)
    }

    /// Refuses lengths that no network has, before anything of that size is made.
    ///
    /// # Errors
    /// A text that names key, value, range and where the value comes from.
    pub(super) fn check_lengths(&self) -> Result<(), String> {
        for key in ["image.size", "text.context_length"] {
            let Some(told) = self.told.get(key) else { continue };
            let fits = told.value.as_integer().is_some_and(|value| (1..=4096).contains(&value));
            if !fits {
                let Finding { value, from, .. } = told;
                return Err(format!(
                    "{key} = {value} ({from}) is out of range: it must be 1 to 4096"
                ));
            }
        }
        Ok(())
    }

    /// All that was told, by key.
    pub(super) fn told(&self) -> impl Iterator<Item = &Finding> {
        self.told.values()
    }

    /// Refuses a draft in which keys are missing, and names each.
    ///
    /// # Errors
    /// A text with a line for each key.
    pub(super) fn complete(&self) -> Result<(), String> {
        let missing: Vec<String> = self
            .missing
            .iter()
            .filter(|(key, _)| !self.told.contains_key(*key))
            .map(|(key, why)| format!("\n  {key}: {why}; give it as --set {key}=VALUE"))
            .collect();
        let done = missing.is_empty();
        done.then_some(()).ok_or_else(|| format!("some things cannot be read:{}", missing.concat()))
    }

    /// The manifest's TOML with `digests` as its last table; it is checked.
    ///
    /// # Errors
    /// As [`Manifest::parse`].
    pub(super) fn to_toml_with(&self, digests: &str) -> Result<String, ModelError> {
        let mut root = Table::new();
        for told in self.told.values() {
            let unknown = |value: &Value| value.as_str() == Some(UNKNOWN);
            if !unknown(&told.value) {
                insert(&mut root, &told.key, told.value.clone());
            }
        }
        let text =
            toml::to_string(&root).map_err(|why| ModelError::Manifest { why: why.to_string() })?;
        let text = format!("{text}\n[digests]\n{digests}");
        Manifest::parse(text.as_bytes())?;
        Ok(text)
    }
}

/// What a user says of an optional key that nobody knows.
const UNKNOWN: &str = "unknown";

fn insert(root: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((table, rest)) if matches!(table, "image" | "text" | "golden") => {
            let table = root.entry(table).or_insert_with(|| Value::Table(Table::new()));
            if let Some(table) = table.as_table_mut() {
                table.insert(rest.to_owned(), value);
            }
        }
        _ => {
            root.insert(key.to_owned(), value);
        }
    }
}

fn toml_value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok();
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| text.into())
}
