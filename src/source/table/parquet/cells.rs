//! The values of a column, a row at a time.

use std::io;
use std::sync::Arc;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::schema::types::ColumnDescriptor;

use crate::table::pages::{BoundedFile, Budget, column_reader, guarded};

/// A row's value in a column.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    /// Of a kind that is not read.
    Unread,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    /// Text, or any bytes.
    Bytes(ByteArray),
    List(Vec<Cell>),
    Struct(Vec<(String, Cell)>),
}

/// A leaf of a row group.
pub(super) struct Leaf {
    reader: ColumnReader,
    kind: Kind,
    levels: Levels,
}

/// The levels of one row.
struct Levels {
    /// The definition level of a value that is there, and that of an element that is.
    value: i16,
    element: i16,
    is_list: bool,
    /// Whether the whole column may be null.
    may_be_null: bool,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

/// What the values are, where their physical type does not tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Unsigned,
    Half,
    Unread,
}

impl Leaf {
    pub fn new(
        file: &Arc<BoundedFile>,
        chunk: &ColumnChunkMetaData,
        may_be_null: bool,
        budget: &Arc<Budget>,
    ) -> io::Result<Self> {
        let column = chunk.column_descr();
        let is_optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
        let levels = Levels {
            value: column.max_def_level(),
            element: column.max_def_level() - i16::from(is_optional),
            is_list: column.max_rep_level() > 0,
            may_be_null,
            definitions: Vec::new(),
            repetitions: Vec::new(),
        };
        Ok(Self { reader: column_reader(file, chunk, budget)?, kind: kind(column), levels })
    }

    /// The next row's value.
    pub fn next(&mut self) -> io::Result<Cell> {
        let (kind, levels) = (self.kind, &mut self.levels);
        let whole = |number: i64, unsigned: u64| match kind {
            Kind::Unsigned => Cell::Unsigned(unsigned),
            _ => Cell::Int(number),
        };
        let reader = &mut self.reader;
        let cell = guarded(move || match reader {
            ColumnReader::BoolColumnReader(reader) => levels.read(reader, Cell::Bool),
            ColumnReader::Int32ColumnReader(reader) => {
                levels.read(reader, |x| whole(x.into(), x.cast_unsigned().into()))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                levels.read(reader, |x| whole(x, x.cast_unsigned()))
            }
            ColumnReader::Int96ColumnReader(reader) => levels.read(reader, |_| Cell::Unread),
            ColumnReader::FloatColumnReader(reader) => {
                levels.read(reader, |x| Cell::Float(x.into()))
            }
            ColumnReader::DoubleColumnReader(reader) => levels.read(reader, Cell::Float),
            ColumnReader::ByteArrayColumnReader(reader) => levels.read(reader, Cell::Bytes),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                levels.read(reader, |x| match (kind, x.data()) {
                    (Kind::Half, &[a, b]) => Cell::Float(half::f16::from_le_bytes([a, b]).into()),
                    _ => Cell::Unread,
                })
            }
        })?;
        Ok(if kind == Kind::Unread { Cell::Unread } else { cell })
    }
}

impl Levels {
    /// Reads one row, and makes a cell of it.
    fn read<T: DataType>(
        &mut self,
        reader: &mut ColumnReaderImpl<T>,
        cell: impl Fn(T::T) -> Cell,
    ) -> Result<Cell> {
        let mut values = Vec::new();
        self.definitions.clear();
        self.repetitions.clear();
        // At a page's end a row may be told to have ended without a level of its own.
        for _ in 0..2 {
            let definitions = (self.value > 0).then_some(&mut self.definitions);
            let repetitions = self.is_list.then_some(&mut self.repetitions);
            let (rows, _, levels) =
                reader.read_records(1, definitions, repetitions, &mut values)?;
            if rows == 0 {
                return Err(ParquetError::EOF("it has fewer rows than the table says".into()));
            }
            if levels > 0 {
                break;
            }
        }
        let mut values = values.into_iter();
        let mut next =
            || values.next().ok_or_else(|| ParquetError::EOF("values are missing".into()));
        if !self.is_list {
            let is_there = self.value == 0 || self.definitions.first() == Some(&self.value);
            return if is_there { next().map(cell) } else { Ok(Cell::Null) };
        }
        if self.may_be_null && self.definitions.first() == Some(&0) {
            return Ok(Cell::Null);
        }
        let mut list = Vec::new();
        for &level in &self.definitions {
            if level == self.value {
                list.push(cell(next()?));
            } else if level >= self.element {
                list.push(Cell::Null);
            }
        }
        Ok(Cell::List(list))
    }
}

fn kind(column: &ColumnDescriptor) -> Kind {
    use ConvertedType as C;
    match column.converted_type() {
        C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64 => Kind::Unsigned,
        C::DECIMAL | C::INTERVAL | C::BSON => Kind::Unread,
        _ if column.logical_type_ref() == Some(&LogicalType::Float16) => Kind::Half,
        _ => Kind::Plain,
    }
}
