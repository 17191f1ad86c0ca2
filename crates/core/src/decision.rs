//! What the gate says of a pair, and why.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::pair::{Digest, Size};

/// What becomes of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Verdict {
    /// It goes to storage.
    Kept = 0,
    /// It was judged and not found good enough.
    Rejected = 1,
    /// It could not be judged, and is not kept.
    Failed = 2,
}

impl Verdict {
    /// Every verdict, in the order of the codes: `ALL[i] as usize == i`.
    pub const ALL: [Self; 3] = [Self::Kept, Self::Rejected, Self::Failed];

    /// The name in summaries and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

/// Whether a reason speaks of the pair's quality or of its being unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing speaks against the pair.
    Good,
    /// A rule or the threshold speaks against the pair.
    Poor,
    /// The pair could not be judged.
    Faulty,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident, $text:literal;)*) => {
        /// Why a pair ended as it did. Codes are written to journals: they are append-only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[$doc])* $name = $code,)*
        }

        impl Reason {
            /// Every reason, in the order of the codes: `ALL[i] as usize == i`.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),*];

            /// The name in journals, summaries and folder names: snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$name => $text),* }
            }

            /// Whether the reason speaks of quality or of a fault.
            pub const fn class(self) -> Class {
                match self { $(Reason::$name => Class::$class),* }
            }
        }
    };
}

reasons! {
    /// All rules were met and the score, where one was asked for, reaches the threshold.
    Passed = 0, Good, "passed";
    /// The score is below the threshold.
    LowSimilarity = 1, Poor, "low_similarity";
    /// Fewer words than the rules ask for.
    CaptionTooFewWords = 2, Poor, "caption_too_few_words";
    /// Fewer characters than the rules ask for.
    CaptionTooShort = 3, Poor, "caption_too_short";
    /// The shorter side is below the rules' minimum.
    ImageTooSmall = 4, Poor, "image_too_small";
    /// The longer side is too many times the shorter one.
    AspectTooExtreme = 5, Poor, "aspect_too_extreme";
    /// The sample has no image, or the file that a manifest names cannot be read.
    ImageMissing = 6, Faulty, "image_missing";
    /// The sample has no caption.
    CaptionMissing = 7, Faulty, "caption_missing";
    /// The caption is not UTF-8.
    CaptionNotUtf8 = 8, Faulty, "caption_not_utf8";
    /// The caption has more bytes than the limit.
    CaptionTooLong = 9, Faulty, "caption_too_long";
    /// The image is in none of the formats that are read, whatever its name says.
    UnknownFormat = 10, Faulty, "unknown_format";
    /// A side, the number of pixels or the memory to decode is above the limit.
    ImageTooLarge = 11, Faulty, "image_too_large";
    /// The image's header or data are damaged.
    Undecodable = 12, Faulty, "undecodable";
    /// The image's data end too early.
    ImageTruncated = 13, Faulty, "image_truncated";
    /// The score is not a finite number.
    ScoreNotFinite = 14, Faulty, "score_not_finite";
    /// The sample has more bytes than the limit.
    SampleTooLarge = 15, Faulty, "sample_too_large";
    /// The archive ends or breaks within the sample, or in place of one.
    ArchiveTorn = 16, Faulty, "archive_torn";
    /// The sample's metadata (a manifest's line, a `.json` member) are not what they should be.
    MetadataInvalid = 17, Faulty, "metadata_invalid";
    /// A bug stopped the worker that held the pair; the run ends with an error that names it.
    NotJudged = 18, Faulty, "not_judged";
    /// Two members of the sample have the same name.
    DuplicateMember = 19, Faulty, "duplicate_member";
    /// The tokenizer gave up on the caption.
    CaptionUntokenizable = 20, Faulty, "caption_untokenizable";
    /// The picture is like the last one that was taken.
    Unchanged = 21, Poor, "unchanged";
    /// The picture is not sharp enough.
    Blurred = 22, Poor, "blurred";
    /// Frames of the pair were lost or damaged on the wire, or those of a whole pair.
    FrameTorn = 23, Faulty, "frame_torn";
    /// The pair was sent in a version of the frames that is not read.
    FrameVersion = 24, Faulty, "frame_version";
    /// The image that a manifest names lies outside the folder that it may name files of.
    PathOutside = 25, Faulty, "path_outside";
    /// The image is of a format that is known and not read: the log names it.
    UnsupportedFormat = 26, Faulty, "unsupported_format";
    /// The caption is in none of the languages that are asked for.
    Language = 27, Poor, "language";
    /// The caption has more words than the rules allow.
    CaptionTooManyWords = 28, Poor, "caption_too_many_words";
    /// A selection method's value of the pair is beyond its cut.
    NotSelected = 29, Poor, "not_selected";
    /// The pair's source or concept cluster has its share without it.
    OverQuota = 30, Poor, "over_quota";
    /// The picture is like that of an earlier pair that was kept.
    NearDuplicate = 31, Poor, "near_duplicate";
    /// What the caption speaks of is common, and the pair was not drawn.
    NotDrawn = 32, Poor, "not_drawn";
    /// The pair is near to phrases that are called unsafe.
    UnsafeConcept = 33, Poor, "unsafe_concept";
}

impl Reason {
    /// Whether a selection method gave it, after rules and threshold let the pair pass.
    pub const fn is_of_selection(self) -> bool {
        matches!(
            self,
            Self::NotSelected
                | Self::OverQuota
                | Self::NearDuplicate
                | Self::NotDrawn
                | Self::UnsafeConcept
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Several reasons at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReasonSet(u64);

// A reason is a bit.
const _: () = assert!(Reason::ALL.len() <= 64);

impl ReasonSet {
    /// Adds a reason.
    pub fn insert(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u8;
    }

    /// Whether it holds no reason.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reasons, in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.iter().copied().filter(move |reason| self.0 >> *reason as u8 & 1 == 1)
    }
}

impl FromIterator<Reason> for ReasonSet {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let mut set = Self::default();
        reasons.into_iter().for_each(|reason| set.insert(reason));
        set
    }
}

/// What the gate measured of a pair, whatever the decision: the part of a journal record that
/// does not depend on the policy.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Cosine of the two embeddings, -1 to 1, where the network was asked.
    pub score: Option<f32>,
    /// Code points in the caption; 0 where there is none or it is not UTF-8.
    pub caption_length: u32,
    /// The stored image's own size, orientation applied; zero where its header was not read.
    pub size: Size,
    /// SHA-256 of the stored image file; zero where there is none.
    pub content: Digest,
}

/// The gate's answer for one pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// What becomes of the pair.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What was measured on the way.
    pub facts: Facts,
}
