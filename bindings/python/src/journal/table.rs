//! A journal for Arrow, part by part.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pairgate::JournalReader;

use super::columns::{arrays, fields};
use super::record::Row;

/// Records of a batch.
const AT_ONCE: usize = 65_536;

/// Reads as it is asked; nothing after an error.
pub struct Table {
    schema: SchemaRef,
    reader: Option<JournalReader>,
}

impl Table {
    /// All records of a journal.
    pub fn of(reader: JournalReader) -> Self {
        Self { schema: Arc::new(Schema::new(fields())), reader: Some(reader) }
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let rows = std::iter::from_fn(|| Row::next(reader).transpose()).take(AT_ONCE);
        let rows = rows.collect::<Result<Vec<_>, _>>();
        let rows = rows.map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
        if rows.is_empty() {
            return Ok(None);
        }
        RecordBatch::try_new(self.schema.clone(), arrays(&rows)).map(Some)
    }
}

impl Iterator for Table {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.read().transpose();
        if !matches!(batch, Some(Ok(_))) {
            self.reader = None;
        }
        batch
    }
}

impl RecordBatchReader for Table {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
