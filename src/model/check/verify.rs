//! How far a model agrees with a golden file, or with itself in another arithmetic: per tower, and in
//! what the gate makes of it.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::golden::Golden;
use super::witness::Witness;
use crate::decode::Rgb8;
use crate::model::Model;
use crate::model::ModelError;

/// The share of pairs that a DFN keeps in its paper, at which verdicts are compared.
pub const KEEP: f64 = 0.15;

/// How far a model agrees with a golden file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Golden pairs.
    pub pairs: usize,
    /// Captions whose token ids differ.
    pub ids_differ: Vec<usize>,
    /// The image tower, preparation included.
    pub image: TowerAgreement,
    /// The text tower, cleaning and tokenizing included.
    pub text: TowerAgreement,
    /// Scores compared: every picture with every caption.
    pub scores: usize,
    /// Differences of scores: their median, 90 % and 99 % quantiles, and the largest.
    pub score_differences: [f64; 4],
    /// Spearman's correlation of the scores' ranks.
    pub rank_correlation: f64,
    /// Scores that the best [`KEEP`] of one side holds and that of the other does not.
    pub flips: usize,
    /// Scores that the best [`KEEP`] holds.
    pub kept: usize,
}

/// How far embeddings agree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TowerAgreement {
    /// Largest difference of a value of two unit-length embeddings.
    pub max_difference: f64,
    /// Smallest cosine of a golden embedding and ours.
    pub min_cosine: f64,
    /// Mean cosine.
    pub mean_cosine: f64,
}

/// Runs all golden pairs; pictures that are files lie in `folder`. `progress` is told how many are
/// done.
///
/// # Errors
/// [`ModelError`] if a picture cannot be read or the model does not run.
pub fn verify(
    model: Arc<Model>,
    golden: &Golden,
    folder: &Path,
    progress: &mut dyn FnMut(usize),
) -> Result<Agreement, ModelError> {
    let mut witness = Witness::new(model);
    let (mut images, mut texts, mut ids_differ) = (Vec::new(), Vec::new(), Vec::new());
    for (place, pair) in golden.pairs.iter().enumerate() {
        images.push(witness.embed(&pair.picture, folder)?.to_vec());
        let ids = witness.scorer.tokenize(&pair.caption)?;
        if ids != pair.ids {
            ids_differ.push(place);
        }
        texts.push(witness.scorer.embed_tokens(&ids)?.to_vec());
        progress(place + 1);
    }
    let theirs = Embeddings {
        images: golden.pairs.iter().map(|pair| pair.image.clone()).collect(),
        texts: golden.pairs.iter().map(|pair| pair.text.clone()).collect(),
    };
    Ok(agreement(&Embeddings { images, texts }, &theirs, ids_differ))
}

/// A picture with its caption.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The picture, decoded.
    pub picture: Rgb8,
    /// The caption, as it comes.
    pub caption: String,
}

/// Runs pairs through two models, of which `reference` is the one to agree with: the same bundle in
/// another arithmetic. `progress` is told how many are done.
///
/// # Errors
/// [`ModelError`] if a model does not run.
pub fn compare_models(
    model: Arc<Model>,
    reference: Arc<Model>,
    pairs: &[Shown],
    progress: &mut dyn FnMut(usize),
) -> Result<Agreement, ModelError> {
    let (mut ours, mut theirs) = (Witness::new(model), Witness::new(reference));
    let (mut our, mut their) = (Embeddings::default(), Embeddings::default());
    for (place, pair) in pairs.iter().enumerate() {
        our.add(&mut ours, pair)?;
        their.add(&mut theirs, pair)?;
        progress(place + 1);
    }
    Ok(agreement(&our, &their, Vec::new()))
}

/// Embeddings of unit length, of the pictures and of the captions.
#[derive(Debug, Clone, Default)]
struct Embeddings {
    images: Vec<Vec<f32>>,
    texts: Vec<Vec<f32>>,
}

impl Embeddings {
    fn add(&mut self, witness: &mut Witness, pair: &Shown) -> Result<(), ModelError> {
        self.images.push(witness.embed_picture(&pair.picture)?.to_vec());
        let ids = witness.scorer.tokenize(&pair.caption)?;
        self.texts.push(witness.scorer.embed_tokens(&ids)?.to_vec());
        Ok(())
    }
}

fn agreement(ours: &Embeddings, theirs: &Embeddings, ids_differ: Vec<usize>) -> Agreement {
    let image = compare(&ours.images, &theirs.images);
    let text = compare(&ours.texts, &theirs.texts);
    let pairs = theirs.texts.len();
    let (ours, theirs) = (scores(&ours.images, &ours.texts), scores(&theirs.images, &theirs.texts));
    let mut differences: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).collect();
    differences.sort_by(f64::total_cmp);
    let kept = (theirs.len() as f64 * KEEP).ceil() as usize;
    let quantile = |share: f64| differences[((differences.len() - 1) as f64 * share) as usize];
    Agreement {
        pairs,
        ids_differ,
        image,
        text,
        scores: theirs.len(),
        score_differences: [0.5, 0.9, 0.99, 1.0].map(quantile),
        rank_correlation: rank_correlation(&ours, &theirs),
        flips: flips(&ours, &theirs, kept),
        kept,
    }
}

/// Cosine of two vectors; 0 where they differ in length.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return 0.0;
    }
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn compare(ours: &[Vec<f32>], theirs: &[Vec<f32>]) -> TowerAgreement {
    let cosines: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| cosine(a, b)).collect();
    let values = ours.iter().flatten().zip(theirs.iter().flatten());
    TowerAgreement {
        max_difference: values.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max),
        min_cosine: cosines.iter().copied().fold(1.0, f64::min),
        mean_cosine: cosines.iter().sum::<f64>() / cosines.len() as f64,
    }
}

fn scores(images: &[Vec<f32>], texts: &[Vec<f32>]) -> Vec<f64> {
    images.iter().flat_map(|image| texts.iter().map(|text| cosine(image, text))).collect()
}

/// Spearman's: the linear correlation of ranks, ties sharing their mean rank.
fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    let spread = (sum(&a, &a) * sum(&b, &b)).sqrt();
    if spread == 0.0 { 1.0 } else { sum(&a, &b) / spread }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = start as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|place| ranks[*place] = rank);
        start += tied.len();
    }
    ranks
}

/// How many of the `kept` best of `a` are not among those of `b`.
fn flips(a: &[f64], b: &[f64], kept: usize) -> usize {
    let best = |scores: &[f64]| -> std::collections::HashSet<usize> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.into_iter().take(kept).collect()
    };
    best(a).difference(&best(b)).count()
}
