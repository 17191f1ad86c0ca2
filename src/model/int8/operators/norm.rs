//! Layer normalization.

use pairgate_kernels::Isa;
use pairgate_kernels::norm::{Norm, layer_norm};
use tract_onnx::tract_hir::internal::*;

use super::{Operator, Shared, values};
use crate::model::int8::team;

/// Gain and bias of a layer norm.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct NormWeights {
    pub(in super::super) gain: Vec<f32>,
    pub(in super::super) bias: Vec<f32>,
    pub(in super::super) epsilon: f32,
}

impl NormWeights {
    /// For a kernel.
    pub(in super::super) fn norm(&self) -> Norm<'_> {
        Norm { gain: &self.gain, bias: &self.bias, epsilon: self.epsilon }
    }
}

/// Normalizes along the last axis.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct LayerNorm {
    pub(in super::super) isa: Isa,
    pub(in super::super) weights: Shared<NormWeights>,
}

impl Operator for LayerNorm {
    const NAME: &'static str = "LayerNorm";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let size = self.weights.gain.len();
        ensure!(inputs[0].last() == Some(&size), "{:?} has no rows of {size}", inputs[0]);
        Ok(inputs[0].into())
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let x = values(&inputs[0])?;
        team::with(|team| layer_norm(self.isa, team, x, self.weights.norm(), out));
        Ok(())
    }
}
