//! Tables as RFC 4180's CSV.

use std::io;

use super::Rows;
use crate::score_text::shortest;
use crate::sink::target::Target;
use crate::table::{Cell, Column};

/// Writes rows, the columns' names first.
pub(super) struct CsvRows {
    writer: csv::Writer<Target>,
}

impl CsvRows {
    /// Starts the table.
    pub fn start(target: Target, columns: &[Column]) -> io::Result<Self> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(target);
        writer.write_record(columns.iter().map(|column| &column.name))?;
        Ok(Self { writer })
    }
}

impl Rows for CsvRows {
    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for cell in cells {
            match cell {
                Cell::Null => self.writer.write_field("")?,
                Cell::Text(text) => self.writer.write_field(text.as_bytes())?,
                Cell::Bool(value) => self.writer.write_field(value.to_string())?,
                Cell::Int(value) => self.writer.write_field(value.to_string())?,
                Cell::Whole(value) => self.writer.write_field(value.to_string())?,
                // The fewest digits that give the same value again.
                Cell::Float(value) => self.writer.write_field(value.to_string())?,
                Cell::Score(value) => self.writer.write_field(shortest(*value).to_string())?,
            }
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    fn end(self: Box<Self>) -> io::Result<Target> {
        self.writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
