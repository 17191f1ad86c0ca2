//! Tensors of values that were used, kept by each thread for the next operator: a fresh tensor
//! costs a pass over its memory before the kernel writes to it.

use std::cell::RefCell;

use tract_onnx::tract_hir::internal::*;

/// Most values that a thread keeps, in all its tensors: 4 MB, what a big tower holds at a time.
const MAX_KEPT: usize = 1 << 20;

thread_local! {
    static KEPT: RefCell<Vec<Tensor>> = const { RefCell::new(Vec::new()) };
}

/// A tensor of `shape` whose values are anything.
///
/// # Errors
/// None in practice: the engine's constructors may fail.
pub(super) fn take(shape: &[usize]) -> TractResult<Tensor> {
    let volume: usize = shape.iter().product();
    let kept = KEPT.with_borrow_mut(|kept| {
        let place = kept.iter().rposition(|tensor| tensor.len() == volume)?;
        Some(kept.swap_remove(place))
    });
    match kept {
        Some(tensor) => tensor.into_shape(shape),
        None => Tensor::zero::<f32>(shape),
    }
}

/// Keeps those tensors that nobody else holds.
pub(super) fn give(inputs: TVec<TValue>) {
    for input in inputs {
        if input.is_exclusive() && input.datum_type() == f32::datum_type() {
            keep(input.into_tensor());
        }
    }
}

fn keep(tensor: Tensor) {
    KEPT.with_borrow_mut(|kept| {
        kept.push(tensor);
        while kept.iter().map(Tensor::len).sum::<usize>() > MAX_KEPT {
            kept.remove(0);
        }
    });
}
