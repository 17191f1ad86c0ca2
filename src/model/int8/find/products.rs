//! Products, convolutions and tables of constant weights, with the bias, factors and activation
//! that follow them.

use pairgate_kernels::depthwise_int8::PackedDepthwise;
use pairgate_kernels::{Activation, PackedWeights, convolve};
use tract_onnx::pb::NodeProto;

use super::Search;
use super::weights::{Codes, Weight};
use crate::model::int8::operators::{
    ChannelWeights, Convolution, Depthwise, Embedding, Ending, Layout, NormWeights, Patches,
    Placed, Product, Residual, Shared, Table, Window,
};
use crate::model::onnx::lower::{float, input, int, ints};
use crate::model::onnx::rounded::BIG_TABLE;

/// Greatest reach of a window in pixels.
const MAX_REACH: usize = 1 << 12;
/// Taps from which on a convolution of single channels is faster in int8, its quantization included:
/// half as fast again with 49 taps, and slower with 9.
const MANY_TAPS: usize = 25;
/// Channels up to which an image is thought to come from outside, channels first.
const IMAGE_CHANNELS: usize = 4;

/// What follows a product and goes with it: one value for each column.
struct Tail {
    factor: Option<Vec<f32>>,
    bias: Vec<f32>,
    activation: Activation,
    /// Name of the result.
    output: String,
}

impl Tail {
    fn ending(&self) -> Ending {
        Ending {
            bias: self.bias.clone().into(),
            activation: self.activation,
            residual: Residual::None,
        }
    }

    fn scaled(&self, mut scales: Vec<f32>) -> Vec<f32> {
        if let Some(factor) = &self.factor {
            scales.iter_mut().zip(factor).for_each(|(scale, factor)| *scale *= factor);
        }
        scales
    }

    fn multiply(&mut self, by: &[f32]) {
        let factor = self.factor.get_or_insert_with(|| vec![1.0; by.len()]);
        factor.iter_mut().zip(by).for_each(|(factor, by)| *factor *= by);
        self.bias.iter_mut().zip(by).for_each(|(bias, by)| *bias *= by);
    }

    fn add(&mut self, values: &[f32]) {
        self.bias.iter_mut().zip(values).for_each(|(bias, value)| *bias += value);
    }
}

impl Search {
    /// Finds and places them all.
    pub(super) fn find_products(&mut self) {
        for place in 0..self.nodes.len() {
            let Some(node) = self.nodes[place].clone() else { continue };
            match node.op_type.as_str() {
                "MatMul" => self.matmul(&node),
                "Gemm" => self.gemm(&node),
                "Conv" => self.conv(&node),
                "Gather" => self.table(&node),
                _ => None,
            };
        }
    }

    fn matmul(&mut self, node: &NodeProto) -> Option<()> {
        let [x, weight] = &node.input[..] else { return None };
        let [_, columns] = self.weight_dims(weight)?[..] else { return None };
        self.weight_dims(x).is_none().then_some(())?;
        let weight = self.weight(weight)?;
        let tail = self.tail(&node.output[0], columns, 1);
        self.product(x, weight, 1, tail)
    }

    fn gemm(&mut self, node: &NodeProto) -> Option<()> {
        let (x, name) = (input(node, 0)?, input(node, 1)?);
        let dims = self.weight_dims(name)?;
        let axis = if int(node, "transB", 0) != 0 { 0 } else { 1 };
        let columns = *dims.get(axis).filter(|_| dims.len() == 2)?;
        (int(node, "transA", 0) == 0).then_some(())?;
        let bias = match input(node, 2) {
            Some(bias) => Some(self.row(bias, columns, 1)?),
            None => None,
        };
        let weight = self.weight(name)?;
        let (alpha, beta) = (float(node, "alpha", 1.0), float(node, "beta", 1.0));
        let mut tail = Tail {
            factor: None,
            bias: vec![0.0; columns],
            activation: Activation::None,
            output: node.output[0].clone(),
        };
        tail.multiply(&vec![alpha; columns]);
        if let Some(bias) = bias {
            tail.add(&bias.iter().map(|bias| bias * beta).collect::<Vec<_>>());
        }
        self.walk(&mut tail, columns, 1);
        self.product(x, weight, axis, tail)
    }

    /// A product of rows with a matrix whose columns lie along `axis`.
    fn product(&mut self, x: &str, weight: Weight, axis: usize, tail: Tail) -> Option<()> {
        let [d0, d1] = weight.dims[..] else { return None };
        let (rows, columns) = if axis == 1 { (d0, d1) } else { (d1, d0) };
        let (step, jump) = if axis == 1 { (columns, 1) } else { (1, rows) };
        let codes = weight.into_codes(axis);
        let scales = tail.scaled(codes.scales.clone());
        let weights = PackedWeights::pack(self.isa.unit(), 1, rows, scales, |k, n| {
            codes.at(k * step + n * jump)
        });
        let (x, norm) = self.normed(x);
        let operator =
            Product { isa: self.isa, weights: Shared::new(weights), norm, ending: tail.ending() };
        let operator = Placed { operator, layout: Layout::Same };
        self.place(&tail.output, &[&x], operator);
        Some(())
    }

    /// The input of a norm that only one product reads, and the norm.
    fn normed(&self, x: &str) -> (String, Option<Shared<NormWeights>>) {
        let alone = self.readers.get(x).is_some_and(|readers| readers.len() == 1)
            && !self.outputs.iter().any(|o| o == x);
        match self.norms.get(x).filter(|_| alone) {
            Some(norm) => (norm.input.clone(), Some(norm.weights.clone())),
            None => (x.to_owned(), None),
        }
    }

    fn conv(&mut self, node: &NodeProto) -> Option<()> {
        let (x, name) = (input(node, 0)?.to_owned(), input(node, 1)?);
        let [columns, channels, down, across] = self.weight_dims(name)?[..] else { return None };
        let window = window(node, [down, across])?;
        let groups = usize::try_from(int(node, "group", 1)).ok()?;
        let depthwise = groups > 1 && channels == 1 && columns % groups == 0;
        (groups == 1 || depthwise).then_some(())?;
        let bias = match input(node, 2) {
            Some(bias) => self.row(bias, columns, 1)?,
            None => vec![0.0; columns],
        };
        let weight = self.weight(name)?;
        let mut tail = Tail {
            factor: None,
            bias,
            activation: Activation::None,
            output: node.output[0].clone(),
        };
        self.walk(&mut tail, columns, 3);
        if depthwise {
            return self.depthwise(&x, weight, columns / groups, window, tail);
        }
        let codes = weight.into_codes(0);
        let scales = tail.scaled(codes.scales.clone());
        self.dense(&x, &codes, scales, channels, window, tail)
    }

    fn dense(
        &mut self,
        x: &str,
        codes: &Codes,
        scales: Vec<f32>,
        channels: usize,
        window: Window,
        tail: Tail,
    ) -> Option<()> {
        let (isa, ending) = (self.isa, tail.ending());
        let [down, across] = window.kernel;
        let unpadded = window.pads == [0; 4] && window.dilations == [1, 1];
        let size = channels * down * across;
        let at = |ky: usize, kx: usize, channel: usize, n: usize| {
            codes.at(((n * channels + channel) * down + ky) * across + kx)
        };
        let place = &tail.output;
        if unpadded && window.kernel == [1, 1] && window.strides == [1, 1] {
            let weights = PackedWeights::pack(isa.unit(), 1, size, scales, |k, n| at(0, 0, k, n));
            let operator = Product { isa, weights: Shared::new(weights), norm: None, ending };
            self.place(place, &[x], Placed { operator, layout: Layout::ChannelsLast });
        } else if unpadded && window.kernel == window.strides && channels <= IMAGE_CHANNELS {
            let weights =
                PackedWeights::pack(isa.unit(), 1, size, scales, |k, n| codes.at(n * size + k));
            let operator =
                Patches { isa, weights: Shared::new(weights), patch: window.kernel, ending };
            self.place(place, &[x], Placed { operator, layout: Layout::ToChannelsLast });
        } else {
            // The image's size is not known yet, and not asked for.
            let geometry = window.on([0, 0, channels]);
            let weights = convolve::pack(isa.unit(), &geometry, scales, at);
            let operator =
                Convolution { isa, weights: Shared::new(weights), channels, window, ending };
            self.place(place, &[x], Placed { operator, layout: Layout::ChannelsLast });
        }
        Some(())
    }

    fn depthwise(
        &mut self,
        x: &str,
        weight: Weight,
        multiplier: usize,
        window: Window,
        tail: Tail,
    ) -> Option<()> {
        let channels = weight.dims[0];
        let [_, across] = window.kernel;
        let taps = window.kernel[0] * across;
        let weights = if taps >= MANY_TAPS {
            let codes = weight.into_codes(0);
            let scales = tail.scaled(codes.scales.clone());
            let code =
                |y: usize, x: usize, channel: usize| codes.at(channel * taps + y * across + x);
            ChannelWeights::Int8(Shared::new(PackedDepthwise::pack(window.kernel, &scales, code)))
        } else {
            let values = weight.into_floats();
            let factors = tail.scaled(vec![1.0; channels]);
            let value =
                |i: usize| values[i % channels * taps + i / channels] * factors[i % channels];
            ChannelWeights::Float((0..taps * channels).map(value).collect::<Vec<_>>().into())
        };
        let (isa, ending) = (self.isa, tail.ending());
        let operator = Depthwise { isa, weights, channels, multiplier, window, ending };
        self.place(&tail.output, &[x], Placed { operator, layout: Layout::ChannelsLast });
        Some(())
    }

    fn table(&mut self, node: &NodeProto) -> Option<()> {
        let [name, ids] = &node.input[..] else { return None };
        let [rows, size] = self.weight_dims(name)?[..] else { return None };
        let fits = rows * size >= BIG_TABLE
            && int(node, "axis", 0) == 0
            && !self.constants.contains_key(ids);
        let weight = fits.then(|| self.weight(name)).flatten()?;
        let codes = weight.into_codes(0);
        let table = Table { scales: codes.scales.clone(), codes: codes.into_codes(), size };
        let operator =
            Placed { operator: Embedding { table: Shared::new(table) }, layout: Layout::Same };
        let ids = ids.clone();
        self.place(&node.output[0], &[&ids], operator);
        Some(())
    }

    fn tail(&self, output: &str, columns: usize, from_last: usize) -> Tail {
        let bias = vec![0.0; columns];
        let mut tail =
            Tail { factor: None, bias, activation: Activation::None, output: output.to_owned() };
        self.walk(&mut tail, columns, from_last);
        tail
    }

    /// Takes up what follows the result, up to an activation. Columns lie along the axis that is
    /// the `from_last`th from the last.
    fn walk(&self, tail: &mut Tail, columns: usize, from_last: usize) {
        while let Some((_, node)) = self.only_reader(&tail.output) {
            let other =
                Self::other(node, &tail.output).and_then(|name| self.row(name, columns, from_last));
            let first = node.input[0] == tail.output;
            match (node.op_type.as_str(), other) {
                ("Mul", Some(values)) => tail.multiply(&values),
                ("Div", Some(values)) if first => {
                    tail.multiply(&values.iter().map(|v| 1.0 / v).collect::<Vec<_>>())
                }
                ("Add", Some(values)) => tail.add(&values),
                ("Sub", Some(values)) if first => {
                    tail.add(&values.iter().map(|v| -v).collect::<Vec<_>>())
                }
                ("BatchNormalization", _) => match self.batch_norm(node, columns) {
                    Some((factor, bias)) => {
                        tail.multiply(&factor);
                        tail.add(&bias);
                    }
                    None => break,
                },
                // To f32, which it is.
                ("Cast", _) if int(node, "to", 0) == 1 => {}
                ("Identity", _) => {}
                _ => break,
            }
            tail.output = node.output[0].clone();
        }
        let Some(result) = self.activation_of.get(&tail.output) else { return };
        let found = &self.activations[result];
        let all =
            self.readers.get(&tail.output).is_some_and(|readers| readers.len() == found.reads);
        if all && found.input == tail.output && !self.outputs.contains(&tail.output) {
            tail.activation = found.activation;
            tail.output = result.clone();
        }
    }

    /// A constant with one value for each column, or one for all.
    fn row(&self, name: &str, columns: usize, from_last: usize) -> Option<Vec<f32>> {
        if let Some(number) = self.number(name) {
            let small = self.weight_dims(name)?.len() <= 1;
            return small.then(|| vec![number; columns]);
        }
        let values = self.values(name)?;
        let along = values.dims.len().checked_sub(from_last).map(|place| values.dims[place]);
        // A bias of a convolution has one axis.
        let fits = values.data.len() == columns
            && (along == Some(columns) || values.dims == [columns] && from_last == 1);
        fits.then_some(values.data)
    }

    fn batch_norm(&self, node: &NodeProto, columns: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let part = |place| self.row(input(node, place)?, columns, 1);
        let (scale, bias, mean, variance) = (part(1)?, part(2)?, part(3)?, part(4)?);
        let epsilon = float(node, "epsilon", 1e-5);
        let factor: Vec<f32> =
            scale.iter().zip(variance).map(|(s, v)| s / (v + epsilon).sqrt()).collect();
        let moved = (0..columns).map(|i| bias[i] - mean[i] * factor[i]).collect();
        Some((factor, moved))
    }
}

/// The window of a convolution over two axes; `None` where padding depends on the image.
pub(super) fn window(node: &NodeProto, kernel: [usize; 2]) -> Option<Window> {
    let padded = node.attribute.iter().find(|attribute| attribute.name == "auto_pad");
    let plain = padded.is_none_or(|a| matches!(a.s.as_slice(), b"" | b"NOTSET" | b"VALID"));
    let positive = |i: &i64| usize::try_from(*i).ok();
    let pair = |name: &str| match ints(node, name) {
        [] => Some([1, 1]),
        [a, b] => Some([positive(a).filter(|a| *a > 0)?, positive(b).filter(|b| *b > 0)?]),
        _ => None,
    };
    let pads = match ints(node, "pads") {
        [] => [0; 4],
        [a, b, c, d] => [positive(a)?, positive(b)?, positive(c)?, positive(d)?],
        _ => return None,
    };
    let (strides, dilations) = (pair("strides")?, pair("dilations")?);
    // Padding beyond the window would only cost memory, and a small file can ask for much of it.
    let reach = |axis: usize| kernel[axis].saturating_mul(dilations[axis]);
    let sound = (0..4).all(|side| pads[side] < reach(side % 2).min(MAX_REACH));
    let plain = plain && sound && (0..2).all(|axis| reach(axis) <= MAX_REACH);
    plain.then_some(Window { kernel, strides, dilations, pads })
}
