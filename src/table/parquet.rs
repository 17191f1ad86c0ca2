//! Tables as Apache Parquet.
//!
//! Rows wait until [`GROUP_ROWS`] or so many bytes of them make a row group, and are then written
//! column by column. Of what was written only the file's footer stays in memory, which grows by
//! less than a kilobyte a column with each row group: about 0.2 bytes a pair with 16 columns.

use std::io::{self, Write};
use std::sync::Arc;

use pairgate_core::pair::Digest;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type};
use serde_json::{Map, Value};

use super::column::{Cell, Column, Kind};

/// Rows of a row group at most.
const GROUP_ROWS: usize = 1 << 18;
/// Rows that are handed to the encoder at once.
const BATCH: usize = 4096;

/// What a table tells of its making.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    /// The model that gave the scores.
    pub model: Digest,
    /// The settings that decisions depended on.
    pub config: Digest,
}

/// Writes rows, group by group.
pub(crate) struct ParquetRows<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    group: Vec<Chunk>,
    /// Bytes of a row group's values, before encoding, from which it is written.
    group_bytes: usize,
    rows: usize,
    bytes: usize,
}

impl<W: Write + Send> ParquetRows<W> {
    /// Starts the table in `target`, with row groups of about `group_bytes` before they are encoded.
    pub fn start(
        target: W,
        columns: &[Column],
        about: About,
        group_bytes: usize,
    ) -> io::Result<Self> {
        let schema = Arc::new(schema(columns).map_err(unwrapped)?);
        let properties = Arc::new(properties(columns, about));
        let writer = SerializedFileWriter::new(target, schema, properties).map_err(unwrapped)?;
        let group = columns.iter().map(Chunk::of).collect();
        Ok(Self { writer, group, group_bytes, rows: 0, bytes: 0 })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        (self.rows, self.bytes) = (0, 0);
        let mut group = self.writer.next_row_group()?;
        for chunk in &mut self.group {
            if let Some(mut column) = group.next_column()? {
                chunk.write(&mut column)?;
                column.close()?;
            }
        }
        group.close().map(drop)
    }
}

impl<W: Write + Send> ParquetRows<W> {
    /// Takes a row, a cell for each column.
    pub fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (chunk, cell) in self.group.iter_mut().zip(cells) {
            self.bytes += chunk.push(cell);
        }
        self.rows += 1;
        if self.rows < GROUP_ROWS && self.bytes < self.group_bytes {
            return Ok(());
        }
        self.write_group().map_err(unwrapped)
    }

    /// Writes what is left, and gives the target back.
    pub fn end(mut self) -> io::Result<W> {
        self.write_group().and_then(|()| self.writer.into_inner()).map_err(unwrapped)
    }
}

/// The system's own error, where that is what the library passes on.
fn unwrapped(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        error => io::Error::other(error),
    }
}

fn schema(columns: &[Column]) -> Result<Type, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Int64 => (Physical::INT64, None),
            Kind::Float64 => (Physical::DOUBLE, None),
            Kind::Float32 => (Physical::FLOAT, None),
            Kind::Uint32 => (Physical::INT32, Some(LogicalType::integer(32, false))),
            // JSON too: not every reader takes the type of its own.
            Kind::Text | Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = if column.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
        let field = Type::primitive_type_builder(&column.name, physical);
        field.with_repetition(repetition).with_logical_type(logical).build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("pairs").with_fields(fields).build()
}

fn properties(columns: &[Column], about: About) -> WriterProperties {
    let kinds: Map<String, Value> =
        columns.iter().map(|column| (column.name.clone(), column.kind.name().into())).collect();
    let told = [
        ("pairgate.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("pairgate.model", about.model.to_string()),
        ("pairgate.config", about.config.to_string()),
        ("pairgate.columns", Value::Object(kinds).to_string()),
    ];
    let told = told.map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("pairgate ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        // Those of pages would stay in memory up to the footer.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(told.to_vec()));
    for column in columns {
        let path = ColumnPath::new(vec![column.name.clone()]);
        properties = properties.set_column_dictionary_enabled(path, column.repeats);
    }
    properties.build()
}

/// The cells of one column that wait.
struct Chunk {
    values: Values,
    /// 1 for each cell that is there, 0 for null; `None` where none may be null.
    levels: Option<Vec<i16>>,
}

enum Values {
    Bool(Vec<bool>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    /// The bits of an unsigned integer.
    Uint32(Vec<i32>),
    Float32(Vec<f32>),
    /// All strings one after the other, and where each ends.
    Text(Vec<u8>, Vec<usize>),
}

impl Chunk {
    fn of(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Bool => Values::Bool(Vec::new()),
            Kind::Int64 => Values::Int64(Vec::new()),
            Kind::Float64 => Values::Float64(Vec::new()),
            Kind::Uint32 => Values::Uint32(Vec::new()),
            Kind::Float32 => Values::Float32(Vec::new()),
            Kind::Text | Kind::Json => Values::Text(Vec::new(), Vec::new()),
        };
        Self { values, levels: column.nullable.then(Vec::new) }
    }

    /// Takes a cell, and gives the bytes that it takes, about.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if let Some(levels) = &mut self.levels {
            levels.push(i16::from(*cell != Cell::Null));
        }
        let level = size_of::<i16>();
        match (&mut self.values, cell) {
            (Values::Bool(values), Cell::Bool(value)) => values.push(*value),
            (Values::Int64(values), Cell::Int(value)) => values.push(*value),
            (Values::Float64(values), Cell::Float(value)) => values.push(*value),
            (Values::Uint32(values), Cell::Whole(value)) => values.push(value.cast_signed()),
            (Values::Float32(values), Cell::Score(value)) => values.push(*value),
            (Values::Text(bytes, ends), Cell::Text(text)) => {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len());
                return level + text.len() + size_of::<usize>();
            }
            (_, cell) => debug_assert!(*cell == Cell::Null, "{cell:?} is not of the column's kind"),
        }
        level + size_of::<u64>()
    }

    /// Writes what waits, and is empty then.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = self.levels.as_mut().map(std::mem::take);
        let levels = levels.as_deref();
        match &mut self.values {
            Values::Bool(values) => flush(column.typed::<BoolType>(), values, levels),
            Values::Int64(values) => flush(column.typed::<Int64Type>(), values, levels),
            Values::Float64(values) => flush(column.typed::<DoubleType>(), values, levels),
            Values::Uint32(values) => flush(column.typed::<Int32Type>(), values, levels),
            Values::Float32(values) => flush(column.typed::<FloatType>(), values, levels),
            Values::Text(bytes, ends) => {
                let all = ByteArray::from(std::mem::take(bytes));
                let mut start = 0;
                let strings = std::mem::take(ends).into_iter().map(|end| {
                    let string = all.slice(start, end - start);
                    start = end;
                    string
                });
                write_batches(column.typed::<ByteArrayType>(), strings, levels)
            }
        }
    }
}

fn flush<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &mut Vec<T::T>,
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    write_batches(writer, std::mem::take(values).into_iter(), levels)
}

/// Hands the values to the encoder, a batch at a time.
fn write_batches<T: DataType>(
    writer: &mut ColumnWriterImpl<'_, T>,
    mut values: impl ExactSizeIterator<Item = T::T>,
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(levels) = levels else {
        while values.len() > 0 {
            let batch: Vec<T::T> = values.by_ref().take(BATCH).collect();
            writer.write_batch(&batch, None, None)?;
        }
        return Ok(());
    };
    for levels in levels.chunks(BATCH) {
        let present = levels.iter().filter(|level| **level == 1).count();
        let batch: Vec<T::T> = values.by_ref().take(present).collect();
        writer.write_batch(&batch, Some(levels), None)?;
    }
    Ok(())
}
