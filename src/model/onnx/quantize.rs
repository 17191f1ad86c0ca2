//! `QuantizeLinear`, `DequantizeLinear`, `DynamicQuantizeLinear`.
//!
//! Formulas: the ONNX operator specification. `y = saturate(round_half_even(x / scale) + zero)`,
//! `x = (y - zero) * scale`.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::constants::{Kind, Values};
use super::lower::{
    Lowering, Roundings, float_attribute, input, int, int_attribute, ints, ints_attribute,
};
use crate::model::ModelError;

/// Operator type, in lowered graphs, of rounding to a fixed range: `clip(round_half_even(x / scale) +
/// zero, low, high)`. The tower makes it known to the engine.
pub(in crate::model) const ROUND: &str = "pairgate.Round";
/// Operator type, in lowered graphs, of rounding to the range of the values, as ONNX's
/// `DynamicQuantizeLinear` does.
pub(in crate::model) const ROUND_TO_RANGE: &str = "pairgate.RoundToRange";

/// The quantization of one operand: names of values, scale and, if there is one, zero point.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) values: &'a str,
    pub(super) scale: &'a str,
    pub(super) zero: Option<&'a str>,
}

impl<'a> Operand<'a> {
    /// The operand whose three inputs start at `place`.
    pub(super) fn at(node: &'a NodeProto, place: usize) -> Option<Self> {
        Some(Self {
            values: input(node, place)?,
            scale: input(node, place + 1)?,
            zero: input(node, place + 2),
        })
    }
}

pub(super) fn quantize_linear(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let x = input(node, 0).ok_or_else(|| g.refuse(node, "it has no input"))?;
    let scale = input(node, 1).ok_or_else(|| g.refuse(node, "it has no scale"))?;
    quantize(g, node, x, scale, input(node, 2))
}

/// Rounds `x` to what an integer type can hold, and calls the result by the node's output.
pub(super) fn quantize(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    x: &str,
    scale: &str,
    zero: Option<&str>,
) -> Result<(), ModelError> {
    let scale = one_value(g, node, scale)?;
    let (low, high) = code_range(g, node, zero)?;
    let zero = zero.map_or(Ok(0.0), |zero| one_value(g, node, zero))?;
    match g.roundings {
        Roundings::Kept => round(g, x, Round { scale, zero, low, high }, &node.output[0]),
        Roundings::Dropped => leave(g, x, Round { scale, zero, low, high }, &node.output[0]),
    }
    Ok(())
}

/// Codes that are not rounded. Quantizers drop a ReLU that the range of the codes implies: that clip
/// stays.
fn leave(g: &mut Lowering<'_>, x: &str, round: Round, output: &str) {
    let Round { scale, zero, low, .. } = round;
    let x = if zero == low && !g.is_positive(x) {
        let least = g.add_constant("least", Values::scalar(0.0));
        g.push("Clip", &[x, &least], Vec::new())
    } else {
        x.to_owned()
    };
    g.unrounded.insert(output.to_owned(), (x.clone(), scale, zero));
    let [scale, zero] = [scale, zero].map(|value| g.add_constant("code", Values::scalar(value)));
    let scaled = g.push("Div", &[&x, &scale], Vec::new());
    g.push_as("Add", &[&scaled, &zero], Vec::new(), output);
}

/// The parameters of [`ROUND`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Round {
    pub(super) scale: f32,
    pub(super) zero: f32,
    pub(super) low: f32,
    pub(super) high: f32,
}

/// Adds a rounding.
pub(super) fn round(g: &mut Lowering<'_>, x: &str, round: Round, output: &str) {
    let Round { scale, zero, low, high } = round;
    let values = [("scale", scale), ("zero", zero), ("low", low), ("high", high)];
    let attributes = values.map(|(name, value)| float_attribute(name, value)).to_vec();
    g.push_as(ROUND, &[x], attributes, output);
}

/// Least and greatest code of the type of a zero point; without one it is an unsigned byte.
pub(super) fn code_range(
    g: &Lowering<'_>,
    node: &NodeProto,
    zero: Option<&str>,
) -> Result<(f32, f32), ModelError> {
    let kind = zero.map_or(Some(Kind::U8), |zero| g.constant_kind(zero));
    let range = kind.and_then(Kind::range);
    range.ok_or_else(|| g.refuse(node, "its zero point is not a constant of an integer type"))
}

/// The one value of a constant. Without shapes one cannot tell along which axis several lie, and
/// nobody quantizes activations that way.
pub(super) fn one_value(g: &Lowering<'_>, node: &NodeProto, name: &str) -> Result<f32, ModelError> {
    match g.needed_values(node, name)?.data[..] {
        [value] => Ok(value),
        _ => Err(g.refuse(node, "an activation has one scale for each channel")),
    }
}

pub(super) fn dequantize_linear(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let operand = Operand::at(node, 0).ok_or_else(|| g.refuse(node, "it has no scale"))?;
    let axis = int(node, "axis", 1);
    let block = int(node, "block_size", 0);
    let values = dequantize(g, node, operand, axis, block)?;
    g.rename(&values, &node.output[0]);
    Ok(())
}

/// The f32 form of an operand; a constant is folded.
pub(super) fn dequantize(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    operand: Operand<'_>,
    axis: i64,
    block: i64,
) -> Result<String, ModelError> {
    let key = [operand.values, operand.scale, operand.zero.unwrap_or("")].map(str::to_owned);
    if let Some(done) = g.dequantized.get(&key) {
        return Ok(done.clone());
    }
    if let Some(x) = unrounded(g, node, operand)? {
        return Ok(x);
    }
    if g.roundings == Roundings::Dropped && g.constant(operand.values).is_some() {
        // Not read here: in f32 a table of tokens is four times as big.
        let inputs: Vec<&str> =
            [operand.values, operand.scale].into_iter().chain(operand.zero).collect();
        let attributes = vec![int_attribute("axis", axis), int_attribute("block_size", block)];
        let name = g.push("DequantizeLinear", &inputs, attributes);
        g.dequantized.insert(key, name.clone());
        return Ok(name);
    }
    let name = match g.values(node, operand.values)? {
        Some(values) => {
            let scale = g.needed_values(node, operand.scale)?;
            let zero = operand.zero.map(|zero| g.needed_values(node, zero)).transpose()?;
            let folded = fold(values, &scale, zero.as_ref(), axis, block);
            let folded = folded.map_err(|why| g.refuse(node, why))?;
            g.add_constant(operand.values, folded)
        }
        None => {
            refuse_axis(g, node, operand.scale)?;
            let centred = centre(g, node, operand.values, operand.zero)?;
            g.push("Mul", &[&centred, operand.scale], Vec::new())
        }
    };
    g.dequantized.insert(key, name.clone());
    Ok(name)
}

/// What an operand's codes were made of, where they were not rounded.
fn unrounded(
    g: &Lowering<'_>,
    node: &NodeProto,
    operand: Operand<'_>,
) -> Result<Option<String>, ModelError> {
    let Some((x, scale, zero)) = g.unrounded.get(g.behind(operand.values)) else { return Ok(None) };
    let same = one_value(g, node, operand.scale)? == *scale
        && operand.zero.map_or(Ok(0.0), |name| one_value(g, node, name))? == *zero;
    Ok(same.then(|| x.clone()))
}

/// A product of constants; one of them may be one number.
pub(super) fn constant_product(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let (a, b) = (g.needed_values(node, &node.input[0])?, g.needed_values(node, &node.input[1])?);
    let (long, short) = if a.data.len() >= b.data.len() { (a, b) } else { (b, a) };
    let product = match &short.data[..] {
        [factor] => long.data.iter().map(|value| value * factor).collect(),
        _ if long.dims == short.dims => {
            long.data.iter().zip(&short.data).map(|(a, b)| a * b).collect()
        }
        _ => return g.keep(node),
    };
    let name = g.add_constant(&node.output[0], Values { dims: long.dims, data: product });
    g.rename(&name, &node.output[0]);
    Ok(())
}

/// `values - zero`, with one zero point for all of them where `values` is not a constant.
pub(super) fn centre(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    values: &str,
    zero: Option<&str>,
) -> Result<String, ModelError> {
    Ok(match zero_name(g, node, zero)? {
        Some(zero) => g.push("Sub", &[values, &zero], Vec::new()),
        None => values.to_owned(),
    })
}

/// The zero point in f32; `None` where there is nothing to subtract.
fn zero_name(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    zero: Option<&str>,
) -> Result<Option<String>, ModelError> {
    let Some(zero) = zero else { return Ok(None) };
    match g.values(node, zero)? {
        Some(values) if values.data.iter().all(|zero| *zero == 0.0) => Ok(None),
        Some(values) => Ok(Some(g.add_constant(zero, values))),
        // It comes from DynamicQuantizeLinear and is f32 already.
        None => Ok(Some(zero.to_owned())),
    }
}

/// Scales that come from [`RoundToRange`](crate::model::rounding) are one value by themselves.
fn refuse_axis(g: &Lowering<'_>, node: &NodeProto, scale: &str) -> Result<(), ModelError> {
    if g.constant(scale).is_some() {
        one_value(g, node, scale)?;
    }
    Ok(())
}

/// `(values - zero) * scale`, with one scale for all, for each place along `axis`, or for each
/// `block` places along it.
pub(in crate::model) fn fold(
    mut values: Values,
    scale: &Values,
    zero: Option<&Values>,
    axis: i64,
    block: i64,
) -> Result<Values, String> {
    let rank = values.dims.len() as i64;
    let place = if axis < 0 { axis + rank } else { axis };
    let single = scale.data.len() == 1;
    if !single && !(0..rank).contains(&place) {
        return Err(format!("its axis {axis} is not one of the {rank} of its constant"));
    }
    let (length, inner) = match single {
        true => (1, values.data.len().max(1)),
        false => {
            let place = place as usize;
            (values.dims[place], values.dims[place + 1..].iter().product::<usize>())
        }
    };
    let block = usize::try_from(block).ok().filter(|block| *block > 0);
    let index = |i: usize| {
        let along = i / inner % length;
        match block {
            _ if single => 0,
            None => along,
            Some(block) => {
                (i / inner / length * length.div_ceil(block) + along / block) * inner + i % inner
            }
        }
    };
    let last = values.data.len().checked_sub(1).map_or(0, index);
    if last >= scale.data.len()
        || zero.is_some_and(|zero| zero.data.len() != 1 && last >= zero.data.len())
    {
        return Err(format!(
            "it has {} scales for a constant of {:?}",
            scale.data.len(),
            values.dims
        ));
    }
    for (i, value) in values.data.iter_mut().enumerate() {
        let at = index(i);
        let zero = zero.map_or(0.0, |zero| zero.data[if zero.data.len() == 1 { 0 } else { at }]);
        *value = (*value - zero) * scale.data[at];
    }
    Ok(values)
}

/// The range of a whole tensor, found at each run. Outputs: whole numbers, scale, zero point.
pub(super) fn dynamic_quantize_linear(
    g: &mut Lowering<'_>,
    node: &NodeProto,
) -> Result<(), ModelError> {
    let x = input(node, 0).ok_or_else(|| g.refuse(node, "it has no input"))?.to_owned();
    let outputs: Vec<&str> = node.output.iter().map(String::as_str).collect();
    if outputs.len() != 3 {
        return Err(g.refuse(node, "it has not three outputs"));
    }
    round_to_range(g, &x, &outputs);
    Ok(())
}

/// Codes, scale and zero point by the range of `x`; or `x` itself, with a scale of 1.
pub(super) fn round_to_range(g: &mut Lowering<'_>, x: &str, outputs: &[&str]) {
    if g.roundings == Roundings::Kept {
        return g.push_several(ROUND_TO_RANGE, &[x], Vec::new(), outputs);
    }
    g.rename(x, outputs[0]);
    for (output, value) in outputs[1..].iter().zip([1.0, 0.0]) {
        let constant = g.add_constant("code", Values::scalar(value));
        g.rename(&constant, output);
    }
}

/// A pooling whose mean is rounded to codes. Means of four codes lie half way between two codes one
/// time in four, and the order of the sum decides where they fall: onnxruntime's takes the rows
/// together first. Halving is exact, so that two poolings in a row are that order.
pub(super) fn average_pool(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let (kernel, strides) = (ints(node, "kernel_shape"), ints(node, "strides"));
    let ([height, width], [down, across]) = (kernel, strides) else { return g.keep(node) };
    let plain = ints(node, "pads").iter().all(|pad| *pad == 0) && int(node, "ceil_mode", 0) == 0;
    let exact = [height, width].iter().all(|side| side.count_ones() == 1);
    let padded = |attribute: &AttributeProto| {
        attribute.name == "auto_pad" && !matches!(attribute.s.as_slice(), b"NOTSET" | b"VALID")
    };
    let apart = plain && exact && !node.attribute.iter().any(padded);
    let x = input(node, 0).filter(|_| apart);
    let Some(x) = x else { return g.keep(node) };
    let pool = |kernel: [i64; 2], strides: [i64; 2]| {
        vec![ints_attribute("kernel_shape", &kernel), ints_attribute("strides", &strides)]
    };
    let rows = g.push("AveragePool", &[x], pool([*height, 1], [*down, 1]));
    g.push_as("AveragePool", &[&rows], pool([1, *width], [1, *across]), &node.output[0]);
    Ok(())
}
