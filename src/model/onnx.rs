//! One tower: an ONNX graph in tract, with a plan for each input shape that occurs.
//!
//! Every plan has a fixed shape, because tract picks slower kernels where a dimension is a symbol.
//! Every run holds one pair: kernels, and with them the last bits of a sum, depend on the number
//! of rows, and a pair's score must not depend on the pairs that happened to come with it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tract_core::internal::{DimLike, Symbol, TDim, TypedFact, TypedModel, TypedSimpleState};
use tract_onnx::prelude::*;

use crate::error::ModelError;

type Plan = Arc<TypedRunnableModel>;

/// A tower's graph, with one plan for each of its input shapes.
pub(super) struct Tower {
    file: String,
    plans: Vec<Plan>,
}

impl fmt::Debug for Tower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tower").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Tower {
    /// Reads a graph with one input and plans it for each of `shapes`. The first output must be
    /// `[1, embedding_size]` f32.
    pub(super) fn load(
        file: &str,
        onnx: &[u8],
        input_type: DatumType,
        shapes: &[Vec<usize>],
        embedding_size: usize,
    ) -> Result<Self, ModelError> {
        let failed =
            |why: TractError| ModelError::Graph { file: file.to_owned(), why: format!("{why:#}") };
        let model = tract_onnx::onnx()
            .with_ignore_value_info(true)
            .model_for_read(&mut &*onnx)
            .and_then(|model| model.into_typed())
            .and_then(|model| model.into_decluttered())
            .map_err(failed)?;
        let plan = |shape: &Vec<usize>| {
            check_input(file, &model, input_type, shape)?;
            let plan = plan_for(&model, shape).map_err(failed)?;
            check_output(file, plan.model(), embedding_size)?;
            Ok(plan)
        };
        let plans = shapes.iter().map(plan).collect::<Result<_, ModelError>>()?;
        Ok(Self { file: file.to_owned(), plans })
    }

    /// One state for each plan, in the order of the shapes.
    pub(super) fn states(&self) -> Result<Vec<TowerState>, ModelError> {
        let state = |plan: &Plan| {
            let state = plan.spawn().map_err(|why| ModelError::Graph {
                file: self.file.clone(),
                why: format!("{why:#}"),
            })?;
            Ok(TowerState { file: self.file.clone(), state })
        };
        self.plans.iter().map(state).collect()
    }
}

/// A plan's working memory: one for each worker.
pub(super) struct TowerState {
    file: String,
    state: TypedSimpleState,
}

impl TowerState {
    /// Runs the tower and writes its embedding, scaled to unit length, to `embedding`.
    pub(super) fn embed<T: Datum + Copy>(
        &mut self,
        shape: &[usize],
        input: &[T],
        embedding: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        self.run(shape, input, embedding).map_err(|why| ModelError::Graph {
            file: self.file.clone(),
            why: format!("{why:#}"),
        })?;
        normalize(embedding);
        Ok(())
    }

    fn run<T: Datum + Copy>(
        &mut self,
        shape: &[usize],
        input: &[T],
        embedding: &mut Vec<f32>,
    ) -> TractResult<()> {
        let input = Tensor::from_shape(shape, input)?;
        let outputs = self.state.run(tvec!(input.into_tvalue()))?;
        let output = outputs[0].to_plain_array_view::<f32>()?;
        embedding.clear();
        embedding.extend(output.iter());
        Ok(())
    }
}

/// Scales to unit length; a vector without length becomes NaN, which no policy lets pass.
fn normalize(embedding: &mut [f32]) {
    let square: f32 = embedding.iter().map(|x| x * x).sum();
    let scale = 1.0 / square.sqrt();
    embedding.iter_mut().for_each(|x| *x *= scale);
}

fn plan_for(model: &TypedModel, shape: &[usize]) -> TractResult<Plan> {
    let dims = model.input_fact(0)?.shape.to_tvec();
    let mut values: HashMap<Symbol, TDim> = HashMap::new();
    for (dim, size) in dims.iter().zip(shape) {
        if let TDim::Sym(symbol) = dim {
            values.insert(symbol.clone(), size.to_dim());
        }
    }
    model.set_symbols(&values)?.into_optimized()?.into_runnable()
}

fn check_input(
    file: &str,
    model: &TypedModel,
    input_type: DatumType,
    shape: &[usize],
) -> Result<(), ModelError> {
    let inputs = model.inputs.len();
    let fact = model.input_fact(0).ok().filter(|_| inputs == 1);
    let fits = |fact: &TypedFact| {
        let dims = fact.shape.to_tvec();
        let same = |(dim, size): (&TDim, &usize)| {
            matches!(dim, TDim::Sym(_)) || dim.to_usize().is_ok_and(|d| d == *size)
        };
        fact.datum_type == input_type
            && dims.len() == shape.len()
            && dims.iter().zip(shape).all(same)
    };
    if fact.is_some_and(fits) {
        return Ok(());
    }
    let found = fact.map_or(format!("{inputs} inputs"), |fact| format!("{fact:?}"));
    let wanted = format!("one input {shape:?} of {input_type:?}");
    Err(ModelError::Shape { file: file.to_owned(), wanted, found })
}

fn check_output(file: &str, model: &TypedModel, embedding_size: usize) -> Result<(), ModelError> {
    let fact = model.output_fact(0).ok();
    let wanted = [1, embedding_size];
    let fits = |fact: &TypedFact| {
        fact.datum_type == f32::datum_type() && fact.shape.as_concrete() == Some(&wanted[..])
    };
    if fact.is_some_and(fits) {
        return Ok(());
    }
    let found = format!("{fact:?}");
    let wanted = format!("an output {wanted:?} of F32");
    Err(ModelError::Shape { file: file.to_owned(), wanted, found })
}
