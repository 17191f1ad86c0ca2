//! One pair as a row of cells.

use std::borrow::Cow;
use std::sync::Arc;

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Uid};
use serde_json::{Map, Value};

use crate::sink::Judged;
use crate::sink::scores::MAX_METADATA;
use crate::source::json_object;
use crate::table::{Cell, Column, Kind};

/// Largest integer up to which a 64-bit float holds all of them.
pub(super) const MAX_WHOLE_FLOAT: u64 = 1 << 53;

/// What a table keeps of a pair. Metadata stay as they were read: parsed, they take many times the
/// memory.
#[derive(Debug)]
pub(super) struct Row {
    uid: Uid,
    key: String,
    shard: Arc<str>,
    reason: Reason,
    /// Where a threshold decides.
    verdict: Option<Verdict>,
    facts: Facts,
    /// What a state's scorers gave; none where none did.
    measures: Vec<f32>,
    json: Vec<u8>,
}

impl Row {
    /// The row of a pair, and whether its metadata were too large to be carried.
    pub fn of(judged: &Judged, with_verdict: bool) -> (Self, bool) {
        let Judged { sample, uid, decision, choice, .. } = judged;
        let json = sample.member("json").unwrap_or_default();
        let fits = json.len() <= MAX_METADATA;
        let row = Self {
            uid: *uid,
            key: sample.key.clone(),
            shard: sample.shard.clone(),
            reason: decision.reason,
            verdict: with_verdict.then_some(decision.verdict),
            facts: decision.facts,
            measures: choice.as_ref().map(|choice| choice.measures.clone()).unwrap_or_default(),
            json: if fits { json.to_vec() } else { Vec::new() },
        };
        (row, !fits)
    }

    /// Bytes that the row takes, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.key.len() + 4 * self.measures.len() + self.json.len()
    }

    /// The metadata; empty where there are none, or they are no object.
    pub fn metadata(&self) -> Map<String, Value> {
        json_object(&self.json).unwrap_or_default()
    }

    /// The row's cells, one for each of `columns`, of which so many as `measures` are for scorers' values; `fields` are those that the columns behind the
    /// fixed ones are for. Gives the number of values that went to the last column, because no
    /// other one holds them.
    pub fn cells<'a>(
        &'a self,
        columns: &[Column],
        fields: &[String],
        measures: usize,
        cells: &mut Vec<Cell<'a>>,
    ) -> u64 {
        cells.clear();
        self.add_fixed_cells(cells);
        let value = |place: usize| self.measures.get(place).filter(|value| value.is_finite());
        let measured =
            (0..measures).map(|place| value(place).map_or(Cell::Null, |v| Cell::Score(*v)));
        cells.extend(measured);
        let fixed = cells.len();
        let mut metadata = self.metadata();
        for (field, column) in fields.iter().zip(&columns[fixed..]) {
            let value = metadata.get_mut(field).map_or(Value::Null, Value::take);
            cells.push(fit(value, column.kind).unwrap_or_else(|value| {
                metadata.insert(field.clone(), value);
                Cell::Null
            }));
        }
        metadata.retain(|_, value| !value.is_null());
        let left = metadata.len() as u64;
        cells.push(if left == 0 { Cell::Null } else { as_json(&Value::Object(metadata)) });
        left
    }

    fn add_fixed_cells<'a>(&'a self, cells: &mut Vec<Cell<'a>>) {
        let Facts { score, caption_length, size, content } = self.facts;
        let score = score.filter(|score| score.is_finite());
        let reason = (self.reason != Reason::Passed).then(|| self.reason.name());
        let name = |name: &'static str| Cell::Text(Cow::Borrowed(name));
        cells.extend([
            Cell::Text(Cow::Owned(self.uid.to_string())),
            Cell::Text(Cow::Borrowed(&self.key)),
            Cell::Text(Cow::Borrowed(&self.shard)),
            score.map_or(Cell::Null, Cell::Score),
            reason.map_or(Cell::Null, name),
        ]);
        cells.extend(self.verdict.map(|verdict| name(verdict.name())));
        cells.extend([
            Cell::Whole(size.width),
            Cell::Whole(size.height),
            Cell::Whole(caption_length),
            match content == Digest::default() {
                true => Cell::Null,
                false => Cell::Text(Cow::Owned(content.to_string())),
            },
        ]);
    }
}

/// The value as a cell of a column of this kind, or given back where the column would change it.
fn fit(value: Value, kind: Kind) -> Result<Cell<'static>, Value> {
    match (kind, value) {
        (_, Value::Null) => Ok(Cell::Null),
        (Kind::Json, value) => Ok(as_json(&value)),
        (Kind::Bool, Value::Bool(value)) => Ok(Cell::Bool(value)),
        (Kind::Text, Value::String(text)) => Ok(Cell::Text(Cow::Owned(text))),
        (Kind::Int64, value) => value.as_i64().map(Cell::Int).ok_or(value),
        (Kind::Float64, value) => whole_or_float(&value).map(Cell::Float).ok_or(value),
        (_, value) => Err(value),
    }
}

/// A number that is a 64-bit float, exactly.
fn whole_or_float(value: &Value) -> Option<f64> {
    match value.as_i64() {
        Some(whole) => (whole.unsigned_abs() <= MAX_WHOLE_FLOAT).then_some(whole as f64),
        None => value.as_f64().filter(|_| value.is_f64()),
    }
}

fn as_json(value: &Value) -> Cell<'static> {
    Cell::Text(Cow::Owned(value.to_string()))
}
