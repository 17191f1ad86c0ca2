//! What a gate is told: laid over each other as the program lays config files and options, checked, and
//! kept in a form that can be pickled.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pairgate::{Config, GateSettings, Layers, Model, Policy, Rules, Screening};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};

/// Most threads that can be asked for, as of the program.
const MOST_THREADS: i64 = 1024;

/// What a gate is told, as it was said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    pub threshold: Option<f64>,
    pub keep: Option<f64>,
    pub config: Option<Said>,
    pub rules: Option<String>,
    pub threads: Option<i64>,
    pub scaled: Option<bool>,
    pub score_all: bool,
    /// Where the state lies that selects, as it was named beside the config.
    pub select: Option<PathBuf>,
}

/// A config, read already: what a file says may change before a gate is pickled.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A file's name and text.
    Text(String, String),
    /// Tables of keys.
    Tables(BTreeMap<String, BTreeMap<String, Value>>),
}

/// A key's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Number(i64),
    Float(f64),
    Text(String),
    List(Vec<String>),
}

impl Said {
    /// What `config=` is given: a path, a dict of dicts, or what [`pickled`](Self::pickled) made.
    pub fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(tables) = given.cast::<PyDict>() {
            return Self::of_tables(tables);
        }
        if let Ok(pair) = given.cast::<PyTuple>() {
            let (name, text) = pair.extract()?;
            return Ok(Self::Text(name, text));
        }
        let path: PathBuf = given.extract().map_err(|_| {
            PyTypeError::new_err("config: give the path of a TOML file, or a dict of its tables")
        })?;
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|why| PyValueError::new_err(format!("config {name}: {why}")))?;
        Ok(Self::Text(name, text))
    }

    fn of_tables(given: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut tables = BTreeMap::new();
        for (name, table) in given {
            let name: String = name.extract()?;
            let table = table.cast::<PyDict>().map_err(|_| {
                PyTypeError::new_err(format!("config[{name:?}]: give a dict of its keys"))
            })?;
            let value = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
                let key: String = key.extract()?;
                let value = Value::of(&value, &name, &key)?;
                PyResult::Ok((key, value))
            };
            let table = table.iter().map(value).collect::<PyResult<_>>()?;
            tables.insert(name, table);
        }
        Ok(Self::Tables(tables))
    }

    fn lay(&self, layers: &mut Layers) -> PyResult<()> {
        match self {
            Self::Text(name, text) => layers.add(name, text).map_err(refused),
            Self::Tables(tables) => {
                // One without keys would not be seen to be unknown.
                for table in tables.keys() {
                    layers.add("config=", &format!("[{table:?}]\n")).map_err(refused)?;
                }
                let all = tables.iter().flat_map(|(table, keys)| {
                    keys.iter().map(move |(key, value)| (table, key, value))
                });
                all.for_each(|(table, key, value)| value.lay(layers, table, key));
                Ok(())
            }
        }
    }

    /// What a pickle holds; the same for the same config.
    pub fn pickled<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Text(name, text) => Ok((name, text).into_pyobject(py)?.into_any()),
            Self::Tables(tables) => {
                let dict = PyDict::new(py);
                for (name, table) in tables {
                    let inner = PyDict::new(py);
                    table.iter().try_for_each(|(key, value)| value.store(&inner, key))?;
                    dict.set_item(name, inner)?;
                }
                Ok(dict.into_any())
            }
        }
    }
}

impl Value {
    fn of(given: &Bound<'_, PyAny>, table: &str, key: &str) -> PyResult<Self> {
        if let Ok(value) = given.cast::<PyBool>() {
            return Ok(Self::Bool(value.is_true()));
        }
        if given.is_instance_of::<PyInt>() {
            return given.extract().map(Self::Number);
        }
        if given.is_instance_of::<PyFloat>() {
            return given.extract().map(Self::Float);
        }
        if given.is_instance_of::<PyString>() {
            return given.extract().map(Self::Text);
        }
        given.extract().map(Self::List).map_err(|_| {
            let why = "give a bool, an int, a float, a str or a list of str";
            PyTypeError::new_err(format!("config[{table:?}][{key:?}]: {why}"))
        })
    }

    fn lay(&self, layers: &mut Layers, table: &str, key: &str) {
        match self.clone() {
            Self::Bool(value) => layers.set(table, key, value, "config="),
            Self::Number(value) => layers.set(table, key, value, "config="),
            Self::Float(value) => layers.set(table, key, value, "config="),
            Self::Text(value) => layers.set(table, key, value, "config="),
            Self::List(value) => layers.set(table, key, value, "config="),
        }
    }

    fn store(&self, into: &Bound<'_, PyDict>, key: &str) -> PyResult<()> {
        match self {
            Self::Bool(value) => into.set_item(key, value),
            Self::Number(value) => into.set_item(key, value),
            Self::Float(value) => into.set_item(key, value),
            Self::Text(value) => into.set_item(key, value),
            Self::List(value) => into.set_item(key, value),
        }
    }
}

impl Parameters {
    /// The config that they come to, checked.
    ///
    /// # Errors
    /// `ValueError` that names the key, its value and what is allowed, and the file and the line where it
    /// was said in one.
    pub fn resolve(&self) -> PyResult<Config> {
        if let (Some(threshold), Some(keep)) = (self.threshold, self.keep) {
            let why = "give one of them";
            return Err(wrong(format!("threshold = {threshold} and keep = {keep}: {why}")));
        }
        // Written so that NaN fails.
        if let Some(keep) = self.keep
            && !(keep > 0.0 && keep <= 1.0)
        {
            return Err(wrong(format!("keep = {keep}: above 0, at most 1")));
        }
        let mut layers = Layers::default();
        if let Some(config) = &self.config {
            config.lay(&mut layers)?;
        }
        self.lay_rules(&mut layers)?;
        if self.threshold.is_some() || self.keep.is_some() {
            layers.unset("policy", "threshold");
            layers.unset("policy", "keep");
        }
        if let Some(threshold) = self.threshold {
            layers.set("policy", "threshold", threshold, "threshold=");
            layers.set("follow", "enabled", false, "threshold=");
        }
        if let Some(keep) = self.keep {
            layers.set("policy", "keep", keep, "keep=");
        }
        if let Some(threads) = self.threads {
            let threads = checked_threads(threads)?;
            layers.set("pipeline", "workers", threads as i64, "threads=");
        }
        if let Some(scaled) = self.scaled {
            let decode = if scaled { "scaled" } else { "exact" };
            layers.set("image", "decode", decode, "scaled=");
        }
        if let Some(state) = &self.select {
            layers.set("select", "state", state.to_string_lossy().into_owned(), "select=");
        }
        let config = layers.resolve().map_err(refused)?;
        if config.tracker.enabled {
            return Err(wrong(
                "follow.enabled = true: a Gate decides each pair by itself, and follows no scores; \
                 give false, or a threshold"
                    .into(),
            ));
        }
        Ok(config)
    }

    fn lay_rules(&self, layers: &mut Layers) -> PyResult<()> {
        let rules = match self.rules.as_deref() {
            None => return Ok(()),
            Some("basic") => Rules::BASIC,
            Some("none") => Rules::NONE,
            Some(other) => return Err(wrong(format!("rules = {other:?}: 'basic' or 'none'"))),
        };
        layers.set_rules(rules, "rules=");
        Ok(())
    }

    /// What a gate with this config on this model decides by, but for the state that selects.
    ///
    /// # Errors
    /// `ValueError` where no threshold follows.
    pub fn settings(&self, config: &Config, model: &Model) -> PyResult<GateSettings> {
        let manifest = model.manifest();
        let (name, policy) = (&manifest.name, &config.policy);
        let threshold = match (policy.threshold, policy.keep) {
            (Some(threshold), _) => threshold,
            (None, Some(keep)) => manifest.calibrated_threshold(keep).ok_or_else(|| {
                wrong(format!(
                    "keep = {keep}: the model {name} is not calibrated, so that no share gives a \
                     threshold: calibrate it (`pairgate calibrate --into`), or give threshold="
                ))
            })?,
            (None, None) => manifest.recommended_threshold.ok_or_else(|| {
                wrong(format!("the model {name} recommends no threshold: give threshold= or keep="))
            })?,
        };
        let screening = if self.score_all { Screening::Note } else { Screening::Stop };
        let mut settings = GateSettings { screening, ..GateSettings::of(config) };
        settings.policy = Policy { threshold: Some(threshold), ..settings.policy };
        Ok(settings)
    }
}

/// A number of threads, if it is one.
///
/// # Errors
/// `ValueError`.
pub fn checked_threads(threads: i64) -> PyResult<usize> {
    let within = (1..=MOST_THREADS).contains(&threads);
    let checked = usize::try_from(threads).ok().filter(|_| within);
    checked.ok_or_else(|| wrong(format!("threads = {threads}: from 1 to {MOST_THREADS}")))
}

/// A path that means the same in another folder.
pub fn absolute(path: &Path) -> PyResult<PathBuf> {
    std::path::absolute(path).map_err(|why| wrong(format!("{}: {why}", path.display())))
}

fn wrong(why: String) -> PyErr {
    PyValueError::new_err(why)
}

fn refused(error: pairgate::ConfigFileError) -> PyErr {
    wrong(error.to_string())
}
