//! Rules that ask whether a frame is worth the model's time: is it new, is it sharp?

use pairgate_core::config::{CaptureConfig, ImageLimits};
use pairgate_core::decision::Reason;

use crate::decode::{Rgb8, decode, probe};

/// Longer side of the grey picture that both rules look at, in pixels; smaller frames keep theirs.
const SIDE: usize = 256;

/// Compares frames with the last one that was taken.
#[derive(Debug)]
pub struct FrameRules {
    min_change: f32,
    min_sharpness: f32,
    limits: ImageLimits,
    rgb: Rgb8,
    last: Option<Grey>,
}

impl FrameRules {
    /// The rules that `config` sets; images are decoded under `limits`.
    pub fn new(config: &CaptureConfig, limits: ImageLimits) -> Self {
        let CaptureConfig { min_change, min_sharpness, .. } = *config;
        Self { min_change, min_sharpness, limits, rgb: Rgb8::default(), last: None }
    }

    /// What speaks against the frame. One that cannot be decoded is let through: the gate will say
    /// why.
    pub fn fault(&mut self, image: &[u8]) -> Option<Reason> {
        if self.min_change <= 0.0 && self.min_sharpness <= 0.0 {
            return None;
        }
        let header = probe(image, &self.limits).ok()?;
        decode(image, &header, &self.limits, &mut self.rgb).ok()?;
        let grey = Grey::of(&self.rgb);
        if grey.sharpness() < self.min_sharpness {
            return Some(Reason::Blurred);
        }
        if self.last.as_ref().is_some_and(|last| grey.difference(last) < self.min_change) {
            return Some(Reason::Unchanged);
        }
        self.last = Some(grey);
        None
    }
}

/// A grey picture, `[height, width]`, row-major, levels 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub struct Grey {
    width: usize,
    height: usize,
    levels: Vec<f32>,
}

impl Grey {
    /// Luma (ITU-R BT.601) of `rgb`, averaged over boxes so that the longer side is at most
    /// 256 pixels.
    pub fn of(rgb: &Rgb8) -> Self {
        let (from_width, from_height) = (rgb.size.width as usize, rgb.size.height as usize);
        let longer = from_width.max(from_height).max(1);
        let shrunk =
            |side: usize| if longer <= SIDE { side } else { (side * SIDE / longer).max(1) };
        let (width, height) = (shrunk(from_width), shrunk(from_height));
        let mut levels = Vec::with_capacity(width * height);
        for y in 0..height {
            let rows = y * from_height / height..((y + 1) * from_height / height);
            for x in 0..width {
                let columns = x * from_width / width..((x + 1) * from_width / width);
                levels.push(mean_luma(rgb, rows.clone(), columns));
            }
        }
        Self { width, height, levels }
    }

    /// Mean absolute difference of two pictures, in levels 0 to 255; 255 for pictures of another
    /// size.
    pub fn difference(&self, other: &Self) -> f32 {
        if (self.width, self.height) != (other.width, other.height) || self.levels.is_empty() {
            return 255.0;
        }
        let pairs = self.levels.iter().zip(&other.levels);
        pairs.map(|(a, b)| (a - b).abs()).sum::<f32>() / self.levels.len() as f32
    }

    /// Variance of the Laplacian (4 neighbours), in squared levels: the usual measure of sharpness
    /// (Pech-Pacheco et al. 2000). 0 for pictures without an inside.
    pub fn sharpness(&self) -> f32 {
        let at = |x: usize, y: usize| self.levels[y * self.width + x];
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for y in 1..self.height.saturating_sub(1) {
            for x in 1..self.width.saturating_sub(1) {
                let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
                let value = f64::from(around - 4.0 * at(x, y));
                count += 1.0;
                sum += value;
                squares += value * value;
            }
        }
        if count == 0.0 { 0.0 } else { (squares / count - (sum / count).powi(2)) as f32 }
    }
}

fn mean_luma(rgb: &Rgb8, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> f32 {
    let count = (rows.len() * columns.len()).max(1);
    let width = rgb.size.width as usize;
    let mut sums = [0_u64; 3];
    for y in rows {
        let row = &rgb.pixels[3 * (y * width + columns.start)..3 * (y * width + columns.end)];
        for pixel in row.chunks_exact(3) {
            sums.iter_mut().zip(pixel).for_each(|(sum, level)| *sum += u64::from(*level));
        }
    }
    let [r, g, b] = sums.map(|sum| sum as f32 / count as f32);
    0.299 * r + 0.587 * g + 0.114 * b
}
