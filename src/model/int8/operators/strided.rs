//! Tensors that are parts of others: what transposes, slices and reshapes make without a copy.

use tract_onnx::tract_core::ops::array::{Gather, Slice};
use tract_onnx::tract_hir::internal::*;

use super::concrete;

/// A tensor by its place in another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strided {
    pub(super) source: OutletId,
    /// Place of the first value in the source.
    pub(super) offset: usize,
    pub(super) shape: TVec<usize>,
    /// Values of the source from one place of an axis to the next.
    pub(super) strides: TVec<usize>,
}

impl Strided {
    /// Follows `outlet` to the tensor that it is a part of, as far as one can tell where.
    pub(super) fn trace(model: &TypedModel, outlet: OutletId) -> TractResult<Self> {
        let node = model.node(outlet.node);
        let part = match node.inputs.first() {
            Some(input) if outlet.slot == 0 => Self::part(model, node, *input)?,
            _ => None,
        };
        part.map_or_else(|| Self::whole(model, outlet), Ok)
    }

    fn whole(model: &TypedModel, outlet: OutletId) -> TractResult<Self> {
        let shape = concrete(&model.outlet_fact(outlet)?.shape.to_tvec())?;
        Ok(Self { source: outlet, offset: 0, strides: row_major(&shape), shape })
    }

    /// The result of `node` as a part of what its input is a part of.
    fn part(model: &TypedModel, node: &TypedNode, input: OutletId) -> TractResult<Option<Self>> {
        if let Some(axis) = node.op_as::<AxisOp>() {
            return Self::trace(model, input)?.axis(axis);
        }
        if let Some(slice) = node.op_as::<Slice>() {
            let start = slice.start.to_usize()?;
            return Ok(Some(Self::trace(model, input)?.slice(
                slice.axis,
                start,
                slice.end.to_usize()?,
            )));
        }
        let Some(gather) = node.op_as::<Gather>() else { return Ok(None) };
        let index = model.outlet_fact(node.inputs[1])?.konst.as_ref();
        let Some(index) = index.filter(|index| index.rank() == 0) else { return Ok(None) };
        let index = index.cast_to_scalar::<i64>()?;
        let view = Self::trace(model, input)?;
        let length = view.shape[gather.axis] as i64;
        let index = usize::try_from(if index < 0 { index + length } else { index })?;
        ensure!((index as i64) < length, "place {index} of {length}");
        view.slice(gather.axis, index, index + 1).axis(&AxisOp::Rm(gather.axis))
    }

    fn slice(mut self, axis: usize, start: usize, end: usize) -> Self {
        self.offset += start * self.strides[axis];
        self.shape[axis] = end - start;
        self
    }

    fn axis(mut self, axis: &AxisOp) -> TractResult<Option<Self>> {
        match axis {
            AxisOp::Add(at) => {
                self.shape.insert(*at, 1);
                self.strides.insert(*at, 0);
            }
            AxisOp::Rm(at) => {
                self.shape.remove(*at);
                self.strides.remove(*at);
            }
            AxisOp::Move(from, to) => {
                let (dim, stride) = (self.shape.remove(*from), self.strides.remove(*from));
                self.shape.insert(*to, dim);
                self.strides.insert(*to, stride);
            }
            AxisOp::Reshape(at, from, to) => {
                let (from, to) = (concrete(from)?, concrete(to)?);
                let span = *at..at + from.len();
                let Some(strides) = reshaped(&from, &self.strides[span.clone()], &to) else {
                    return Ok(None);
                };
                self.shape.drain(span.clone());
                self.shape.insert_many(*at, to);
                self.strides.drain(span);
                self.strides.insert_many(*at, strides);
            }
        }
        Ok(Some(self))
    }
}

/// Strides of a tensor in row-major order.
fn row_major(shape: &[usize]) -> TVec<usize> {
    let mut strides: TVec<usize> = tvec!(0; shape.len());
    let mut step = 1;
    for (stride, dim) in strides.iter_mut().zip(shape).rev() {
        *stride = step;
        step *= dim;
    }
    strides
}

/// Strides of axes `to` that axes `from` with these strides are cut or merged into; `None` where
/// that needs a copy.
fn reshaped(from: &[usize], strides: &[usize], to: &[usize]) -> Option<TVec<usize>> {
    // First all is cut to the finest: axes that are not one, merged where they lie together.
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (dim, stride) in from.iter().zip(strides).filter(|(dim, _)| **dim != 1) {
        match runs.last_mut() {
            Some((count, step)) if *step == dim * stride => {
                (*count, *step) = (*count * dim, *stride)
            }
            _ => runs.push((*dim, *stride)),
        }
    }
    let mut made: TVec<usize> = tvec!();
    for dim in to.iter().rev() {
        if *dim == 1 {
            made.push(0);
            continue;
        }
        let (count, step) = runs.last_mut()?;
        if !count.is_multiple_of(*dim) {
            return None;
        }
        made.push(*step);
        (*count, *step) = (*count / dim, *step * dim);
        if *count == 1 {
            runs.pop();
        }
    }
    made.reverse();
    runs.is_empty().then_some(made)
}
