//! Tables taken over by Arrow's C Data Interface. Whoever hands over a capsule with one of its names
//! promises what the interface asks for; nothing here can check that.

#![allow(unsafe_code)] // pointers of C: see each block

use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow_schema::{ArrowError, Schema};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

/// Takes over the stream that a capsule holds.
///
/// # Errors
/// Python's where the capsule holds something else; [`ArrowError`] where the stream was taken already,
/// or gives no tables.
pub fn stream_of(
    capsule: &Bound<'_, PyCapsule>,
) -> PyResult<Result<RecordBatchStreamReader, ArrowError>> {
    let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast();
    // SAFETY: by its name the capsule points to a stream, which it keeps while it is borrowed here and
    // which nobody else uses, as Python's lock is held. What is left behind is marked as released.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(stream.as_ptr()) };
    Ok(RecordBatchStreamReader::try_new(stream))
}

/// Takes over the rows that a capsule holds, whose columns the other one describes.
///
/// # Errors
/// As [`stream_of`].
pub fn batch_of(
    schema: &Bound<'_, PyCapsule>,
    array: &Bound<'_, PyCapsule>,
) -> PyResult<Result<RecordBatch, ArrowError>> {
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?.cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(c"arrow_array"))?.cast();
    // SAFETY: by its name the capsule points to a schema, which it keeps while it is borrowed here.
    let schema = unsafe { schema.as_ref() };
    // SAFETY: as of a stream, for an array.
    let array = unsafe { FFI_ArrowArray::from_raw(array.as_ptr()) };
    if array.is_released() {
        let why = "the array was taken already".to_owned();
        return Ok(Err(ArrowError::CDataInterface(why)));
    }
    let fields = Schema::try_from(schema);
    // SAFETY: they come in one pair, of which the schema describes the array.
    let data = unsafe { from_ffi(array, schema) };
    Ok(fields.and_then(|schema| rows_of(schema, StructArray::from(data?))))
}

fn rows_of(schema: Schema, rows: StructArray) -> Result<RecordBatch, ArrowError> {
    if rows.null_count() > 0 {
        let why = format!("{} rows are null as a whole", rows.null_count());
        return Err(ArrowError::InvalidArgumentError(why));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(schema), rows.into_parts().1, &options)
}
