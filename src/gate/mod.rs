//! The gate: screen, decode, prepare, score and decide, one call after the other.

mod settings;

use std::sync::Arc;

use crate::decision::{Decision, Facts, Reason};
use crate::decode::{Rgb8, decode, probe};
use crate::error::ModelError;
use crate::kernels::Team;
use crate::model::bundle::sha256;
use crate::model::{Model, Scorer, score};
use crate::pair::{Digest, PairRef};
use crate::prepare::Preparer;

pub use settings::{FrameSettings, GateSettings, Screening};

/// Decides on pairs. A pipeline's worker owns one.
pub trait Judge: Send {
    /// One decision for each pair, in their order.
    ///
    /// # Errors
    /// [`ModelError`] if the model does not work; never for what is wrong with a pair.
    fn judge(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Decision>, ModelError>;
}

/// A [`Judge`] that asks the network. It owns its buffers and its share of the engine's memory.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    embedding_size: usize,
    scorer: Scorer,
    preparer: Preparer,
    rgb: Rgb8,
    pixels: Vec<f32>,
}

impl Judge for Gate {
    /// Pictures are embedded one by one, while they are in the caches; captions are short, and go
    /// through their tower together.
    fn judge(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Decision>, ModelError> {
        let examined = pairs.iter().map(|pair| self.examine(pair));
        let mut examined = examined.collect::<Result<Vec<_>, ModelError>>()?;
        let asked = examined.iter().filter_map(|pair| Some(pair.asked.as_ref()?.ids.as_slice()));
        let captions = self.scorer.embed_captions(&asked.collect::<Vec<_>>())?;
        let mut captions = captions.chunks_exact(self.embedding_size);
        for pair in examined.iter_mut().filter(|pair| pair.asked.is_some()) {
            if let Some(caption) = captions.next() {
                pair.score(caption);
            }
        }
        let decide = |Examined { found, facts, .. }| self.settings.policy.decide(found, facts);
        Ok(examined.into_iter().map(decide).collect())
    }
}

/// A pair whose path has ended, or waits for its caption's embedding.
struct Examined {
    found: Reason,
    facts: Facts,
    asked: Option<Asked>,
}

/// What the model is asked about a pair.
struct Asked {
    /// The image's embedding.
    image: Vec<f32>,
    /// The caption's token ids.
    ids: Vec<i64>,
}

impl Examined {
    fn score(&mut self, caption: &[f32]) {
        if let Some(Asked { image, .. }) = &self.asked {
            self.facts.score = Some(score(image, caption));
        }
    }
}

impl Gate {
    /// A gate on `model` that works on the calling thread.
    pub fn new(model: Arc<Model>, settings: GateSettings) -> Self {
        Self::on_team(model, settings, Team::ALONE)
    }

    /// A gate that splits each run of the model over the threads of `team`: see
    /// [`Scorer::on_team`].
    pub fn on_team(model: Arc<Model>, settings: GateSettings, team: Team) -> Self {
        let preparation = model.manifest().image.preparation();
        let side = preparation.size as usize;
        Self {
            settings,
            embedding_size: model.manifest().embedding_size,
            scorer: Scorer::on_team(model, team),
            preparer: Preparer::new(preparation),
            rgb: Rgb8::default(),
            pixels: vec![0.0; 3 * side * side],
        }
    }

    /// Makes the gate take all the memory that its model will ever ask for, for up to `batch` pairs
    /// at once, so that it can be measured. Some of it belongs to the calling thread.
    ///
    /// # Errors
    /// [`ModelError`] if the model does not work.
    pub fn warm(&mut self, batch: usize) -> Result<(), ModelError> {
        self.scorer.warm(batch)
    }

    fn examine(&mut self, pair: &PairRef<'_>) -> Result<Examined, ModelError> {
        let mut facts = Facts { content: content_digest(pair), ..Facts::default() };
        let mut asked = None;
        let found = match self.follow(pair, &mut facts, &mut asked) {
            Ok(()) => Reason::Passed,
            Err(Stopped::For(reason)) => reason,
            Err(Stopped::By(error)) => return Err(error),
        };
        Ok(Examined { found, facts, asked })
    }

    /// The path of one pair, up to its caption's embedding. `facts` and `asked` hold what was learnt
    /// when it ends, wherever it ends.
    fn follow(
        &mut self,
        pair: &PairRef<'_>,
        facts: &mut Facts,
        asked: &mut Option<Asked>,
    ) -> Result<(), Stopped> {
        if let Some(fault) = pair.fault {
            return Err(fault.into());
        }
        let caption = self.read_caption(pair, facts)?;
        let mut broken = self.settings.rules.caption_fault(caption);
        self.stop_if(broken)?;

        let limits = self.settings.image;
        let image = pair.image.ok_or(Reason::ImageMissing)?;
        let header = probe(image, &limits)?;
        facts.size = header.size;
        let original = pair.original_size.unwrap_or(header.size);
        broken = broken.or(self.settings.rules.size_fault(original));
        self.stop_if(broken)?;

        decode(image, &header, &limits, &mut self.rgb)?;
        self.preparer.prepare(&self.rgb, &mut self.pixels);
        let ids = self.tokenize(caption)?;
        let image = self.scorer.embed_image(&self.pixels).map_err(Stopped::By)?.to_vec();
        *asked = Some(Asked { image, ids });
        broken.map_or(Ok(()), |reason| Err(reason.into()))
    }

    fn read_caption<'a>(&self, pair: &PairRef<'a>, facts: &mut Facts) -> Result<&'a str, Reason> {
        let bytes = pair.caption.ok_or(Reason::CaptionMissing)?;
        if bytes.len() as u64 > self.settings.sample.max_caption_bytes {
            return Err(Reason::CaptionTooLong);
        }
        let caption = std::str::from_utf8(bytes).map_err(|_| Reason::CaptionNotUtf8)?;
        facts.caption_length = u32::try_from(caption.chars().count()).unwrap_or(u32::MAX);
        Ok(caption)
    }

    fn stop_if(&self, broken: Option<Reason>) -> Result<(), Reason> {
        match (broken, self.settings.screening) {
            (Some(reason), Screening::Stop) => Err(reason),
            _ => Ok(()),
        }
    }

    fn tokenize(&self, caption: &str) -> Result<Vec<i64>, Stopped> {
        self.scorer.tokenize(caption).map_err(|error| match error {
            ModelError::Tokenizer { .. } => Stopped::For(Reason::CaptionUntokenizable),
            error => Stopped::By(error),
        })
    }
}

/// Why a pair's path ended early.
enum Stopped {
    /// Something is wrong with the pair.
    For(Reason),
    /// The model does not work.
    By(ModelError),
}

impl From<Reason> for Stopped {
    fn from(reason: Reason) -> Self {
        Self::For(reason)
    }
}

fn content_digest(pair: &PairRef<'_>) -> Digest {
    pair.image.map(sha256).unwrap_or_default()
}
