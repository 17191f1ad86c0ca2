//! Made-up pictures, in place of a camera's: the same on the board and on the host that checks them.

use pairgate_core::pair::Size;
use pairgate_core::wire::pairs::Format;

/// Bytes of the largest picture.
pub const FRAME_BYTES: usize = 160 * 120;

/// A picture to take.
pub struct Shot {
    /// What is said of it.
    pub caption: &'static str,
    /// How large it is.
    pub size: Size,
    /// How its pixels are held: `Grey8` or `Rgb565`.
    pub format: Format,
}

const fn shot(caption: &'static str, width: u32, height: u32, format: Format) -> Shot {
    Shot { caption, size: Size::new(width, height), format }
}

/// All of them, in the order in which they are taken. Some break a rule of `mcu.toml`.
pub const SHOTS: [Shot; 12] = [
    shot("grey steps that rise to the right", 160, 120, Format::Grey8),
    shot("a woven pattern of many colours", 96, 96, Format::Rgb565),
    shot("a picture that is too small", 64, 32, Format::Grey8),
    shot("stripes", 160, 120, Format::Grey8),
    shot("ein Muster aus hellen Bögen über Grau", 128, 96, Format::Grey8),
    shot("a b c", 120, 120, Format::Grey8),
    shot("a picture that is far too wide", 160, 48, Format::Grey8),
    shot("a colourful tile with soft edges", 98, 97, Format::Rgb565),
    shot("", 160, 120, Format::Grey8),
    shot("dark waves that cross each other", 101, 113, Format::Grey8),
    shot("a small square of grey checks", 96, 96, Format::Grey8),
    shot("the last picture of the series", 160, 120, Format::Grey8),
];

impl Shot {
    /// Bytes of the picture: at most [`FRAME_BYTES`].
    pub fn bytes(&self) -> usize {
        let each = if self.format == Format::Rgb565 { 2 } else { 1 };
        self.size.pixels() as usize * each
    }

    /// Draws the picture to the front of `frame`. `seed` makes it another one.
    pub fn draw(&self, seed: u32, frame: &mut [u8]) {
        let Size { width, height } = self.size;
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let level = |x: u32, y: u32| (x * (seed + 1) + y * 3) ^ ((x * y) >> 4);
        if self.format == Format::Rgb565 {
            for (pixel, (x, y)) in frame.chunks_exact_mut(2).zip(pixels) {
                let word = level(x, y).wrapping_mul(40_503) as u16;
                pixel.copy_from_slice(&word.to_le_bytes());
            }
        } else {
            frame.iter_mut().zip(pixels).for_each(|(pixel, (x, y))| *pixel = level(x, y) as u8);
        }
    }
}
