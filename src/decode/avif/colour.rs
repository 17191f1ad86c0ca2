//! Luma and chroma -> RGB, with the values that libavif gives: in 6-bit fixed point where it goes
//! through libyuv, which it does for the usual matrices, and else in floats.

use pairgate_core::decision::Reason;

use super::container::Stated;
use super::picture::Picture;

/// How a picture's rows become RGB.
pub(super) struct Colours {
    how: How,
    /// Bits that are dropped before anything else.
    drop: u32,
    /// Luma keeps more than 8 bits.
    wide: bool,
    /// Chroma is not interpolated.
    nearest: bool,
    /// Opacity of more than 8 bits is rounded, not cut.
    pub rounds_opacity: bool,
    full_range: bool,
    luma: Vec<u16>,
    chroma: [Vec<u16>; 2],
    near: Vec<u16>,
    far: Vec<u16>,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Fixed(Fixed),
    /// Shares of red and blue in luma.
    Float(f32, f32),
    /// Green, blue and red themselves.
    Identity,
    GreenOrange,
}

/// Factors in 64ths, and what they add.
#[derive(Debug, Clone, Copy)]
struct Fixed {
    luma: u32,
    black: i32,
    blue: i32,
    green: [i32; 2],
    red: i32,
}

impl Colours {
    /// # Errors
    /// [`Reason::UnsupportedFormat`] for colours that are no matrix of luma and chroma.
    pub fn of(picture: &Picture, stated: Option<Stated>, has_alpha: bool) -> Result<Self, Reason> {
        let stream = Stated {
            primaries: picture.primaries,
            matrix: picture.matrix,
            full_range: picture.full_range,
        };
        let Stated { primaries, matrix, full_range } = stated.unwrap_or(stream);
        let grey = picture.chroma.is_none();
        let how = how(matrix, primaries, full_range, grey, has_alpha)?;
        let fixed = matches!(how, How::Fixed(_));
        // Pictures with opacity have paths of their own in libavif.
        let wide = match (picture.bits, picture.chroma) {
            (10, Some(_)) | (12, Some((1, 1))) => fixed && has_alpha,
            _ => false,
        };
        let nearest = wide && picture.bits == 12;
        Ok(Self {
            how,
            drop: if fixed && !wide { picture.bits - 8 } else { 0 },
            wide,
            nearest,
            rounds_opacity: !fixed || grey || nearest,
            full_range,
            luma: vec![0; picture.size.width as usize],
            chroma: [(); 2].map(|()| vec![0; picture.size.width as usize]),
            near: vec![0; picture.sides(1).0],
            far: vec![0; picture.sides(1).0],
        })
    }

    /// Fills `[height, width, 3]` of `into`.
    pub fn write(&mut self, picture: &Picture, into: &mut [u8]) {
        let row = 3 * picture.size.width as usize;
        for (y, pixels) in into.chunks_exact_mut(row).enumerate() {
            picture.samples(0, y, &mut self.luma);
            if picture.chroma.is_some() {
                self.spread_chroma(picture, y);
            }
            let bits = picture.bits;
            for (x, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let [cb, cr] = [self.chroma[0][x], self.chroma[1][x]];
                *pixel = self.rgb(self.luma[x], cb, cr, bits, picture.chroma.is_none());
            }
        }
    }

    /// One row of each chroma, as wide as luma: the nearest samples, weighted 9, 3, 3 and 1.
    fn spread_chroma(&mut self, picture: &Picture, y: usize) {
        let (across, down) = picture.chroma.unwrap_or((0, 0));
        let rows = picture.sides(1).1;
        let (near, far) = if down == 0 { (y, y) } else { neighbours(y, rows) };
        let far = if self.nearest { near } else { far };
        for plane in 0..2 {
            picture.samples(plane + 1, near, &mut self.near);
            picture.samples(plane + 1, far, &mut self.far);
            for sample in self.near.iter_mut().chain(&mut self.far) {
                *sample >>= self.drop;
            }
            let (near, far, into) = (&self.near, &self.far, &mut self.chroma[plane]);
            if across == 0 {
                into.copy_from_slice(near);
                continue;
            }
            let last = into.len() - 1;
            for (x, into) in into.iter_mut().enumerate() {
                let (here, beside) = neighbours(x, near.len());
                let beside = if x == last || self.nearest { here } else { beside };
                let column = |x: usize| 3 * u32::from(near[x]) + u32::from(far[x]);
                *into = ((3 * column(here) + column(beside) + 8) >> 4) as u16;
            }
        }
    }

    fn rgb(&self, luma: u16, cb: u16, cr: u16, bits: u32, grey: bool) -> [u8; 3] {
        match self.how {
            How::Fixed(fixed) => {
                let luma_bits = u32::from(luma);
                let (luma, cb, cr) = match self.wide {
                    true => {
                        // Sixteen bits, the highest again in place of those that are missing.
                        let luma = luma_bits << (16 - bits) | luma_bits >> (2 * bits - 16);
                        (luma, cb >> (bits - 8), cr >> (bits - 8))
                    }
                    false => (u32::from(luma >> self.drop) * 0x0101, cb, cr),
                };
                let (cb, cr) = if grey { (128, 128) } else { (cb, cr) };
                fixed.rgb(luma, cb.min(255).into(), cr.min(255).into())
            }
            How::Identity if bits == 8 && self.full_range => [cr as u8, luma as u8, cb as u8],
            how => {
                let y = level(luma, bits, self.full_range, false);
                let identity = matches!(how, How::Identity);
                let [cb, cr] = [cb, cr].map(|c| level(c, bits, self.full_range, !identity));
                of_floats(how, y, cb, cr, grey).map(|c| (0.5 + c.clamp(0.0, 1.0) * 255.0) as u8)
            }
        }
    }
}

/// The sample at a place of twice as many, and the one on its other side.
fn neighbours(at: usize, count: usize) -> (usize, usize) {
    let near = (at / 2).min(count.saturating_sub(1));
    let beside =
        if at % 2 == 1 { (near + 1).min(count.saturating_sub(1)) } else { near.saturating_sub(1) };
    (near, beside)
}

fn how(
    matrix: u64,
    primaries: u64,
    full_range: bool,
    grey: bool,
    has_alpha: bool,
) -> Result<How, Reason> {
    let matrix = match (matrix, primaries) {
        (0, _) if grey => 6,
        (12, 1 | 2) => 1,
        (12, 5 | 6) => 6,
        (12, 9) => 9,
        (matrix, _) => matrix,
    };
    Ok(match matrix {
        // Grey alone goes another way.
        _ if grey && !has_alpha => How::Float(0.299, 0.114),
        0 => How::Identity,
        1 => How::Fixed(Fixed::of(0.2126, 0.0722, full_range, 1.164)),
        2 | 5 | 6 => How::Fixed(Fixed::of(0.299, 0.114, full_range, 1.164)),
        9 => How::Fixed(Fixed::of(0.2627, 0.0593, full_range, 1.164384)),
        4 => How::Float(0.30, 0.11),
        7 => How::Float(0.212, 0.087),
        8 => How::GreenOrange,
        _ => {
            log::warn!("a picture is an AVIF with unusual colours, which are not read");
            return Err(Reason::UnsupportedFormat);
        }
    })
}

impl Fixed {
    /// `limited` is 255 / 219, with as many digits as libyuv has it.
    fn of(red: f64, blue: f64, full_range: bool, limited: f64) -> Self {
        let (luma, chroma): (f64, f64) =
            if full_range { (1.0, 1.0) } else { (limited, 255.0 / 224.0) };
        let green = 1.0 - red - blue;
        let factor = |factor: f64| (factor * chroma * 64.0).round() as i32;
        // Products of bytes: no factor is above 2.
        let of_blue = factor(2.0 * (1.0 - blue)).min(128);
        Self {
            luma: (luma * 64.0 * 256.0 * 256.0 / 257.0).round() as u32,
            black: if full_range { 32 } else { (luma * 64.0 * -16.0).round() as i32 + 32 },
            blue: of_blue,
            green: [2.0 * blue * (1.0 - blue) / green, 2.0 * red * (1.0 - red) / green].map(factor),
            red: factor(2.0 * (1.0 - red)),
        }
    }

    /// `luma` has 16 bits, chroma 8.
    fn rgb(&self, luma: u32, cb: i32, cr: i32) -> [u8; 3] {
        let light = ((luma * self.luma) >> 16) as i32 + self.black;
        let (cb, cr) = (cb - 128, cr - 128);
        let green = light - (self.green[0] * cb + self.green[1] * cr);
        [light + self.red * cr, green, light + self.blue * cb]
            .map(|level| (level >> 6).clamp(0, 255) as u8)
    }
}

/// A sample between 0 and 1, or of chroma between -0.5 and 0.5.
fn level(sample: u16, bits: u32, full_range: bool, is_chroma: bool) -> f32 {
    let unit = f32::from(1u16 << (bits - 8));
    let (bias, range) = match (full_range, is_chroma) {
        (true, false) => (0.0, 256.0 * unit - 1.0),
        (true, true) => (128.0 * unit, 256.0 * unit - 1.0),
        (false, false) => (16.0 * unit, 219.0 * unit),
        (false, true) => (128.0 * unit, 224.0 * unit),
    };
    (f32::from(sample) - bias) / range
}

fn of_floats(how: How, y: f32, cb: f32, cr: f32, grey: bool) -> [f32; 3] {
    match how {
        _ if grey => [y; 3],
        How::Identity => [cr, y, cb],
        How::GreenOrange => [y - cb + cr, y + cb, y - cb - cr],
        How::Float(red, blue) => {
            let green = 1.0 - red - blue;
            let mixed = 2.0 * (red * (1.0 - red) * cr + blue * (1.0 - blue) * cb) / green;
            [y + 2.0 * (1.0 - red) * cr, y - mixed, y + 2.0 * (1.0 - blue) * cb]
        }
        How::Fixed(_) => [y; 3],
    }
}

/// The luma of row `y` as opacities.
pub(super) fn opacities(picture: &Picture, y: usize, rounds: bool, into: &mut [u8]) {
    let mut row = vec![0; into.len()];
    picture.samples(0, y, &mut row);
    for (into, sample) in into.iter_mut().zip(row) {
        *into = match (picture.bits, picture.full_range) {
            (bits, true) if !rounds => (sample >> (bits - 8)) as u8,
            (bits, full_range) => {
                (0.5 + level(sample, bits, full_range, false).clamp(0.0, 1.0) * 255.0) as u8
            }
        };
    }
}
