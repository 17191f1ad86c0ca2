//! What other libraries take a table from.

use std::sync::{Mutex, PoisonError};

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::SchemaRef;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::given::{Batches, no_table};

#[doc = stub!("ArrowStream")]
#[pyclass(frozen, module = "pairgate_dfn")]
pub struct ArrowStream {
    schema: SchemaRef,
    rows: Rows,
}

enum Rows {
    /// Given as often as it is asked for.
    Held(Vec<RecordBatch>),
    /// Read, and judged, once.
    Once(Mutex<Option<Batches>>),
}

impl ArrowStream {
    /// A table that is in memory.
    pub fn held(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, rows: Rows::Held(batches) }
    }

    /// A table that is made as it is read.
    pub fn once(batches: Batches) -> Self {
        Self { schema: batches.schema(), rows: Rows::Once(Mutex::new(Some(batches))) }
    }
}

#[pymethods]
impl ArrowStream {
    #[doc = stub!("ArrowStream.column_names")]
    #[getter]
    fn column_names(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    #[doc = stub!("ArrowStream.__arrow_c_schema__")]
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref()).map_err(no_table)?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    #[doc = stub!("ArrowStream.__arrow_c_stream__")]
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let _ = requested_schema;
        let batches: Batches = match &self.rows {
            Rows::Held(batches) => {
                let batches = batches.clone().into_iter().map(Ok);
                Box::new(RecordBatchIterator::new(batches, self.schema.clone()))
            }
            Rows::Once(batches) => {
                let taken = batches.lock().unwrap_or_else(PoisonError::into_inner).take();
                taken.ok_or_else(|| {
                    PyValueError::new_err(
                        "this table was read already: it is made as it is read, once",
                    )
                })?
            }
        };
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(batches), c"arrow_array_stream")
    }

    fn __repr__(&self) -> String {
        format!("<ArrowStream {}>", self.column_names().join(", "))
    }
}
