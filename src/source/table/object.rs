//! The fields of a JSON object that matter to a pair.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::names::{Columns, Names};
use super::picture;
use super::row::{Fault, Item, Picture, Row, picture_of, with_captions};
use crate::source::json::from_python;

/// Fields with unusual names that are looked at: the first ones.
const MOST_UNUSUAL: usize = 256;
/// Texts of one list at most.
const MOST_TEXTS: usize = 1024;

/// Marks that data-juicer puts into texts: where a picture stands, and where a part ends.
const DATA_JUICER: [&str; 2] = ["<__dj__image>", "<|__dj__eoc|>"];

/// An object's fields, the last of repeated ones, as in Python.
#[derive(Debug, Default)]
struct Fields {
    names: Vec<String>,
    cells: Vec<Cell>,
    unusual: usize,
}

/// What is kept of a field's value.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Text(String),
    Number(String),
    /// The texts of a list, and whether there was anything else in it.
    Texts(Vec<String>, bool),
    /// A picture as Hugging Face's datasets have it.
    Image {
        bytes: Option<String>,
        path: Option<String>,
    },
    /// Anything else.
    Other,
}

/// The row that the object `text` is.
pub(in crate::source) fn row(text: Vec<u8>, number: u64, names: &Names) -> Item {
    let bad =
        |why: String, text| Item::Bad(Fault { json: Some(text), ..Fault::invalid(number, why) });
    let Some(fields) = from_python::<Fields>(&text) else {
        return bad("it is no JSON object".into(), text);
    };
    let columns = match names.choose(&fields.names) {
        Ok(columns) => columns,
        Err(why) => {
            let why = why.replace(" column", " field").replace("the fields are", "its fields are");
            return bad(why, text);
        }
    };
    match fields.into_row(&columns, number, text) {
        Ok(row) => Item::Row(row),
        Err((why, text)) => bad(why.into(), text),
    }
}

type Refused = (&'static str, Vec<u8>);

impl Fields {
    fn into_row(mut self, columns: &Columns, number: u64, text: Vec<u8>) -> Result<Row, Refused> {
        let key = columns.key.and_then(|key| self.take(key).into_text());
        let image = columns.images.iter().copied().find(|&place| self.is_there(place));
        let caption = columns.captions.iter().copied().find(|&place| self.is_there(place));
        let mut json = text;
        let (mut captions, mut is_list) = (Vec::new(), false);
        match caption.map(|place| self.cells[place].clone()) {
            Some(Cell::Text(caption)) => captions.push(caption),
            Some(Cell::Texts(texts, false)) => (captions, is_list) = (texts, true),
            Some(_) => return Err(("its caption is no text", json)),
            None => {}
        }
        if is_list && caption.is_some_and(|place| self.names[place] != "captions") {
            json = with_captions(&json, &captions);
        }
        let picture = match image.map(|place| (self.take(place), place)) {
            None => return Err(("its image is null", json)),
            Some((Cell::Text(text), _)) => inlined(text, &mut json),
            Some((Cell::Image { bytes, path }, _)) => embedded(bytes, path, &mut json),
            Some((Cell::Texts(mut paths, false), _)) if paths.len() == 1 => {
                captions.iter_mut().for_each(without_marks);
                inlined(paths.swap_remove(0), &mut json)
            }
            Some((Cell::Texts(..), _)) => return Err(("it has several images, or none", json)),
            Some(_) => return Err(("its image is neither a path nor a picture", json)),
        };
        let caption = first(captions).map(String::into_bytes);
        Ok(Row { number, key, picture, caption, json: Some(json) })
    }

    fn is_there(&self, place: usize) -> bool {
        self.cells.get(place).is_some_and(|cell| *cell != Cell::Null)
    }

    fn take(&mut self, place: usize) -> Cell {
        self.cells.get_mut(place).map_or(Cell::Null, |cell| std::mem::replace(cell, Cell::Null))
    }

    fn keep(&mut self, name: String, cell: Cell) {
        if let Some(place) = self.names.iter().position(|known| *known == name) {
            self.cells[place] = cell;
            return;
        }
        if !Names::is_usual(&name) {
            self.unusual += 1;
            if self.unusual > MOST_UNUSUAL {
                return;
            }
        }
        self.names.push(name);
        self.cells.push(cell);
    }
}

impl Cell {
    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            _ => None,
        }
    }
}

/// The first caption that says something.
pub(super) fn first(mut captions: Vec<String>) -> Option<String> {
    let place = captions.iter().position(|caption| !caption.trim().is_empty()).unwrap_or(0);
    (place < captions.len()).then(|| captions.swap_remove(place))
}

/// The picture that a text is or names; one that it is leaves the object's text.
fn inlined(text: String, json: &mut Vec<u8>) -> Picture {
    let found = picture::within(&text);
    let Some(bytes) = found else { return picture_of(text) };
    forget(json, &text);
    Picture::Bytes(bytes, String::new())
}

fn embedded(bytes: Option<String>, path: Option<String>, json: &mut Vec<u8>) -> Picture {
    match (bytes, path) {
        (Some(text), path) => match picture::decode(&text) {
            Some(bytes) => {
                forget(json, &text);
                Picture::Bytes(bytes, path.unwrap_or_default())
            }
            None => Picture::Missing,
        },
        (None, Some(path)) => picture_of(path),
        (None, None) => Picture::Missing,
    }
}

/// Puts null in place of a string of the object's text, where it stands there as it is.
fn forget(json: &mut Vec<u8>, text: &str) {
    let quoted = format!("\"{text}\"");
    let found = std::str::from_utf8(json).ok().and_then(|json| json.find(&quoted));
    if let Some(at) = found {
        json.splice(at..at + quoted.len(), *b"null");
    }
}

pub(super) fn without_marks(text: &mut String) {
    if DATA_JUICER.iter().any(|mark| text.contains(mark)) {
        let plain = DATA_JUICER.iter().fold(text.clone(), |text, mark| text.replace(mark, " "));
        *text = plain.trim().to_owned();
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            fields.keep(name.into_owned(), map.next_value()?);
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCell)
    }
}

struct AnyCell;

impl<'de> Visitor<'de> for AnyCell {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Number(value.to_string()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Cell, E> {
        Ok(Cell::Other)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.into()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Cell, E> {
        Ok(Cell::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        let (mut texts, mut others) = (Vec::new(), false);
        while texts.len() < MOST_TEXTS {
            match list.next_element::<OneText>()? {
                Some(OneText(Some(text))) => texts.push(text),
                Some(OneText(None)) => others = true,
                None => return Ok(Cell::Texts(texts, others)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Texts(texts, others))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let (mut bytes, mut path, mut is_image) = (None, None, false);
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            match &*name {
                "bytes" => bytes = map.next_value::<OneText>()?.0,
                "path" => path = map.next_value::<OneText>()?.0,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            is_image = true;
        }
        Ok(if is_image { Cell::Image { bytes, path } } else { Cell::Other })
    }
}

/// A text; of all else nothing is held.
struct OneText(Option<String>);

impl<'de> Deserialize<'de> for OneText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOnly).map(Self)
    }
}

struct TextOnly;

impl<'de> Visitor<'de> for TextOnly {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
