//! Scores as JSON lines.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::cells::Cells;
use super::row::{Field, ReadAs, RecordedRow};
use super::rows::{Failed, Form, MAX_ROW, without_mark};

/// One row a line; empty lines are passed over.
pub(super) struct Lines {
    reader: BufReader<File>,
    needs: &'static [Field],
    /// Those that are read.
    fields: Vec<Field>,
    names: Vec<Name>,
    line: Vec<u8>,
    number: u64,
    ticket: u64,
}

/// What is asked for of a line. All else is passed over, whatever it is.
#[derive(Default)]
struct Line<'a> {
    /// By [`Field`]; behind these, by [`TEXT`] and [`METADATA`].
    cells: [Cell<'a>; METADATA + 1],
}

// Where captions are, too.
const TEXT: usize = Field::TEXTS.len() + Field::NUMBERS.len();
const METADATA: usize = TEXT + 1;

/// A name that is asked for, and the place of its value in a line.
type Name = (&'static str, usize);

/// The names that fields are asked for by: few, as most names of a line are none of them.
fn names_of(fields: &[Field]) -> Vec<Name> {
    let mut names: Vec<Name> = fields.iter().map(|field| (field.name(), *field as usize)).collect();
    if fields.contains(&Field::Caption) {
        names.extend([("text", TEXT), ("metadata", METADATA)]);
    }
    names
}

/// Reads a line.
struct Asked<'r>(&'r [Name]);

impl<'de> Visitor<'de> for Asked<'_> {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Line<'de>, M::Error> {
        let mut line = Line::default();
        while let Some(Text(name)) = map.next_key()? {
            let place = self.0.iter().find(|(asked, _)| *asked == name);
            match place.map(|(_, place)| &mut line.cells[*place]) {
                None => _ = map.next_value::<IgnoredAny>()?,
                Some(cell @ Cell::Missing) => *cell = map.next_value()?,
                Some(_) => return Err(M::Error::custom(format!("duplicate field `{name}`"))),
            }
        }
        Ok(line)
    }
}

/// A value as it is written. A missing field is not null: whoever leaves it out has lost it.
#[derive(Default, Clone, Copy)]
enum Cell<'a> {
    #[default]
    Missing,
    Null,
    Is(&'a RawValue),
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(from)?.map_or(Self::Null, Self::Is))
    }
}

impl<'a> Cell<'a> {
    fn written(self) -> Option<&'a str> {
        match self {
            Self::Is(value) => Some(value.get()),
            Self::Missing | Self::Null => None,
        }
    }

    fn read<T: Deserialize<'a>>(self, field: Field) -> Result<Option<T>, String> {
        let value = self.written().map(serde_json::from_str).transpose();
        value.map_err(|why| format!("{}: {why}", field.name()))
    }

    /// A text. One without escapes, as most are, is there as it is.
    fn text(self, field: Field) -> Result<Option<Cow<'a, str>>, String> {
        let plain = self.written().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        match plain.filter(|text| !text.contains('\\')) {
            Some(text) => Ok(Some(Cow::Borrowed(text))),
            None => Ok(self.read::<Text>(field)?.map(|text| text.0)),
        }
    }

    /// A value that may be anything.
    fn any(self) -> Option<Value> {
        serde_json::from_str(self.written()?).ok()
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Lines {
    pub fn new(reader: BufReader<File>, read: &ReadAs) -> Self {
        let fields = Field::TEXTS.into_iter().chain(Field::NUMBERS);
        let fields: Vec<Field> = fields.filter(|field| read.reads(*field)).collect();
        let (names, line) = (names_of(&fields), Vec::new());
        Self { reader, needs: read.needs, fields, names, line, number: 0, ticket: 0 }
    }
}

impl Form for Lines {
    fn next(&mut self) -> Result<Option<RecordedRow>, Failed> {
        loop {
            self.line.clear();
            self.number += 1;
            if (&mut self.reader).take(MAX_ROW).read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            if self.line.len() as u64 == MAX_ROW && !self.line.ends_with(b"\n") {
                return Err(format!("it is longer than {MAX_ROW} bytes").into());
            }
            let line = if self.number == 1 { without_mark(&self.line) } else { &self.line };
            if line.trim_ascii().is_empty() {
                continue;
            }
            let not_one = |why: String| format!("not a score with its uid: {why}");
            // Checked at once, texts cost less than one by one; what is passed over may be no UTF-8.
            let line = match str::from_utf8(line) {
                Ok(text) => Line::read(serde_json::Deserializer::from_str(text), &self.names),
                Err(_) => Line::read(serde_json::Deserializer::from_slice(line), &self.names),
            };
            let line = line.map_err(|why| not_one(why.to_string()))?;
            let cells = line.cells(&self.fields, self.needs).map_err(not_one)?;
            self.ticket += 1;
            return Ok(Some(cells.row(self.ticket - 1)?));
        }
    }

    fn place(&self) -> String {
        format!("line {}", self.number)
    }
}

impl<'a> Line<'a> {
    fn read<R: serde_json::de::Read<'a>>(
        mut json: serde_json::Deserializer<R>,
        asked: &[Name],
    ) -> serde_json::Result<Self> {
        let line = json.deserialize_map(Asked(asked))?;
        json.end().map(|()| line)
    }

    /// What `fields` have; those that a line `needs` must be there.
    fn cells(&self, fields: &[Field], needs: &[Field]) -> Result<Cells<'a>, String> {
        let mut cells = Cells::default();
        for &field in fields {
            let cell = self.cells[field as usize];
            if matches!(cell, Cell::Missing) && needs.contains(&field) {
                return Err(format!("missing field `{}`", field.name()));
            }
            match field {
                Field::Caption => cells.texts[field as usize] = self.caption().map(Cow::Owned),
                Field::Score => cells.score = cell.written().map(score).transpose()?,
                Field::CaptionLength => cells.caption_length = cell.read(field)?.unwrap_or(0),
                Field::Width => cells.size.width = cell.read(field)?.unwrap_or(0),
                Field::Height => cells.size.height = cell.read(field)?.unwrap_or(0),
                _ => cells.texts[field as usize] = cell.text(field)?,
            }
        }
        Ok(cells)
    }

    /// Where anybody may have put it.
    fn caption(&self) -> Option<String> {
        let text = |value: Value| Some(value.as_str()?.to_owned());
        let own = self.cells[Field::Caption as usize]
            .any()
            .and_then(text)
            .or_else(|| self.cells[TEXT].any().and_then(text));
        own.or_else(|| {
            let metadata = self.cells[METADATA].any()?;
            let told = |name| metadata.get(name)?.as_str();
            told("caption").or_else(|| told("text")).map(str::to_owned)
        })
    }
}

/// From its digits: by way of 64 bits it would be rounded twice.
fn score(text: &str) -> Result<f32, String> {
    text.parse().map_err(|_| format!("the score {text} is no number"))
}
