//! The pure scorers by the names of their methods: fitted on a pool, and read back from a state.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pairgate_core::pair::Uid;
use pairgate_kernels::Team;

use super::expression::Atom;
use super::fit::SelectError;
use super::kmeans;
use super::pool::PoolPair;
use super::random::draw;
use crate::score::language::{TrainOptions, Trainer, Words};
use crate::score::subspace;
use crate::score::{
    Array, Band, Contrast, ContrastOptions, Features, Labelled, Linear, LinearOptions,
    LossReduction, Measure, NGrams, Perplexity, Prototypes, Row, Rows, Side, StateError, Subspace,
    TargetNorm, Targets,
};

/// Pairs that the means of pictures and of captions are taken over.
const MEAN_PAIRS: usize = 65_536;
/// From this on, p stands for the greatest magnitude.
const INFINITE: f64 = 100.0;

/// Why there is no scorer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// Its arrays are not what they should be.
    #[error(transparent)]
    Array(#[from] StateError),
    /// This program has no such method.
    #[error("this pairgate knows no method {0}")]
    Unknown(String),
    /// It cannot be made of what there is.
    #[error("{method}: {why}")]
    Unfit {
        /// The method.
        method: &'static str,
        /// What is missing or wrong.
        why: String,
    },
}

/// A pair that somebody has marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whether it is good.
    pub is_good: bool,
    /// The class that it is an example of, where one was said.
    pub class: Option<String>,
}

/// What methods are fitted with, beside the pool.
#[derive(Debug, Default)]
pub struct Resources {
    /// Entries that are looked for in captions.
    pub entries: Vec<String>,
    /// Pictures' embeddings of a target.
    pub targets: Vec<Row>,
    /// Marked pairs of the pool.
    pub marks: HashMap<Uid, Mark>,
    /// Pairs of the pool that are examples of base classes, which those of few examples are calibrated by.
    pub base: HashMap<Uid, Mark>,
    /// Embeddings of unsafe phrases, as captions.
    pub phrases: Vec<Row>,
    /// The model's logit scale, where it is known.
    pub logit_scale: Option<f32>,
    /// The model's vocabulary, where captions are tokenized.
    pub words: Option<Words>,
    /// A language model of all captions; without one, one is learnt from the pool.
    pub prior: Option<NGrams>,
    /// A language model of wanted captions; without one, one is learnt from pairs that are marked good.
    pub conditional: Option<NGrams>,
}

/// Reads pairs of the pool: at most so many, drawn by their uids, or all.
pub type Pairs<'a> = dyn FnMut(
        Option<usize>,
        &mut dyn FnMut(&PoolPair) -> Result<(), SelectError>,
    ) -> Result<(), SelectError>
    + 'a;

/// A measure, `None` being the model's own score, and what is frozen of it.
pub type Fitted = (Option<Arc<dyn Measure>>, Vec<Array>);

/// Whether a method looks at captions.
pub fn needs_caption(method: &str) -> bool {
    matches!(method, "entries") || needs_tokens(method)
}

/// Whether it looks at their tokens.
pub fn needs_tokens(method: &str) -> bool {
    matches!(method, "perplexity" | "color")
}

/// The measure of a scorer that these arrays hold; `None` is the model's own score.
///
/// # Errors
/// [`ScorerError`].
pub fn from_arrays(
    name: &str,
    arrays: &[Array],
    dimension: usize,
) -> Result<Option<Arc<dyn Measure>>, ScorerError> {
    Ok(Some(match name {
        "score" => return Ok(None),
        "contrast" => Arc::new(Contrast::from_arrays(arrays, dimension)?),
        "targets" | "vas" => Arc::new(Targets::from_arrays(arrays, dimension)?),
        "prototypes" => Arc::new(Prototypes::from_arrays(arrays, dimension)?),
        "linear" => Arc::new(Linear::from_arrays(arrays, dimension)?),
        "unsafe" => Arc::new(Subspace::from_arrays(arrays, dimension)?),
        "perplexity" => Arc::new(Perplexity::from_arrays(arrays, dimension)?),
        "color" => Arc::new(LossReduction::from_arrays(arrays, dimension)?),
        other => return Err(ScorerError::Unknown(other.to_owned())),
    }))
}

/// Fits a scorer.
///
/// # Errors
/// [`SelectError`].
pub fn fit(
    atom: &Atom,
    resources: &Resources,
    seed: u64,
    team: &Team,
    pairs: &mut Pairs<'_>,
) -> Result<Fitted, SelectError> {
    match atom.method {
        "score" => Ok((None, Vec::new())),
        "contrast" => contrast(atom, resources, seed, pairs),
        "targets" | "vas" => targets(atom, resources, seed, team),
        "prototypes" => prototypes(atom, resources, pairs),
        "linear" => linear(atom, resources, pairs),
        "unsafe" => unsafe_phrases(resources, pairs),
        "perplexity" => {
            let model = prior("perplexity", atom, resources, pairs)?;
            let fitted = Perplexity::new(model, Band::ALL);
            let arrays = fitted.to_arrays();
            Ok((Some(Arc::new(fitted)), arrays))
        }
        "color" => {
            let prior = prior("color", atom, resources, pairs)?;
            let conditional = match &resources.conditional {
                Some(model) => model.clone(),
                None => learnt("color", atom, resources, pairs, &|pair| {
                    resources.marks.get(&pair.uid).is_some_and(|mark| mark.is_good)
                })?,
            };
            let fitted = LossReduction::new(prior, conditional);
            let arrays = fitted.to_arrays();
            Ok((Some(Arc::new(fitted)), arrays))
        }
        other => Err(ScorerError::Unknown(other.to_owned()).into()),
    }
}

fn unfit(method: &'static str, why: impl Into<String>) -> SelectError {
    ScorerError::Unfit { method, why: why.into() }.into()
}

fn contrast(
    atom: &Atom,
    resources: &Resources,
    seed: u64,
    pairs: &mut Pairs<'_>,
) -> Result<Fitted, SelectError> {
    let usual = ContrastOptions::of(resources.logit_scale);
    let options = ContrastOptions {
        temperature: atom.said_number("tau").unwrap_or(usual.temperature),
        bank: atom.number("bank") as usize,
        batch: atom.number("batch") as usize,
    };
    let mut bank = Vec::new();
    pairs(Some(options.bank), &mut |pair| {
        let (image, text) = (Row::of(&pair.embeddings.image), Row::of(&pair.embeddings.text));
        bank.push((draw(seed, &pair.uid), image, text));
        Ok(())
    })?;
    let fitted = Contrast::fit(bank, options).ok_or(SelectError::Empty)?;
    let arrays = fitted.to_arrays();
    Ok((Some(Arc::new(fitted)), arrays))
}

fn targets(
    atom: &Atom,
    resources: &Resources,
    seed: u64,
    team: &Team,
) -> Result<Fitted, SelectError> {
    let method = atom.method;
    if resources.targets.is_empty() {
        return Err(unfit(method, "it needs targets: --targets FILE"));
    }
    let p = atom.number("p");
    let norm = match method {
        "vas" => TargetNorm::Squares,
        _ if p == 2.0 => TargetNorm::Two,
        _ if p >= INFINITE => TargetNorm::Infinity,
        _ => return Err(unfit(method, format!("p {p} is neither 2 nor 100, which is infinity"))),
    };
    let k = atom.number("k");
    let fitted = match k > 0.0 && norm == TargetNorm::Infinity {
        true => {
            let mut rows = Rows::new(resources.targets[0].codes().len());
            resources.targets.iter().for_each(|row| rows.push(row));
            let go_on = AtomicBool::new(false);
            let found = kmeans::fit(&rows, k as usize, 100, seed, team, &go_on, |_| {})
                .map_err(|why| SelectError::KMeans { method, why })?;
            let centres = found.centroids.rows();
            Targets::fit((0..centres.len()).map(|place| centres.row(place)), norm)
        }
        false => Targets::fit(resources.targets.iter().cloned(), norm),
    };
    let fitted = fitted.ok_or_else(|| unfit(method, "there is no target"))?;
    let arrays = fitted.to_arrays();
    Ok((Some(Arc::new(fitted)), arrays))
}

fn prototypes(
    atom: &Atom,
    resources: &Resources,
    pairs: &mut Pairs<'_>,
) -> Result<Fitted, SelectError> {
    let says_how = ["tau", "alpha"].iter().any(|name| atom.said_number(name).is_some());
    if says_how && resources.base.is_empty() {
        return Err(unfit("prototypes", "tau and alpha are of base classes: --base-labels FILE"));
    }
    let (mut examples, mut base) = (Vec::new(), Vec::new());
    pairs(None, &mut |pair| {
        let example = |mark: &Mark| {
            let class = mark.class.clone().unwrap_or_else(|| "good".to_owned());
            (class, Row::of(&pair.embeddings.image))
        };
        let of = |marks: &HashMap<Uid, Mark>| {
            marks.get(&pair.uid).filter(|mark| mark.is_good).map(example)
        };
        examples.extend(of(&resources.marks));
        base.extend(of(&resources.base));
        Ok(())
    })?;
    let none = "no pair of the pool is marked good: --labels FILE";
    let mut fitted =
        Prototypes::fit(examples, Side::Image).ok_or_else(|| unfit("prototypes", none))?;
    if !resources.base.is_empty() {
        let none = "no pair of the pool is an example of a base class: --base-labels FILE";
        let base = Prototypes::fit(base, Side::Image).ok_or_else(|| unfit("prototypes", none))?;
        fitted = fitted.calibrated(&base, atom.number("tau"), atom.number("alpha"));
    }
    let arrays = fitted.to_arrays();
    Ok((Some(Arc::new(fitted)), arrays))
}

fn linear(
    atom: &Atom,
    resources: &Resources,
    pairs: &mut Pairs<'_>,
) -> Result<Fitted, SelectError> {
    let features = match atom.word("features") {
        None | Some("joint") => Features::Joint,
        Some("image") => Features::Image,
        Some(other) => {
            return Err(unfit("linear", format!("features {other} are neither joint nor image")));
        }
    };
    let mut labelled = Vec::new();
    pairs(None, &mut |pair| {
        if let Some(mark) = resources.marks.get(&pair.uid) {
            let (image, text) = (Row::of(&pair.embeddings.image), Row::of(&pair.embeddings.text));
            labelled.push(Labelled { image, text, is_out: !mark.is_good });
        }
        Ok(())
    })?;
    let options = LinearOptions { features, penalty: atom.number("penalty") };
    let fitted = Linear::fit(labelled, options);
    let fitted = fitted.map_err(|why| unfit("linear", format!("{why}: --labels FILE")))?;
    let arrays = fitted.to_arrays();
    Ok((Some(Arc::new(fitted)), arrays))
}

fn unsafe_phrases(resources: &Resources, pairs: &mut Pairs<'_>) -> Result<Fitted, SelectError> {
    if resources.phrases.is_empty() {
        return Err(unfit("unsafe", "it needs phrases: --phrases FILE"));
    }
    let mut images = Vec::new();
    let mut texts = Vec::new();
    pairs(Some(MEAN_PAIRS), &mut |pair| {
        images.push(Row::of(&pair.embeddings.image));
        texts.push(Row::of(&pair.embeddings.text));
        Ok(())
    })?;
    let means = subspace::mean(images).zip(subspace::mean(texts)).ok_or(SelectError::Empty)?;
    let fitted = Subspace::fit(resources.phrases.iter().cloned(), &means.0, &means.1);
    let fitted = fitted.ok_or_else(|| unfit("unsafe", "the phrases leave no direction"))?;
    let arrays = fitted.to_arrays();
    Ok((Some(Arc::new(fitted)), arrays))
}

/// The model of all captions.
fn prior(
    method: &'static str,
    atom: &Atom,
    resources: &Resources,
    pairs: &mut Pairs<'_>,
) -> Result<NGrams, SelectError> {
    match &resources.prior {
        Some(model) => Ok(model.clone()),
        None => learnt(method, atom, resources, pairs, &|_| true),
    }
}

/// A model of the captions of some pairs.
fn learnt(
    method: &'static str,
    atom: &Atom,
    resources: &Resources,
    pairs: &mut Pairs<'_>,
    takes: &dyn Fn(&PoolPair) -> bool,
) -> Result<NGrams, SelectError> {
    let words = resources.words.ok_or_else(|| unfit(method, "the model tells no vocabulary"))?;
    let order = atom.number("order") as usize;
    let options = TrainOptions { order, ..TrainOptions::default() };
    let wrong = |why: &dyn std::fmt::Display| unfit(method, why.to_string());
    let mut trainer = Trainer::new(words, options).map_err(|why| wrong(&why))?;
    pairs(None, &mut |pair| {
        if pair.caption.is_none() {
            return Err(super::fit::captionless(method));
        }
        match takes(pair) {
            true => trainer.add(&pair.tokens).map_err(|why| wrong(&why)),
            false => Ok(()),
        }
    })?;
    trainer.finish().map_err(|why| match method {
        "color" => wrong(&format!("{why}: --cond FILE, or --labels FILE with pairs marked good")),
        _ => wrong(&why),
    })
}
