//! Tables that ids pick rows from.

use tract_onnx::tract_hir::internal::*;

use super::{Operator, Shared};

/// Rows in int8, each with its scale.
#[derive(Debug)]
pub(in super::super) struct Table {
    /// `[rows, size]`
    pub(in super::super) codes: Vec<i8>,
    /// `[rows]`
    pub(in super::super) scales: Vec<f32>,
    pub(in super::super) size: usize,
}

/// `[..]` ids to `[.., size]`; a negative id counts from the end.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Embedding {
    pub(in super::super) table: Shared<Table>,
}

impl Operator for Embedding {
    const NAME: &'static str = "Int8Embedding";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let mut shape: TVec<usize> = inputs[0].into();
        shape.push(self.table.size);
        Ok(shape)
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let ids = inputs[0].cast_to::<i64>()?;
        let ids = ids.try_as_plain_ram()?;
        let table = &*self.table;
        let rows = table.scales.len();
        for (id, out) in ids.as_slice::<i64>()?.iter().zip(out.chunks_exact_mut(table.size)) {
            let place = if *id < 0 { *id + rows as i64 } else { *id };
            let row = usize::try_from(place).ok().filter(|row| *row < rows);
            let row = row.with_context(|| format!("the id {id} is none of {rows} rows"))?;
            let codes = &table.codes[row * table.size..][..table.size];
            for (value, code) in out.iter_mut().zip(codes) {
                *value = f32::from(*code) * table.scales[row];
            }
        }
        Ok(())
    }
}
