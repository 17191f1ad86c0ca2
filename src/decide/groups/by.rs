//! What a pair's group is found by.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::journal::Record;
use crate::source::Sample;

/// Longest metadata that are looked into, in bytes: as tables and lines carry them.
const MAX_METADATA: usize = 1 << 20;

/// What a pair's group is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The shard, folder or table that it comes from, as the user named it.
    Shard,
    /// A field of its metadata.
    Field {
        /// The field's name; dots lead into objects.
        path: String,
        /// Whether the field is a URL, whose host is the group.
        is_host: bool,
    },
}

impl FromStr for By {
    type Err = String;

    /// `shard`, `FIELD`, or `FIELD:host`; a dot in front of a field tells it from the word `shard`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "shard" {
            return Ok(Self::Shard);
        }
        let (path, is_host) = match text.strip_suffix(":host") {
            Some(path) => (path, true),
            None => (text, false),
        };
        let path = path.strip_prefix('.').unwrap_or(path);
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return Err("not `shard`, a field such as licence or source.name, or url:host".into());
        }
        if path.len() > 256 || path.contains(char::is_control) {
            return Err(
                "the field's name is longer than 256 bytes, or has control characters".into()
            );
        }
        Ok(Self::Field { path: path.to_owned(), is_host })
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard => f.write_str("shard"),
            Self::Field { path, is_host } => {
                let dot = if path == "shard" { "." } else { "" };
                write!(f, "{dot}{path}{}", if *is_host { ":host" } else { "" })
            }
        }
    }
}

impl By {
    /// The name of a sample's group; `None` where it has none.
    pub fn name_of(&self, sample: &Sample) -> Option<String> {
        match self {
            Self::Shard => Some(sample.shard.to_string()),
            Self::Field { path, is_host } => {
                let text = sample.json(MAX_METADATA)?;
                let object: Value = serde_json::from_str(text.get()).ok()?;
                name_in(&object, path, *is_host)
            }
        }
    }

    /// The name of a recorded pair's group, as far as its record tells.
    pub fn recorded<'r>(&self, record: &'r Record) -> Option<&'r str> {
        match self {
            Self::Shard => Some(&record.shard),
            Self::Field { .. } => record.group.as_deref(),
        }
    }
}

/// The name that a field of an object gives: a text, a number or a truth value.
fn name_in(object: &Value, path: &str, is_host: bool) -> Option<String> {
    let name = match field(object, path)? {
        Value::String(text) if is_host => host(text)?,
        _ if is_host => return None,
        Value::String(text) => text.trim().to_owned(),
        value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(name).filter(|name| !name.is_empty())
}

/// The value under a path: a field of this very name, else dots lead into objects.
fn field<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let object = value.as_object()?;
    object.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        field(object.get(first)?, rest)
    })
}

/// The host of a URL, in lower case, without user, port and a dot at the end.
fn host(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("//")?;
    if !(scheme.is_empty() || scheme.ends_with(':')) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => place.split(':').next()?,
    };
    Some(host.trim_end_matches('.').to_lowercase())
}
