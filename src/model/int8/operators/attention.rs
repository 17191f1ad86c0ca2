//! Attention of each head, from the products that its operands are parts of.

use pairgate_kernels::Isa;
use pairgate_kernels::attention::{self, attention};
use pairgate_kernels::matmul::View;
use tract_onnx::tract_hir::internal::*;

use super::{Operator, Strided, values};
use crate::model::int8::team;

/// Below this, a mask's value leaves nothing of a score: exporters write -inf or the least f32.
const HIDDEN: f32 = -1e30;

/// Where an operand `[batches, heads, rows, columns]` lies in one of the operator's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Operand {
    /// Which input.
    pub(in super::super) input: usize,
    /// Place of its first value.
    pub(in super::super) offset: usize,
    /// Values from one batch, head, row and column to the next.
    pub(in super::super) strides: [usize; 4],
}

impl Operand {
    fn view<'a>(&self, inputs: &'a [TValue]) -> TractResult<View<'a>> {
        let [batch, head, row, column] = self.strides;
        let data = values(&inputs[self.input])?;
        Ok(View { data, offset: self.offset, batch, head, row, column })
    }
}

/// `softmax(scale * Q K^T + mask) V`, as `[batches, queries, heads, value size]`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Attention {
    pub(in super::super) isa: Isa,
    pub(in super::super) query: Operand,
    pub(in super::super) key: Operand,
    pub(in super::super) value: Operand,
    /// Added to the scores: `[batches, heads, queries, keys]`, with strides of 0 where it repeats.
    pub(in super::super) mask: Option<Operand>,
    pub(in super::super) shape: attention::Attention,
}

impl Operator for Attention {
    const NAME: &'static str = "Attention";

    fn shape(&self, _inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let shape = &self.shape;
        Ok(tvec!(shape.batches, shape.queries, shape.heads, shape.value_size))
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let [query, key, value] =
            [&self.query, &self.key, &self.value].map(|operand| operand.view(inputs));
        let (query, key, value) = (query?, key?, value?);
        let mask = self.mask.as_ref().map(|mask| mask.view(inputs)).transpose()?;
        team::with(|team| attention(self.isa, team, query, key, value, mask, self.shape, out));
        Ok(())
    }
}

/// The same between tensors of the graph: Q `[.., queries, size]`, K^T `[.., size, keys]`, V
/// `[.., keys, value size]` and perhaps a mask that broadcasts to `[.., queries, keys]`, with one
/// leading axis or two.
#[derive(Debug, Clone)]
pub(in super::super) struct AttentionOfTensors {
    pub(in super::super) isa: Isa,
    pub(in super::super) scale: f32,
}

impl AttentionOfTensors {
    fn result(shapes: &[TVec<TDim>]) -> TractResult<TVec<TDim>> {
        let (query, key, value) = (&shapes[0], &shapes[1], &shapes[2]);
        let rank = query.len();
        let same = rank == key.len() && rank == value.len() && (3..=4).contains(&rank);
        ensure!(same, "attention of {query:?}, {key:?}, {value:?}");
        let leading = &query[..rank - 2];
        let fits = leading == &key[..rank - 2]
            && leading == &value[..rank - 2]
            && query[rank - 1] == key[rank - 2]
            && key[rank - 1] == value[rank - 2];
        ensure!(fits, "attention of {query:?}, {key:?}, {value:?}");
        let mut shape = query.clone();
        shape[rank - 1] = value[rank - 1].clone();
        Ok(shape)
    }
}

/// A tensor of rank 4, or of fewer axes with those in front missing, as an operand; of rank 3 with
/// the heads missing where the attention has none.
fn operand(input: usize, view: &Strided, headless: bool) -> Operand {
    let step = |(dim, stride): (&usize, &usize)| if *dim == 1 { 0 } else { *stride };
    let mut strides: TVec<usize> = view.shape.iter().zip(&view.strides).map(step).collect();
    if headless && strides.len() == 3 {
        strides.insert(1, 0);
    }
    while strides.len() < 4 {
        strides.insert(0, 0);
    }
    Operand {
        input,
        offset: view.offset,
        strides: [strides[0], strides[1], strides[2], strides[3]],
    }
}

/// Whether a mask is a constant that hides from each query the keys behind it, and no others.
fn is_causal(mask: &TypedFact, queries: usize, keys: usize) -> TractResult<bool> {
    let Some(mask) = mask.konst.as_ref().filter(|mask| mask.len() == queries * keys) else {
        return Ok(false);
    };
    let value = |(i, value): (usize, &f32)| match i % keys > i / keys {
        true => *value < HIDDEN,
        false => *value == 0.0,
    };
    Ok(queries == keys && values(mask)?.iter().enumerate().all(value))
}

impl Expansion for AttentionOfTensors {
    fn name(&self) -> StaticName {
        "Attention".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        solver.given_all(inputs[..3].iter().map(|input| &input.shape), move |solver, shapes| {
            solver.equals(&outputs[0].shape, Self::result(&shapes)?)
        })
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let views = inputs
            .iter()
            .map(|outlet| Strided::trace(model, *outlet))
            .collect::<TractResult<TVec<_>>>()?;
        let headless = views[0].shape.len() == 3;
        let [.., queries, size] = *views[0].shape else { bail!("no matrix") };
        let [.., keys, value_size] = *views[2].shape else { bail!("no matrix") };
        let shape = attention::Attention {
            batches: views[0].shape[0],
            heads: if headless { 1 } else { views[0].shape[1] },
            queries,
            keys,
            size,
            value_size,
            scale: self.scale,
            causal: false,
        };
        let mut sources: TVec<OutletId> = tvec!();
        let mut place = |view: &Strided| {
            let place = sources.iter().position(|source| *source == view.source);
            let place = place.unwrap_or(sources.len());
            if place == sources.len() {
                sources.push(view.source);
            }
            operand(place, view, headless)
        };
        let (query, key, value) = (place(&views[0]), place(&views[1]), place(&views[2]));
        let [batch, head, column, row] = key.strides;
        let key = Operand { strides: [batch, head, row, column], ..key };
        let causal = match inputs.get(3) {
            Some(mask) => is_causal(model.outlet_fact(*mask)?, queries, keys)?,
            None => false,
        };
        let mask = views.get(3).filter(|_| !causal).map(place);
        let shape = attention::Attention { causal, ..shape };
        let fused = Attention { isa: self.isa, query, key, value, mask, shape };
        let inputs = &sources;
        let output = model.wire_node(prefix, super::Own(fused), inputs)?;
        let axis = if headless { AxisOp::Rm(2) } else { AxisOp::Move(2, 1) };
        model.wire_node(format!("{prefix}.heads"), axis, &output)
    }
}
