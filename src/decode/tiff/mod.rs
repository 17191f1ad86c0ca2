//! TIFF and BigTIFF, the first page: the directory, read here, and the pixels, from its strips or
//! tiles, in the layouts that Pillow reads. Where Pillow goes through libtiff, so do the values.
//!
//! What is known and not read is refused by name ([`Reason::UnsupportedFormat`], and a line in the
//! log). Tags that the pixels do not need are not looked at.

use image::ImageFormat;
use image::metadata::Orientation;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;

use super::orientation::{Carriers, of_directory};
use super::tags::Tagged;
use super::{Header, Layout, Rgb8, empty, stored_size};
use directory::Directory;
use plan::Plan;

mod codec;
mod colour;
mod directory;
mod fax;
mod jpeg;
mod old_jpeg;
mod plan;
mod predictor;
mod raster;
mod samples;
mod ycbcr;

/// Reads the header; see [`super::probe`].
pub(super) fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Reason> {
    let (file, first) = Tagged::open(bytes).ok_or(Reason::ImageTruncated)?;
    let directory = Directory::read(&file, first)?;
    let plan = Plan::of(&directory, limits)?;
    let working = plan.size.pixels().saturating_mul(plan.channels().max(3) as u64);
    let extra = plan.scratch_bytes();
    let orientation = orientation(&file, first, &directory);
    Layout { working, extra }.admit(ImageFormat::Tiff, plan.size, orientation, limits)
}

/// Decodes to RGB; see [`super::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Rgb8,
) -> Result<(), Reason> {
    let (file, first) = Tagged::open(bytes).ok_or(Reason::ImageTruncated)?;
    let directory = Directory::read(&file, first)?;
    let plan = Plan::of(&directory, limits)?;
    if plan.size != stored_size(header) {
        return Err(Reason::Undecodable);
    }
    into.size = plan.size;
    let channels = plan.channels().max(3) as u64;
    empty(&mut into.pixels, plan.size.pixels().saturating_mul(channels))?;
    raster::read(bytes, &directory, &plan, limits, &mut into.pixels)?;
    colour::to_rgb(&mut into.pixels, &plan, &directory)
}

/// As Pillow's: the directory's own tag, else its XMP.
fn orientation(file: &Tagged<'_>, first: u64, directory: &Directory<'_>) -> Orientation {
    let mut carriers = Carriers::default();
    if let Some(xmp) = directory.xmp.and_then(|entry| entry.data) {
        carriers.set_xmp(xmp);
    }
    of_directory(file, first).unwrap_or_else(|| carriers.orientation())
}

/// Refuses a layout that is known and not read.
fn refused(what: &str) -> Reason {
    log::warn!("a picture is a TIFF with {what}, which is not read");
    Reason::UnsupportedFormat
}
