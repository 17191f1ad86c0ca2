//! `product + x`, and an activation behind it, as one operator.

use pairgate_kernels::Activation;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_hir::internal::*;

use crate::model::int8::operators::{
    Convolution, Depthwise, Ending, Operator, Own, Pointwise, Product, Residual,
};

/// Takes up all that it can.
pub(super) fn fuse(model: &mut TypedModel) -> TractResult<()> {
    for id in model.eval_order()? {
        if let Some(patch) = fused(model, id)? {
            patch.apply(model)?;
        }
    }
    Ok(())
}

fn fused(model: &TypedModel, id: usize) -> TractResult<Option<TypedModelPatch>> {
    let node = model.node(id);
    let Some((ending, ended)) = ending(node) else { return Ok(None) };
    let Some(sum) = single_reader(model, id)? else { return Ok(None) };
    let adds = sum.op_as::<TypedBinOp>().is_some_and(|op| op.0.name() == "Add");
    if !adds || ending.residual != Residual::None {
        return Ok(None);
    }
    let other = sum.inputs[if sum.inputs[0].node == id { 1 } else { 0 }];
    let same = model.outlet_fact(other)?.shape == model.outlet_fact(id.into())?.shape;
    if !same || other.node == id {
        return Ok(None);
    }
    let behind = single_reader(model, sum.id)?;
    let activation = behind.and_then(|node| Some(node.op_as::<Own<Pointwise>>()?.0.activation));
    let (ending, last) = match (activation, behind) {
        (Some(activation), Some(behind)) if ending.activation == Activation::None => {
            let residual = Residual::BeforeActivation;
            (Ending { activation, residual, ..ending }, behind.id)
        }
        _ => (Ending { residual: Residual::AfterActivation, ..ending }, sum.id),
    };
    let mut patch = TypedModelPatch::default();
    let inputs = patch.taps(model, [&node.inputs[0], &other])?;
    let name = &model.node(last).name;
    let fused = patch.wire_node(name, ended(ending), &inputs)?;
    patch.shunt_outside(model, last.into(), fused[0])?;
    Ok(Some(patch))
}

fn single_reader(model: &TypedModel, id: usize) -> TractResult<Option<&TypedNode>> {
    let read_outside = model.output_outlets()?.iter().any(|output| output.node == id);
    if read_outside { Ok(None) } else { model.single_succ(id) }
}

/// An operator whose result has an ending.
trait Ends: Operator {
    fn ending(&self) -> &Ending;
    fn ended(&self, ending: Ending) -> Self;
}

macro_rules! ends {
    ($($operator:ty),*) => {
        $(impl Ends for $operator {
            fn ending(&self) -> &Ending {
                &self.ending
            }

            fn ended(&self, ending: Ending) -> Self {
                Self { ending, ..self.clone() }
            }
        })*

        /// The ending of a node, and what makes the same operator with another one.
        fn ending(node: &TypedNode) -> Option<(Ending, WithEnding<'_>)> {
            None$(.or_else(|| ending_of::<$operator>(node)))*
        }
    };
}

type WithEnding<'a> = Box<dyn Fn(Ending) -> Box<dyn TypedOp> + 'a>;

ends!(Product, Convolution, Depthwise);

fn ending_of<T: Ends>(node: &TypedNode) -> Option<(Ending, WithEnding<'_>)> {
    let operator = &node.op_as::<Own<T>>()?.0;
    let ended = |ending| Box::new(Own(operator.ended(ending))) as Box<dyn TypedOp>;
    Some((operator.ending().clone(), Box::new(ended)))
}
