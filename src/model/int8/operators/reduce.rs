//! Sums, means and lengths along axes that lie together.

use pairgate_kernels::{Isa, pool};
use tract_onnx::tract_hir::internal::*;

use super::{Operator, values};
use crate::model::int8::team;

/// What becomes of the values along the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Reduction {
    Sum,
    Mean,
    /// The square root of the sum of squares.
    Length,
}

/// Reduces `axes`, which are neighbours in ascending order; negative ones count from the end.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Reduce {
    pub(in super::super) isa: Isa,
    pub(in super::super) reduction: Reduction,
    pub(in super::super) axes: TVec<i64>,
    /// Whether the axes stay, with a length of 1.
    pub(in super::super) keep: bool,
}

impl Reduce {
    /// First axis and the one behind the last.
    fn span(&self, rank: usize) -> TractResult<(usize, usize)> {
        let axis = |axis: &i64| if *axis < 0 { *axis + rank as i64 } else { *axis };
        let axes: Vec<i64> = self.axes.iter().map(axis).collect();
        let neighbours = axes.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let inside = axes.iter().all(|axis| (0..rank as i64).contains(axis));
        ensure!(neighbours && inside && !axes.is_empty(), "axes {:?} of {rank}", self.axes);
        Ok((axes[0] as usize, axes[0] as usize + axes.len()))
    }
}

impl Operator for Reduce {
    const NAME: &'static str = "Reduce";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let (from, to) = self.span(inputs[0].len())?;
        let kept = if self.keep { to - from } else { 0 };
        let middle = std::iter::repeat_n(1, kept);
        Ok(inputs[0][..from]
            .iter()
            .copied()
            .chain(middle)
            .chain(inputs[0][to..].iter().copied())
            .collect())
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let shape = inputs[0].shape();
        let (from, to) = self.span(shape.len())?;
        let size = |range: &[usize]| range.iter().product::<usize>();
        let (outer, count, inner) =
            (size(&shape[..from]), size(&shape[from..to]), size(&shape[to..]));
        let x = values(&inputs[0])?;
        team::with(|team| match self.reduction {
            Reduction::Sum => pool::sum(self.isa, team, x, outer, count, inner, out),
            Reduction::Mean => pool::mean(self.isa, team, x, outer, count, inner, out),
            Reduction::Length => {
                let squares: Vec<f32> = x.iter().map(|x| x * x).collect();
                pool::sum(self.isa, team, &squares, outer, count, inner, out);
                out.iter_mut().for_each(|sum| *sum = sum.sqrt());
            }
        });
        Ok(())
    }
}
