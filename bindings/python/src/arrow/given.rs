//! What has Arrow's methods in Python.

use arrow_array::{RecordBatchIterator, RecordBatchReader};
use arrow_schema::ArrowError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::ffi::{batch_of, stream_of};

/// Batches of rows, read one after the other.
pub type Batches = Box<dyn RecordBatchReader + Send>;

/// The batches of a table, of rows or of a stream of another library.
///
/// # Errors
/// `TypeError` for what has no such method, `ValueError` where it gives no table.
pub fn batches_of(given: &Bound<'_, PyAny>) -> PyResult<Batches> {
    let py = given.py();
    let (stream, array) = (intern!(py, "__arrow_c_stream__"), intern!(py, "__arrow_c_array__"));
    if given.hasattr(stream)? {
        let capsule = given.call_method0(stream)?;
        let reader = stream_of(capsule.cast::<PyCapsule>()?)?.map_err(no_table)?;
        return Ok(Box::new(reader));
    }
    if given.hasattr(array)? {
        let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) =
            given.call_method0(array)?.extract()?;
        let batch = batch_of(&schema, &array)?.map_err(no_table)?;
        let schema = batch.schema();
        return Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    }
    let kind = given.get_type().fully_qualified_name()?;
    Err(PyTypeError::new_err(format!(
        "table: {kind} is no table of Arrow: give one of pyarrow, polars or pandas, or what has \
         __arrow_c_stream__ or __arrow_c_array__"
    )))
}

/// What Python is told of a table that cannot be read.
pub fn no_table(error: ArrowError) -> PyErr {
    PyValueError::new_err(format!("table: {error}"))
}
