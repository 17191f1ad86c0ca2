//! Over the engine's typed graph of fixed shapes: sums are taken into the products before them, and
//! where one row of a tensor is all that is read in the end, the rows before it are computed for it
//! alone.

mod residual;
mod rows;

use tract_onnx::prelude::*;

/// Rewrites a decluttered graph.
///
/// # Errors
/// The engine's.
pub(in crate::model) fn fuse(mut model: TypedModel) -> TractResult<TypedModel> {
    rows::select_early(&mut model)?;
    residual::fuse(&mut model)?;
    model.into_decluttered()
}
