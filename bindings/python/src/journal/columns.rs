//! What is known of each record, by name: one list for records, for NumPy and for Arrow.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Float32Array, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field};
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::record::Row;

/// The names, in their order.
pub const NAMES: [&str; 19] = [
    "ticket",
    "uid",
    "key",
    "shard",
    "input",
    "item",
    "verdict",
    "reason",
    "score",
    "threshold",
    "width",
    "height",
    "caption_length",
    "sha256",
    "image_bytes",
    "broken_rules",
    "stored_shard",
    "stored_key",
    "recovered",
];

/// The values of one name for some records.
enum Values {
    Large(Vec<u64>),
    Small(Vec<u32>),
    Scores(Vec<Option<f32>>),
    Flags(Vec<bool>),
    Text(Vec<Option<String>>),
    Lists(Vec<Vec<&'static str>>),
}

/// The values of `name`, which is one of [`NAMES`]; `None` where it is not.
fn values(rows: &[Row], name: &str) -> Option<Values> {
    let large = |value: fn(&Row) -> u64| Values::Large(rows.iter().map(value).collect());
    let small = |value: fn(&Row) -> u32| Values::Small(rows.iter().map(value).collect());
    let scores = |value: fn(&Row) -> Option<f32>| Values::Scores(rows.iter().map(value).collect());
    let text = |value: fn(&Row) -> Option<String>| Values::Text(rows.iter().map(value).collect());
    Some(match name {
        "ticket" => large(|row| row.record.ticket),
        "uid" => text(|row| Some(row.record.uid.to_string())),
        "key" => text(|row| Some(row.record.key.clone())),
        "shard" => text(|row| Some(row.record.shard.clone())),
        "input" => small(|row| row.record.position.input),
        "item" => large(|row| row.record.position.item),
        "verdict" => text(|row| Some(row.record.verdict.name().to_owned())),
        "reason" => text(|row| Some(row.record.reason.name().to_owned())),
        "score" => scores(|row| row.record.facts.score),
        "threshold" => scores(|row| row.threshold),
        "width" => small(|row| row.record.facts.size.width),
        "height" => small(|row| row.record.facts.size.height),
        "caption_length" => small(|row| row.record.facts.caption_length),
        "sha256" => text(|row| Some(row.record.facts.content.to_string())),
        "image_bytes" => large(|row| row.record.image_bytes),
        "broken_rules" => Values::Lists(rows.iter().map(Row::broken_names).collect()),
        "stored_shard" => text(Row::stored_shard),
        "stored_key" => text(|row| row.stored_key().map(str::to_owned)),
        "recovered" => Values::Flags(rows.iter().map(|row| row.record.recovered).collect()),
        _ => return None,
    })
}

/// One value of a record for Python; `None` where there is no such name.
pub fn value<'py>(py: Python<'py>, row: &Row, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(values) = values(std::slice::from_ref(row), name) else { return Ok(None) };
    let list = match values {
        Values::Large(all) => PyList::new(py, all)?,
        Values::Small(all) => PyList::new(py, all)?,
        Values::Scores(all) => PyList::new(py, all)?,
        Values::Flags(all) => PyList::new(py, all)?,
        Values::Text(all) => PyList::new(py, all)?,
        Values::Lists(all) => PyList::new(py, all)?,
    };
    list.get_item(0).map(Some)
}

impl Values {
    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Large(all), Self::Large(more)) => all.extend(more),
            (Self::Small(all), Self::Small(more)) => all.extend(more),
            (Self::Scores(all), Self::Scores(more)) => all.extend(more),
            (Self::Flags(all), Self::Flags(more)) => all.extend(more),
            (Self::Text(all), Self::Text(more)) => all.extend(more),
            (Self::Lists(all), Self::Lists(more)) => all.extend(more),
            // Those of one name are of one kind.
            _ => {}
        }
    }

    /// An array of NumPy for what is counted, a list of text.
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        Ok(match self {
            Self::Large(all) => PyArray1::from_vec(py, all).into_any(),
            Self::Small(all) => PyArray1::from_vec(py, all).into_any(),
            Self::Scores(all) => {
                let all = all.into_iter().map(|score| score.unwrap_or(f32::NAN)).collect();
                PyArray1::from_vec(py, all).into_any()
            }
            Self::Flags(all) => PyArray1::from_vec(py, all).into_any(),
            Self::Text(all) => PyList::new(py, all)?.into_any(),
            Self::Lists(all) => PyList::new(py, all)?.into_any(),
        })
    }

    fn kind(&self) -> DataType {
        match self {
            Self::Large(_) => DataType::UInt64,
            Self::Small(_) => DataType::UInt32,
            Self::Scores(_) => DataType::Float32,
            Self::Flags(_) => DataType::Boolean,
            Self::Text(_) => DataType::Utf8,
            Self::Lists(_) => DataType::new_list(DataType::Utf8, true),
        }
    }

    fn into_arrow(self) -> ArrayRef {
        match self {
            Self::Large(all) => Arc::new(UInt64Array::from(all)),
            Self::Small(all) => Arc::new(UInt32Array::from(all)),
            Self::Scores(all) => Arc::new(Float32Array::from(all)),
            Self::Flags(all) => Arc::new(BooleanArray::from(all)),
            Self::Text(all) => Arc::new(StringArray::from(all)),
            Self::Lists(all) => {
                let mut lists = ListBuilder::new(StringBuilder::new());
                all.into_iter().for_each(|list| lists.append_value(list.into_iter().map(Some)));
                Arc::new(lists.finish())
            }
        }
    }
}

/// All columns of some records.
#[derive(Default)]
pub struct Columns(Vec<Values>);

impl Columns {
    fn of(rows: &[Row]) -> Self {
        Self(NAMES.iter().filter_map(|name| values(rows, name)).collect())
    }

    /// Adds the values of further records.
    pub fn add(&mut self, rows: &[Row]) {
        let more = Self::of(rows);
        if self.0.is_empty() {
            *self = more;
        } else {
            self.0.iter_mut().zip(more.0).for_each(|(all, more)| all.append(more));
        }
    }

    /// The columns by name.
    pub fn into_dict(self, py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
        let columns = if self.0.is_empty() { Self::of(&[]) } else { self };
        let dict = PyDict::new(py);
        for (name, values) in NAMES.iter().zip(columns.0) {
            dict.set_item(name, values.into_python(py)?)?;
        }
        Ok(dict)
    }
}

/// The columns' names and types in Arrow.
pub fn fields() -> Vec<Field> {
    let named = NAMES.iter().zip(Columns::of(&[]).0);
    named.map(|(name, values)| Field::new(*name, values.kind(), true)).collect()
}

/// The columns in Arrow, in the order of [`fields`].
pub fn arrays(rows: &[Row]) -> Vec<ArrayRef> {
    Columns::of(rows).0.into_iter().map(Values::into_arrow).collect()
}
