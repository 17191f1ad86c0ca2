//! The data filtering network: a [`Model`] that all workers share, and a [`Scorer`] for each.
//!
//! No type of the inference engine leaves this folder.
//!
//! | file | idea |
//! |---|---|
//! | `manifest`, `bundle` | what a bundle says, and its files found whole |
//! | `graph` | an ONNX graph before the engine: limits, one form for all quantizations, survey |
//! | `rounding`, `tower` | operators that the engine lacks; a graph in tract, planned for each shape |
//! | `golden`, `witness`, `selfcheck`, `verify` | what the model says in the software it comes from |
//! | `import` | bundles from the folders that people have |

pub mod bundle;
pub mod golden;
pub mod graph;
pub mod import;
pub mod inspect;
pub mod manifest;
mod rounding;
mod selfcheck;
mod tower;
pub mod verify;
mod witness;

use std::sync::Arc;

use crate::error::ModelError;
use crate::text::tokenize::CaptionTokenizer;
use bundle::{Bundle, TowerFile};
use golden::Golden;
use graph::survey::{Activation, Facts, facts, survey};
use manifest::{Attention, Manifest, TextManifest};
use tower::{Feed, Tower, TowerState};

pub use tower::Side;

/// Lengths in tokens that captions are padded to. A caption costs what its own length costs, and
/// the plans stay few.
const TEXT_BUCKETS: [usize; 6] = [8, 16, 24, 32, 48, 64];
/// The lengths of a big text tower: each plan packs the weights for itself.
const BIG_TEXT_BUCKETS: [usize; 2] = [16, 32];
/// Weights of a text tower from which on it is big: then a plan takes 64 MB or more.
const BIG_TEXT_PARAMETERS: u64 = 16 << 20;

/// How exactly two programs can agree on what a graph says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// f32 throughout: up to the order of sums.
    Float,
    /// The file is in half precision, which others compute in and this engine widens.
    Half,
    /// Activations are rounded to integer codes. Values half way between two codes fall to either
    /// side with the order of a sum, and each moves others behind it.
    Codes,
}

/// A loaded bundle: immutable, shared by all workers.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    digest: crate::pair::Digest,
    tokenizer: CaptionTokenizer,
    image: Tower,
    text: Tower,
    /// Caption lengths that the text tower is planned for, ascending.
    text_lengths: Vec<usize>,
    precision: Precision,
}

impl Model {
    /// Builds the towers of a bundle, checks them against its manifest, and lets them say its
    /// golden pairs.
    ///
    /// # Errors
    /// [`ModelError`] that names the file and what does not fit.
    pub fn load(bundle: &Bundle) -> Result<Self, ModelError> {
        let model = Arc::new(Self::unchecked(bundle)?);
        if let (Some(checked), Some(json)) = (&bundle.manifest.golden, &bundle.golden) {
            let golden = Golden::parse(&checked.file, json)?;
            selfcheck::check(model.clone(), &golden, &bundle.folder, checked.min_cosine)?;
        }
        // The check is over, and with it the other hold.
        Ok(Arc::into_inner(model).expect("one hold"))
    }

    /// As [`Model::load`], without asking for the golden pairs.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn unchecked(bundle: &Bundle) -> Result<Self, ModelError> {
        let manifest = bundle.manifest.clone();
        let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, &manifest.text)?;
        let (image, image_precision) = {
            let side = manifest.image.size as usize;
            let (graph, halves) = open(&bundle.image, manifest.image.output.as_deref())?;
            let facts = facts(&graph);
            check_activation(graph.file(), manifest.image.activation, &facts)?;
            let shapes = [vec![1, 3, side, side]];
            let tower = Tower::load(graph, Side::Image, &shapes, manifest.embedding_size)?;
            (tower, precision(&facts, halves))
        };
        let (graph, halves) = open(&bundle.text, manifest.text.output.as_deref())?;
        let facts = facts(&graph);
        check_activation(graph.file(), manifest.text.activation, &facts)?;
        check_vocabulary(&tokenizer, &manifest.text, &facts)?;
        let text_lengths = text_lengths(&graph, &manifest.text, facts.parameters)?;
        let shapes: Vec<_> = text_lengths.iter().map(|length| vec![1, *length]).collect();
        let text = Tower::load(graph, Side::Text, &shapes, manifest.embedding_size)?;
        let digest = bundle.digest;
        let precision = image_precision.max(precision(&facts, halves));
        Ok(Self { manifest, digest, tokenizer, image, text, text_lengths, precision })
    }

    /// The bundle's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest that names the model in journals.
    pub fn digest(&self) -> crate::pair::Digest {
        self.digest
    }

    /// The lesser of its towers' precisions.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Caption lengths in tokens that the text tower runs at, ascending.
    pub fn text_lengths(&self) -> &[usize] {
        &self.text_lengths
    }
}

/// One run of an image tower by itself, `[3, S, S]` to its embedding of unit length: for tools that
/// have a graph and no bundle.
///
/// # Errors
/// [`ModelError`] if the graph is no image tower, or does not run.
pub fn embed_image_once(graph: graph::Graph, pixels: &[f32]) -> Result<Vec<f32>, ModelError> {
    let side = (pixels.len() / 3).isqrt();
    tower::run_once(graph.lowered()?, Side::Image, &[1, 3, side, side], Feed::Pixels(pixels))
}

/// A tower's graph, lowered, and whether its file is in half precision.
fn open(file: &TowerFile, output: Option<&str>) -> Result<(graph::Graph, bool), ModelError> {
    let mut graph = file.graph()?;
    if let Some(output) = output {
        graph.select(&[output])?;
    }
    let halves = survey(&graph).is_half();
    Ok((graph.lowered()?, halves))
}

fn precision(facts: &Facts, halves: bool) -> Precision {
    match facts.roundings {
        0 if halves => Precision::Half,
        0 => Precision::Float,
        _ => Precision::Codes,
    }
}

fn check_activation(
    file: &str,
    manifest: Option<Activation>,
    facts: &Facts,
) -> Result<(), ModelError> {
    match (manifest, facts.activation) {
        (Some(manifest), Some(found)) if manifest != found => {
            Err(ModelError::Activation { file: file.to_owned(), manifest, found })
        }
        _ => Ok(()),
    }
}

/// A tokenizer of another model gives ids that the table of tokens does not have, or leaves most
/// of it unused.
fn check_vocabulary(
    tokenizer: &CaptionTokenizer,
    manifest: &TextManifest,
    facts: &Facts,
) -> Result<(), ModelError> {
    let Some(table) = facts.vocabulary_size else { return Ok(()) };
    let tokens = tokenizer.vocabulary_size();
    let largest =
        [Some(manifest.pad_id), manifest.sot_id, manifest.eot_id].into_iter().flatten().max();
    if tokens > table || largest.is_some_and(|id| id as usize >= table) {
        let file = manifest.file.clone();
        return Err(ModelError::Vocabulary { file, table, tokens });
    }
    Ok(())
}

/// The lengths that captions run at: few, up to the context length, and only that one where
/// padding changes the embedding or the graph has one length baked in.
fn text_lengths(
    graph: &graph::Graph,
    manifest: &TextManifest,
    parameters: u64,
) -> Result<Vec<usize>, ModelError> {
    let context = manifest.context_length;
    let declared = graph.inputs().into_iter().find_map(|port| port.dims.get(1).copied().flatten());
    if let Some(fixed) = declared.filter(|fixed| *fixed != context) {
        let file = graph.file().to_owned();
        return Err(ModelError::ContextLength { file, manifest: context, found: fixed });
    }
    let whole = declared.is_some() || manifest.attention == Attention::Full;
    let buckets: &[usize] = match parameters {
        _ if whole => &[],
        BIG_TEXT_PARAMETERS.. => &BIG_TEXT_BUCKETS,
        _ => &TEXT_BUCKETS,
    };
    let shorter = buckets.iter().copied().filter(|length| *length < context);
    Ok(shorter.chain([context]).collect())
}

/// One worker's hold on the model: its working memory and buffers.
pub struct Scorer {
    model: Arc<Model>,
    image: Vec<TowerState>,
    text: Vec<TowerState>,
    image_embedding: Vec<f32>,
    text_embedding: Vec<f32>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer").field("model", &self.model.manifest.name).finish_non_exhaustive()
    }
}

impl Scorer {
    /// A scorer on `model`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine cannot make its working memory.
    pub fn new(model: Arc<Model>) -> Result<Self, ModelError> {
        Ok(Self {
            image: model.image.states()?,
            text: model.text.states()?,
            model,
            image_embedding: Vec::new(),
            text_embedding: Vec::new(),
        })
    }

    /// The model that is scored with.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The unit-length embedding of one prepared image, `[3, size, size]` f32 to
    /// `[embedding_size]`.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn embed_image(&mut self, pixels: &[f32]) -> Result<&[f32], ModelError> {
        self.image[0].embed(Feed::Pixels(pixels), &mut self.image_embedding)?;
        Ok(&self.image_embedding)
    }

    /// Token ids of a caption, at its own length; see [`CaptionTokenizer::tokenize`].
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] if the tokenizer gives up.
    pub fn tokenize(&self, caption: &str) -> Result<Vec<i64>, ModelError> {
        self.model.tokenizer.tokenize(caption)
    }

    /// The unit-length embedding of token ids, which are padded to the next planned length;
    /// ids beyond the context length are ignored.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn embed_tokens(&mut self, ids: &[i64]) -> Result<&[f32], ModelError> {
        let lengths = &self.model.text_lengths;
        let place = lengths.partition_point(|length| *length < ids.len()).min(lengths.len() - 1);
        let mut padded = ids.to_vec();
        padded.resize(lengths[place], i64::from(self.model.manifest.text.pad_id));
        let feed = Feed::Tokens { ids: &padded, tokens: ids.len() };
        self.text[place].embed(feed, &mut self.text_embedding)?;
        Ok(&self.text_embedding)
    }

    /// The score of a pair: the cosine of its two embeddings, -1 to 1.
    ///
    /// # Errors
    /// [`ModelError`] if tokenizer or engine fail.
    pub fn score(&mut self, pixels: &[f32], caption: &str) -> Result<f32, ModelError> {
        let ids = self.tokenize(caption)?;
        self.embed_tokens(&ids)?;
        self.embed_image(pixels)?;
        let pairs = self.image_embedding.iter().zip(&self.text_embedding);
        Ok(pairs.map(|(image, text)| image * text).sum())
    }
}
