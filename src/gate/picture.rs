//! Pairs whose image may be decoded already, and the way of an image to the network's input.

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, PairRef, Size};

use crate::decode::{Header, Part, Rgb8, decode_part, probe};
use crate::digest::sha256;
use crate::prepare::{Preparation, Preparer};

/// An image as it is given.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// An encoded image file.
    File(&'a [u8]),
    /// Pixels. Their content digest is [`Rgb8::content`].
    Pixels(&'a Rgb8),
    /// Neither: whoever read it found this wrong with it.
    Unreadable(Reason),
}

/// A [`PairRef`] whose image may be decoded already.
#[derive(Debug, Clone, Copy, Default)]
pub struct PicturePair<'a> {
    /// The image; `None` where the sample has none.
    pub picture: Option<Picture<'a>>,
    /// As [`PairRef::caption`].
    pub caption: Option<&'a [u8]>,
    /// As [`PairRef::original_size`].
    pub original_size: Option<Size>,
    /// As [`PairRef::fault`].
    pub fault: Option<Reason>,
}

impl<'a> From<&PairRef<'a>> for PicturePair<'a> {
    fn from(pair: &PairRef<'a>) -> Self {
        let PairRef { image, caption, original_size, fault } = *pair;
        Self { picture: image.map(Picture::File), caption, original_size, fault }
    }
}

impl<'a> Picture<'a> {
    pub(super) fn content(self) -> Digest {
        match self {
            Self::File(bytes) => sha256(bytes),
            Self::Pixels(image) => image.content(),
            Self::Unreadable(_) => Digest::default(),
        }
    }

    /// Reads its header and holds it against the limits.
    pub(super) fn probe(self, limits: &ImageLimits) -> Result<Probed<'a>, Reason> {
        match self {
            Self::File(bytes) => Ok(Probed::File(bytes, probe(bytes, limits)?)),
            Self::Pixels(image) => image.admit(limits).map(|()| Probed::Pixels(image)),
            Self::Unreadable(reason) => Err(reason),
        }
    }
}

/// A picture within the limits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Probed<'a> {
    File(&'a [u8], Header),
    Pixels(&'a Rgb8),
}

impl Probed<'_> {
    /// Its size, orientation applied.
    pub(super) fn size(&self) -> Size {
        match self {
            Self::File(_, header) => header.size,
            Self::Pixels(image) => image.size,
        }
    }
}

/// Makes the network's input of pictures, in buffers that it keeps.
#[derive(Debug)]
pub(super) struct Lens {
    preparer: Preparer,
    part: Part,
    pixels: Vec<f32>,
}

impl Lens {
    pub(super) fn new(preparation: Preparation) -> Self {
        let side = preparation.size as usize;
        let pixels = vec![0.0; 3 * side * side];
        Self { preparer: Preparer::new(preparation), part: Part::default(), pixels }
    }

    /// Decodes what is looked at of the picture.
    pub(super) fn decode(
        &mut self,
        picture: &Probed<'_>,
        limits: &ImageLimits,
    ) -> Result<(), Reason> {
        match picture {
            Probed::File(bytes, header) => {
                let wanted = self.preparer.wanted(header.size);
                decode_part(bytes, header, limits, &wanted, &mut self.part)
            }
            Probed::Pixels(_) => Ok(()),
        }
    }

    /// The network's input for the picture that was decoded last, `[3, S, S]`.
    pub(super) fn prepare(&mut self, picture: &Probed<'_>) -> &[f32] {
        match picture {
            Probed::File(..) => self.preparer.prepare_part(&self.part, &mut self.pixels),
            Probed::Pixels(image) => self.preparer.prepare(image, &mut self.pixels),
        }
        &self.pixels
    }
}
