//! Softmax along the last axis.

use pairgate_kernels::{Isa, softmax};
use tract_onnx::tract_hir::internal::*;

use super::{Operator, values};
use crate::model::int8::team;

/// `exp(x - max) / sum` of each row.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Softmax {
    pub(in super::super) isa: Isa,
}

impl Operator for Softmax {
    const NAME: &'static str = "Softmax";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        ensure!(!inputs[0].is_empty(), "a softmax needs an axis");
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        out.copy_from_slice(values(&inputs[0])?);
        let columns = inputs[0].shape().last().copied().unwrap_or(1);
        team::with(|team| softmax::softmax(self.isa, team, out, columns));
        Ok(())
    }
}
