//! Operators that compute on quantized values: ONNX's `MatMulInteger`, `ConvInteger`, `QLinear*`,
//! and `com.microsoft`'s `QGemm`, `MatMulIntegerToFloat`, `DynamicQuantizeMatMul` and `QLinear*`.
//!
//! Formulas: the operator specifications of ONNX and of onnxruntime's contributed operators.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::constants::Values;
use super::lower::{Lowering, float, input, int};
use super::quantize::{
    Operand, Round, centre, code_range, dequantize, fold, one_value, quantize, round,
    round_to_range,
};
use crate::model::ModelError;

/// `MatMulInteger` and `ConvInteger`: the float product of what is left of the zero points.
pub(super) fn integer_product(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let op = if node.op_type == "ConvInteger" { "Conv" } else { "MatMul" };
    let channels = if op == "Conv" { 0 } else { -1 };
    let a = whole(g, node, 0, 2, -1)?;
    let b = whole(g, node, 1, 3, channels)?;
    g.push_as(op, &[&a, &b], node.attribute.clone(), &node.output[0]);
    Ok(())
}

/// The input at `place` less the zero point at `zero`.
fn whole(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    place: usize,
    zero: usize,
    axis: i64,
) -> Result<String, ModelError> {
    let name =
        input(node, place).ok_or_else(|| g.refuse(node, format!("input {place} is missing")))?;
    let zero = input(node, zero);
    let Some(values) = g.values(node, name)? else { return centre(g, node, name, zero) };
    let zero = zero.map(|zero| g.needed_values(node, zero)).transpose()?;
    let count = zero.as_ref().map_or(1, |zero| zero.data.len());
    let ones = Values { dims: vec![count], data: vec![1.0; count] };
    let folded = fold(values, &ones, zero.as_ref(), axis, 0).map_err(|why| g.refuse(node, why))?;
    Ok(g.add_constant(name, folded))
}

/// `MatMulIntegerToFloat`: A, B, their scales, their zero points, bias.
pub(super) fn matmul_integer_to_float(
    g: &mut Lowering<'_>,
    node: &NodeProto,
) -> Result<(), ModelError> {
    let at = |place| input(node, place);
    let (Some(a), Some(b), Some(a_scale), Some(b_scale)) = (at(0), at(1), at(2), at(3)) else {
        return Err(g.refuse(node, "one of its first four inputs is missing"));
    };
    let a = Operand { values: a, scale: a_scale, zero: at(4) };
    let b = Operand { values: b, scale: b_scale, zero: at(5) };
    let (a, b) = (dequantize(g, node, a, -1, 0)?, dequantize(g, node, b, -1, 0)?);
    product_and_bias(g, node, &a, &b, at(6));
    Ok(())
}

/// `DynamicQuantizeMatMul`: A in f32, B with its scale and zero point, bias.
pub(super) fn dynamic_quantize_matmul(
    g: &mut Lowering<'_>,
    node: &NodeProto,
) -> Result<(), ModelError> {
    let at = |place| input(node, place);
    let (Some(a), Some(b), Some(scale)) = (at(0), at(1), at(2)) else {
        return Err(g.refuse(node, "one of its first three inputs is missing"));
    };
    let output = &node.output[0];
    let names = ["quantized", "scale", "zero"].map(|part| format!("{output}.{part}"));
    let outputs = [names[0].as_str(), names[1].as_str(), names[2].as_str()];
    round_to_range(g, a, &outputs);
    let a = Operand { values: &names[0], scale: &names[1], zero: Some(&names[2]) };
    let b = Operand { values: b, scale, zero: at(3) };
    let (a, b) = (dequantize(g, node, a, -1, 0)?, dequantize(g, node, b, -1, 0)?);
    product_and_bias(g, node, &a, &b, at(4));
    Ok(())
}

/// The float product, plus a bias if there is one, under the name of the node's output.
pub(super) fn product_and_bias(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    a: &str,
    b: &str,
    bias: Option<&str>,
) {
    let Some(bias) = bias else { return g.push_as("MatMul", &[a, b], Vec::new(), &node.output[0]) };
    let product = g.push("MatMul", &[a, b], Vec::new());
    g.push_as("Add", &[&product, bias], Vec::new(), &node.output[0]);
}

/// The operators whose name is `QLinear` and an operator of ONNX: one or two operands of three
/// inputs each, then the scale and zero point of the result.
pub(super) fn qlinear(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let (op, operands) = match node.op_type.as_str() {
        "QLinearAdd" => ("Add", 2),
        "QLinearMul" => ("Mul", 2),
        "QLinearMatMul" => ("MatMul", 2),
        "QLinearSigmoid" => ("Sigmoid", 1),
        "QLinearLeakyRelu" => ("LeakyRelu", 1),
        "QLinearSoftmax" => ("Softmax", 1),
        "QLinearReduceMean" => ("ReduceMean", 1),
        "QLinearAveragePool" => ("AveragePool", 1),
        "QLinearGlobalAveragePool" => ("GlobalAveragePool", 1),
        _ => return Err(g.refuse(node, "it is not supported")),
    };
    if int(node, "channels_last", 0) != 0 {
        return Err(g.refuse(node, "channels_last is not supported"));
    }
    let mut inputs = Vec::new();
    for operand in 0..operands {
        let operand = Operand::at(node, 3 * operand)
            .ok_or_else(|| g.refuse(node, format!("operand {operand} is missing")))?;
        // Scales of a product's right side lie along its columns.
        inputs.push(dequantize(g, node, operand, -1, 0)?);
    }
    let own =
        |attribute: &&AttributeProto| !matches!(attribute.name.as_str(), "channels_last" | "opset");
    let attributes = node.attribute.iter().filter(own).cloned().collect();
    let result = push_all(g, op, &inputs, attributes);
    requantize(g, node, &result, 3 * operands)
}

/// `QLinearAdd`, in onnxruntime's order of operations: `a * sa / sc + fixed + b * sb / sc`, rounded
/// with the zero point in it. Halves are common here (the 1 of `1 + erf(x)` has no code of its own),
/// and the order decides where they fall.
pub(super) fn qlinear_add(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let (a, b, c) = elementwise(g, node)?;
    let (a_ratio, b_ratio) = (a.scale / c.scale, b.scale / c.scale);
    let fixed = c.zero - (a_ratio * a.zero + b_ratio * b.zero);
    let a = scaled(g, node, a.name, a_ratio)?;
    let fixed = g.add_constant("fixed", Values::scalar(fixed));
    let a = g.push("Add", &[&a, &fixed], Vec::new());
    let b = scaled(g, node, b.name, b_ratio)?;
    let sum = g.push("Add", &[&a, &b], Vec::new());
    round_codes(g, node, &sum, 7)
}

/// `QLinearMul`, in onnxruntime's order of operations: `(a - za) * (b - zb) * (sa * sb / sc) + zc`,
/// rounded with the zero point in it.
pub(super) fn qlinear_mul(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let (a, b, c) = elementwise(g, node)?;
    let a_codes = whole(g, node, 0, 2, -1)?;
    let b_codes = whole(g, node, 3, 5, -1)?;
    let product = g.push("Mul", &[&a_codes, &b_codes], Vec::new());
    let product = scaled(g, node, &product, a.scale * b.scale / c.scale)?;
    let zero = g.add_constant("zero", Values::scalar(c.zero));
    let moved = g.push("Add", &[&product, &zero], Vec::new());
    round_codes(g, node, &moved, 7)
}

/// Codes with their one scale and zero point.
struct Codes<'a> {
    name: &'a str,
    scale: f32,
    zero: f32,
}

/// The operands of an elementwise operator and its result, whose values have no name yet.
fn elementwise<'a>(
    g: &Lowering<'_>,
    node: &'a NodeProto,
) -> Result<(Codes<'a>, Codes<'a>, Codes<'a>), ModelError> {
    let value = |name: Option<&str>| match name {
        None => Ok(0.0),
        Some(name) => one_value(g, node, name),
    };
    let codes = |values: Option<&'a str>, place: usize| {
        let scale = input(node, place).ok_or_else(|| g.refuse(node, "a scale is missing"))?;
        let (scale, zero) = (one_value(g, node, scale)?, value(input(node, place + 1))?);
        Ok::<_, ModelError>(Codes { name: values.unwrap_or(""), scale, zero })
    };
    Ok((codes(input(node, 0), 1)?, codes(input(node, 3), 4)?, codes(None, 6)?))
}

/// `values * factor`; constant codes are folded.
fn scaled(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    values: &str,
    factor: f32,
) -> Result<String, ModelError> {
    if let Some(codes) = g.values(node, values)? {
        let folded = fold(codes, &Values::scalar(factor), None, -1, 0);
        let folded = folded.map_err(|why| g.refuse(node, why))?;
        return Ok(g.add_constant(values, folded));
    }
    let factor = g.add_constant("factor", Values::scalar(factor));
    Ok(g.push("Mul", &[values, &factor], Vec::new()))
}

/// Rounds to whole codes of the type of the zero point at `place`.
fn round_codes(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    codes: &str,
    place: usize,
) -> Result<(), ModelError> {
    let (low, high) = code_range(g, node, input(node, place))?;
    round(g, codes, Round { scale: 1.0, zero: 0.0, low, high }, &node.output[0]);
    Ok(())
}

fn push_all(
    g: &mut Lowering<'_>,
    op: &str,
    inputs: &[String],
    attributes: Vec<AttributeProto>,
) -> String {
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    g.push(op, &inputs, attributes)
}

/// Rounds a result by the scale at `place` and the zero point behind it.
fn requantize(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    result: &str,
    place: usize,
) -> Result<(), ModelError> {
    let scale = input(node, place).ok_or_else(|| g.refuse(node, "the result has no scale"))?;
    quantize(g, node, result, scale, input(node, place + 1))
}

/// `QLinearConv`: x, w, the result's scale and zero point, then a bias in units of both scales.
pub(super) fn qlinear_conv(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let operands = Operand::at(node, 0).zip(Operand::at(node, 3));
    let (x, w) = operands.ok_or_else(|| g.refuse(node, "an operand is missing"))?;
    let mut inputs = vec![dequantize(g, node, x, -1, 0)?, dequantize(g, node, w, 0, 0)?];
    if let Some(bias) = input(node, 8) {
        inputs.push(scaled_bias(g, node, bias, x.scale, w.scale, 1.0)?);
    }
    let result = push_all(g, "Conv", &inputs, node.attribute.clone());
    requantize(g, node, &result, 6)
}

/// `QGemm`: A, B, bias in units of both scales, the result's scale and zero point; without these
/// the result is f32.
pub(super) fn qgemm(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let operands = Operand::at(node, 0).zip(Operand::at(node, 3));
    let (a, b) = operands.ok_or_else(|| g.refuse(node, "an operand is missing"))?;
    // Columns of the product are rows of a B that is to be transposed.
    let channels = if int(node, "transB", 0) != 0 { 0 } else { 1 };
    let mut inputs = vec![dequantize(g, node, a, -1, 0)?, dequantize(g, node, b, channels, 0)?];
    if let Some(bias) = input(node, 6) {
        inputs.push(scaled_bias(g, node, bias, a.scale, b.scale, float(node, "alpha", 1.0))?);
    }
    if input(node, 7).is_some() {
        let result = push_all(g, "Gemm", &inputs, node.attribute.clone());
        return requantize(g, node, &result, 7);
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    g.push_as("Gemm", &inputs, node.attribute.clone(), &node.output[0]);
    Ok(())
}

fn scaled_bias(
    g: &mut Lowering<'_>,
    node: &NodeProto,
    bias: &str,
    a_scale: &str,
    b_scale: &str,
    alpha: f32,
) -> Result<String, ModelError> {
    let values = g.needed_values(node, bias)?;
    let a = g.needed_values(node, a_scale)?.data.first().copied().unwrap_or(1.0);
    let mut scale = g.needed_values(node, b_scale)?;
    scale.data.iter_mut().for_each(|b| *b *= a * alpha);
    let folded = fold(values, &scale, None, -1, 0).map_err(|why| g.refuse(node, why))?;
    Ok(g.add_constant(bias, folded))
}

/// `QLinearConcat`: the result's scale and zero point, then the operands.
pub(super) fn qlinear_concat(g: &mut Lowering<'_>, node: &NodeProto) -> Result<(), ModelError> {
    let mut inputs = Vec::new();
    for place in (2..node.input.len()).step_by(3) {
        let operand =
            Operand::at(node, place).ok_or_else(|| g.refuse(node, "an operand is missing"))?;
        inputs.push(dequantize(g, node, operand, -1, 0)?);
    }
    let result = push_all(g, "Concat", &inputs, node.attribute.clone());
    requantize(g, node, &result, 0)
}
