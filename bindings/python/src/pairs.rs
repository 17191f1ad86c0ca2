//! Pairs as Python gives them, and what a gate says of some of them.

use pairgate::{
    Facts, Gate, GateSettings, ModelError, Picture, PicturePair, Reason, SampleLimits, pair_uid,
};

use crate::caption::Caption;
use crate::decision::Decision;
use crate::image::Image;

/// An image and a caption.
pub struct Pair {
    pub image: Image,
    pub caption: Caption,
}

/// A pair whose file was read.
struct Read<'a> {
    pair: &'a Pair,
    file: Option<Vec<u8>>,
    fault: Option<Reason>,
}

impl<'a> Read<'a> {
    fn of(pair: &'a Pair, limits: SampleLimits) -> Self {
        match pair.image.read(limits) {
            None => Self { pair, file: None, fault: None },
            Some(Ok(file)) => Self { pair, file: Some(file), fault: None },
            Some(Err(fault)) => Self { pair, file: None, fault: Some(fault) },
        }
    }

    fn picture(&self) -> Option<Picture<'_>> {
        match &self.pair.image {
            Image::Missing => None,
            Image::Path(_) => self.file.as_deref().map(Picture::File),
            Image::Bytes(bytes) => Some(Picture::File(bytes)),
            Image::Copied(bytes) => Some(Picture::File(bytes)),
            Image::Pixels(image) => Some(Picture::Pixels(image)),
            Image::Unreadable(reason) => Some(Picture::Unreadable(*reason)),
        }
    }

    /// The pair as the gate sees it: as a source gives a sample, without what its limit leaves out.
    fn shown(&self, limits: SampleLimits) -> PicturePair<'_> {
        let (picture, caption) = (self.picture(), self.pair.caption.bytes());
        let image = match picture {
            Some(Picture::File(bytes)) => bytes.len() as u64,
            _ => 0,
        };
        let whole = PicturePair { picture, caption, original_size: None, fault: self.fault };
        let too_large = |pair| PicturePair { fault: Some(Reason::SampleTooLarge), ..pair };
        let Some(room) = limits.max_sample_bytes.checked_sub(image) else {
            return too_large(PicturePair { picture: None, caption: None, ..whole });
        };
        match caption {
            Some(caption) if caption.len() as u64 > room => {
                too_large(PicturePair { caption: None, ..whole })
            }
            _ => whole,
        }
    }
}

/// What a gate with these settings decides on each of the pairs, in their order.
///
/// # Errors
/// [`ModelError`] if the model does not work.
pub fn judge(
    gate: &mut Gate,
    settings: &GateSettings,
    pairs: &[Pair],
) -> Result<Vec<Decision>, ModelError> {
    let limits = settings.sample;
    let read: Vec<_> = pairs.iter().map(|pair| Read::of(pair, limits)).collect();
    let shown: Vec<_> = read.iter().map(|read| read.shown(limits)).collect();
    let found = gate.examine_pictures(&shown)?;
    let judged = found.iter().zip(&shown).map(|(evidence, pair)| {
        let decision = settings.policy.decide(evidence.found, evidence.facts);
        let Facts { content, .. } = decision.facts;
        let (uid, threshold) = (pair_uid(content, pair.caption), settings.policy.threshold);
        Decision { decision, broken: evidence.broken, uid, threshold }
    });
    Ok(judged.collect())
}
