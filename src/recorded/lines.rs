//! Scores as JSON lines.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use pairgate_core::pair::Size;
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
    read: ReadAs,
    line: Vec<u8>,
    number: u64,
    ticket: u64,
}

/// What is asked for of a line. All else is passed over, whatever it is.
#[derive(Default)]
struct Line<'a> {
    /// By [`Field`].
    cells: [Cell<'a>; ALL],
    // Where captions are, too.
    text: Cell<'a>,
    metadata: Cell<'a>,
}

const ALL: usize = Field::TEXTS.len() + Field::NUMBERS.len();

impl<'a> Line<'a> {
    /// Where the value of `name` goes, where it is asked for.
    fn place(&mut self, name: &str, read: &ReadAs) -> Option<&mut Cell<'a>> {
        let mut fields = Field::TEXTS.into_iter().chain(Field::NUMBERS);
        match fields.find(|field| field.name() == name) {
            Some(field) => Some(&mut self.cells[field as usize]).filter(|_| read.reads(field)),
            None if !read.reads(Field::Caption) => None,
            None => match name {
                "text" => Some(&mut self.text),
                "metadata" => Some(&mut self.metadata),
                _ => None,
            },
        }
    }
}

/// Reads a line.
struct Asked<'r>(&'r ReadAs);

impl<'de> Visitor<'de> for Asked<'_> {
    type Value = Line<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Line<'de>, M::Error> {
        let mut line = Line::default();
        while let Some(Text(name)) = map.next_key()? {
            match line.place(&name, self.0) {
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

    /// A value that may be anything.
    fn any(self) -> Option<Value> {
        serde_json::from_str(self.written()?).ok()
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Lines {
    pub fn new(reader: BufReader<File>, read: &ReadAs) -> Self {
        Self { reader, read: read.clone(), line: Vec::new(), number: 0, ticket: 0 }
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
            let mut json = serde_json::Deserializer::from_slice(line);
            let line = json.deserialize_map(Asked(&self.read));
            let line = line.and_then(|line| json.end().map(|()| line));
            let line = line.map_err(|why| not_one(why.to_string()))?;
            let cells = line.cells(&self.read).map_err(not_one)?;
            self.ticket += 1;
            return Ok(Some(cells.row(self.ticket - 1)?));
        }
    }

    fn place(&self) -> String {
        format!("line {}", self.number)
    }
}

impl<'a> Line<'a> {
    /// The value of a field, where it is read.
    fn cell(&self, field: Field, read: &ReadAs) -> Result<Cell<'a>, String> {
        match self.cells[field as usize] {
            Cell::Missing if read.needs.contains(&field) => {
                Err(format!("missing field `{}`", field.name()))
            }
            cell => Ok(cell),
        }
    }

    fn cells(&self, read: &ReadAs) -> Result<Cells<'a>, String> {
        let mut cells = Cells::default();
        for (field, text) in Field::TEXTS.into_iter().zip(&mut cells.texts) {
            let cell = self.cell(field, read)?;
            *text = match field {
                Field::Caption => None,
                _ => cell.read::<Text>(field)?.map(|text| text.0),
            };
        }
        if read.reads(Field::Caption) {
            cells.texts[Field::Caption as usize] = self.caption().map(Cow::Owned);
        }
        // From its digits: by way of 64 bits it would be rounded twice.
        let score = self.cell(Field::Score, read)?.written();
        let parsed = score.map(str::parse).transpose();
        let wrong = |_| format!("the score {} is no number", score.unwrap_or_default());
        cells.score = parsed.map_err(wrong)?;
        let whole =
            |field: Field| Ok::<u32, String>(self.cell(field, read)?.read(field)?.unwrap_or(0));
        cells.caption_length = whole(Field::CaptionLength)?;
        cells.size = Size::new(whole(Field::Width)?, whole(Field::Height)?);
        Ok(cells)
    }

    /// Where anybody may have put it.
    fn caption(&self) -> Option<String> {
        let text = |value: Value| Some(value.as_str()?.to_owned());
        let own = self.cells[Field::Caption as usize]
            .any()
            .and_then(text)
            .or_else(|| self.text.any().and_then(text));
        own.or_else(|| {
            let metadata = self.metadata.any()?;
            let told = |name| metadata.get(name)?.as_str();
            told("caption").or_else(|| told("text")).map(str::to_owned)
        })
    }
}
