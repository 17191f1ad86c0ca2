//! Products in f32, of two activations or with weights that are kept in f32.

use pairgate_kernels::Isa;
use pairgate_kernels::matmul::{Sizes, View, matmul};
use tract_onnx::tract_core::broadcast::multi_broadcast;
use tract_onnx::tract_hir::internal::*;

use super::{Operator, values};
use crate::model::int8::team;

/// `[.., M, K] x [.., K, N]`, where leading axes broadcast as NumPy's do; an operand of one axis is a
/// row on the left and a column on the right.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct MatMul {
    pub(in super::super) isa: Isa,
}

/// The sizes of a product.
struct Product {
    /// Leading axes of the result.
    leading: TVec<usize>,
    rows: usize,
    inner: usize,
    columns: usize,
}

fn product(a: &[usize], b: &[usize]) -> TractResult<Product> {
    let refused = || format_err!("{a:?} x {b:?} is no product");
    let (a_leading, rows, inner) = match a {
        [leading @ .., rows, inner] => (leading, *rows, *inner),
        [inner] => (&[][..], 1, *inner),
        [] => return Err(refused()),
    };
    let (b_leading, other, columns) = match b {
        [leading @ .., other, columns] => (leading, *other, *columns),
        [other] => (&[][..], *other, 1),
        [] => return Err(refused()),
    };
    ensure!(inner == other, refused());
    let leading = multi_broadcast(&[a_leading, b_leading])?;
    Ok(Product { leading, rows, inner, columns })
}

/// Which matrix of an operand with these leading axes goes with matrix `place` of the result.
fn matrix(own: &[usize], leading: &[usize], mut place: usize) -> usize {
    let (mut matrix, mut step) = (0, 1);
    let own = own.iter().rev().map(Some).chain(std::iter::repeat(None));
    for (dim, own) in leading.iter().rev().zip(own) {
        let own = own.copied().unwrap_or(1);
        matrix += if own == 1 { 0 } else { place % dim * step };
        step *= own;
        place /= dim;
    }
    matrix
}

impl Operator for MatMul {
    const NAME: &'static str = "FloatProduct";

    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>> {
        let Product { mut leading, rows, columns, .. } = product(inputs[0], inputs[1])?;
        if inputs[0].len() > 1 {
            leading.push(rows);
        }
        if inputs[1].len() > 1 {
            leading.push(columns);
        }
        Ok(leading)
    }

    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()> {
        let (a, b) = (inputs[0].shape(), inputs[1].shape());
        let Product { leading, rows, inner, columns } = product(a, b)?;
        let (a_leading, b_leading) =
            (&a[..a.len().saturating_sub(2)], &b[..b.len().saturating_sub(2)]);
        let (a, b) = (values(&inputs[0])?, values(&inputs[1])?);
        let sizes = Sizes { batches: 1, heads: 1, rows, inner, columns };
        let view = |data, offset, row| View { data, offset, batch: 0, head: 0, row, column: 1 };
        for (place, out) in out.chunks_exact_mut((rows * columns).max(1)).enumerate() {
            let a = view(a, matrix(a_leading, &leading, place) * rows * inner, inner);
            let b = view(b, matrix(b_leading, &leading, place) * inner * columns, columns);
            team::with(|team| matmul(self.isa, team, a, b, sizes, out));
        }
        Ok(())
    }
}
