//! One column of a row group, value by value, with its nulls.

use std::io;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;

use crate::datacomp::wrong;
use crate::table::pages::guarded;

/// A reader of a flat column.
pub(super) struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// Whether there may be nulls.
    optional: bool,
    levels: Vec<i16>,
    values: Vec<T::T>,
}

impl<T: DataType> Typed<T> {
    pub fn new(reader: ColumnReaderImpl<T>, optional: bool) -> Self {
        Self { reader, optional, levels: Vec::new(), values: Vec::new() }
    }

    /// Gives each of the next `rows` values to `take`; `None` for null.
    pub fn read(&mut self, rows: usize, mut take: impl FnMut(Option<&T::T>)) -> io::Result<()> {
        let mut left = rows;
        while left > 0 {
            self.levels.clear();
            self.values.clear();
            let levels = self.optional.then_some(&mut self.levels);
            let (reader, values) = (&mut self.reader, &mut self.values);
            let (records, ..) = guarded(|| reader.read_records(left, levels, None, values))?;
            if records == 0 || records > left {
                return Err(wrong(format!("{left} rows fewer than the table says")));
            }
            if self.optional {
                self.take_optional(records, &mut take)?;
            } else {
                self.values.get(..records).ok_or_else(|| wrong("values are missing"))?;
                self.values[..records].iter().for_each(|value| take(Some(value)));
            }
            left -= records;
        }
        Ok(())
    }

    fn take_optional(&self, records: usize, mut take: impl FnMut(Option<&T::T>)) -> io::Result<()> {
        let mut values = self.values.iter();
        let levels = self.levels.get(..records).ok_or_else(|| wrong("levels are missing"))?;
        for &level in levels {
            let value = if level > 0 {
                Some(values.next().ok_or_else(|| wrong("values are missing"))?)
            } else {
                None
            };
            take(value);
        }
        Ok(())
    }
}
