//! The gate: screen, decode, prepare and score, one call after the other.

use std::sync::Arc;
use std::time::Duration;

use pairgate_core::decision::{Facts, Reason, ReasonSet};
use pairgate_core::pair::PairRef;
use pairgate_kernels::Team;

use super::lap::Lap;
use super::picture::{Lens, Probed};
use super::{
    Evidence, Examine, ExamineError, GateSettings, Picture, PicturePair, Screening, Stage, Stages,
};
use crate::language;
use crate::model::{Model, ModelError, Scorer, score};
use crate::score::{Measure, PairEmbeddings, measured};

/// Asks the network. It owns its buffers and its share of the engine's memory.
#[derive(Debug)]
pub struct Gate {
    settings: GateSettings,
    embedding_size: usize,
    scorer: Scorer,
    lens: Lens,
    /// Where the time that each stage takes is counted.
    stages: Option<Arc<Stages>>,
    /// Whether embeddings are part of the evidence.
    embeds: bool,
    measures: Vec<Arc<dyn Measure>>,
}

impl Examine for Gate {
    fn examine(&mut self, pairs: &[PairRef<'_>]) -> Result<Vec<Evidence>, ExamineError> {
        Ok(self.examine_each(pairs.iter().map(PicturePair::from))?)
    }
}

/// A pair whose path has ended, or waits for its caption's embedding.
struct Examined {
    evidence: Evidence,
    asked: Option<Asked>,
}

/// What the model is asked about a pair.
struct Asked {
    /// The image's embedding.
    image: Vec<f32>,
    /// The caption, where a scorer wants it.
    caption: String,
    /// The caption's token ids.
    ids: Vec<i64>,
    /// How long the image's embedding took; zero where nobody counts.
    took: Duration,
}

impl Gate {
    /// A gate on `model` that works on the calling thread.
    pub fn new(model: Arc<Model>, settings: GateSettings) -> Self {
        Self::on_team(model, settings, Team::ALONE)
    }

    /// A gate that splits each run of the model over the threads of `team`: see
    /// [`Scorer::on_team`].
    pub fn on_team(model: Arc<Model>, settings: GateSettings, team: Team) -> Self {
        Self {
            settings,
            embedding_size: model.manifest().embedding_size,
            lens: Lens::new(model.manifest().image.preparation()),
            scorer: Scorer::on_team(model, team),
            stages: None,
            embeds: false,
            measures: Vec::new(),
        }
    }

    /// The same gate, whose evidence has both embeddings of each pair that it scores.
    pub fn embedding(self) -> Self {
        Self { embeds: true, ..self }
    }

    /// The same gate, whose evidence has what each of `measures` gives of each pair that it scores.
    pub fn measuring(self, measures: Vec<Arc<dyn Measure>>) -> Self {
        Self { measures, ..self }
    }

    /// The same gate, which counts in `stages` how long each pair takes in each of them.
    pub fn timed(self, stages: Arc<Stages>) -> Self {
        Self { stages: Some(stages), ..self }
    }

    /// Makes the gate take all the memory that its model will ever ask for, for up to `batch` pairs
    /// at once, so that it can be measured. Some of it belongs to the calling thread.
    ///
    /// # Errors
    /// [`ModelError`] if the model does not work.
    pub fn warm(&mut self, batch: usize) -> Result<(), ModelError> {
        self.scorer.warm(batch)
    }

    /// As [`Examine::examine`], of pairs whose images may be decoded already.
    ///
    /// # Errors
    /// [`ModelError`] if the model does not work; never for what is wrong with a pair.
    pub fn examine_pictures(
        &mut self,
        pairs: &[PicturePair<'_>],
    ) -> Result<Vec<Evidence>, ModelError> {
        self.examine_each(pairs.iter().copied())
    }

    /// Pictures are embedded one by one, while they are in the caches; captions are short, and go
    /// through their tower together.
    fn examine_each<'a>(
        &mut self,
        pairs: impl Iterator<Item = PicturePair<'a>>,
    ) -> Result<Vec<Evidence>, ModelError> {
        let examined = pairs.map(|pair| self.examine_image(&pair));
        let mut examined = examined.collect::<Result<Vec<_>, ModelError>>()?;
        let mut lap = Lap::start(self.stages.as_deref());
        let asked = examined.iter().filter_map(|pair| Some(pair.asked.as_ref()?.ids.as_slice()));
        let asked = asked.collect::<Vec<_>>();
        let captions = self.scorer.embed_captions(&asked)?;
        let mut captions = captions.chunks_exact(self.embedding_size);
        if let Some(stages) = &self.stages
            && !asked.is_empty()
        {
            let part = lap.take() / u32::try_from(asked.len()).unwrap_or(u32::MAX);
            let images = examined.iter().filter_map(|pair| Some(pair.asked.as_ref()?.took));
            images.for_each(|took| stages.of(Stage::Score).observe(took + part));
        }
        for Examined { evidence, asked } in &mut examined {
            if let Some(asked) = asked
                && let Some(caption) = captions.next()
            {
                let similarity = score(&asked.image, caption);
                evidence.facts.score = Some(similarity);
                let (embeds, measures) = (self.embeds, &self.measures);
                if embeds || !measures.is_empty() {
                    let embeddings = PairEmbeddings::of(&asked.image, caption);
                    evidence.measures =
                        measured(measures, similarity, &embeddings, &asked.caption, &asked.ids);
                    evidence.embeddings = embeds.then(|| Arc::new(embeddings));
                }
            }
        }
        Ok(examined.into_iter().map(|pair| pair.evidence).collect())
    }

    fn examine_image(&mut self, pair: &PicturePair<'_>) -> Result<Examined, ModelError> {
        let mut lap = Lap::start(self.stages.as_deref());
        let content = pair.picture.map(Picture::content).unwrap_or_default();
        let facts = Facts { content, ..Facts::default() };
        let mut examined = Examined { evidence: Evidence::new(Reason::Passed, facts), asked: None };
        match self.walk(pair, &mut examined, &mut lap) {
            Ok(()) => {}
            Err(Stopped::For(reason)) => examined.evidence.found = reason,
            Err(Stopped::By(error)) => return Err(error),
        }
        Ok(examined)
    }

    /// The path of one pair, up to its caption's embedding. `examined` holds what was learnt when it
    /// ends, wherever it ends.
    fn walk(
        &mut self,
        pair: &PicturePair<'_>,
        examined: &mut Examined,
        lap: &mut Lap,
    ) -> Result<(), Stopped> {
        let screened = self.screen(pair, &mut examined.evidence);
        lap.end(self.stages.as_deref(), Stage::Screen);
        let Screened { caption, picture, first } = screened?;
        let decoded = self.lens.decode(&picture, &self.settings.image);
        lap.end(self.stages.as_deref(), Stage::Decode);
        decoded?;
        let pixels = self.lens.prepare(&picture);
        lap.end(self.stages.as_deref(), Stage::Prepare);
        let ids = tokenize(&self.scorer, caption)?;
        let image = self.scorer.embed_image(pixels).map_err(Stopped::By)?.to_vec();
        let caption = if self.measures.is_empty() { "" } else { caption }.to_owned();
        examined.asked = Some(Asked { image, caption, ids, took: lap.take() });
        first.map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// The rules, on the caption and on the image's header.
    fn screen<'a>(
        &self,
        pair: &PicturePair<'a>,
        evidence: &mut Evidence,
    ) -> Result<Screened<'a>, Reason> {
        if let Some(fault) = pair.fault {
            return Err(fault);
        }
        let Evidence { facts, broken, .. } = evidence;
        let caption = self.read_caption(pair, facts)?;
        let rules = self.settings.rules;
        rules.caption_faults(caption).for_each(|rule| broken.insert(rule));
        if !language::is_in(caption, rules.languages) {
            broken.insert(Reason::Language);
        }
        let limits = self.settings.image;
        let picture = pair.picture.ok_or(Reason::ImageMissing);
        let picture = picture.and_then(|picture| picture.probe(&limits));
        if let Ok(picture) = &picture {
            facts.size = picture.size();
            let original = pair.original_size.unwrap_or(facts.size);
            rules.size_faults(original).for_each(|rule| broken.insert(rule));
        }
        // A caption's rule answers before an image that cannot be read.
        let first = first_broken(*broken);
        let stops = self.settings.screening == Screening::Stop;
        if let Some(rule) =
            first.filter(|rule| stops && (picture.is_ok() || is_caption_rule(*rule)))
        {
            return Err(rule);
        }
        Ok(Screened { caption, picture: picture?, first })
    }

    fn read_caption<'a>(
        &self,
        pair: &PicturePair<'a>,
        facts: &mut Facts,
    ) -> Result<&'a str, Reason> {
        let bytes = pair.caption.ok_or(Reason::CaptionMissing)?;
        if bytes.len() as u64 > self.settings.sample.max_caption_bytes {
            return Err(Reason::CaptionTooLong);
        }
        let caption = std::str::from_utf8(bytes).map_err(|_| Reason::CaptionNotUtf8)?;
        facts.caption_length = u32::try_from(caption.chars().count()).unwrap_or(u32::MAX);
        Ok(caption)
    }
}

/// A pair that the rules let pass, or only note.
struct Screened<'a> {
    caption: &'a str,
    picture: Probed<'a>,
    /// The rule that answers first, where one is broken.
    first: Option<Reason>,
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

fn tokenize(scorer: &Scorer, caption: &str) -> Result<Vec<i64>, Reason> {
    scorer.tokenize(caption).map_err(|_| Reason::CaptionUntokenizable)
}

/// The rule that answers first: a caption's, then an image's, each in the order of the codes.
fn first_broken(broken: ReasonSet) -> Option<Reason> {
    broken.iter().min_by_key(|rule| (!is_caption_rule(*rule), *rule))
}

fn is_caption_rule(rule: Reason) -> bool {
    matches!(
        rule,
        Reason::CaptionTooFewWords
            | Reason::CaptionTooShort
            | Reason::CaptionTooManyWords
            | Reason::Language
    )
}
