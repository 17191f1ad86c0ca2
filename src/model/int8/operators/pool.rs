//! Pooling over `[N, H, W, C]`.

use pairgate_kernels::{Isa, pool};
use tract_onnx::tract_hir::internal::*;

use super::{Operator, Window, values};
use crate::model::int8::team;

/// The mean of each window.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct AveragePool {
    pub(in super::super) isa: Isa,
    pub(in super::super) window: Window,
    /// Whether padding counts as zeros.
    pub(in super::super) counts_padding: bool,
}

impl Operator for AveragePool {
    const NAME: &'static str = "AveragePool";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let (images, geometry) = self.window.checked(inputs[0])?;
        Ok(tvec!(images, geometry.out_height(), geometry.out_width(), geometry.channels))
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let (images, geometry) = self.window.checked(inputs[0].shape())?;
        let all = values(&inputs[0])?;
        let (size, made) = (all.len() / images, out.len() / images);
        for (image, out) in all.chunks_exact(size).zip(out.chunks_exact_mut(made)) {
            team::with(|team| {
                pool::average_pool(self.isa, team, image, &geometry, self.counts_padding, out);
            });
        }
        Ok(())
    }
}
