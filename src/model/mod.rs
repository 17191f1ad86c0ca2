//! The data filtering network: a [`Model`] that all workers share, and a [`Scorer`] for each.
//!
//! No type of the inference engine leaves this folder.
//!
//! | file | idea |
//! |---|---|
//! | `file`, `manifest`, `bundle` | files of strangers; what a bundle says, and its files found whole |
//! | `graph` | an ONNX graph before the engine: limits, one form for all quantizations, survey |
//! | `rounding`, `tower` | operators that the engine lacks; a graph in tract, planned for each shape |
//! | `golden`, `witness`, `selfcheck`, `verify` | what the model says in the software it comes from |
//! | `int8` | the int8 engine: tract's graph with our kernels in it |
//! | `import` | bundles from the folders that people have |

pub mod bundle;
pub mod calibrate;
mod file;
pub mod golden;
pub mod graph;
pub mod import;
pub mod inspect;
mod int8;
pub mod manifest;
mod new_bundle;
pub mod quantize;
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
use graph::lower::Roundings;
use graph::survey::{Activation, Facts, facts, survey};
use manifest::{Attention, Manifest, TextManifest};
use tower::{Feed, Tower, TowerState};

pub use pairgate_kernels::{Isa, Team};
pub use tower::Side;

/// Lengths in tokens that captions are padded to. A caption costs what its own length costs, and
/// the plans stay few.
const TEXT_BUCKETS: [usize; 6] = [8, 16, 24, 32, 48, 64];
/// The lengths of a big text tower in f32: each plan packs the weights for itself.
const BIG_TEXT_BUCKETS: [usize; 2] = [16, 32];
/// Weights of a text tower from which on it is big: then a plan takes 64 MB or more.
const BIG_TEXT_PARAMETERS: u64 = 16 << 20;

/// How the products of a model are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// In f32, as the graph says: rounded where it is quantized. The reference.
    Float,
    /// In int8, on the kernels of this instruction set: weights are rounded at load if the file
    /// has not done it, activations at each product.
    Int8(Isa),
}

impl std::fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float => f.write_str("float"),
            Self::Int8(isa) => write!(f, "int8 on {isa}"),
        }
    }
}

impl Arithmetic {
    /// Int8 on the fastest kernels that the machine has.
    pub fn int8() -> Self {
        Self::Int8(Isa::chosen())
    }

    fn roundings(self) -> Roundings {
        match self {
            Self::Float => Roundings::Kept,
            Self::Int8(_) => Roundings::Dropped,
        }
    }
}

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
    /// Int8 by this crate's own choice of scales.
    Int8,
}

/// A loaded bundle: immutable, shared by all workers.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    digest: crate::pair::Digest,
    tokenizer: CaptionTokenizer,
    image: Arc<Tower>,
    text: Arc<Tower>,
    /// Caption lengths that the text tower is planned for, ascending.
    text_lengths: Vec<usize>,
    precision: Precision,
    arithmetic: Arithmetic,
}

impl Model {
    /// Builds the towers of a bundle, checks them against its manifest, and lets them say its
    /// golden pairs.
    ///
    /// # Errors
    /// [`ModelError`] that names the file and what does not fit.
    pub fn load(bundle: &Bundle, arithmetic: Arithmetic) -> Result<Self, ModelError> {
        let model = Arc::new(Self::unchecked(bundle, arithmetic)?);
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
    pub fn unchecked(bundle: &Bundle, arithmetic: Arithmetic) -> Result<Self, ModelError> {
        let manifest = bundle.manifest.clone();
        let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, &manifest.text)?;
        let (image, image_precision) = {
            let side = manifest.image.size as usize;
            let output = manifest.image.output.as_deref();
            let (graph, halves) = open(&bundle.image, output, arithmetic)?;
            let facts = facts(&graph);
            check_activation(graph.file(), manifest.image.activation, &facts)?;
            let shapes = [vec![1, 3, side, side]];
            let graph = on_kernels(graph, arithmetic)?;
            let tower = Tower::load(graph, Side::Image, &shapes, manifest.embedding_size)?;
            (tower, precision(&facts, halves, arithmetic))
        };
        let output = manifest.text.output.as_deref();
        let (graph, halves) = open(&bundle.text, output, arithmetic)?;
        let facts = facts(&graph);
        check_activation(graph.file(), manifest.text.activation, &facts)?;
        check_vocabulary(&tokenizer, &manifest.text, &facts)?;
        let text_lengths = text_lengths(&graph, &manifest.text, facts.parameters, arithmetic)?;
        let graph = on_kernels(graph, arithmetic)?;
        let shapes: Vec<_> = text_lengths.iter().map(|length| vec![1, *length]).collect();
        let text = Tower::load(graph, Side::Text, &shapes, manifest.embedding_size)?;
        let digest = bundle.digest;
        let precision = image_precision.max(precision(&facts, halves, arithmetic));
        let (image, text) = (Arc::new(image), Arc::new(text));
        Ok(Self { manifest, digest, tokenizer, image, text, text_lengths, precision, arithmetic })
    }

    /// The bundle's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The digest that names the model in journals.
    pub fn digest(&self) -> crate::pair::Digest {
        self.digest
    }

    /// How its products are computed.
    pub fn arithmetic(&self) -> Arithmetic {
        self.arithmetic
    }

    /// The lesser of its towers' precisions.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    fn images_at_once(&self) -> usize {
        let side = self.manifest.image.size as usize;
        let fitting = (CONVOLVED_PIXELS / (side * side)).clamp(1, IMAGES_AT_ONCE);
        match self.arithmetic {
            Arithmetic::Float => 1,
            Arithmetic::Int8(_) if self.image.convolves() => fitting,
            Arithmetic::Int8(_) => IMAGES_AT_ONCE,
        }
    }

    fn captions_at_once(&self, length: usize) -> usize {
        match self.arithmetic {
            Arithmetic::Float => 1,
            Arithmetic::Int8(_) => (TOKENS_AT_ONCE / length).clamp(1, CAPTIONS_AT_ONCE),
        }
    }

    /// How many times longer a caption may become before it is cut into tokens; see
    /// [`CaptionTokenizer::growth`].
    pub fn caption_growth(&self) -> f64 {
        self.tokenizer.growth()
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
pub fn embed_image_once(
    graph: graph::Graph,
    arithmetic: Arithmetic,
    pixels: &[f32],
) -> Result<Vec<f32>, ModelError> {
    let side = (pixels.len() / 3).isqrt();
    let graph = on_kernels(graph.lowered_with(arithmetic.roundings())?, arithmetic)?;
    tower::run_once(graph, Side::Image, &[1, 3, side, side], Feed::Pixels { pixels, images: 1 })
}

/// A tower's graph, lowered, and whether its file is in half precision.
fn open(
    file: &TowerFile,
    output: Option<&str>,
    arithmetic: Arithmetic,
) -> Result<(graph::Graph, bool), ModelError> {
    let mut graph = file.graph()?;
    if let Some(output) = output {
        graph.select(&[output])?;
    }
    let halves = survey(&graph).is_half();
    Ok((graph.lowered_with(arithmetic.roundings())?, halves))
}

fn on_kernels(graph: graph::Graph, arithmetic: Arithmetic) -> Result<graph::Graph, ModelError> {
    let file = graph.file().to_owned();
    match arithmetic {
        Arithmetic::Float => Ok(graph),
        Arithmetic::Int8(isa) => tower::guarded(&file, || Ok(graph.on_kernels(isa))),
    }
}

fn precision(facts: &Facts, halves: bool, arithmetic: Arithmetic) -> Precision {
    match facts.roundings {
        _ if arithmetic != Arithmetic::Float => Precision::Int8,
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
    arithmetic: Arithmetic,
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
        BIG_TEXT_PARAMETERS.. if arithmetic == Arithmetic::Float => &BIG_TEXT_BUCKETS,
        _ => &TEXT_BUCKETS,
    };
    let shorter = buckets.iter().copied().filter(|length| *length < context);
    Ok(shorter.chain([context]).collect())
}

/// Tokens that run at once, of several captions: more do not make the kernels faster.
const TOKENS_AT_ONCE: usize = 256;
/// Captions that run at once.
const CAPTIONS_AT_ONCE: usize = 16;
/// Images that run at once: more do not fit the caches.
const IMAGES_AT_ONCE: usize = 4;
/// Pixels that run at once where there are convolutions, whose activations are much bigger.
const CONVOLVED_PIXELS: usize = 1 << 16;

/// One worker's hold on the model: its working memory and buffers.
pub struct Scorer {
    model: Arc<Model>,
    image: TowerState,
    text: TowerState,
    image_embeddings: Vec<f32>,
    text_embeddings: Vec<f32>,
    /// Of one run.
    made: Vec<f32>,
    padded: Vec<i64>,
}

impl std::fmt::Debug for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scorer").field("model", &self.model.manifest.name).finish_non_exhaustive()
    }
}

impl Scorer {
    /// A scorer on `model` that works on the calling thread.
    pub fn new(model: Arc<Model>) -> Self {
        Self::on_team(model, Team::ALONE)
    }

    /// A scorer that splits each run over the threads of `team`: a pair takes less time, and many
    /// pairs more than with a scorer on each thread. The scores are the same. In f32 the team has
    /// no effect.
    pub fn on_team(model: Arc<Model>, team: Team) -> Self {
        Self {
            image: TowerState::new(model.image.clone(), team.clone()),
            text: TowerState::new(model.text.clone(), team),
            model,
            image_embeddings: Vec::new(),
            text_embeddings: Vec::new(),
            made: Vec::new(),
            padded: Vec::new(),
        }
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
        self.image.embed(Feed::Pixels { pixels, images: 1 }, &mut self.image_embeddings)?;
        Ok(&self.image_embeddings)
    }

    /// The unit-length embeddings of prepared images, `[images, 3, size, size]` f32 to
    /// `[images, embedding_size]`. Each is what [`Scorer::embed_image`] gives.
    ///
    /// # Errors
    /// As [`Scorer::embed_image`].
    pub fn embed_images(&mut self, pixels: &[f32], images: usize) -> Result<&[f32], ModelError> {
        let size = pixels.len() / images.max(1);
        self.image_embeddings.clear();
        let mut rest = pixels;
        for at_once in groups(images, self.model.images_at_once()) {
            let (pixels, behind) = rest.split_at(at_once * size);
            self.image.embed(Feed::Pixels { pixels, images: at_once }, &mut self.made)?;
            self.image_embeddings.extend(&self.made);
            rest = behind;
        }
        Ok(&self.image_embeddings)
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
        self.embed_captions(&[ids])
    }

    /// The unit-length embeddings of captions' token ids, `[captions, embedding_size]` in their
    /// order: captions of like length run together. Each is what [`Scorer::embed_tokens`] gives.
    ///
    /// # Errors
    /// As [`Scorer::embed_tokens`].
    pub fn embed_captions(&mut self, captions: &[&[i64]]) -> Result<&[f32], ModelError> {
        let model = self.model.clone();
        let (lengths, size) = (&model.text_lengths, model.manifest.embedding_size);
        self.text_embeddings.resize(captions.len() * size, 0.0);
        let bucket = |ids: &&[i64]| {
            lengths.partition_point(|length| *length < ids.len()).min(lengths.len() - 1)
        };
        for (place, length) in lengths.iter().enumerate() {
            let here: Vec<usize> =
                (0..captions.len()).filter(|i| bucket(&captions[*i]) == place).collect();
            let mut rest = here.as_slice();
            for at_once in groups(here.len(), model.captions_at_once(*length)) {
                let (these, behind) = rest.split_at(at_once);
                self.embed_padded(these.iter().map(|i| captions[*i]), *length)?;
                for (i, made) in these.iter().zip(self.made.chunks_exact(size)) {
                    self.text_embeddings[i * size..][..size].copy_from_slice(made);
                }
                rest = behind;
            }
        }
        Ok(&self.text_embeddings)
    }

    /// Makes every run that up to `captions` captions at once can ask for, and one image's, so that
    /// the plans and buffers of all of them are there.
    ///
    /// # Errors
    /// [`ModelError::Graph`] if the engine fails.
    pub fn warm(&mut self, captions: usize) -> Result<(), ModelError> {
        let model = self.model.clone();
        let side = model.manifest.image.size as usize;
        self.embed_image(&vec![0.0; 3 * side * side])?;
        for length in &model.text_lengths {
            let most = captions.min(model.captions_at_once(*length).next_power_of_two());
            let ids = vec![0; *length];
            let sizes = std::iter::successors(Some(1), |size| Some(2 * size));
            for size in sizes.take_while(|size| *size <= most) {
                self.embed_captions(&vec![ids.as_slice(); size])?;
            }
        }
        self.text_embeddings.resize(captions * model.manifest.embedding_size, 0.0);
        Ok(())
    }

    /// One run of the text tower on captions padded to `length`.
    fn embed_padded<'a>(
        &mut self,
        captions: impl Iterator<Item = &'a [i64]>,
        length: usize,
    ) -> Result<(), ModelError> {
        let pad = i64::from(self.model.manifest.text.pad_id);
        self.padded.clear();
        let mut tokens = Vec::new();
        for ids in captions {
            let ids = &ids[..ids.len().min(length)];
            tokens.push(ids.len());
            self.padded.extend(ids);
            self.padded.resize(tokens.len() * length, pad);
        }
        self.text.embed(Feed::Tokens { ids: &self.padded, tokens: &tokens }, &mut self.made)
    }

    /// The score of a pair: the cosine of its two embeddings, -1 to 1.
    ///
    /// # Errors
    /// [`ModelError`] if tokenizer or engine fail.
    pub fn score(&mut self, pixels: &[f32], caption: &str) -> Result<f32, ModelError> {
        let ids = self.tokenize(caption)?;
        self.embed_tokens(&ids)?;
        self.embed_image(pixels)?;
        Ok(score(&self.image_embeddings, &self.text_embeddings))
    }
}

/// The score of a pair: the cosine of its two embeddings, each of unit length. Summed in order, so that
/// it is the same everywhere.
pub fn score(image: &[f32], text: &[f32]) -> f32 {
    image.iter().zip(text).map(|(image, text)| image * text).sum()
}

/// Cuts a number of pairs into runs: powers of two, so that plans stay few.
fn groups(pairs: usize, most: usize) -> impl Iterator<Item = usize> {
    let mut left = pairs;
    std::iter::from_fn(move || {
        let next = (left > 0).then(|| (1 << left.ilog2()).min(most))?;
        left -= next;
        Some(next)
    })
}
