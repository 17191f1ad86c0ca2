//! The samples that are shown -> RGB, in place, as Pillow converts them.

use pairgate_core::decision::Reason;

use super::directory::{Directory, whole};
use super::plan::{Alpha, Meaning, Number, Plan};
use crate::decode::pixels::{convert, over_white};

/// `pixels` holds the plan's channels for each pixel, and RGB afterwards.
///
/// # Errors
/// [`Reason::Undecodable`] for a palette that is not there.
pub(super) fn to_rgb(
    pixels: &mut Vec<u8>,
    plan: &Plan,
    page: &Directory<'_>,
) -> Result<(), Reason> {
    let count = plan.size.pixels() as usize;
    let over = |level: u8, opacity: u8| match plan.alpha {
        Alpha::Multiplied => over_white(divided(level, opacity), opacity),
        _ => over_white(level, opacity),
    };
    match (plan.meaning, plan.alpha != Alpha::None) {
        (Meaning::Grey { inverted }, false) => {
            // Pillow leaves deeper ones as they are.
            let inverts = inverted && plan.bits <= 8 && plan.number == Number::Unsigned;
            let mask = if inverts { 255 } else { 0 };
            convert(pixels, count, |[level]: [u8; 1]| [level ^ mask; 3]);
        }
        (Meaning::Grey { inverted }, true) => {
            let mask = if inverted { 255 } else { 0 };
            convert(pixels, count, |[level, a]: [u8; 2]| [over(level ^ mask, a); 3]);
        }
        (Meaning::Palette, has_alpha) => {
            let palette = palette(page, plan)?;
            if has_alpha {
                let rgb = |index: u8, a| palette[usize::from(index)].map(|level| over(level, a));
                convert(pixels, count, |[index, a]: [u8; 2]| rgb(index, a));
            } else {
                convert(pixels, count, |[index]: [u8; 1]| palette[usize::from(index)]);
            }
        }
        (Meaning::Cmyk, _) => convert(pixels, count, of_inks),
        (_, true) => convert(pixels, count, |[r, g, b, a]: [u8; 4]| [r, g, b].map(|c| over(c, a))),
        (_, false) => pixels.truncate(3 * count),
    }
    Ok(())
}

/// A level that was multiplied by its opacity.
fn divided(level: u8, opacity: u8) -> u8 {
    match opacity {
        0 => 0,
        _ => (u32::from(level) * 255 / u32::from(opacity)).min(255) as u8,
    }
}

/// The high bytes of a palette: all reds, all greens, all blues. Colours that it lacks are black.
fn palette(page: &Directory<'_>, plan: &Plan) -> Result<[[u8; 3]; 256], Reason> {
    let list = page.palette.ok_or(Reason::Undecodable)?;
    let each = list.len() / 3;
    if each < 1 << plan.bits.min(8) {
        return Err(Reason::Undecodable);
    }
    let level = |colour: usize, index: usize| {
        let value = (index < each).then(|| whole(page.palette, colour * each + index)).flatten();
        (value.unwrap_or(0) >> 8) as u8
    };
    Ok(std::array::from_fn(|index| std::array::from_fn(|colour| level(colour, index))))
}

/// Cyan, magenta, yellow and black: what each leaves of the light, times what black leaves.
fn of_inks([c, m, y, k]: [u8; 4]) -> [u8; 3] {
    let left = 255 - k;
    [c, m, y].map(|ink| left.saturating_sub(scaled(ink, left)))
}

/// `a * b / 255`, rounded as Pillow rounds it.
fn scaled(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    ((product + (product >> 8)) >> 8) as u8
}
