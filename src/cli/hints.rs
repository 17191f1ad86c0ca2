//! What may help where one reason took most of the pairs.

use pairgate_core::decision::Reason;

/// What is said of a reason, and from which share of the pairs on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hint {
    /// It is said where more of the pairs than this ended so.
    pub above: f64,
    /// What to do, in lines of at most 74 columns.
    pub text: &'static str,
}

const fn over_half(text: &'static str) -> Option<Hint> {
    Some(Hint { above: 0.5, text })
}

/// The hint for a reason; `None` where its name says all that there is to say.
pub const fn of(reason: Reason) -> Option<Hint> {
    match reason {
        // A share of 5 % is a usual one.
        Reason::LowSimilarity => Some(Hint {
            above: 0.95,
            text: "is the threshold right for these pairs? `pairgate calibrate` tells which\n\
                   one keeps which share of them",
        }),
        Reason::CaptionTooFewWords => {
            over_half("rules.min_words (--min-words) sets the limit; 0 lifts it")
        }
        Reason::CaptionTooShort => {
            over_half("rules.min_chars of a --config sets the limit; --rules none lifts it")
        }
        Reason::ImageTooSmall => {
            over_half("rules.min_side (--min-side) sets the limit; 0 lifts it")
        }
        Reason::AspectTooExtreme => {
            over_half("rules.max_aspect of a --config sets the limit; --rules none lifts it")
        }
        Reason::ImageMissing => over_half(
            "a manifest's image paths are relative to its folder, or to --image-root;\n\
             a shard's captions have their image beside them, under the same key",
        ),
        Reason::CaptionMissing => over_half(
            "captions are NAME.txt beside NAME.jpg, or `caption` or `text` in NAME.json\n\
             or in the table's row; --caption-key names another column",
        ),
        Reason::CaptionNotUtf8 => over_half("captions must be UTF-8: iconv -t UTF-8 converts them"),
        Reason::CaptionTooLong => {
            over_half("sample.max_caption_bytes of a --config sets the limit")
        }
        Reason::UnknownFormat => {
            over_half("images are read as JPEG, PNG, WebP, GIF, BMP or TIFF: convert the others")
        }
        Reason::ImageTooLarge => over_half(
            "image.max_side, image.max_pixels and image.max_decode_bytes of a --config\n\
             set the limits",
        ),
        Reason::Undecodable | Reason::ImageTruncated => {
            over_half("were they downloaded whole? filter's --rejected DIR stores some of them")
        }
        Reason::ScoreNotFinite => over_half(
            "the model gives no number: pairgate model verify checks it, and\n\
             --arithmetic float may run it",
        ),
        Reason::SampleTooLarge => over_half("sample.max_sample_bytes of a --config sets the limit"),
        Reason::ArchiveTorn => over_half("was the shard copied whole? tar -t tells where it ends"),
        Reason::MetadataInvalid => over_half(
            "a manifest's line is an object: {\"image\": \"a.jpg\", \"caption\": \"...\"};\n\
             --image-key and --caption-key name other fields or columns",
        ),
        Reason::Unchanged => over_half("capture.min_change of a --config sets the limit"),
        Reason::Blurred => over_half("capture.min_sharpness of a --config sets the limit"),
        Reason::FrameTorn => {
            over_half("bytes are lost on the line: try a lower speed, or flow control")
        }
        Reason::FrameVersion => {
            over_half("the sender's firmware and this program are of different versions")
        }
        Reason::UnsupportedFormat => {
            over_half("HEIC and SVG are not read: convert them, such as to JPEG")
        }
        Reason::Language => {
            over_half("rules.languages (--language) names those that pass; any lifts it")
        }
        Reason::CaptionTooManyWords => {
            over_half("rules.max_words (--max-words) sets the limit; 0 lifts it")
        }
        Reason::NotSelected
        | Reason::OverQuota
        | Reason::NearDuplicate
        | Reason::NotDrawn
        | Reason::UnsafeConcept => Some(Hint {
            // A state may keep one of a hundred, and mean it.
            above: 0.995,
            text: "the state of --select was fitted on other pairs than these, or keeps very\n\
                   few: `pairgate select inspect` tells",
        }),
        Reason::PathOutside => {
            over_half("--image-root DIR permits images below DIR, not only below the manifest")
        }
        // Nothing is wrong; a bug, which the run's error names; the pair's own fault, whatever is set.
        // A test names them.
        _ => None,
    }
}

/// What is said where the inputs held no pair at all.
pub const NO_PAIRS: &str = "no pairs were found: an input is a folder of images with captions beside\n\
                            them (NAME.jpg, NAME.txt), a shard (.tar) or a table (.jsonl, .parquet)";
