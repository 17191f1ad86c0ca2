//! Parquet tables of pairs, row by row.
//!
//! Of each column one page is held. Columns of numbers, truth values and text, structures of them and
//! lists of them are read; other columns (maps, lists of structures, decimals, dates of the old kind)
//! are left out of a sample's `.json`, and so are bytes that are no text.

mod cells;
mod schema;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pairgate_core::config::SampleLimits;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Map, Value};

use super::Names;
use super::names::Columns;
use super::object::{first, without_marks};
use super::picture::extension_of;
use super::row::{Fault, Item, ObjectText, Picture, Row, Rows, picture_of, quoted, with_captions};
use crate::source::inputs::Meter;
use crate::table::pages::{BoundedFile, Budget, check_footer, guarded};
use cells::{Cell, Leaf};
use schema::{Root, Shape, roots};

/// The rows of a table.
pub(in crate::source) struct ParquetRows {
    file: Arc<BoundedFile>,
    metadata: Arc<ParquetMetaData>,
    roots: Vec<Root>,
    columns: Columns,
    meter: Arc<Meter>,
    max_bytes: u64,
    budget: Arc<Budget>,
    /// The next row group, and the rows that are left of the one that is read.
    group: usize,
    left: u64,
    /// A reader for each leaf, by its place in the schema; `None` where it is not read.
    leaves: Vec<Option<Leaf>>,
    number: u64,
    note: Option<String>,
}

/// What a table gives that cannot be read.
pub(in crate::source) struct Unusable(Option<String>);

impl Unusable {
    pub fn new(why: &io::Error) -> Self {
        Self(Some(why.to_string()))
    }
}

impl Rows for Unusable {
    fn next(&mut self) -> io::Result<Option<Item>> {
        Ok(self.0.take().map(Item::Unusable))
    }
}

impl ParquetRows {
    /// Opens a table.
    ///
    /// # Errors
    /// The system's, and what is wrong with the table.
    pub fn open(
        path: &Path,
        names: &Names,
        limits: SampleLimits,
        meter: Arc<Meter>,
    ) -> io::Result<Self> {
        let file = File::open(path)?;
        check_footer(&file)?;
        let own = Arc::new(BoundedFile(file.try_clone()?));
        let reader = guarded(|| SerializedFileReader::new(BoundedFile(file)))?;
        let metadata = Arc::new(reader.metadata().clone());
        let roots = roots(metadata.file_metadata().schema_descr());
        let invalid = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let called: Vec<String> = roots.iter().map(|root| root.name.clone()).collect();
        let columns = names.choose(&called).map_err(invalid)?;
        let none = columns.captions.is_empty();
        let note = none.then(|| names.missing("caption", &called));
        Ok(Self {
            file: own,
            metadata,
            roots,
            columns,
            meter,
            max_bytes: limits.max_sample_bytes,
            budget: Arc::default(),
            group: 0,
            left: 0,
            leaves: Vec::new(),
            number: 0,
            note,
        })
    }

    /// Begins with the next row group; whether there was one.
    fn enter(&mut self) -> io::Result<bool> {
        let metadata = self.metadata.clone();
        let Some(group) = metadata.row_groups().get(self.group) else { return Ok(false) };
        self.group += 1;
        self.left = u64::try_from(group.num_rows()).map_err(io::Error::other)?;
        self.leaves.clear();
        self.leaves.resize_with(group.num_columns(), || None);
        let leaves = self.roots.iter().flat_map(|root| root.leaves().map(move |leaf| (root, leaf)));
        for (root, place) in leaves {
            let Some(chunk) = group.columns().get(place) else { continue };
            let leaf = Leaf::new(&self.file, chunk, root.may_be_null, &self.budget)?;
            if let Some(reader) = self.leaves.get_mut(place) {
                *reader = Some(leaf);
            }
        }
        let packed = u64::try_from(group.compressed_size()).unwrap_or(0);
        self.meter.add(packed.min(self.metadata_bytes()));
        Ok(true)
    }

    fn metadata_bytes(&self) -> u64 {
        self.file.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn row(&mut self) -> io::Result<Item> {
        let number = self.number;
        self.number += 1;
        self.budget.begin_row();
        let mut cells = Vec::with_capacity(self.roots.len());
        for root in &self.roots {
            let cell = root.read(&mut self.leaves);
            cells.push(cell.map_err(|why| within(&root.name, &why))?);
        }
        Ok(self.item(number, cells))
    }

    fn item(&self, number: u64, mut cells: Vec<Cell>) -> Item {
        let is_there = |place: &usize| !matches!(cells.get(*place), None | Some(Cell::Null));
        let image = self.columns.images.iter().copied().find(is_there);
        let caption = self.columns.captions.iter().copied().find(is_there);
        let key = self.columns.key.and_then(|place| cells[place].text());
        let (mut captions, mut caption_bytes) = (Vec::new(), None);
        match caption.map(|place| &cells[place]) {
            Some(Cell::Bytes(bytes)) => caption_bytes = Some(bytes.data().to_vec()),
            Some(Cell::List(list)) => captions = list.iter().filter_map(Cell::text).collect(),
            Some(_) => {
                return Item::Bad(Fault::invalid(number, "its caption is no text"));
            }
            None => {}
        }
        let picture = match image.map(|place| (place, picture(&cells[place]))) {
            None => Picture::Missing,
            Some((_, None)) => {
                return Item::Bad(Fault::invalid(number, "its image is neither bytes nor a path"));
            }
            Some((place, Some(picture))) => {
                if let Picture::Bytes(..) = picture {
                    cells[place] = Cell::Unread;
                }
                if self.roots[place].name.eq_ignore_ascii_case("images") {
                    captions.iter_mut().for_each(without_marks);
                }
                picture
            }
        };
        let Some(mut json) = self.json(&cells) else {
            return Item::Bad(Fault::too_large(number));
        };
        if caption.is_some_and(|place| self.roots[place].name != "captions") && !captions.is_empty()
        {
            json = with_captions(&json, &captions);
        }
        let first = first(captions).map(String::into_bytes);
        let caption = caption_bytes.or(first);
        Item::Row(Row { number, key, picture, caption, json: Some(json) })
    }

    /// The cells as JSON text; `None` where they are too large.
    fn json(&self, cells: &[Cell]) -> Option<Vec<u8>> {
        let (mut object, mut room) = (ObjectText::new(), self.max_bytes);
        for (place, (root, cell)) in self.roots.iter().zip(cells).enumerate() {
            let is_known = self.roots[..place].iter().any(|other| other.name == root.name);
            room = room.checked_sub(cell.least_bytes())?;
            if let Some(value) = cell.json()
                && !is_known
            {
                object.add(&root.name, &value);
            }
        }
        Some(object.finish())
    }
}

impl Rows for ParquetRows {
    fn next(&mut self) -> io::Result<Option<Item>> {
        if let Some(note) = self.note.take() {
            return Ok(Some(Item::Note(note)));
        }
        while self.left == 0 {
            if !self.enter()? {
                return Ok(None);
            }
        }
        self.left -= 1;
        self.row().map(Some)
    }
}

/// Names the column in an error.
fn within(column: &str, why: &io::Error) -> io::Error {
    io::Error::new(why.kind(), format!("column {column:?}: {why}"))
}

/// The picture that a cell is or names; `None` where it can be neither.
fn picture(cell: &Cell) -> Option<Picture> {
    match cell {
        Cell::Bytes(bytes) => {
            let data = bytes.data();
            let is_picture = extension_of(data).is_some() || data.contains(&0);
            let text = std::str::from_utf8(data).ok().filter(|_| !is_picture);
            Some(match text {
                Some(text) => picture_of(text.to_owned()),
                None => Picture::Bytes(data.to_vec(), String::new()),
            })
        }
        Cell::Struct(fields) => {
            let field = |name: &str| fields.iter().find(|(known, _)| known == name);
            let path = field("path").and_then(|(_, cell)| cell.text());
            match field("bytes") {
                Some((_, Cell::Bytes(bytes))) => {
                    Some(Picture::Bytes(bytes.data().to_vec(), path.unwrap_or_default()))
                }
                _ => Some(path.map_or(Picture::Missing, picture_of)),
            }
        }
        Cell::List(list) => match list.as_slice() {
            [one] => picture(one),
            _ => None,
        },
        _ => None,
    }
}

impl Cell {
    /// A text, or a whole number's.
    fn text(&self) -> Option<String> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok().map(str::to_owned),
            Self::Int(number) => Some(number.to_string()),
            Self::Unsigned(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Bytes that its JSON text has at least, about.
    fn least_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(list) => list.iter().map(|cell| 1 + cell.least_bytes()).sum(),
            Self::Struct(fields) => fields.iter().map(|(_, cell)| cell.least_bytes()).sum(),
            _ => 1,
        }
    }

    /// Its JSON text; `None` where it is not read, or bytes that are no text.
    fn json(&self) -> Option<String> {
        match self {
            Self::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok().map(quoted),
            cell => cell.value().map(|value| value.to_string()),
        }
    }

    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Unread => return None,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Unsigned(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Bytes(bytes) => std::str::from_utf8(bytes.data()).ok()?.into(),
            Self::List(list) => {
                list.iter().map(|cell| cell.value().unwrap_or_default()).collect::<Vec<_>>().into()
            }
            Self::Struct(fields) => {
                let value = |(name, cell): &(String, Self)| Some((name.clone(), cell.value()?));
                fields.iter().filter_map(value).collect::<Map<_, _>>().into()
            }
        })
    }
}

impl Root {
    /// The next row's cell.
    fn read(&self, leaves: &mut [Option<Leaf>]) -> io::Result<Cell> {
        let mut one = |place: usize| match leaves.get_mut(place) {
            Some(Some(leaf)) => leaf.next(),
            _ => Ok(Cell::Unread),
        };
        match &self.shape {
            Shape::Other => Ok(Cell::Unread),
            Shape::Flat(place) | Shape::List(place) => one(*place),
            Shape::Struct(fields) => {
                let mut cells = Vec::with_capacity(fields.len());
                for (name, place) in fields {
                    cells.push((name.clone(), one(*place)?));
                }
                let is_null = cells.iter().all(|(_, cell)| matches!(cell, Cell::Null));
                Ok(if is_null { Cell::Null } else { Cell::Struct(cells) })
            }
        }
    }
}
