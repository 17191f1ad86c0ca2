//! YUYV frames, as cameras without an encoder give them, to JPEG.

use std::io;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use pairgate_core::pair::Size;

/// Quality of the JPEG, 1 to 100: what cameras' own encoders use.
const QUALITY: u8 = 90;

/// The JPEG of one frame: rows of `stride` bytes, each of `width / 2` groups of luma, blue
/// difference, luma, red difference (ITU-R BT.601, limited range).
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] if the frame is too short for its size, or its width is odd.
pub fn to_jpeg(frame: &[u8], size: Size, stride: usize) -> io::Result<Vec<u8>> {
    let (width, height) = (size.width as usize, size.height as usize);
    let stride = stride.max(2 * width);
    let needed = stride * height.saturating_sub(1) + 2 * width;
    if width % 2 == 1 || width * height == 0 || frame.len() < needed {
        let why = format!("a YUYV frame of {} bytes for {width}x{height}", frame.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut rgb = Vec::with_capacity(3 * width * height);
    for row in frame.chunks(stride).take(height) {
        for group in row[..2 * width].chunks_exact(4) {
            let [y0, u, y1, v] = [group[0], group[1], group[2], group[3]].map(i32::from);
            rgb.extend(pixel(y0, u, v));
            rgb.extend(pixel(y1, u, v));
        }
    }
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .write_image(&rgb, size.width, size.height, ExtendedColorType::Rgb8)
        .map_err(io::Error::other)?;
    Ok(jpeg)
}

/// BT.601's matrix in 8-bit fixed point.
fn pixel(y: i32, u: i32, v: i32) -> [u8; 3] {
    let (c, d, e) = (298 * (y - 16), u - 128, v - 128);
    let level = |value: i32| ((value + 128) >> 8).clamp(0, 255) as u8;
    [level(c + 409 * e), level(c - 100 * d - 208 * e), level(c + 516 * d)]
}
