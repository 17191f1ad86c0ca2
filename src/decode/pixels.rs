//! Any of the decoders' pixel layouts -> RGB, and the EXIF turns, in place.

use image::ColorType;
use image::metadata::Orientation;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::Rgb8;

/// Turns `count` pixels of `colour` (16-bit samples in native order) into RGB: grey is spread,
/// 16-bit samples keep their high byte, transparency is laid over white.
///
/// # Errors
/// [`Reason::Undecodable`] for samples that are not 8- or 16-bit integers.
pub(super) fn to_rgb(pixels: &mut Vec<u8>, colour: ColorType, count: usize) -> Result<(), Reason> {
    match colour {
        ColorType::Rgb8 => pixels.truncate(3 * count),
        ColorType::L8 => convert(pixels, count, |[l]: [u8; 1]| [l; 3]),
        ColorType::La8 => convert(pixels, count, |[l, a]: [u8; 2]| [over_white(l, a); 3]),
        ColorType::Rgba8 => {
            convert(pixels, count, |[r, g, b, a]: [u8; 4]| [r, g, b].map(|c| over_white(c, a)))
        }
        ColorType::L16 => convert(pixels, count, |p: [u8; 2]| [high::<2, 1>(p)[0]; 3]),
        ColorType::La16 => convert(pixels, count, |p: [u8; 4]| {
            let [l, a] = high(p);
            [over_white(l, a); 3]
        }),
        ColorType::Rgb16 => convert(pixels, count, high::<6, 3>),
        ColorType::Rgba16 => convert(pixels, count, |p: [u8; 8]| {
            let [r, g, b, a] = high(p);
            [r, g, b].map(|c| over_white(c, a))
        }),
        _ => return Err(Reason::Undecodable),
    }
    Ok(())
}

/// Converts in place: from the front where pixels shrink, from the back where they grow, so that
/// no pixel is overwritten before it is read.
pub(super) fn convert<const N: usize>(
    pixels: &mut Vec<u8>,
    count: usize,
    rgb: impl Fn([u8; N]) -> [u8; 3],
) {
    pixels.resize(count * N.max(3), 0);
    let mut one = |i: usize| {
        let pixel: [u8; N] = std::array::from_fn(|k| pixels[i * N + k]);
        pixels[i * 3..i * 3 + 3].copy_from_slice(&rgb(pixel));
    };
    if N < 3 {
        (0..count).rev().for_each(&mut one);
    } else {
        (0..count).for_each(&mut one);
    }
    pixels.truncate(count * 3);
}

/// The high bytes of `M` 16-bit samples in native order, `N = 2 M`.
fn high<const N: usize, const M: usize>(pixel: [u8; N]) -> [u8; M] {
    std::array::from_fn(|k| (u16::from_ne_bytes([pixel[2 * k], pixel[2 * k + 1]]) >> 8) as u8)
}

/// `level` with opacity `alpha` over white, rounded to nearest as PIL's `paste` does.
pub(super) fn over_white(level: u8, alpha: u8) -> u8 {
    let (level, alpha) = (u32::from(level), u32::from(alpha));
    ((level * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Whether the orientation swaps width and height.
pub(super) fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
}

/// Turns the stored image so that it is shown as it should be.
pub(super) fn turn(image: &mut Rgb8, orientation: Orientation) {
    match orientation {
        Orientation::NoTransforms => {}
        Orientation::FlipHorizontal => flip_rows(image),
        Orientation::FlipVertical => flip_columns(image),
        Orientation::Rotate180 => reverse(image),
        Orientation::Rotate90FlipH => transpose(image),
        Orientation::Rotate90 => {
            transpose(image);
            flip_rows(image);
        }
        Orientation::Rotate270FlipH => {
            reverse(image);
            transpose(image);
        }
        Orientation::Rotate270 => {
            transpose(image);
            flip_columns(image);
        }
    }
}

/// Reverses every row: left becomes right.
fn flip_rows(image: &mut Rgb8) {
    for row in image.pixels.chunks_exact_mut(3 * image.size.width as usize) {
        row.as_chunks_mut::<3>().0.reverse();
    }
}

/// Reverses every column: top becomes bottom.
fn flip_columns(image: &mut Rgb8) {
    let stride = 3 * image.size.width as usize;
    let mut rows = image.pixels.chunks_exact_mut(stride);
    while let (Some(top), Some(bottom)) = (rows.next(), rows.next_back()) {
        top.swap_with_slice(bottom);
    }
}

/// Turns by 180 degrees.
fn reverse(image: &mut Rgb8) {
    image.pixels.as_chunks_mut::<3>().0.reverse();
}

/// Rows become columns, in tiles so that both sides stay in the cache.
fn transpose(image: &mut Rgb8) {
    const TILE: usize = 32;
    let (width, height) = (image.size.width as usize, image.size.height as usize);
    let mut turned = vec![0; image.pixels.len()];
    let (from, to) = (image.pixels.as_chunks::<3>().0, turned.as_chunks_mut::<3>().0);
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for x in left..(left + TILE).min(width) {
                for y in top..(top + TILE).min(height) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
    image.pixels = turned;
    image.size = Size::new(image.size.height, image.size.width);
}
