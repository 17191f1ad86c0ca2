//! States fitted on recorded runs, and applied to them.

use std::path::PathBuf;

use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pairgate::selection::{
    Fitting, Pool, ResourceFiles, Runs, RunsError, SelectError, State as Loaded, Step, Team, Work,
    apply, frozen,
};
use pairgate::{Captions, Disk, InputOptions, Reason, Uid};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::journal::unreadable;
use crate::loaded::{ModelError, bundle};
use crate::model::ModelArgument;
use crate::parameters::checked_threads;
use crate::spread::cores;
use crate::state::{State, StateError};
use crate::waiting::waited;

/// The runs, as a dict tells them.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct RunsSaid {
    runs: Vec<PathBuf>,
    source: Vec<PathBuf>,
    threshold: Option<f32>,
    embedding_names: Option<(String, String)>,
    score_column: Option<String>,
    image_root: Option<PathBuf>,
    image_key: Vec<String>,
    caption_key: Vec<String>,
    captions: String,
    threads: Option<i64>,
}

/// What is fitted, as a dict tells it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct FittingSaid {
    method: String,
    seed: u64,
    entries: Option<PathBuf>,
    targets: Option<PathBuf>,
    labels: Option<PathBuf>,
    base_labels: Option<PathBuf>,
    phrases: Option<PathBuf>,
    prior: Option<PathBuf>,
    cond: Option<PathBuf>,
}

/// A method, pairs that came to it, those that it kept, and whether it only flags.
type StepTold = (&'static str, u64, u64, bool);

impl RunsSaid {
    fn runs(&self) -> PyResult<Runs> {
        let wrong = |name: &str, why: String| PyValueError::new_err(format!("{name}: {why}"));
        let names = self.embedding_names.as_ref();
        let names = names.map(|(image, text)| format!("{image},{text}").parse()).transpose();
        let captions = match self.captions.as_str() {
            "first" => Captions::First,
            "all" => Captions::All,
            other => return Err(wrong("captions", format!("{other:?}: 'first' or 'all'"))),
        };
        if let Some(threshold) = self.threshold
            && !(-1.0..=1.0).contains(&threshold)
        {
            return Err(wrong("threshold", format!("{threshold}: from -1 to 1")));
        }
        Ok(Runs {
            paths: self.runs.clone(),
            names: names.map_err(|why| wrong("embedding_names", why))?,
            score: self.score_column.clone(),
            sources: self.source.clone(),
            options: InputOptions {
                image_root: self.image_root.clone(),
                image_keys: self.image_key.clone(),
                caption_keys: self.caption_key.clone(),
                captions,
                ..InputOptions::default()
            },
        })
    }

    fn team(&self) -> PyResult<Team> {
        let threads = self.threads.map(checked_threads).transpose()?.unwrap_or_else(cores);
        Team::new(threads).map_err(|why| PyOSError::new_err(why.to_string()))
    }
}

impl From<FittingSaid> for Fitting {
    fn from(said: FittingSaid) -> Self {
        let FittingSaid {
            method,
            seed,
            entries,
            targets,
            labels,
            base_labels,
            phrases,
            prior,
            cond,
        } = said;
        let files = ResourceFiles { entries, targets, labels, base_labels, phrases, prior, cond };
        Self { method, seed, files, ..Self::default() }
    }
}

#[doc = stub!("select_fit")]
#[pyfunction]
pub fn select_fit(
    py: Python<'_>,
    runs: RunsSaid,
    fitting: FittingSaid,
    model: Option<&Bound<'_, PyAny>>,
    out: PathBuf,
) -> PyResult<(State, u64, Vec<StepTold>)> {
    let fitting = Fitting { threshold: runs.threshold, ..Fitting::from(fitting) };
    let (from, team, model) = (runs.runs()?, runs.team()?, ModelArgument::of(model)?);
    let (path, digest) = model.named();
    let fitted = waited(py, |stop| -> Result<_, RunsError> {
        let bundle = bundle(path.as_deref(), digest.as_deref())?;
        let work = Work { team: &team, stop, tell: &mut |_| () };
        let fitted = fitting.fit(&from, &bundle, work)?;
        fitted.state.save(&Disk::system(), &out)?;
        Ok(fitted)
    })?;
    let fitted = fitted.map_err(refused)?;
    let state = State::holding(fitted.state.into(), crate::parameters::absolute(&out)?);
    Ok((state, fitted.kept, told(&fitted.steps)))
}

/// What is made of a pool: uids, which are kept, and what was told of each method or pair.
struct Made {
    uids: Vec<Uid>,
    kept: Vec<bool>,
    steps: Vec<Step>,
    reasons: Option<Vec<Reason>>,
}

/// The same for Python.
type MadeTold<'py> = (
    Bound<'py, PyArray2<u8>>,
    Bound<'py, PyArray1<bool>>,
    Vec<StepTold>,
    Option<Bound<'py, PyArray1<u8>>>,
);

#[doc = stub!("select_apply")]
#[pyfunction]
pub fn select_apply<'py>(
    py: Python<'py>,
    runs: RunsSaid,
    state: &Bound<'py, State>,
    model: Option<&Bound<'py, PyAny>>,
    pair_by_pair: bool,
) -> PyResult<MadeTold<'py>> {
    let (from, team, model) = (runs.runs()?, runs.team()?, ModelArgument::of(model)?);
    let (path, digest) = model.named();
    let state = state.get().loaded();
    let made = waited(py, |stop| -> Result<_, RunsError> {
        let bundle = || bundle(path.as_deref(), digest.as_deref());
        let mut pool = from.open_for(state, runs.threshold, bundle)?;
        let work = Work { team: &team, stop, tell: &mut |_| () };
        if pair_by_pair { chosen(&mut pool, state, work) } else { applied(&mut pool, state, work) }
    })?;
    let Made { uids, kept, steps, reasons } = made.map_err(refused)?;
    let count = uids.len();
    let bytes: Vec<u8> = uids.into_iter().flat_map(|Uid(bytes)| bytes).collect();
    let codes = |reasons: Vec<Reason>| reasons.into_iter().map(|reason| reason as u8).collect();
    Ok((
        PyArray1::from_vec(py, bytes).reshape([count, 16])?,
        PyArray1::from_vec(py, kept),
        told(&steps),
        reasons.map(|reasons| PyArray1::from_vec(py, codes(reasons))),
    ))
}

fn applied(pool: &mut dyn Pool, state: &Loaded, work: Work<'_>) -> Result<Made, RunsError> {
    let applied = apply(pool, state, work)?;
    let mut kept = vec![false; applied.uids.len()];
    applied.kept.iter().for_each(|place| kept[*place as usize] = true);
    Ok(Made { uids: applied.uids, kept, steps: applied.steps, reasons: None })
}

fn chosen(
    pool: &mut dyn Pool,
    state: &std::sync::Arc<Loaded>,
    work: Work<'_>,
) -> Result<Made, RunsError> {
    let reasons = frozen(pool, state, work)?;
    let mut uids = Vec::with_capacity(reasons.len());
    pool.read(&mut |pair| {
        uids.push(pair.uid);
        Ok(())
    })?;
    if uids.len() != reasons.len() {
        return Err(RunsError::refused("the runs have changed while they were read"));
    }
    let kept = reasons.iter().map(|reason| *reason == Reason::Passed).collect();
    Ok(Made { uids, kept, steps: Vec::new(), reasons: Some(reasons) })
}

fn told(steps: &[Step]) -> Vec<StepTold> {
    steps.iter().map(|step| (step.method, step.came, step.kept, step.flags)).collect()
}

#[doc = stub!("reason_names")]
#[pyfunction]
pub fn reason_names() -> Vec<&'static str> {
    Reason::ALL.iter().map(|reason| reason.name()).collect()
}

/// What Python raises: files that cannot be read or written are an `OSError`.
fn refused(error: RunsError) -> PyErr {
    match error {
        RunsError::Model(error) => ModelError::new_err(error.to_string()),
        RunsError::Select(SelectError::Io(error)) => unreadable(error),
        RunsError::Select(SelectError::State(error)) => StateError::new_err(error.to_string()),
        // Nobody but a signal asks for it, and that has an error of its own.
        RunsError::Select(SelectError::Stopped) => PyRuntimeError::new_err("interrupted"),
        other => PyValueError::new_err(other.to_string()),
    }
}
