//! Two operators that the engine lacks: rounding to what an integer type can hold, in f32.
//!
//! Both divide, as ONNX's `QuantizeLinear` and `DynamicQuantizeLinear` do. The engine's own
//! simplifications turn a division by a constant into a product with its inverse, which rounds
//! values half way between two codes to the other one.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_hir::internal::*;

use crate::model::onnx::quantize::{ROUND, ROUND_TO_RANGE};

/// Codes of an unsigned byte.
const TOP: f32 = 255.0;

/// Makes the two operators known.
pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert(ROUND, |_: &ParsingContext, node: &NodeProto| {
        let value = |name: &str| node.get_attr::<f32>(name);
        let (low, high) = (value("low")?, value("high")?);
        let round = Round { scale: value("scale")?, zero: value("zero")?, low, high };
        Ok((expand(round), vec![]))
    });
    operators.insert(ROUND_TO_RANGE, |_: &ParsingContext, _: &NodeProto| {
        Ok((expand(RoundToRange), vec![]))
    });
}

/// `clip(round_half_even(x / scale) + zero, low, high)`; NaN stays NaN.
#[derive(Debug, Clone, PartialEq)]
struct Round {
    scale: f32,
    zero: f32,
    low: f32,
    high: f32,
}

// Equality is asked for to find equal nodes; none of the values is NaN.
impl Eq for Round {}

impl Round {
    fn apply(&self, x: f32) -> f32 {
        ((x / self.scale).round_ties_even() + self.zero).clamp(self.low, self.high)
    }
}

impl Expansion for Round {
    fn name(&self) -> StaticName {
        "Round".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].datum_type, f32::datum_type())?;
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for Round {
    fn name(&self) -> StaticName {
        "Round".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Round {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut values = args_1!(inputs).into_tensor();
        for value in values.try_as_plain_ram_mut()?.as_slice_mut::<f32>()? {
            *value = self.apply(*value);
        }
        Ok(tvec!(values.into_tvalue()))
    }
}

impl TypedOp for Round {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::datum_type().fact(inputs[0].shape.clone())))
    }

    fn axes_mapping(
        &self,
        inputs: &[&TypedFact],
        outputs: &[&TypedFact],
    ) -> TractResult<AxesMapping> {
        AxesMapping::natural(inputs, outputs)
    }

    fn change_axes(
        &self,
        model: &TypedModel,
        node: &TypedNode,
        _io: InOut,
        change: &AxisOp,
    ) -> TractResult<Option<AxisChangeConsequence>> {
        Ok(Some(AxisChangeConsequence::new(model, node, None, change)))
    }

    as_op!();
}

/// Rounds to unsigned bytes that span the tensor's range and zero: the codes, the scale and the
/// zero point, all f32.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RoundToRange;

impl Expansion for RoundToRange {
    fn name(&self) -> StaticName {
        "RoundToRange".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(3)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 3)?;
        solver.equals(&inputs[0].datum_type, f32::datum_type())?;
        solver.equals(&inputs[0].shape, &outputs[0].shape)?;
        for output in outputs {
            solver.equals(&output.datum_type, f32::datum_type())?;
        }
        solver.equals(&outputs[1].rank, 0)?;
        solver.equals(&outputs[2].rank, 0)
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        model.wire_node(prefix, self.clone(), inputs)
    }
}

impl Op for RoundToRange {
    fn name(&self) -> StaticName {
        "RoundToRange".into()
    }

    op_as_typed_op!();
}

impl EvalOp for RoundToRange {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let mut values = args_1!(inputs).into_tensor();
        let mut plain = values.try_as_plain_ram_mut()?;
        let slice = plain.as_slice_mut::<f32>()?;
        let (least, most) = slice.iter().fold((0f32, 0f32), |(a, b), x| (a.min(*x), b.max(*x)));
        // A tensor of zeros has no range; onnxruntime's kernel takes 1 for it.
        let scale = if most == least { 1.0 } else { (most - least) / TOP };
        let zero = (-least / scale).round_ties_even().clamp(0.0, TOP);
        let round = Round { scale, zero, low: 0.0, high: TOP };
        slice.iter_mut().for_each(|value| *value = round.apply(*value));
        Ok(tvec!(values.into_tvalue(), tensor0(scale).into_tvalue(), tensor0(zero).into_tvalue()))
    }
}

impl TypedOp for RoundToRange {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let codes = f32::datum_type().fact(inputs[0].shape.clone());
        Ok(tvec!(codes, f32::fact([0; 0]), f32::fact([0; 0])))
    }

    as_op!();
}
