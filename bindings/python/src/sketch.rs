//! The distribution of any number of scores in bounded memory, and the threshold of a share.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pairgate::{Digest, ScoreSketch, known_to, sample_size};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::journal::unreadable;

#[doc = stub!("Sketch")]
#[pyclass(frozen, module = "pairgate_dfn")]
pub struct Sketch(Mutex<Seen>);

#[derive(Clone)]
struct Seen {
    sketch: ScoreSketch,
    /// The model whose scores they are, where that is known.
    model: Option<Digest>,
}

#[pymethods]
impl Sketch {
    #[new]
    #[pyo3(signature = (scores=None))]
    fn new(scores: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let sketch = Self::of(ScoreSketch::new(), None);
        if let Some(scores) = scores {
            sketch.add(scores)?;
        }
        Ok(sketch)
    }

    #[doc = stub!("Sketch.add")]
    fn add(&self, scores: &Bound<'_, PyAny>) -> PyResult<()> {
        let numpy = scores.py().import("numpy")?;
        let scores = numpy.call_method1("asarray", (scores, "float32"))?.call_method0("ravel")?;
        let scores: PyReadonlyArray1<'_, f32> = scores.extract()?;
        let mut seen = self.seen();
        for place in 0..scores.len() {
            scores.get(place).into_iter().for_each(|score| seen.sketch.add(*score));
        }
        Ok(())
    }

    #[doc = stub!("Sketch.merge")]
    fn merge(&self, other: &Self) -> PyResult<()> {
        let other = other.seen().clone();
        let mut seen = self.seen();
        if let (Some(model), Some(another)) = (seen.model, other.model)
            && model != another
        {
            return Err(PyValueError::new_err(format!(
                "scores of the model {another} do not go with those of {model}"
            )));
        }
        seen.model = seen.model.or(other.model);
        seen.sketch.merge(&other.sketch);
        Ok(())
    }

    #[doc = stub!("Sketch.count")]
    #[getter]
    fn count(&self) -> u64 {
        self.seen().sketch.count()
    }

    #[doc = stub!("Sketch.model_digest")]
    #[getter]
    fn model_digest(&self) -> Option<String> {
        self.seen().model.map(|model| model.to_string())
    }

    #[doc = stub!("Sketch.quantile")]
    fn quantile(&self, rank: f64) -> PyResult<Option<f32>> {
        if !(0.0..=1.0).contains(&rank) {
            return Err(PyValueError::new_err(format!("rank = {rank}: from 0 to 1")));
        }
        Ok(self.seen().sketch.quantile(rank))
    }

    #[doc = stub!("Sketch.share_kept")]
    fn share_kept(&self, threshold: f32) -> PyResult<Option<f64>> {
        if threshold.is_nan() {
            return Err(PyValueError::new_err("threshold = nan: give a number"));
        }
        Ok(self.seen().sketch.share_kept(threshold))
    }

    #[doc = stub!("Sketch.threshold")]
    fn threshold(&self, keep: f64) -> PyResult<Option<f32>> {
        let keep = part("keep", keep)?;
        Ok(self.seen().sketch.threshold(keep))
    }

    #[doc = stub!("Sketch.interval")]
    #[pyo3(signature = (keep, *, confidence=0.95))]
    fn interval(&self, keep: f64, confidence: f64) -> PyResult<Option<(f32, f32)>> {
        let (keep, confidence) = (part("keep", keep)?, part("confidence", confidence)?);
        Ok(self.seen().sketch.interval(keep, confidence))
    }

    #[doc = stub!("Sketch.calibration")]
    #[pyo3(signature = (keep, precision, confidence))]
    fn calibration<'py>(
        &self,
        py: Python<'py>,
        keep: f64,
        precision: f64,
        confidence: f64,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (keep, precision) = (part("keep", keep)?, part("precision", precision)?);
        let confidence = part("confidence", confidence)?;
        let sketch = &mut self.seen().sketch;
        let found = sketch.threshold(keep).zip(sketch.interval(keep, confidence));
        let none = || PyValueError::new_err("there is no score: nothing to calibrate on");
        let (threshold, interval) = found.ok_or_else(none)?;
        let percents = (0..=100).map(|percent| f64::from(percent) / 100.0);
        let quantiles: Vec<_> = percents.filter_map(|rank| sketch.quantile(rank)).collect();
        let found = PyDict::new(py);
        found.set_item("scored", sketch.count())?;
        found.set_item("keep", keep)?;
        found.set_item("threshold", threshold)?;
        found.set_item("interval", interval)?;
        found.set_item("confidence", confidence)?;
        found.set_item("kept_share_known_to", known_to(keep, sketch.count(), confidence))?;
        found.set_item("precision", precision)?;
        found.set_item("pairs_needed", sample_size(keep, precision, confidence))?;
        found.set_item("score_quantiles", quantiles)?;
        Ok(found)
    }

    #[doc = stub!("Sketch.save")]
    #[pyo3(signature = (path, *, model_digest=None))]
    fn save(&self, path: PathBuf, model_digest: Option<&str>) -> PyResult<()> {
        let mut seen = self.seen();
        let given = model_digest.map(|digest| {
            let why = || PyValueError::new_err(format!("model_digest = {digest:?}: 64 hex digits"));
            digest.parse::<Digest>().map_err(|_| why())
        });
        let model = given.transpose()?.or(seen.model).ok_or_else(|| {
            PyValueError::new_err("whose scores are they? give model_digest=gate.model.digest")
        })?;
        seen.sketch.save(&path, model).map_err(unreadable)
    }

    fn __len__(&self) -> usize {
        usize::try_from(self.count()).unwrap_or(usize::MAX)
    }

    fn __repr__(&self) -> String {
        format!("<Sketch of {} scores>", self.count())
    }
}

impl Sketch {
    fn of(sketch: ScoreSketch, model: Option<Digest>) -> Self {
        Self(Mutex::new(Seen { sketch, model }))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[doc = stub!("read_sketch")]
#[pyfunction]
pub fn read_sketch(path: PathBuf) -> PyResult<Sketch> {
    let (sketch, model) = ScoreSketch::load(&path).map_err(unreadable)?;
    Ok(Sketch::of(sketch, Some(model)))
}

/// A share, as the program takes it.
fn part(name: &str, value: f64) -> PyResult<f64> {
    match value > 0.0 && value <= 1.0 {
        true => Ok(value),
        false => Err(PyValueError::new_err(format!("{name} = {value}: above 0, at most 1"))),
    }
}
