//! One tower: a graph in tract, with a plan for each input shape that occurs.
//!
//! Every plan has a fixed shape, because tract picks slower kernels where a dimension is a symbol,
//! and because the shape arithmetic that exporters leave in a graph then folds to constants.
//!
//! In f32 every run holds one pair: the engine's kernels, and with them the last bits of a sum,
//! depend on the number of rows, and a pair's score must not depend on the pairs that happened to
//! come with it. On our kernels it does not, and plans for several pairs are made when they are
//! asked for.

mod lowered;
mod roles;
mod rounding;

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use pairgate_kernels::{Isa, Team};
use tract_core::internal::{Cost, DimLike as _, TypedFact, TypedSimpleState, format_err};
use tract_onnx::prelude::*;

use super::int8::{self, Kernels};
use super::onnx::Graph;
use super::onnx::lower::Roundings;
use crate::model::ModelError;

pub(super) use lowered::Lowered;
pub(super) use roles::Feed;
pub use roles::Side;
use roles::{Role, any_roles, check_shape, roles, tensor};

type Plan = Arc<TypedRunnableModel>;

/// A tower's graph, with one plan for each of its input shapes.
pub(super) struct Tower {
    file: String,
    side: Side,
    inputs: Vec<(Role, DatumType)>,
    embedding_size: usize,
    plans: Mutex<HashMap<Vec<usize>, Plan>>,
    /// What further plans are made from; `None` in f32, where plans hold weights of their own.
    source: Option<InferenceModel>,
}

impl fmt::Debug for Tower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tower").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Tower {
    /// Plans a graph, which is to be lowered and to have one output, for each of `shapes`:
    /// `[1, 3, S, S]` of an image tower, `[1, L]` of a text tower.
    ///
    /// # Errors
    /// [`ModelError`] that says what does not fit.
    pub(super) fn load(
        lowered: Lowered,
        side: Side,
        shapes: &[Vec<usize>],
        embedding_size: usize,
    ) -> Result<Self, ModelError> {
        let graph = lowered.graph();
        let file = graph.file().to_owned();
        let inputs = roles(graph, side)?;
        for shape in shapes {
            check_shape(graph, shape)?;
        }
        let own = lowered.is_on_kernels();
        let model = guarded(&file, || lowered.into_inference())?;
        let plans = Mutex::default();
        let mut tower = Self { file, side, inputs, embedding_size, plans, source: None };
        for shape in shapes {
            let plan = tower.planned(&model, shape, own)?;
            tower.plans().insert(shape.clone(), plan);
        }
        tower.source = own.then_some(model);
        Ok(tower)
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<usize>, Plan>> {
        // A plan is put in when it is whole.
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn planned(
        &self,
        model: &InferenceModel,
        shape: &[usize],
        own: bool,
    ) -> Result<Plan, ModelError> {
        let plan = guarded(&self.file, || {
            let plan =
                plan(model, &self.inputs, shape, own).map_err(|why| failed(&self.file, why))?;
            check_output(&self.file, plan.model(), [shape[0], self.embedding_size])?;
            Ok(plan)
        });
        plan.map_err(|error| at_length(error, self.side, shape))
    }

    /// The plan for a shape.
    fn plan(&self, shape: &[usize]) -> Result<Plan, ModelError> {
        let mut plans = self.plans();
        if let Some(plan) = plans.get(shape) {
            return Ok(plan.clone());
        }
        let missing = || failed(&self.file, format_err!("it is not planned for {shape:?}"));
        let plan = self.planned(self.source.as_ref().ok_or_else(missing)?, shape, true)?;
        plans.insert(shape.to_vec(), plan.clone());
        Ok(plan)
    }

    /// Whether its plans hold convolutions.
    pub(super) fn convolves(&self) -> bool {
        self.plans().values().any(|plan| int8::convolves(plan.model()))
    }
}

/// A worker's hold on a tower: its working memory.
pub(super) struct TowerState {
    tower: Arc<Tower>,
    team: Team,
    states: HashMap<Vec<usize>, TypedSimpleState>,
}

impl TowerState {
    /// For runs on `team`.
    pub(super) fn new(tower: Arc<Tower>, team: Team) -> Self {
        Self { tower, team, states: HashMap::new() }
    }

    /// Runs the tower and writes its embeddings `[N, embedding_size]`, scaled to unit length, to
    /// `embeddings`.
    ///
    /// # Errors
    /// [`ModelError`] if it is not made for the shape, or does not run.
    pub(super) fn embed(
        &mut self,
        feed: Feed<'_>,
        embeddings: &mut Vec<f32>,
    ) -> Result<(), ModelError> {
        let tower = self.tower.clone();
        let shape = feed.shape();
        if !self.states.contains_key(&shape) {
            let state = tower.plan(&shape)?.spawn().map_err(|why| failed(&tower.file, why))?;
            self.states.insert(shape.clone(), state);
        }
        let state = self.states.get_mut(&shape).expect("it was just put in");
        guarded(&tower.file, || {
            let run = || run(&tower.inputs, state, feed, embeddings);
            int8::team::run(&self.team, run).map_err(|why| failed(&tower.file, why))
        })?;
        embeddings.chunks_exact_mut(tower.embedding_size).for_each(normalize);
        Ok(())
    }
}

fn run(
    inputs: &[(Role, DatumType)],
    state: &mut TypedSimpleState,
    feed: Feed<'_>,
    embeddings: &mut Vec<f32>,
) -> TractResult<()> {
    let tensor = |(role, kind): &(Role, DatumType)| Ok(tensor(*role, *kind, feed)?.into_tvalue());
    let inputs = inputs.iter().map(tensor).collect::<TractResult<TVec<TValue>>>()?;
    let outputs = state.run(inputs)?;
    let output = outputs[0].to_plain_array_view::<f32>()?;
    embeddings.clear();
    embeddings.extend(output.iter());
    Ok(())
}

/// Values in an embedding of a tower.
///
/// # Errors
/// As [`Tower::load`].
pub(super) fn embedding_size(
    graph: Graph,
    side: Side,
    shape: &[usize],
) -> Result<usize, ModelError> {
    embedding_size_of(Lowered::float(graph), side, shape)
}

fn embedding_size_of(lowered: Lowered, side: Side, shape: &[usize]) -> Result<usize, ModelError> {
    let file = lowered.graph().file().to_owned();
    let inputs = roles(lowered.graph(), side)?;
    check_shape(lowered.graph(), shape)?;
    let model = guarded(&file, || {
        let model = lowered.into_inference()?;
        fixed(&model, &inputs, shape).map_err(|why| failed(&file, why))
    });
    let model = model.map_err(|error| at_length(error, side, shape))?;
    let fact = model.output_fact(0).map_err(|why| failed(&file, why))?;
    match fact.shape.as_concrete() {
        Some([1, size]) => Ok(*size),
        _ => Err(ModelError::Shape {
            file,
            wanted: "an output [1, embedding_size] of F32".into(),
            found: format!("{fact:?}"),
        }),
    }
}

/// One run of a tower, planned for it alone.
///
/// # Errors
/// As [`Tower::load`].
pub(super) fn run_once(
    lowered: Lowered,
    side: Side,
    shape: &[usize],
    feed: Feed<'_>,
) -> Result<Vec<f32>, ModelError> {
    let size = embedding_size_of(lowered.clone(), side, shape)?;
    let tower = Arc::new(Tower::load(lowered, side, &[shape.to_vec()], size)?);
    let mut embedding = Vec::new();
    TowerState::new(tower, Team::ALONE).embed(feed, &mut embedding)?;
    Ok(embedding)
}

/// One run of a graph that holds both towers: its outputs' values, in their order.
///
/// # Errors
/// [`ModelError`] if the graph does not run.
pub(super) fn run_combined(
    graph: Graph,
    pixels: &[f32],
    ids: &[i64],
    pad: i64,
) -> Result<Vec<Vec<f32>>, ModelError> {
    let file = graph.file().to_owned();
    let image = Feed::Pixels { pixels, images: 1 };
    let tokens = [ids.iter().rposition(|id| *id != pad).map_or(1, |last| last + 1)];
    let text = Feed::Tokens { ids, tokens: &tokens };
    let inputs = any_roles(&graph);
    guarded(&file, || {
        let mut model = Lowered::float(graph).into_inference()?;
        let mut run = || -> TractResult<Vec<Vec<f32>>> {
            let mut values = TVec::new();
            for (place, (role, kind)) in inputs.iter().enumerate() {
                let feed = if *role == Role::Pixels { image } else { text };
                let tensor = tensor(*role, *kind, feed)?;
                model.set_input_fact(place, InferenceFact::dt_shape(*kind, tensor.shape()))?;
                values.push(tensor.into_tvalue());
            }
            let plan = model.clone().into_typed()?.into_decluttered()?.into_runnable()?;
            let outputs = plan.run(values)?;
            let read = |output: &TValue| {
                Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
            };
            outputs.iter().map(read).collect()
        };
        run().map_err(|why| failed(&file, why))
    })
}

/// Multiplications and additions of one run at `shape`, counted by the engine; products only.
///
/// # Errors
/// As [`Tower::load`].
pub(super) fn multiply_adds(graph: Graph, side: Side, shape: &[usize]) -> Result<u64, ModelError> {
    let file = graph.file().to_owned();
    let inputs = roles(&graph, side)?;
    guarded(&file, || {
        let model = Lowered::float(graph).into_inference()?;
        let count = || -> TractResult<u64> {
            let model = fixed(&model, &inputs, shape)?;
            let mut sum = 0;
            for node in model.nodes() {
                let facts = model.node_input_facts(node.id)?;
                for (cost, count) in node.op.cost(&facts)? {
                    if matches!(cost, Cost::FMA(_)) {
                        sum += count.to_usize()? as u64;
                    }
                }
            }
            Ok(sum)
        };
        count().map_err(|why| failed(&file, why))
    })
}

/// What a tower comes to on our kernels.
///
/// # Errors
/// As [`Tower::load`].
pub(super) fn kernels(graph: Graph, side: Side, shape: &[usize]) -> Result<Kernels, ModelError> {
    let graph = graph.lowered_with(Roundings::Dropped)?;
    let file = graph.file().to_owned();
    let inputs = roles(&graph, side)?;
    guarded(&file, || {
        let model = Lowered::on_kernels(graph, Isa::chosen()).into_inference()?;
        let model = fixed(&model, &inputs, shape).and_then(int8::fuse);
        Ok(Kernels::of(&model.map_err(|why| failed(&file, why))?))
    })
}

/// Scales to unit length; a vector without length becomes NaN, which no policy lets pass.
fn normalize(embedding: &mut [f32]) {
    let square: f32 = embedding.iter().map(|x| x * x).sum();
    let scale = 1.0 / square.sqrt();
    embedding.iter_mut().for_each(|x| *x *= scale);
}

fn failed(file: &str, why: TractError) -> ModelError {
    ModelError::Graph { file: file.to_owned(), why: format!("{why:#}") }
}

/// The engine asserts what a sound graph has; a graph that is not sound is an error here.
pub(super) fn guarded<T>(
    file: &str,
    work: impl FnOnce() -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let why = "the engine gave up on it with a panic".to_owned();
        Err(ModelError::Graph { file: file.to_owned(), why })
    })
}

/// The graph with its inputs fixed at `shape`, simplified.
fn fixed(
    model: &InferenceModel,
    inputs: &[(Role, DatumType)],
    shape: &[usize],
) -> TractResult<TypedModel> {
    let mut model = model.clone();
    for (place, (_, kind)) in inputs.iter().enumerate() {
        model.set_input_fact(place, InferenceFact::dt_shape(*kind, shape))?;
    }
    model.into_typed()?.into_decluttered()
}

fn plan(
    model: &InferenceModel,
    inputs: &[(Role, DatumType)],
    shape: &[usize],
    own: bool,
) -> TractResult<Plan> {
    let model = fixed(model, inputs, shape)?;
    let model = if own { int8::fuse(model)? } else { model };
    model.into_optimized()?.into_runnable()
}

fn check_output(
    file: &str,
    model: &TypedModel,
    [pairs, embedding_size]: [usize; 2],
) -> Result<(), ModelError> {
    let fact = model.output_fact(0).ok();
    let shape = |fact: &TypedFact| fact.shape.as_concrete().map(<[usize]>::to_vec);
    match fact.and_then(shape) {
        Some(shape) if shape == [pairs, embedding_size] => Ok(()),
        Some(shape) if shape.len() == 2 => Err(ModelError::EmbeddingSize {
            file: file.to_owned(),
            manifest: embedding_size,
            found: shape[1],
        }),
        _ => Err(ModelError::Shape {
            file: file.to_owned(),
            wanted: format!("an output [{pairs}, {embedding_size}] of F32"),
            found: format!("{fact:?}"),
        }),
    }
}

/// Says at which caption length a text tower failed: a table of positions that is too short is
/// otherwise a riddle.
fn at_length(error: ModelError, side: Side, shape: &[usize]) -> ModelError {
    match error {
        ModelError::Graph { file, why } if side == Side::Text => {
            ModelError::Length { file, tokens: shape[1], why }
        }
        error => error,
    }
}
