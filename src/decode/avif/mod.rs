//! AVIF: the boxes, read here, and the pictures in them, through rav1d.
//!
//! The primary picture is taken, in one piece or in a grid, with its opacity; of a film its still
//! picture. Colours become RGB as libavif makes them with libyuv, in whole numbers. Turning follows
//! Pillow: `irot` and `imir` count, of EXIF nothing does, and XMP where EXIF has no orientation.

use image::ImageFormat;
use image::metadata::Orientation;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::orientation::{of_exif, of_xmp};
use super::pixels::over_white;
use super::{Header, Layout, Rgb8, empty, stored_size};
use colour::Colours;
use container::{Container, Item};
use picture::Picture;

mod boxes;
mod colour;
mod container;
mod picture;
mod sequence;
mod tables;

/// Pictures of a grid; a format that states 256 to a side could have 65,536.
const MAX_CELLS: usize = 256;

/// Whether the brands say that it is one.
pub(super) fn is_avif(bytes: &[u8]) -> bool {
    boxes::has_brand(bytes, &[b"avif", b"avis"])
}

/// Reads the header; see [`super::probe`].
pub(super) fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Reason> {
    let file = Container::read(bytes)?;
    let primary = file.primary()?;
    let size = primary.size.ok_or(Reason::Undecodable)?;
    if size.pixels() == 0 {
        return Err(Reason::Undecodable);
    }
    let working = size.pixels().saturating_mul(3);
    let extra = size.pixels().saturating_mul(bytes_each(&file, &primary)?);
    Layout { working, extra }.admit(ImageFormat::Avif, size, orientation(&file, &primary), limits)
}

/// Decodes to RGB; see [`super::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Rgb8,
) -> Result<(), Reason> {
    let file = Container::read(bytes)?;
    let primary = file.primary()?;
    into.size = stored_size(header);
    if primary.size != Some(into.size) {
        return Err(Reason::Undecodable);
    }
    empty(&mut into.pixels, into.size.pixels().saturating_mul(3))?;
    let opacity = file.alpha_of(&primary);
    let colours = decoded(&file, &primary, limits)?;
    if colours.size != into.size {
        return Err(Reason::Undecodable);
    }
    let mut rows = Colours::of(&colours, primary.colours, opacity.is_some())?;
    rows.write(&colours, &mut into.pixels);
    let rounds = rows.rounds_opacity;
    drop(colours);
    if let Some(item) = opacity {
        if item.size.is_some_and(|size| size != into.size) {
            return Err(Reason::Undecodable);
        }
        let opacity = decoded(&file, &item, limits)?;
        if opacity.size != into.size {
            return Err(Reason::Undecodable);
        }
        let multiplied = file.is_multiplied(&primary, &item);
        lay_over_white(&opacity, multiplied, rounds, into);
    }
    Ok(())
}

/// Bytes for each pixel that are held beside RGB: the decoder's picture, perhaps twice for its film
/// grain, what it knows of each block, and the whole of a grid.
fn bytes_each(file: &Container<'_>, item: &Item) -> Result<u64, Reason> {
    let cell = match item.is_grid() {
        true => file.cells(item, MAX_CELLS)?.first().cloned().ok_or(Reason::Undecodable)?,
        false => item.clone(),
    };
    let (wide, halves) = cell.samples.unwrap_or((true, 6));
    // Halves of a sample that a pixel has: 2 in grey, 3, 4 or 6 in colour.
    let picture = (u64::from(halves) * if wide { 2 } else { 1 }).div_ceil(2);
    Ok(2 * picture + 2 + if item.is_grid() { picture } else { 0 })
}

/// As Pillow finds it.
fn orientation(file: &Container<'_>, primary: &Item) -> Orientation {
    if let Some(turned) = primary.turned() {
        return turned;
    }
    let exif = file.described(primary, b"Exif").and_then(|data| of_exif(data.get(4..)?));
    let xmp = || file.described(primary, b"mime").and_then(|xmp| of_xmp(&xmp));
    match exif {
        // Its own boxes say that it is not turned.
        Some(_) => Orientation::NoTransforms,
        None => xmp().unwrap_or(Orientation::NoTransforms),
    }
}

/// The picture of an item, or of a grid's cells together.
fn decoded(file: &Container<'_>, item: &Item, limits: &ImageLimits) -> Result<Picture, Reason> {
    if item.kind == *b"av01" {
        let data = file.data(item)?;
        let size = item.size.ok_or(Reason::Undecodable)?;
        let picture = picture::decode(&data, size, item.samples, limits);
        return picture.map_err(|reason| cut(reason, data.is_cut));
    }
    if !item.is_grid() {
        let what = if item.kind == *b"hvc1" { "HEIC" } else { "an AVIF of a rare kind" };
        log::warn!("a picture is {what}, which is not read");
        return Err(Reason::UnsupportedFormat);
    }
    let grid = container::Grid::read(&file.data(item)?)?;
    let size = item.size.filter(|size| *size == grid.size).ok_or(Reason::Undecodable)?;
    let cells = file.cells(item, MAX_CELLS)?;
    if cells.len() != grid.columns * grid.rows {
        return Err(Reason::Undecodable);
    }
    let mut whole: Option<Picture> = None;
    for (index, cell) in cells.iter().enumerate() {
        if cell.is_grid() || cell.size != cells[0].size || !grid.fits(cell.size) {
            return Err(Reason::Undecodable);
        }
        let part = decoded(file, cell, limits)?;
        if Some(part.size) != cell.size {
            return Err(Reason::Undecodable);
        }
        let place = (index % grid.columns, index / grid.columns);
        if whole.is_none() {
            whole = Some(Picture::of_cells(&part, size)?);
        }
        if let Some(whole) = &mut whole {
            whole.place(&part, place)?;
        }
    }
    whole.ok_or(Reason::Undecodable)
}

fn cut(reason: Reason, is_cut: bool) -> Reason {
    if is_cut { Reason::ImageTruncated } else { reason }
}

/// Lays the colours over white, by the luma of `opacity`.
fn lay_over_white(opacity: &Picture, multiplied: bool, rounds: bool, into: &mut Rgb8) {
    let Size { width, .. } = into.size;
    let mut levels = vec![0; width as usize];
    for (y, row) in into.pixels.chunks_exact_mut(3 * width as usize).enumerate() {
        colour::opacities(opacity, y, rounds, &mut levels);
        for (pixel, &a) in row.as_chunks_mut::<3>().0.iter_mut().zip(&levels) {
            *pixel = pixel.map(|level| {
                let level = if multiplied { divided(level, a) } else { level };
                over_white(level, a)
            });
        }
    }
}

/// A level that was multiplied by its opacity, as libyuv divides it again.
fn divided(level: u8, opacity: u8) -> u8 {
    let factor = match u32::from(opacity) {
        0 => 0,
        1 => 0xffff,
        255 => 0x100,
        opacity => 0x10000 / opacity,
    };
    ((u32::from(level) * 257 * factor) >> 16).min(255) as u8
}
