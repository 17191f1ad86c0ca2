//! The data filtering network: a [`Model`] that all workers share, and a [`Scorer`] for each.
//!
//! No type of the inference engine leaves this folder.
//!
//! | room | idea |
//! |---|---|
//! | `file` | files of strangers: regular ones, of a bounded size |
//! | `onnx` | an ONNX graph before the engine: limits, one form for all quantizations, survey |
//! | `int8` | the int8 engine: tract's graph with our kernels in it |
//! | `tower` | a graph in tract, planned for each shape; operators that the engine lacks |
//! | `bundle` | what a bundle says, its files found whole, and how one is written |
//! | `scorer` | one worker's hold on a model |
//! | `check` | what the model says, held against the software that it comes from; what a bundle is made of |
//! | `import`, `quantize`, `blend` | bundles from the folders that people have, smaller ones, and means of several |

pub mod blend;
pub mod bundle;
pub mod check;
mod error;
mod file;
pub mod import;
mod int8;
pub mod onnx;
pub mod quantize;
mod scorer;
mod tower;

use std::sync::Arc;

use bundle::manifest::{Attention, Manifest, TextManifest};
use bundle::{Bundle, TowerFile};
use check::golden::Golden;
use onnx::lower::Roundings;
use onnx::survey::{Activation, Facts, facts, survey};
use tower::{Feed, Lowered, Tower};

use crate::text::tokenize::CaptionTokenizer;

pub use error::ModelError;
pub use pairgate_kernels::{Isa, Team};
pub use scorer::{Scorer, score};
pub use tower::Side;

/// Lengths in tokens that captions are padded to. A caption costs what its own length costs, and
/// the plans stay few.
const TEXT_BUCKETS: [usize; 6] = [8, 16, 24, 32, 48, 64];
/// The lengths of a big text tower in f32: each plan packs the weights for itself.
const BIG_TEXT_BUCKETS: [usize; 2] = [16, 32];
/// Weights of a text tower from which on it is big: then a plan takes 64 MB or more.
const BIG_TEXT_PARAMETERS: u64 = 16 << 20;

/// Tokens that run at once, of several captions: more do not make the kernels faster.
const TOKENS_AT_ONCE: usize = 256;
/// Captions that run at once.
const CAPTIONS_AT_ONCE: usize = 16;
/// Images that run at once: more do not fit the caches.
const IMAGES_AT_ONCE: usize = 4;
/// Pixels that run at once where there are convolutions, whose activations are much bigger.
const CONVOLVED_PIXELS: usize = 1 << 16;

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
    digest: pairgate_core::pair::Digest,
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
            check::selfcheck::check(model.clone(), &golden, &bundle.folder, checked.min_cosine)?;
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
        let tokenizer = CaptionTokenizer::load(&bundle.tokenizer, manifest.text.framing())?;
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
    pub fn digest(&self) -> pairgate_core::pair::Digest {
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
    graph: onnx::Graph,
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
) -> Result<(onnx::Graph, bool), ModelError> {
    let mut graph = file.graph()?;
    if let Some(output) = output {
        graph.select(&[output])?;
    }
    let halves = survey(&graph).is_half();
    Ok((graph.lowered_with(arithmetic.roundings())?, halves))
}

fn on_kernels(graph: onnx::Graph, arithmetic: Arithmetic) -> Result<Lowered, ModelError> {
    let file = graph.file().to_owned();
    match arithmetic {
        Arithmetic::Float => Ok(Lowered::float(graph)),
        Arithmetic::Int8(isa) => tower::guarded(&file, || Ok(Lowered::on_kernels(graph, isa))),
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
    graph: &onnx::Graph,
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
