//! Metadata tables: parquet files, read column by column in batches, without arrow.

mod column;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use column::Typed;
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use super::{unread, wrong};
use crate::disk::IoError;
use crate::table::pages::{BoundedFile, check_footer, column_reader, guarded};

/// What the numbers of a column are, as pandas compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// 16 bits.
    Half,
    /// 32 bits.
    Single,
    /// 64 bits, and whole numbers.
    Double,
}

impl Precision {
    /// `number`, rounded as NumPy rounds a plain number that is compared with such a column.
    pub fn round(self, number: f64) -> f64 {
        match self {
            Self::Half => half::f16::from_f64(number).to_f64(),
            Self::Single => f64::from(number as f32),
            Self::Double => number,
        }
    }
}

/// The tables that `paths` are, or that the folders among them hold (not those below), in the order
/// of their names.
///
/// # Errors
/// [`IoError::Read`] for a path that cannot be read and for a folder without tables.
pub fn tables_in(paths: &[PathBuf]) -> Result<Vec<PathBuf>, IoError> {
    let mut tables = Vec::new();
    for path in paths {
        let is_folder = fs::metadata(path).map_err(unread(path))?.is_dir();
        if !is_folder {
            tables.push(path.clone());
            continue;
        }
        let entries = fs::read_dir(path).map_err(unread(path))?;
        let files = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut files: Vec<_> = files.collect::<io::Result<_>>().map_err(unread(path))?;
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".parquet") && !name.starts_with('.')
        });
        if files.is_empty() {
            return Err(unread(path)(wrong("the folder holds no .parquet")));
        }
        files.sort();
        tables.extend(files);
    }
    Ok(tables)
}

/// One table.
pub struct Table {
    path: PathBuf,
    file: Arc<BoundedFile>,
    reader: SerializedFileReader<BoundedFile>,
}

impl Table {
    /// Opens the table at `path` and reads its footer.
    ///
    /// # Errors
    /// [`IoError::Read`] where it is no parquet file.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(unread(path))?;
        check_footer(&file).map_err(unread(path))?;
        let own = Arc::new(BoundedFile(file.try_clone().map_err(unread(path))?));
        let reader =
            guarded(|| SerializedFileReader::new(BoundedFile(file))).map_err(unread(path))?;
        Ok(Self { path: path.to_owned(), file: own, reader })
    }

    /// Rows of each row group.
    ///
    /// # Errors
    /// [`IoError::Read`] where the footer says that they are fewer than none.
    pub fn groups(&self) -> Result<Vec<u64>, IoError> {
        let groups = self.reader.metadata().row_groups().iter();
        let rows = groups.map(|group| u64::try_from(group.num_rows()).map_err(io::Error::other));
        rows.collect::<io::Result<_>>().map_err(unread(&self.path))
    }

    /// Whether it has a column of this name.
    pub fn has(&self, name: &str) -> bool {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        schema.root_schema().get_fields().iter().any(|field| field.name() == name)
    }

    /// What the footer notes under `name`.
    pub fn note(&self, name: &str) -> Option<&str> {
        let notes = self.reader.metadata().file_metadata().key_value_metadata()?;
        notes.iter().find(|note| note.key == name)?.value.as_deref()
    }

    /// How precise the numbers of the column `name` are.
    ///
    /// # Errors
    /// [`IoError::Read`] where there is no such column, or it holds something else.
    pub fn precision(&self, name: &str) -> Result<Precision, IoError> {
        let (_, column) = self.find(name)?;
        match number_kind(&column) {
            Some(NumberKind::Half) => Ok(Precision::Half),
            Some(NumberKind::Single) => Ok(Precision::Single),
            Some(_) => Ok(Precision::Double),
            None => Err(self.wrong_type(&column, "numbers")),
        }
    }

    /// Checks that the column `name` holds text.
    ///
    /// # Errors
    /// [`IoError::Read`] where there is no such column, or it holds something else.
    pub fn check_text(&self, name: &str) -> Result<(), IoError> {
        let (_, column) = self.find(name)?;
        match column.physical_type() {
            Physical::BYTE_ARRAY if column.converted_type() != ConvertedType::DECIMAL => Ok(()),
            _ => Err(self.wrong_type(&column, "text")),
        }
    }

    /// The texts of the column `name` in a row group.
    ///
    /// # Errors
    /// As for [`check_text`](Self::check_text).
    pub fn texts(&self, group: usize, name: &str) -> Result<Texts, IoError> {
        self.check_text(name)?;
        let (index, column) = self.find(name)?;
        let typed = self.typed(group, index, &column)?;
        Ok(Texts { typed, at: self.place(name) })
    }

    /// The numbers of the column `name` in a row group.
    ///
    /// # Errors
    /// As for [`precision`](Self::precision).
    pub fn numbers(&self, group: usize, name: &str) -> Result<Numbers, IoError> {
        let (index, column) = self.find(name)?;
        let Some(kind) = number_kind(&column) else {
            return Err(self.wrong_type(&column, "numbers"));
        };
        let column = match kind {
            NumberKind::Half => Number::Half(self.typed(group, index, &column)?),
            NumberKind::Single => Number::Single(self.typed(group, index, &column)?),
            NumberKind::Double => Number::Double(self.typed(group, index, &column)?),
            NumberKind::Signed32 => Number::Signed32(self.typed(group, index, &column)?),
            NumberKind::Unsigned32 => Number::Unsigned32(self.typed(group, index, &column)?),
            NumberKind::Signed64 => Number::Signed64(self.typed(group, index, &column)?),
            NumberKind::Unsigned64 => Number::Unsigned64(self.typed(group, index, &column)?),
        };
        Ok(Numbers { column, at: self.place(name) })
    }

    fn typed<T: parquet::data_type::DataType>(
        &self,
        group: usize,
        index: usize,
        column: &ColumnDescriptor,
    ) -> Result<Typed<T>, IoError> {
        let open = || Ok(self.reader.metadata().row_group(group).column(index).clone());
        let failed = |why| self.place(column.name()).failed(why);
        let chunk = guarded(open).map_err(failed)?;
        let reader = column_reader(&self.file, &chunk, &Arc::default()).map_err(failed)?;
        let reader = T::get_column_reader(reader)
            .ok_or_else(|| self.place(column.name()).failed(wrong("it is of another type")))?;
        Ok(Typed::new(reader, column.max_def_level() > 0))
    }

    fn find(&self, name: &str) -> Result<(usize, ColumnDescPtr), IoError> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let columns = schema.columns();
        let named = |column: &ColumnDescriptor| {
            column.path().parts().first().is_some_and(|part| part == name)
        };
        let Some(index) = columns.iter().position(|column| named(column)) else {
            let fields = schema.root_schema().get_fields();
            let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
            let why = format!("there is none; the table has {}", names.join(", "));
            return Err(self.place(name).failed(wrong(why)));
        };
        let column = columns[index].clone();
        if column.path().parts().len() > 1 || column.max_rep_level() > 0 {
            return Err(self.place(name).failed(wrong("it holds lists or structures")));
        }
        Ok((index, column))
    }

    fn wrong_type(&self, column: &ColumnDescriptor, wanted: &str) -> IoError {
        let (physical, converted) = (column.physical_type(), column.converted_type());
        let why = format!("it holds {physical} ({converted}), not {wanted}");
        self.place(column.name()).failed(wrong(why))
    }

    fn place(&self, column: &str) -> Place {
        Place { path: self.path.clone(), column: column.to_owned() }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A column of a table, for errors.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    column: String,
}

impl Place {
    fn failed(&self, why: io::Error) -> IoError {
        let text = format!("column {:?}: {why}", self.column);
        unread(&self.path)(io::Error::new(why.kind(), text))
    }
}

/// The texts of a column, one after the other.
pub struct Texts {
    typed: Typed<parquet::data_type::ByteArrayType>,
    at: Place,
}

impl Texts {
    /// Replaces `out` with the next `rows` texts; `None` for null.
    ///
    /// # Errors
    /// [`IoError::Read`] where the column is damaged.
    pub fn read(&mut self, rows: usize, out: &mut Vec<Option<ByteArray>>) -> Result<(), IoError> {
        out.clear();
        let read = self.typed.read(rows, |text| out.push(text.cloned()));
        read.map_err(|why| self.at.failed(why))
    }
}

/// The numbers of a column, one after the other.
pub struct Numbers {
    column: Number,
    at: Place,
}

enum Number {
    Half(Typed<parquet::data_type::FixedLenByteArrayType>),
    Single(Typed<parquet::data_type::FloatType>),
    Double(Typed<parquet::data_type::DoubleType>),
    Signed32(Typed<parquet::data_type::Int32Type>),
    Unsigned32(Typed<parquet::data_type::Int32Type>),
    Signed64(Typed<parquet::data_type::Int64Type>),
    Unsigned64(Typed<parquet::data_type::Int64Type>),
}

impl Numbers {
    /// Replaces `out` with the next `rows` numbers; `None` for null.
    ///
    /// # Errors
    /// [`IoError::Read`] where the column is damaged.
    pub fn read(&mut self, rows: usize, out: &mut Vec<Option<f64>>) -> Result<(), IoError> {
        out.clear();
        let read = match &mut self.column {
            Number::Half(column) => column.read(rows, |x| out.push(x.map(|x| half(x.data())))),
            Number::Single(column) => column.read(rows, |x| out.push(x.map(|&x| x.into()))),
            Number::Double(column) => column.read(rows, |x| out.push(x.copied())),
            Number::Signed32(column) => column.read(rows, |x| out.push(x.map(|&x| x.into()))),
            Number::Unsigned32(column) => {
                column.read(rows, |x| out.push(x.map(|&x| f64::from(x.cast_unsigned()))))
            }
            Number::Signed64(column) => column.read(rows, |x| out.push(x.map(|&x| x as f64))),
            Number::Unsigned64(column) => {
                column.read(rows, |x| out.push(x.map(|&x| x.cast_unsigned() as f64)))
            }
        };
        read.map_err(|why| self.at.failed(why))
    }
}

fn half(bytes: &[u8]) -> f64 {
    bytes.try_into().map_or(f64::NAN, |bytes| half::f16::from_le_bytes(bytes).to_f64())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NumberKind {
    Half,
    Single,
    Double,
    Signed32,
    Unsigned32,
    Signed64,
    Unsigned64,
}

/// What a column's numbers are; `None` where it holds none.
fn number_kind(column: &ColumnDescriptor) -> Option<NumberKind> {
    use ConvertedType as C;
    match (column.physical_type(), column.converted_type()) {
        (Physical::FLOAT, _) => Some(NumberKind::Single),
        (Physical::DOUBLE, _) => Some(NumberKind::Double),
        (Physical::INT32, C::NONE | C::INT_8 | C::INT_16 | C::INT_32) => Some(NumberKind::Signed32),
        (Physical::INT32, C::UINT_8 | C::UINT_16 | C::UINT_32) => Some(NumberKind::Unsigned32),
        (Physical::INT64, C::NONE | C::INT_64) => Some(NumberKind::Signed64),
        (Physical::INT64, C::UINT_64) => Some(NumberKind::Unsigned64),
        (Physical::FIXED_LEN_BYTE_ARRAY, _) => {
            let is_half = column.logical_type_ref() == Some(&LogicalType::Float16);
            is_half.then_some(NumberKind::Half)
        }
        _ => None,
    }
}
