//! What a gate answers for one pair.

use pairgate::{Decision as Decided, Digest, Facts, Reason, ReasonSet, Size, Uid, Verdict};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::choice::Choice;

#[doc = stub!("Decision")]
#[pyclass(frozen, eq, module = "pairgate_dfn")]
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub decision: Decided,
    pub broken: ReasonSet,
    pub uid: Uid,
    pub threshold: Option<f32>,
    /// What a state's choice rested on, where one was asked.
    pub choice: Option<Box<Choice>>,
}

#[pymethods]
impl Decision {
    #[doc = stub!("Decision.kept")]
    #[getter]
    pub fn kept(&self) -> bool {
        self.decision.verdict == Verdict::Kept
    }

    #[doc = stub!("Decision.verdict")]
    #[getter]
    pub fn verdict(&self) -> &'static str {
        self.decision.verdict.name()
    }

    #[doc = stub!("Decision.reason")]
    #[getter]
    pub fn reason(&self) -> &'static str {
        self.decision.reason.name()
    }

    #[doc = stub!("Decision.score")]
    #[getter]
    pub fn score(&self) -> Option<f32> {
        self.decision.facts.score
    }

    #[doc = stub!("Decision.threshold")]
    #[getter]
    pub fn threshold(&self) -> Option<f32> {
        self.threshold
    }

    #[doc = stub!("Decision.uid")]
    #[getter]
    pub fn uid(&self) -> String {
        self.uid.to_string()
    }

    #[doc = stub!("Decision.width")]
    #[getter]
    pub fn width(&self) -> u32 {
        self.decision.facts.size.width
    }

    #[doc = stub!("Decision.height")]
    #[getter]
    pub fn height(&self) -> u32 {
        self.decision.facts.size.height
    }

    #[doc = stub!("Decision.caption_length")]
    #[getter]
    pub fn caption_length(&self) -> u32 {
        self.decision.facts.caption_length
    }

    #[doc = stub!("Decision.sha256")]
    #[getter]
    pub fn sha256(&self) -> String {
        self.decision.facts.content.to_string()
    }

    #[doc = stub!("Decision.broken_rules")]
    #[getter]
    fn broken_rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.broken_names())
    }

    #[doc = stub!("Decision.choice")]
    #[getter]
    fn choice(&self) -> Option<Choice> {
        self.choice.as_deref().cloned()
    }

    #[doc = stub!("Decision.to_dict")]
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("kept", self.kept())?;
        dict.set_item("verdict", self.verdict())?;
        dict.set_item("reason", self.reason())?;
        dict.set_item("score", self.score())?;
        dict.set_item("threshold", self.threshold)?;
        dict.set_item("uid", self.uid())?;
        dict.set_item("width", self.width())?;
        dict.set_item("height", self.height())?;
        dict.set_item("caption_length", self.caption_length())?;
        dict.set_item("sha256", self.sha256())?;
        dict.set_item("broken_rules", self.broken_names())?;
        let choice = self.choice.as_ref().map(|choice| choice.to_dict(py)).transpose()?;
        dict.set_item("choice", choice)?;
        Ok(dict)
    }

    fn __repr__(&self) -> String {
        format!("<Decision {}>", self.told())
    }

    #[doc = stub!("Decision._repr_html_")]
    fn _repr_html_(&self) -> String {
        let colour = match self.decision.verdict {
            Verdict::Kept => "#1a7f37",
            Verdict::Rejected => "#9a6700",
            Verdict::Failed => "#cf222e",
        };
        let rest = self.told().split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        format!("<code><b style=\"color:{colour}\">{}</b> {rest}</code>", self.verdict())
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let restore = py.import("pairgate_dfn._native")?.getattr("decision_of")?;
        let values = (
            this.verdict(),
            this.reason(),
            this.score(),
            this.threshold,
            this.uid(),
            (this.width(), this.height()),
            this.caption_length(),
            this.sha256(),
            this.broken_names(),
            this.choice(),
        );
        Ok((restore, values.into_pyobject(py)?))
    }
}

impl Decision {
    /// The names of the rules that are broken, in the order of their codes.
    pub fn broken_names(&self) -> Vec<&'static str> {
        self.broken.iter().map(Reason::name).collect()
    }

    /// One line: the verdict first.
    fn told(&self) -> String {
        let mut told = self.verdict().to_owned();
        if self.decision.reason != Reason::Passed {
            told += &format!(" {}", self.reason());
        }
        if let Some(score) = self.score() {
            told += &format!(" score={score}");
        }
        if let Some(threshold) = self.threshold {
            told += &format!(" threshold={threshold}");
        }
        told + &format!(" uid={}", self.uid)
    }
}

#[doc = stub!("decision_of")]
#[pyfunction]
#[pyo3(signature = (verdict, reason, score, threshold, uid, size, caption_length, sha256, broken_rules, choice=None))]
#[expect(clippy::too_many_arguments, reason = "called by pickle alone")]
pub fn decision_of(
    verdict: &str,
    reason: &str,
    score: Option<f32>,
    threshold: Option<f32>,
    uid: &str,
    size: (u32, u32),
    caption_length: u32,
    sha256: &str,
    broken_rules: Vec<String>,
    choice: Option<&Bound<'_, Choice>>,
) -> PyResult<Decision> {
    let wrong = |what: &str, value: &str| PyValueError::new_err(format!("{what} = {value:?}"));
    let verdict = Verdict::ALL
        .into_iter()
        .find(|known| known.name() == verdict)
        .ok_or_else(|| wrong("verdict", verdict))?;
    let broken =
        broken_rules.iter().map(|rule| reason_of(rule)).collect::<PyResult<ReasonSet>>()?;
    let uid: Uid = uid.parse().map_err(|_| wrong("uid", uid))?;
    let content: Digest = sha256.parse().map_err(|_| wrong("sha256", sha256))?;
    let facts = Facts { score, caption_length, size: Size::new(size.0, size.1), content };
    let decision = Decided { verdict, reason: reason_of(reason)?, facts };
    let choice = choice.map(|choice| Box::new(choice.get().clone()));
    Ok(Decision { decision, broken, uid, threshold, choice })
}

/// The reason of this name.
///
/// # Errors
/// `ValueError` where there is none.
pub fn reason_of(name: &str) -> PyResult<Reason> {
    let found = Reason::ALL.iter().copied().find(|reason| reason.name() == name);
    found.ok_or_else(|| {
        PyValueError::new_err(format!("reason = {name:?}: this version has none of it"))
    })
}
