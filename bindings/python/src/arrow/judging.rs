//! Batch after batch through a gate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use super::given::{Batches, batches_of, no_table};
use super::judged::{Judged, check_names, fields};
use super::pairs::Columns;
use super::stream::ArrowStream;
use crate::gate::Gate;
use crate::parameters::checked_threads;

/// Rows whose decisions are in memory at once.
const ROWS_AT_ONCE: usize = 8192;

/// Rows of a batch that is given, at most: no column of one outgrows what 32 bits count.
const MOST_ROWS: usize = 1 << 20;

#[doc = stub!("judge_arrow")]
#[pyfunction]
#[pyo3(signature = (gate, table, image, caption, metadata, threads, prefix, shard=None, beside=None))]
#[expect(clippy::too_many_arguments, reason = "called by the package alone")]
pub fn judge_arrow(
    py: Python<'_>,
    gate: Py<Gate>,
    table: &Bound<'_, PyAny>,
    image: &str,
    caption: &str,
    metadata: Option<&str>,
    threads: Option<i64>,
    prefix: &str,
    shard: Option<&str>,
    beside: Option<Vec<String>>,
) -> PyResult<ArrowStream> {
    let threads = threads.map(checked_threads).transpose()?;
    let from = batches_of(table)?;
    let given = from.schema();
    match &beside {
        Some(names) => check_names(prefix, names.iter().map(String::as_str))?,
        None => check_names(prefix, given.fields().iter().map(|field| field.name().as_str()))?,
    }
    let columns = Columns::of(&given, image, caption, metadata, shard)?;
    let whole = beside.is_none();
    let mut all: Vec<_> = given.fields().iter().filter(|_| whole).cloned().collect();
    all.extend(fields(prefix).into_iter().map(Arc::new));
    let metadata = if whole { given.metadata().clone() } else { Default::default() };
    let schema = Arc::new(Schema::new(all).with_metadata(metadata));
    let mut judging = Judging { from, gate, columns, threads, whole, schema, rest: None };
    if whole {
        return Ok(ArrowStream::once(Box::new(Lazy {
            schema: judging.schema.clone(),
            judging: Some(judging),
        })));
    }
    let (schema, mut made) = (judging.schema.clone(), Vec::new());
    py.detach(|| {
        while let Some(batch) = judging.next()? {
            made.push(batch);
        }
        PyResult::Ok(())
    })?;
    Ok(ArrowStream::held(schema, made))
}

/// Batches that are judged one after the other.
struct Judging {
    from: Batches,
    gate: Py<Gate>,
    columns: Columns,
    threads: Option<usize>,
    /// Whether the columns that were given come before the decisions.
    whole: bool,
    schema: SchemaRef,
    /// What is left of a batch that is too large.
    rest: Option<RecordBatch>,
}

impl Judging {
    /// The next batch, judged; on a thread that is detached from Python.
    fn next(&mut self) -> PyResult<Option<RecordBatch>> {
        let next = self.rest.take().map(Ok).or_else(|| self.from.next());
        let Some(mut batch) = next.transpose().map_err(no_table)? else { return Ok(None) };
        if batch.num_rows() > MOST_ROWS {
            self.rest = Some(batch.slice(MOST_ROWS, batch.num_rows() - MOST_ROWS));
            batch = batch.slice(0, MOST_ROWS);
        }
        self.judge(&batch).map(Some)
    }

    fn judge(&self, batch: &RecordBatch) -> PyResult<RecordBatch> {
        let mut judged = Judged::default();
        for start in (0..batch.num_rows()).step_by(ROWS_AT_ONCE) {
            let rows = batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start));
            let pairs = self.columns.pairs(&rows).map_err(no_table)?;
            self.gate.get().decide(&pairs, self.threads)?.iter().for_each(|d| judged.add(d));
        }
        let mut columns = if self.whole { batch.columns().to_vec() } else { Vec::new() };
        columns.extend(judged.columns());
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(no_table)
    }
}

/// Batches that another library asks for, with or without Python's lock; none after an error.
struct Lazy {
    schema: SchemaRef,
    judging: Option<Judging>,
}

impl RecordBatchReader for Lazy {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}

impl Iterator for Lazy {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut judging = self.judging.take()?;
        // Whoever asks is written in C, where no panic may come to.
        let made = catch_unwind(AssertUnwindSafe(|| {
            Python::attach(|py| py.detach(|| judging.next())).map_err(told)
        }));
        match made.unwrap_or_else(|_| Err(ArrowError::ComputeError("the gate failed".into()))) {
            Ok(None) => None,
            Ok(Some(batch)) => {
                self.judging = Some(judging);
                Some(Ok(batch))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

/// What is told of an exception where none can be raised. Ctrl-C comes again, in the thread that it is for.
fn told(error: PyErr) -> ArrowError {
    Python::attach(|py| {
        if error.is_instance_of::<PyKeyboardInterrupt>(py)
            && let Ok(thread) = py.import("_thread")
        {
            let _ = thread.call_method0("interrupt_main");
        }
    });
    ArrowError::ExternalError(Box::new(error))
}
