//! Convolutions over `[N, H, W, C]`.

use pairgate_kernels::convolve::{Geometry, convolve};
use pairgate_kernels::depthwise::depthwise;
use pairgate_kernels::depthwise_int8::{PackedDepthwise, depthwise_int8};
use pairgate_kernels::{Isa, PackedWeights};
use tract_onnx::tract_hir::internal::*;

use super::{Ending, Operator, Shared, second, values};
use crate::model::int8::team;

/// A convolution's window: what does not depend on the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Window {
    pub(in super::super) kernel: [usize; 2],
    pub(in super::super) strides: [usize; 2],
    pub(in super::super) dilations: [usize; 2],
    /// Top, left, bottom, right.
    pub(in super::super) pads: [usize; 4],
}

impl Window {
    /// On an image of `[height, width, channels]`.
    pub(in super::super) fn on(self, [height, width, channels]: [usize; 3]) -> Geometry {
        let Self { kernel, strides, dilations, pads } = self;
        Geometry { height, width, channels, kernel, strides, dilations, pads }
    }

    /// As [`Window::on`], where the image is known to hold the window.
    pub(super) fn checked(self, shape: &[usize]) -> TractResult<(usize, Geometry)> {
        let [images, height, width, channels] = *shape else {
            bail!("{shape:?} is no [N, H, W, C]")
        };
        let [top, left, bottom, right] = self.pads;
        let reach = |axis: usize| (self.kernel[axis] - 1) * self.dilations[axis] + 1;
        let fits = height + top + bottom >= reach(0) && width + left + right >= reach(1);
        ensure!(fits, "an image of {height} x {width} is smaller than the window");
        Ok((images, self.on([height, width, channels])))
    }
}

/// A convolution of all channels with int8 weights.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Convolution {
    pub(in super::super) isa: Isa,
    pub(in super::super) weights: Shared<PackedWeights>,
    pub(in super::super) channels: usize,
    pub(in super::super) window: Window,
    pub(in super::super) ending: Ending,
}

impl Operator for Convolution {
    const NAME: &'static str = "Int8Convolution";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let (images, geometry) = self.window.checked(inputs[0])?;
        let (found, wanted) = (geometry.channels, self.channels);
        ensure!(found == wanted, "{found} channels meet weights for {wanted}");
        let columns = self.weights.columns();
        Ok(tvec!(images, geometry.out_height(), geometry.out_width(), columns))
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let (images, geometry) = self.window.checked(inputs[0].shape())?;
        let all = values(&inputs[0])?;
        let residual = second(inputs)?;
        let (size, made) = (all.len() / images, out.len() / images);
        for (i, out) in out.chunks_exact_mut(made).enumerate() {
            let image = &all[i * size..][..size];
            let ending = self.ending.epilogue(residual.map(|values| &values[i * made..][..made]));
            team::with(|team| {
                convolve(self.isa, team, image, &geometry, &self.weights, ending, out);
            });
        }
        Ok(())
    }
}

/// Weights of a [`Depthwise`].
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum ChannelWeights {
    /// `[kernel height, kernel width, output channels]`
    Float(Shared<[f32]>),
    Int8(Shared<PackedDepthwise>),
}

/// A convolution of each channel by itself.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Depthwise {
    pub(in super::super) isa: Isa,
    pub(in super::super) weights: ChannelWeights,
    /// Output channels.
    pub(in super::super) channels: usize,
    /// Output channels for each input channel.
    pub(in super::super) multiplier: usize,
    pub(in super::super) window: Window,
    pub(in super::super) ending: Ending,
}

impl Operator for Depthwise {
    const NAME: &'static str = "Depthwise";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let (images, geometry) = self.window.checked(inputs[0])?;
        let (found, wanted) = (geometry.channels * self.multiplier, self.channels);
        ensure!(found == wanted, "{found} channels meet weights for {wanted}");
        Ok(tvec!(images, geometry.out_height(), geometry.out_width(), wanted))
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let (images, geometry) = self.window.checked(inputs[0].shape())?;
        let all = values(&inputs[0])?;
        let residual = second(inputs)?;
        let (size, made) = (all.len() / images, out.len() / images);
        for (i, out) in out.chunks_exact_mut(made).enumerate() {
            let image = &all[i * size..][..size];
            let ending = self.ending.epilogue(residual.map(|values| &values[i * made..][..made]));
            let (isa, multiplier) = (self.isa, self.multiplier);
            team::with(|team| match &self.weights {
                ChannelWeights::Float(weights) => {
                    depthwise(isa, team, image, &geometry, multiplier, weights, ending, out);
                }
                ChannelWeights::Int8(weights) => {
                    depthwise_int8(isa, team, image, &geometry, multiplier, weights, ending, out);
                }
            });
        }
        Ok(())
    }
}
