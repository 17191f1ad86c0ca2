//! Functions of one value.

use pairgate_kernels::Isa;
use pairgate_kernels::activation::{Activation, activate};
use tract_onnx::tract_hir::internal::*;

use super::{Operator, values};
use crate::model::int8::team;

/// An activation that no product took up.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Pointwise {
    pub(in super::super) isa: Isa,
    pub(in super::super) activation: Activation,
}

impl Operator for Pointwise {
    const NAME: &'static str = "Activation";
    const POINTWISE: bool = true;

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        out.copy_from_slice(values(&inputs[0])?);
        team::with(|team| activate(self.isa, team, self.activation, out));
        Ok(())
    }
}
