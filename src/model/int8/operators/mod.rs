//! The engine's operators on our kernels: each computes one f32 tensor.

mod attention;
mod convolution;
mod embedding;
mod matmul;
mod norm;
mod pointwise;
mod pool;
mod product;
mod reduce;
mod softmax;
mod strided;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use pairgate_kernels::Activation;
use pairgate_kernels::product::Epilogue;
use tract_onnx::tract_hir::internal::*;

pub(super) use attention::{Attention, AttentionOfTensors};
pub(super) use convolution::{ChannelWeights, Convolution, Depthwise, Window};
pub(super) use embedding::{Embedding, Table};
pub(super) use matmul::MatMul;
pub(super) use norm::{LayerNorm, NormWeights};
pub(super) use pointwise::Pointwise;
pub(super) use pool::AveragePool;
pub(super) use product::{Patches, Product};
pub(super) use reduce::{Reduce, Reduction};
pub(super) use softmax::Softmax;
use strided::Strided;

/// What an operator computes. [`Own`] makes an operator of the engine of it.
pub(super) trait Operator: Clone + fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Its name in listings.
    const NAME: &'static str;
    /// Whether each value depends on the value in its place alone.
    const POINTWISE: bool = false;

    /// Shape of the result for inputs of these shapes.
    ///
    /// # Errors
    /// A text that says which shape does not fit.
    fn shape(&self, inputs: &[&[usize]]) -> TractResult<TVec<usize>>;

    /// Computes the result into `out`, which holds as many values as its shape says.
    ///
    /// # Errors
    /// If an input is of another type.
    fn run(&self, inputs: &[TValue], out: &mut [f32]) -> TractResult<()>;
}

/// How the images that an operator takes and gives lie in memory, in a graph whose images are
/// `[N, C, H, W]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// As in the graph; or no images.
    Same,
    /// It takes and gives `[N, H, W, C]`.
    ChannelsLast,
    /// It takes `[N, C, H, W]` and gives `[N, H, W, C]`.
    ToChannelsLast,
}

/// An operator of the engine.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Own<T>(pub(super) T);

// Equality is asked for to find equal nodes; no parameter is NaN.
impl<T: Operator> Eq for Own<T> {}

/// A node of a graph that is still to be placed among tensors of known layout.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    pub(super) operator: T,
    pub(super) layout: Layout,
}

impl<T: Operator> Placed<T> {
    fn result(&self, inputs: &[TVec<TDim>]) -> TractResult<TVec<TDim>> {
        let mut shapes =
            inputs.iter().map(|shape| concrete(shape)).collect::<TractResult<Vec<_>>>()?;
        if self.layout == Layout::ChannelsLast {
            shapes.iter_mut().try_for_each(to_channels_last)?;
        }
        let shapes: Vec<&[usize]> = shapes.iter().map(|shape| &**shape).collect();
        let mut shape = self.operator.shape(&shapes)?;
        if self.layout != Layout::Same {
            let channels = shape.pop().context("an image has no channels")?;
            shape.insert(1, channels);
        }
        Ok(shape.iter().map(|dim| dim.to_dim()).collect())
    }
}

fn to_channels_last(shape: &mut TVec<usize>) -> TractResult<()> {
    ensure!(shape.len() == 4, "{shape:?} is no [N, C, H, W]");
    let channels = shape.remove(1);
    shape.push(channels);
    Ok(())
}

fn concrete(shape: &[TDim]) -> TractResult<TVec<usize>> {
    shape.iter().map(|dim| Ok(dim.to_usize()?)).collect()
}

impl<T: Operator> Expansion for Placed<T> {
    fn name(&self) -> StaticName {
        T::NAME.into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_output_arity(outputs, 1)?;
        solver.equals(&outputs[0].datum_type, f32::datum_type())?;
        solver.given_all(inputs.iter().map(|input| &input.shape), move |solver, shapes| {
            solver.equals(&outputs[0].shape, self.result(&shapes)?)
        })
    }

    fn wire(
        &self,
        prefix: &str,
        model: &mut TypedModel,
        inputs: &[OutletId],
    ) -> TractResult<TVec<OutletId>> {
        let mut inputs: TVec<OutletId> = inputs.into();
        if self.layout == Layout::ChannelsLast {
            for (place, input) in inputs.iter_mut().enumerate() {
                let name = format!("{prefix}.channels_last.{place}");
                *input = model.wire_node(name, AxisOp::Move(1, 3), &[*input])?[0];
            }
        }
        let output = model.wire_node(prefix, Own(self.operator.clone()), &inputs)?;
        if self.layout == Layout::Same {
            return Ok(output);
        }
        model.wire_node(format!("{prefix}.channels_first"), AxisOp::Move(3, 1), &output)
    }
}

impl<T: Operator> Op for Own<T> {
    fn name(&self) -> StaticName {
        T::NAME.into()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        Ok(vec![format!("{:?}", self.0)])
    }

    op_as_typed_op!();
}

impl<T: Operator> EvalOp for Own<T> {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let shape = {
            let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape()).collect();
            self.0.shape(&shapes)?
        };
        let mut output = super::buffers::take(&shape)?;
        self.0.run(&inputs, output.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?)?;
        super::buffers::give(inputs);
        Ok(tvec!(output.into_tvalue()))
    }
}

impl<T: Operator> TypedOp for Own<T> {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let shapes = inputs
            .iter()
            .map(|fact| concrete(&fact.shape.to_tvec()))
            .collect::<TractResult<Vec<_>>>()?;
        let shapes: Vec<&[usize]> = shapes.iter().map(|shape| &**shape).collect();
        Ok(tvec!(f32::fact(&*self.0.shape(&shapes)?)))
    }

    fn axes_mapping(
        &self,
        inputs: &[&TypedFact],
        outputs: &[&TypedFact],
    ) -> TractResult<AxesMapping> {
        if T::POINTWISE {
            AxesMapping::natural(inputs, outputs)
        } else {
            AxesMapping::disconnected(inputs, outputs)
        }
    }

    fn change_axes(
        &self,
        model: &TypedModel,
        node: &TypedNode,
        _io: InOut,
        change: &AxisOp,
    ) -> TractResult<Option<AxisChangeConsequence>> {
        let change = T::POINTWISE.then(|| AxisChangeConsequence::new(model, node, None, change));
        Ok(change)
    }

    as_op!();
}

/// Data that equal operators share: equal is what is the same in memory.
pub(super) struct Shared<T: ?Sized>(Arc<T>);

impl<T> Shared<T> {
    pub(super) fn new(data: T) -> Self {
        Self(Arc::new(data))
    }
}

impl<T> From<Vec<T>> for Shared<[T]> {
    fn from(data: Vec<T>) -> Self {
        Self(data.into())
    }
}

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: ?Sized> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What follows a product before its result is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    /// One value for each column; empty: none.
    pub(super) bias: Shared<[f32]>,
    pub(super) activation: Activation,
    pub(super) residual: Residual,
}

/// Whether the operator's second input is added to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Residual {
    /// There is none.
    None,
    /// `activation(x + residual)`
    BeforeActivation,
    /// `activation(x) + residual`
    AfterActivation,
}

impl Ending {
    /// For a kernel: `residual` is the operator's second input.
    pub(super) fn epilogue<'a>(&'a self, residual: Option<&'a [f32]>) -> Epilogue<'a> {
        Epilogue {
            bias: &self.bias,
            activation: self.activation,
            residual,
            residual_first: self.residual == Residual::BeforeActivation,
        }
    }
}

/// The values of an f32 tensor.
fn values(tensor: &Tensor) -> TractResult<&[f32]> {
    tensor.try_as_plain_ram()?.as_slice::<f32>()
}

/// The values of the second input, if the operator has one.
fn second(inputs: &[TValue]) -> TractResult<Option<&[f32]>> {
    inputs.get(1).map(|input| values(input)).transpose()
}
