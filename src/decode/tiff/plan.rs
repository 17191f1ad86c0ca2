//! What a page's tags mean together: how its samples lie, and what they are.

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::directory::{Directory, whole};
use super::refused;

/// Strips or tiles of one page; a 40-megapixel image in tiles of 16 by 16 has 156,250.
const MAX_SEGMENTS: u64 = 1 << 18;
/// Samples of one pixel, those that are not shown included.
const MAX_SAMPLES: u64 = 6;

/// What the samples that are shown say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Levels; with `inverted` 0 is white.
    Grey {
        inverted: bool,
    },
    Rgb,
    Palette,
    Cmyk,
    /// Luma and chroma, `across` by `down` pixels to a chroma sample.
    YCbCr {
        across: u32,
        down: u32,
    },
}

/// What a sample beyond the colour is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    None,
    /// Opacity.
    Straight,
    /// Opacity, by which the colours are multiplied already.
    Multiplied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Unsigned,
    Signed,
    Float,
}

/// How a page is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub size: Size,
    pub meaning: Meaning,
    pub alpha: Alpha,
    /// Samples of a pixel in the file, shown or not.
    pub samples: usize,
    /// Bits of each.
    pub bits: u32,
    pub number: Number,
    /// Each kind of sample lies by itself.
    pub planar: bool,
    pub tiled: bool,
    /// Sides of a strip or tile in pixels.
    pub segment: Size,
    /// Strips or tiles are decoded as a whole.
    whole_segments: bool,
}

impl Plan {
    /// # Errors
    /// [`Reason::UnsupportedFormat`] for what is known and not read, [`Reason::ImageTooLarge`] for
    /// too many or too large parts, [`Reason::Undecodable`] for what makes no picture.
    pub fn of(page: &Directory<'_>, limits: &ImageLimits) -> Result<Self, Reason> {
        let size = Size::new(page.width, page.height);
        if size.pixels() == 0 {
            return Err(Reason::Undecodable);
        }
        if size.width.max(size.height) > limits.max_side {
            return Err(Reason::ImageTooLarge);
        }
        let meaning = meaning(page)?;
        let samples = samples(page)?;
        let colours = colours(meaning);
        if samples < colours {
            return Err(Reason::Undecodable);
        }
        let (bits, number) = (bits(page, samples)?, number(page)?);
        check_depth(meaning, bits, number)?;
        let segment = segment(page, size)?;
        let planar = page.planar == 2 && samples > 1;
        let plan = Self {
            size,
            meaning,
            alpha: alpha(page, meaning, samples),
            samples,
            bits,
            number,
            planar,
            tiled: page.tile.is_some(),
            segment,
            whole_segments: matches!(page.compression, 6 | 7),
        };
        plan.check(page)?;
        Ok(plan)
    }

    fn check(&self, page: &Directory<'_>) -> Result<(), Reason> {
        let planes = if self.planar { self.samples as u64 } else { 1 };
        let parts = u64::from(self.columns()) * u64::from(self.rows()) * planes;
        if parts > MAX_SEGMENTS {
            return Err(Reason::ImageTooLarge);
        }
        if let Meaning::YCbCr { across, down } = self.meaning {
            if self.planar && (across, down) != (1, 1) {
                return Err(refused("chroma of its own size in planes of its own"));
            }
            if page.predictor != 1 && (across, down) != (1, 1) {
                return Err(refused("differences of subsampled chroma"));
            }
            if self.samples != 3 {
                return Err(refused("more than luma and chroma"));
            }
        }
        Ok(())
    }

    /// Samples of a pixel that are shown.
    pub fn channels(&self) -> usize {
        colours(self.meaning) + usize::from(self.alpha != Alpha::None)
    }

    /// Strips or tiles side by side.
    pub fn columns(&self) -> u32 {
        self.size.width.div_ceil(self.segment.width)
    }

    /// Strips or tiles from top to bottom.
    pub fn rows(&self) -> u32 {
        self.size.height.div_ceil(self.segment.height)
    }

    /// Samples of a pixel that lie together.
    pub fn together(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// Bytes of a row of one strip or tile.
    pub fn row_bytes(&self) -> u64 {
        if let (Meaning::YCbCr { across, down }, false) = (self.meaning, self.planar) {
            let blocks = u64::from(self.segment.width.div_ceil(across));
            return blocks * u64::from(across * down + 2);
        }
        let bits = u64::from(self.segment.width) * self.together() as u64 * u64::from(self.bits);
        bits.div_ceil(8)
    }

    /// Bytes that are held beside the picture: two rows, or a strip or tile as RGB and again as
    /// its samples.
    pub fn scratch_bytes(&self) -> u64 {
        let whole = if self.whole_segments { self.segment.pixels().saturating_mul(4) } else { 0 };
        self.row_bytes().saturating_mul(2).saturating_add(whole)
    }
}

fn meaning(page: &Directory<'_>) -> Result<Meaning, Reason> {
    // The first kind of JPEG is always luma and chroma.
    let photometric = if page.compression == 6 { 6 } else { page.photometric.unwrap_or(0) };
    let is_jpeg = matches!(page.compression, 6 | 7);
    let single = page.samples.unwrap_or(if is_jpeg && photometric == 6 { 3 } else { 1 }) == 1;
    Ok(match photometric {
        0 => Meaning::Grey { inverted: true },
        1 => Meaning::Grey { inverted: false },
        // Luma alone.
        6 if single => Meaning::Grey { inverted: false },
        // Its decoder gives colours.
        6 if is_jpeg => Meaning::Rgb,
        2 => Meaning::Rgb,
        3 => Meaning::Palette,
        5 => Meaning::Cmyk,
        6 => {
            let factor = |index| whole(page.ycbcr_subsampling, index).unwrap_or(2);
            match (factor(0), factor(1)) {
                (across @ (1 | 2 | 4), down @ (1 | 2 | 4)) => {
                    Meaning::YCbCr { across: across as u32, down: down as u32 }
                }
                _ => return Err(Reason::Undecodable),
            }
        }
        4 => return Err(refused("a mask")),
        8..=10 => return Err(refused("Lab colours")),
        32803 | 34892 => return Err(refused("the raw colours of a camera")),
        32844 | 32845 => return Err(refused("logarithmic colours")),
        _ => return Err(refused("colours of an unknown kind")),
    })
}

fn colours(meaning: Meaning) -> usize {
    match meaning {
        Meaning::Grey { .. } | Meaning::Palette => 1,
        Meaning::Rgb | Meaning::YCbCr { .. } => 3,
        Meaning::Cmyk => 4,
    }
}

fn samples(page: &Directory<'_>) -> Result<usize, Reason> {
    let of_jpeg = match (page.compression, page.photometric) {
        (6, _) | (7, Some(2 | 6)) => 3,
        _ => 1,
    };
    let samples = page.samples.unwrap_or(of_jpeg);
    match samples {
        0 => Err(Reason::Undecodable),
        1..=MAX_SAMPLES => Ok(samples as usize),
        _ => Err(refused("more than six samples a pixel")),
    }
}

fn bits(page: &Directory<'_>, samples: usize) -> Result<u32, Reason> {
    let bits = whole(page.bits, 0).unwrap_or(1);
    let stated = page.bits.map_or(1, |list| list.len()).min(samples);
    if (1..stated).any(|index| whole(page.bits, index) != Some(bits)) {
        return Err(refused("samples of different sizes"));
    }
    match bits {
        1 | 2 | 4 | 8 | 12 | 16 | 32 => Ok(bits as u32),
        24 | 64 => Err(refused("samples of 24 or 64 bits")),
        _ => Err(refused("samples of a size that is no power of two")),
    }
}

fn number(page: &Directory<'_>) -> Result<Number, Reason> {
    match whole(page.sample_format, 0).unwrap_or(1) {
        1 | 4 => Ok(Number::Unsigned),
        2 => Ok(Number::Signed),
        3 => Ok(Number::Float),
        _ => Err(refused("complex numbers")),
    }
}

fn check_depth(meaning: Meaning, bits: u32, number: Number) -> Result<(), Reason> {
    let grey = matches!(meaning, Meaning::Grey { .. });
    match (number, bits) {
        (Number::Unsigned, 12 | 32) if !grey => Err(refused("colours of 12 or 32 bits")),
        (Number::Float, 32) if grey => Ok(()),
        (Number::Float, _) => Err(refused("floats other than 32 bits of grey")),
        (Number::Signed, 8 | 16 | 32) if grey => Ok(()),
        (Number::Signed, _) => Err(refused("signed colours")),
        (_, 16) if meaning == Meaning::Palette => Err(refused("a palette of 65,536 colours")),
        (_, bits) if matches!(meaning, Meaning::YCbCr { .. }) && bits != 8 => {
            Err(refused("chroma of other than 8 bits"))
        }
        _ => Ok(()),
    }
}

/// What the first sample beyond the colours is. Four of RGB of which nothing is said are taken for
/// opacity too, as Pillow does.
fn alpha(page: &Directory<'_>, meaning: Meaning, samples: usize) -> Alpha {
    if samples <= colours(meaning) || matches!(meaning, Meaning::Cmyk | Meaning::YCbCr { .. }) {
        return Alpha::None;
    }
    match whole(page.extra_samples, 0) {
        Some(1) => Alpha::Multiplied,
        Some(2 | 999) => Alpha::Straight,
        None if meaning == Meaning::Rgb && samples == 4 => Alpha::Straight,
        _ => Alpha::None,
    }
}

/// The sides of a strip or tile.
fn segment(page: &Directory<'_>, size: Size) -> Result<Size, Reason> {
    let Some((width, height)) = page.tile else {
        let rows = page.rows_per_strip.unwrap_or(u64::MAX).min(u64::from(size.height));
        return match rows {
            0 => Err(Reason::Undecodable),
            rows => Ok(Size::new(size.width, rows as u32)),
        };
    };
    if width == 0 || height == 0 {
        return Err(Reason::Undecodable);
    }
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(width @ ..=65_536), Ok(height)) => Ok(Size::new(width, height)),
        _ => Err(Reason::ImageTooLarge),
    }
}
