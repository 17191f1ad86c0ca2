//! Luma and chroma -> RGB in whole numbers, by the tables that TIFF 6.0's equations give, rounded
//! as libtiff rounds them.

use pairgate_core::decision::Reason;

use super::directory::{Directory, List};

/// Tables of what each level of luma and chroma adds.
pub(super) struct Tables {
    luma: [i32; 256],
    red_of_cr: [i32; 256],
    green_of_cr: [i32; 256],
    green_of_cb: [i32; 256],
    blue_of_cb: [i32; 256],
}

/// BT.601's shares of red, green and blue in luma.
const COEFFICIENTS: [f32; 3] = [0.299, 0.587, 0.114];
/// All levels are used.
const REFERENCE: [f32; 6] = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
const FRACTION_BITS: u32 = 16;
const HALF: i32 = 1 << (FRACTION_BITS - 1);

impl Tables {
    /// # Errors
    /// [`Reason::Undecodable`] for coefficients that mean nothing.
    pub fn of(page: &Directory<'_>) -> Result<Self, Reason> {
        let [red, green, blue] = floats(page.ycbcr_coefficients, COEFFICIENTS);
        let reference = floats(page.reference_black_white, REFERENCE);
        let useful = [red, green, blue].iter().all(|c| c.is_finite()) && green != 0.0;
        let in_range = reference.iter().all(|level| level.abs() < 2_000_000_000.0);
        if !useful || !in_range {
            return Err(Reason::Undecodable);
        }
        let (of_red, of_blue) = (2.0 - 2.0 * red, 2.0 - 2.0 * blue);
        let (d1, d2) = (fixed(of_red), -fixed(red * of_red / green));
        let (d3, d4) = (fixed(of_blue), -fixed(blue * of_blue / green));
        let [y0, y1, cb0, cb1, cr0, cr1] = reference;
        let cb = |level| value(level - 128, cb0 - 128.0, cb1 - 128.0, 127.0);
        let cr = |level| value(level - 128, cr0 - 128.0, cr1 - 128.0, 127.0);
        Ok(Self {
            luma: table(|level| value(level, y0, y1, 255.0)),
            red_of_cr: table(|level| (d1 * cr(level) + HALF) >> FRACTION_BITS),
            green_of_cr: table(|level| d2 * cr(level)),
            green_of_cb: table(|level| d4 * cb(level) + HALF),
            blue_of_cb: table(|level| (d3 * cb(level) + HALF) >> FRACTION_BITS),
        })
    }

    pub fn rgb(&self, [y, cb, cr]: [u8; 3]) -> [u8; 3] {
        let [y, cb, cr] = [y, cb, cr].map(usize::from);
        let green = (self.green_of_cb[cb] + self.green_of_cr[cr]) >> FRACTION_BITS;
        let light = self.luma[y];
        [light + self.red_of_cr[cr], light + green, light + self.blue_of_cb[cb]]
            .map(|level| level.clamp(0, 255) as u8)
    }
}

fn table(level: impl Fn(i32) -> i32) -> [i32; 256] {
    std::array::from_fn(|index| level(index as i32))
}

/// A code between the reference's black and white as a number up to `range`, held to what can be
/// multiplied.
fn value(code: i32, black: f32, white: f32, range: f32) -> i32 {
    let width = if white == black { 1.0 } else { white - black };
    let value = code.saturating_sub(black as i32) as f32 * range / width;
    value.clamp(-4096.0, 4096.0) as i32
}

/// A factor between 0 and 2 in 65,536ths.
fn fixed(factor: f32) -> i32 {
    let factor = if factor >= 0.0 { factor.min(2.0) } else { 0.0 };
    (f64::from(factor) * f64::from(1 << FRACTION_BITS) + 0.5) as i32
}

fn floats<const N: usize>(list: List<'_>, default: [f32; N]) -> [f32; N] {
    let stated: Option<Vec<f32>> =
        list.map(|list| (0..N).map_while(|index| list.number(index).map(|n| n as f32)).collect());
    stated.and_then(|stated| stated.try_into().ok()).unwrap_or(default)
}
