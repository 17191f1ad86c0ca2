//! Pixels that somebody else has decoded, under the same limits as those that are decoded here.

use image::ColorType;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::{Digest, Size};
use sha2::{Digest as _, Sha256};

use super::{Rgb8, pixels};

/// The samples of a pixel, 8 bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Samples {
    /// Grey.
    Grey,
    /// Grey and opacity.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and opacity.
    Rgba,
}

impl Samples {
    fn colour(self) -> ColorType {
        match self {
            Self::Grey => ColorType::L8,
            Self::GreyAlpha => ColorType::La8,
            Self::Rgb => ColorType::Rgb8,
            Self::Rgba => ColorType::Rgba8,
        }
    }
}

impl Rgb8 {
    /// The image of `size` whose rows of `samples` are these bytes, `[height, width, samples]`: grey is
    /// spread, opacity is laid over white, as where a file is decoded.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] for an image without pixels, or another number of bytes.
    pub fn of_samples(size: Size, samples: Samples, bytes: Vec<u8>) -> Result<Self, Reason> {
        let colour = samples.colour();
        let wanted = size.pixels().checked_mul(colour.bytes_per_pixel().into());
        if size.pixels() == 0 || wanted != Some(bytes.len() as u64) {
            return Err(Reason::Undecodable);
        }
        let count = usize::try_from(size.pixels()).map_err(|_| Reason::ImageTooLarge)?;
        let mut image = Self { size, pixels: bytes };
        pixels::to_rgb(&mut image.pixels, colour, count)?;
        Ok(image)
    }

    /// What stands for the digest of its file where there is none: SHA-256 of the width and the height,
    /// 32 bits each, little-endian, and of the pixels.
    pub fn content(&self) -> Digest {
        let hash = Sha256::new()
            .chain_update(self.size.width.to_le_bytes())
            .chain_update(self.size.height.to_le_bytes())
            .chain_update(&self.pixels);
        Digest(hash.finalize().into())
    }

    #[cfg(feature = "model")]
    /// Holds an image that is not decoded here against the limits.
    ///
    /// # Errors
    /// As [`admit_size`], and [`Reason::Undecodable`] where it has not 3 bytes a pixel, or no pixel.
    pub(crate) fn admit(&self, limits: &ImageLimits) -> Result<(), Reason> {
        admit_size(self.size, limits)?;
        let sound = self.size.pixels() > 0 && self.pixels.len() as u64 == 3 * self.size.pixels();
        if sound { Ok(()) } else { Err(Reason::Undecodable) }
    }
}

/// Holds the size of pixels against the limits, before they are copied.
///
/// # Errors
/// [`Reason::ImageTooLarge`].
pub fn admit_size(size: Size, limits: &ImageLimits) -> Result<(), Reason> {
    let bytes = size.pixels().saturating_mul(3);
    let too_large = size.width.max(size.height) > limits.max_side
        || size.pixels() > limits.max_pixels
        || bytes > limits.max_decode_bytes;
    if too_large { Err(Reason::ImageTooLarge) } else { Ok(()) }
}
