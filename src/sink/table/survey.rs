//! From the first rows' metadata to columns.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::column::{REST, fixed};
use super::row::MAX_WHOLE_FLOAT;
use crate::table::{Column, Kind};

/// Columns of metadata at most; what comes after that has no column of its own.
const MAX_COLUMNS: usize = 256;
/// Longest name of a column of metadata, in bytes.
const MAX_NAME: usize = 256;
/// What a name that is taken gets in front.
const PREFIX: &str = "metadata_";

/// What the rows seen so far hold.
#[derive(Debug, Default)]
pub(super) struct Survey {
    fields: BTreeMap<String, Seen>,
}

/// What the values of one field were.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// `None` while all were null.
    kind: Option<Kind>,
    /// One was an integer that no float holds exactly.
    has_large: bool,
}

impl Survey {
    /// Looks at one row's metadata.
    pub fn see(&mut self, metadata: &Map<String, Value>) {
        for (name, value) in metadata {
            let known = self.fields.contains_key(name);
            if known || (self.fields.len() < MAX_COLUMNS && name.len() <= MAX_NAME) {
                self.fields.entry(name.clone()).or_default().see(value);
            }
        }
    }

    /// The columns, in the order in which they are written, and the field that each of them behind
    /// the fixed ones is for; the last column, [`REST`], is for none.
    pub fn columns(&self, with_verdict: bool, measures: &[String]) -> (Vec<Column>, Vec<String>) {
        let mut columns = fixed(with_verdict, measures);
        let mut taken: BTreeSet<String> = columns.iter().map(|c| c.name.clone()).collect();
        taken.insert(REST.to_owned());
        for (field, seen) in &self.fields {
            let name = free_name(field, &mut taken);
            columns.push(Column { name, kind: seen.kind(), nullable: true, repeats: true });
        }
        let rest =
            Column { name: REST.to_owned(), kind: Kind::Json, nullable: true, repeats: false };
        columns.push(rest);
        (columns, self.fields.keys().cloned().collect())
    }
}

impl Seen {
    fn see(&mut self, value: &Value) {
        let Some(kind) = kind_of(value) else { return };
        self.has_large |= value.as_i64().is_some_and(|n| n.unsigned_abs() > MAX_WHOLE_FLOAT);
        self.kind = Some(match self.kind {
            None => kind,
            Some(known) => common(known, kind),
        });
    }

    fn kind(&self) -> Kind {
        match self.kind {
            Some(Kind::Float64) if self.has_large => Kind::Json,
            Some(kind) => kind,
            None => Kind::Json,
        }
    }
}

/// What a value is by itself; `None` for null, which goes with everything.
fn kind_of(value: &Value) -> Option<Kind> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => Kind::Bool,
        Value::Number(number) if number.is_i64() => Kind::Int64,
        // Beyond the integers of 64 bits with a sign: its digits, as they are.
        Value::Number(number) if number.is_u64() => Kind::Json,
        Value::Number(_) => Kind::Float64,
        Value::String(_) => Kind::Text,
        Value::Array(_) | Value::Object(_) => Kind::Json,
    })
}

/// What holds values of both kinds.
fn common(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        _ if a == b => a,
        (Kind::Int64, Kind::Float64) | (Kind::Float64, Kind::Int64) => Kind::Float64,
        _ => Kind::Json,
    }
}

/// The field's name, with a prefix where it is taken. Upper and lower case count as the same: to
/// SQL they are.
fn free_name(field: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = field.to_owned();
    while name.is_empty() || !taken.insert(name.to_lowercase()) {
        name.insert_str(0, PREFIX);
    }
    name
}
