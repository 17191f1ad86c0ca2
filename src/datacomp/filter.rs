//! DataComp's filters (`baselines/apply_filter.py` in mlfoundations/datacomp): what a row must pass,
//! and why it does not.
//!
//! | filter | a row passes with |
//! |---|---|
//! | basic | an English caption of 3 words and 6 characters, a shorter side of 200 px, an aspect of 3 at most, on the original size |
//! | clip_score | a score that reaches a threshold, or the one of a fraction of the pool |
//! | laion2b | a ViT-B/32 score of 0.28 and an English caption |
//! | image_based | an English caption of 2 of fastText's tokens and 6 characters, and an embedding whose nearest centroid is a target |

use pairgate_core::decision::Reason;
use pairgate_core::rules::Rules;
use parquet::data_type::ByteArray;

use super::centroids::Centroids;
use super::language::Identifier;
use super::language::fasttext::Scratch;
use super::scores::UidScores;

/// The column of ViT-B/32 scores.
pub const B32_SCORES: &str = "clip_b32_similarity_score";
/// The column of ViT-L/14 scores.
pub const L14_SCORES: &str = "clip_l14_similarity_score";
/// The lowest ViT-B/32 score that laion2b takes.
pub const LAION_THRESHOLD: f64 = 0.28;

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It passes all filters.
    Kept,
    /// Its uid is null.
    UidMissing,
    /// Its uid is not 32 hex digits.
    UidMalformed,
    /// Its width or height is null or not a number.
    SizeMissing,
    /// Its shorter side is too short.
    ImageTooSmall,
    /// Its longer side is too long for its shorter one.
    AspectTooExtreme,
    /// Its score is null, or no line of scores has its uid.
    ScoreMissing,
    /// Its score is NaN, or its line of scores has none.
    ScoreNotANumber,
    /// Its score is below the threshold.
    LowScore,
    /// Its caption is null.
    CaptionMissing,
    /// Its caption is not UTF-8.
    CaptionNotText,
    /// Its caption has too few words, or tokens.
    CaptionTooFewWords,
    /// Its caption has too few characters.
    CaptionTooShort,
    /// Its caption is not English.
    NotEnglish,
    /// The centroid nearest to its embedding is no target.
    NotNearTarget,
}

impl Ending {
    /// All, in the order in which a row is tested.
    pub const ALL: [Self; 15] = [
        Self::Kept,
        Self::UidMissing,
        Self::UidMalformed,
        Self::SizeMissing,
        Self::ImageTooSmall,
        Self::AspectTooExtreme,
        Self::ScoreMissing,
        Self::ScoreNotANumber,
        Self::LowScore,
        Self::CaptionMissing,
        Self::CaptionNotText,
        Self::CaptionTooFewWords,
        Self::CaptionTooShort,
        Self::NotEnglish,
        Self::NotNearTarget,
    ];

    /// The name in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::UidMissing => "uid_missing",
            Self::UidMalformed => "uid_malformed",
            Self::SizeMissing => "size_missing",
            Self::ImageTooSmall => "image_too_small",
            Self::AspectTooExtreme => "aspect_too_extreme",
            Self::ScoreMissing => "score_missing",
            Self::ScoreNotANumber => "score_not_a_number",
            Self::LowScore => "low_score",
            Self::CaptionMissing => "caption_missing",
            Self::CaptionNotText => "caption_not_text",
            Self::CaptionTooFewWords => "caption_too_few_words",
            Self::CaptionTooShort => "caption_too_short",
            Self::NotEnglish => "not_english",
            Self::NotNearTarget => "not_near_target",
        }
    }

    /// Whether the row could not be judged: nothing can be done with it.
    pub fn is_fault(self) -> bool {
        matches!(self, Self::UidMissing | Self::UidMalformed)
    }
}

/// Where the scores of a test are.
#[derive(Debug)]
pub enum ScoreSource {
    /// In this column.
    Column(String),
    /// With a run's, by uid.
    Run(UidScores),
}

/// What a score must reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// A number, rounded to the precision of the column.
    AtLeast(f64),
    /// The score at a fraction of the pool.
    Fraction(f64),
}

/// A test of a score.
#[derive(Debug)]
pub struct ScoreTest {
    /// Where the scores are.
    pub source: ScoreSource,
    /// What they must reach.
    pub limit: Limit,
}

impl ScoreTest {
    /// laion2b's.
    pub fn laion2b() -> Self {
        let source = ScoreSource::Column(B32_SCORES.into());
        Self { source, limit: Limit::AtLeast(LAION_THRESHOLD) }
    }
}

/// image_based: near one of some centroids.
#[derive(Debug)]
pub struct ImageBased {
    /// The centroids.
    pub centroids: Centroids,
    /// The name of the array beside each table.
    pub array: String,
}

/// What rows must pass: all of it.
#[derive(Debug)]
pub struct Filter {
    /// The basic filter.
    pub basic: bool,
    /// Whether laion2b's caption test is asked for.
    pub laion2b: bool,
    /// Tests of scores, laion2b's among them.
    pub scores: Vec<ScoreTest>,
    /// The image_based filter.
    pub image_based: Option<ImageBased>,
    /// What tells languages.
    pub language: Identifier,
}

impl Filter {
    /// One that all rows pass.
    pub fn none() -> Self {
        Self {
            basic: false,
            laion2b: false,
            scores: Vec::new(),
            image_based: None,
            language: Identifier::BuiltIn,
        }
    }

    /// Whether captions are read.
    pub fn reads_captions(&self) -> bool {
        self.basic || self.laion2b || self.image_based.is_some()
    }

    /// Why the size does not pass: as pandas computes it, where null is NaN and no comparison with
    /// NaN is true.
    pub(super) fn size_ending(width: Option<f64>, height: Option<f64>) -> Ending {
        let (Some(width), Some(height)) = (width, height) else {
            return Ending::SizeMissing;
        };
        if width.is_nan() || height.is_nan() {
            return Ending::SizeMissing;
        }
        let (short, long) = (width.min(height), width.max(height));
        if short < f64::from(Rules::BASIC.min_side) {
            return Ending::ImageTooSmall;
        }
        // Two infinite sides have no aspect.
        let is_within = long / short <= Rules::BASIC.max_aspect;
        if is_within { Ending::Kept } else { Ending::AspectTooExtreme }
    }

    /// Why the caption does not pass.
    pub(super) fn caption_ending(
        &self,
        caption: Option<&ByteArray>,
        scratch: &mut Scratch,
    ) -> Ending {
        let Some(caption) = caption else {
            return Ending::CaptionMissing;
        };
        let Ok(caption) = std::str::from_utf8(caption.data()) else {
            return Ending::CaptionNotText;
        };
        if self.basic {
            match Rules::BASIC.caption_fault(caption) {
                None => {}
                Some(Reason::CaptionTooShort) => return Ending::CaptionTooShort,
                Some(_) => return Ending::CaptionTooFewWords,
            }
        }
        if self.image_based.is_some() {
            if fasttext_tokens(caption) < 2 {
                return Ending::CaptionTooFewWords;
            }
            if caption.chars().take(6).count() < 6 {
                return Ending::CaptionTooShort;
            }
        }
        if self.language.is_english(caption, scratch) { Ending::Kept } else { Ending::NotEnglish }
    }
}

/// Why a score does not pass `threshold`; one that is NaN no score passes.
pub(super) fn score_ending(score: Option<f64>, threshold: f64) -> Ending {
    match score {
        None => Ending::ScoreMissing,
        Some(score) if score.is_nan() => Ending::ScoreNotANumber,
        Some(score) if score >= threshold => Ending::Kept,
        Some(_) => Ending::LowScore,
    }
}

/// The number of tokens that `fasttext.tokenize` makes: words between blanks of ASCII, and one for
/// each line break.
fn fasttext_tokens(caption: &str) -> usize {
    let is_blank = |byte: &u8| b" \n\r\t\x0b\x0c\0".contains(byte);
    let words = caption.as_bytes().split(is_blank).filter(|word| !word.is_empty()).count();
    words + caption.bytes().filter(|&byte| byte == b'\n').count()
}
