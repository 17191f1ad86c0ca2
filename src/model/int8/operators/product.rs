//! The product of activations with constant int8 weights.

use pairgate_kernels::product::{Rows, product};
use pairgate_kernels::{Isa, PackedWeights};
use tract_onnx::tract_hir::internal::*;

use super::{Ending, NormWeights, Operator, Shared, second, values};
use crate::model::int8::team;

/// `[.., K]` to `[.., N]`, each row by itself: normalized if there is a norm, quantized,
/// multiplied, ended.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Product {
    pub(in super::super) isa: Isa,
    pub(in super::super) weights: Shared<PackedWeights>,
    pub(in super::super) norm: Option<Shared<NormWeights>>,
    pub(in super::super) ending: Ending,
}

impl Operator for Product {
    const NAME: &'static str = "Int8Product";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let mut shape: TVec<usize> = inputs[0].into();
        let size = shape.pop().context("a product needs an axis")?;
        let rows = self.weights.rows();
        ensure!(size == rows, "{size} values meet {rows} rows of weights");
        shape.push(self.weights.columns());
        Ok(shape)
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let rows = Rows::Matrix(values(&inputs[0])?);
        let norm = self.norm.as_ref().map(|norm| norm.norm());
        let ending = self.ending.epilogue(second(inputs)?);
        team::with(|team| product(self.isa, team, rows, norm, &self.weights, ending, out));
        Ok(())
    }
}

/// `[N, C, H, W]` to `[N, rows, columns, channels]`: the image cut into patches without overlap,
/// each a row of a product.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Patches {
    pub(in super::super) isa: Isa,
    pub(in super::super) weights: Shared<PackedWeights>,
    /// Height and width of a patch.
    pub(in super::super) patch: [usize; 2],
    pub(in super::super) ending: Ending,
}

impl Operator for Patches {
    const NAME: &'static str = "Int8Patches";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let [images, channels, height, width] = *inputs[0] else {
            bail!("{:?} is no [N, C, H, W]", inputs[0])
        };
        let [down, across] = self.patch;
        let (size, rows) = (channels * down * across, self.weights.rows());
        ensure!(size == rows, "patches of {size} values meet {rows} rows of weights");
        Ok(tvec!(images, height / down, width / across, self.weights.columns()))
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let [images, channels, height, width] = *inputs[0].shape() else {
            bail!("an image has four axes")
        };
        let values = values(&inputs[0])?;
        let (size, made) = (values.len() / images, out.len() / images);
        for (image, out) in values.chunks_exact(size).zip(out.chunks_exact_mut(made)) {
            let rows = Rows::Patches { image, channels, height, width, patch: self.patch };
            let ending = self.ending.epilogue(None);
            team::with(|team| product(self.isa, team, rows, None, &self.weights, ending, out));
        }
        Ok(())
    }
}
