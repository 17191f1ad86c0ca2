//! The columns of images and captions.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Schema};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::cells::{Cells, is_text};
use crate::caption::Caption;
use crate::image::Image;
use crate::metadata::Json;
use crate::pairs::Pair;

/// Where a table has images, captions and what is known of them.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    image: usize,
    caption: usize,
    metadata: Option<usize>,
    shard: Option<usize>,
}

impl Columns {
    /// Finds them by their names.
    ///
    /// # Errors
    /// `ValueError` where there is no such column or more than one, `TypeError` where one has a type that
    /// holds neither bytes nor text.
    pub fn of(
        schema: &Schema,
        image: &str,
        caption: &str,
        metadata: Option<&str>,
        shard: Option<&str>,
    ) -> PyResult<Self> {
        let found = Self {
            image: place_of(schema, image, "image")?,
            caption: place_of(schema, caption, "caption")?,
            metadata: metadata.map(|name| place_of(schema, name, "metadata")).transpose()?,
            shard: shard.map(|name| place_of(schema, name, "shard")).transpose()?,
        };
        let (images, captions) = (schema.field(found.image), schema.field(found.caption));
        let (images, captions) = (images.data_type(), captions.data_type());
        if !holds_images(images) {
            return Err(PyTypeError::new_err(format!(
                "image={image:?}: a column of {images} holds no images: give one of binary (files), of \
                 string (their paths), or of struct {{bytes, path}}"
            )));
        }
        if is_text(captions).is_none() {
            return Err(PyTypeError::new_err(format!(
                "caption={caption:?}: a column of {captions} holds no captions: give one of string, or of \
                 binary in UTF-8"
            )));
        }
        if let Some((place, name)) = found.metadata.zip(metadata) {
            let kind = schema.field(place).data_type();
            if is_text(kind).is_none() {
                return Err(PyTypeError::new_err(format!(
                    "metadata={name:?}: a column of {kind} holds no JSON: give one of string or binary"
                )));
            }
        }
        if let Some((place, name)) = found.shard.zip(shard) {
            let kind = schema.field(place).data_type();
            if is_text(kind) != Some(true) {
                return Err(PyTypeError::new_err(format!(
                    "shard={name:?}: a column of {kind} names no shards: give one of string"
                )));
            }
        }
        Ok(found)
    }

    /// The pairs of a batch.
    ///
    /// # Errors
    /// [`ArrowError`] where the bytes of a column lie outside of the table.
    pub fn pairs(self, batch: &RecordBatch) -> Result<Vec<Pair>, ArrowError> {
        let images = Images::of(batch.column(self.image))?;
        let captions = batch.column(self.caption);
        let is_text = is_text(captions.data_type()).unwrap_or_default();
        let captions = Cells::of(captions)?;
        let metadata = self.metadata.map(|place| Cells::of(batch.column(place))).transpose()?;
        let shards = self.shard.map(|place| Cells::of(batch.column(place))).transpose()?;
        let shard = |row| -> Option<Arc<str>> {
            let name = shards.as_ref()?.at(row);
            Some(name.map(|name| String::from_utf8_lossy(&name).into()).unwrap_or_default())
        };
        let pair = |row| Pair {
            shard: shard(row),
            image: images.at(row),
            caption: captions.at(row).map_or(Caption::Missing, |bytes| match is_text {
                true => Caption::Shared(bytes),
                false => Caption::of_shared_file(&bytes),
            }),
            metadata: match metadata.as_ref().and_then(|metadata| metadata.at(row)) {
                Some(json) => Json::Shared(json),
                None => Json::Missing,
            },
        };
        Ok((0..batch.num_rows()).map(pair).collect())
    }
}

fn place_of(schema: &Schema, name: &str, role: &str) -> PyResult<usize> {
    let fields = schema.fields().iter().enumerate();
    let mut found = fields.filter(|(_, field)| field.name() == name).map(|(place, _)| place);
    match (found.next(), found.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(PyValueError::new_err(format!(
            "{role}={name:?}: the table has more than one such column"
        ))),
        (None, _) => {
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            Err(PyValueError::new_err(format!(
                "{role}={name:?}: the table has no such column, but {}",
                names.join(", ")
            )))
        }
    }
}

fn holds_images(kind: &DataType) -> bool {
    match kind {
        DataType::Struct(fields) => {
            let of_text = |name: &str| {
                let field = fields.iter().find(|field| field.name() == name);
                field.map(|field| is_text(field.data_type()))
            };
            // One may be missing, but both is no image; a path that is nowhere given is of type null.
            let bytes = of_text("bytes").is_none_or(|text| text == Some(false));
            let path = of_text("path").is_none_or(|text| text.is_some());
            bytes && path && (of_text("bytes").is_some() || of_text("path").is_some())
        }
        other => is_text(other).is_some(),
    }
}

/// A column of images: files, or where they are; as the library `datasets` has them, the file or else that.
struct Images {
    nulls: Option<NullBuffer>,
    files: Option<Cells>,
    paths: Option<Cells>,
}

impl Images {
    fn of(column: &ArrayRef) -> Result<Self, ArrowError> {
        if let Some(rows) = column.as_struct_opt() {
            let cells = |name| rows.column_by_name(name).map(Cells::of).transpose();
            let (files, paths) = (cells("bytes")?, cells("path")?);
            return Ok(Self { nulls: rows.nulls().cloned(), files, paths });
        }
        let cells = Cells::of(column)?;
        Ok(match is_text(column.data_type()) {
            Some(true) => Self { nulls: None, files: None, paths: Some(cells) },
            _ => Self { nulls: None, files: Some(cells), paths: None },
        })
    }

    fn at(&self, row: usize) -> Image {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Image::Missing;
        }
        let file = || self.files.as_ref()?.at(row).map(Image::Shared);
        let path = || {
            let path = self.paths.as_ref()?.at(row)?;
            Some(Image::Path(PathBuf::from(String::from_utf8_lossy(&path).into_owned())))
        };
        file().or_else(path).unwrap_or(Image::Missing)
    }
}
