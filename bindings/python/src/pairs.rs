//! Pairs as Python gives them, and what a gate finds of some of them.

use std::sync::Arc;

use pairgate::{
    Evidence, Gate, GateSettings, Metadata, ModelError, Picture, PicturePair, Reason, SampleLimits,
    Uid, pair_uid,
};

use crate::caption::Caption;
use crate::image::Image;
use crate::metadata::Json;

/// An image, a caption, and what is known of both.
pub struct Pair {
    pub image: Image,
    pub caption: Caption,
    pub metadata: Json,
    /// The shard, folder or table that it comes from, where anybody told it.
    pub shard: Option<Arc<str>>,
}

/// What was found of a pair.
pub struct Found {
    pub uid: Uid,
    pub evidence: Evidence,
}

/// A pair whose file and metadata were read.
struct Read<'a> {
    pair: &'a Pair,
    file: Option<Vec<u8>>,
    metadata: Metadata,
    fault: Option<Reason>,
}

impl<'a> Read<'a> {
    fn of(pair: &'a Pair, limits: SampleLimits) -> Self {
        let (file, fault) = match pair.image.read(limits) {
            None => (None, None),
            Some(Ok(file)) => (Some(file), None),
            Some(Err(fault)) => (None, Some(fault)),
        };
        Self { pair, file, metadata: pair.metadata.parse(), fault }
    }

    fn picture(&self) -> Option<Picture<'_>> {
        match &self.pair.image {
            Image::Missing => None,
            Image::Path(_) => self.file.as_deref().map(Picture::File),
            Image::Bytes(bytes) => Some(Picture::File(bytes)),
            Image::Copied(bytes) => Some(Picture::File(bytes)),
            Image::Shared(bytes) => Some(Picture::File(bytes)),
            Image::Pixels(image) => Some(Picture::Pixels(image)),
            Image::Unreadable(reason) => Some(Picture::Unreadable(*reason)),
        }
    }

    /// The pair as the gate sees it: as a source gives a sample, without what its limit leaves out.
    fn shown(&self, limits: SampleLimits) -> PicturePair<'_> {
        let (picture, metadata) = (self.picture(), &self.metadata);
        let within = || metadata.caption.as_deref().map(str::as_bytes);
        let caption = self.pair.caption.bytes().or_else(within);
        let unread = (metadata.invalid && caption.is_none()).then_some(Reason::MetadataInvalid);
        let fault = self.fault.or(unread);
        let image = match picture {
            Some(Picture::File(bytes)) => bytes.len() as u64,
            _ => 0,
        };
        let original_size = metadata.original_size;
        let whole = PicturePair { picture, caption, original_size, fault };
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

/// What a gate with these settings finds of each of the pairs, in their order.
///
/// # Errors
/// [`ModelError`] if the model does not work.
pub fn examine(
    gate: &mut Gate,
    settings: &GateSettings,
    pairs: &[Pair],
) -> Result<Vec<Found>, ModelError> {
    let limits = settings.sample;
    let read: Vec<_> = pairs.iter().map(|pair| Read::of(pair, limits)).collect();
    let shown: Vec<_> = read.iter().map(|read| read.shown(limits)).collect();
    let found = gate.examine_pictures(&shown)?;
    let found = found.into_iter().zip(&shown).zip(&read).map(|((evidence, pair), read)| {
        let content = evidence.facts.content;
        let uid = read.metadata.uid.unwrap_or_else(|| pair_uid(content, pair.caption));
        Found { uid, evidence }
    });
    Ok(found.collect())
}
