//! The strips or tiles of a page, one after the other -> the channels that are shown.

use std::io::Read;

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;

use super::codec::{self, Stored};
use super::directory::{Directory, whole};
use super::plan::{Meaning, Number, Plan};
use super::predictor::{self, Row};
use super::ycbcr::Tables;
use super::{old_jpeg, refused, samples};

/// Fills `[height, width, channels]` of `into`; of luma and chroma it is RGB.
///
/// # Errors
/// [`Reason::ImageTruncated`] where data lie past the file's end, [`Reason::UnsupportedFormat`]
/// for what is not read, [`Reason::Undecodable`] for damage.
pub(super) fn read(
    bytes: &[u8],
    page: &Directory<'_>,
    plan: &Plan,
    limits: &ImageLimits,
    into: &mut [u8],
) -> Result<(), Reason> {
    if page.compression == 6 {
        return old_jpeg::read(bytes, page, plan, limits, into);
    }
    let (columns, rows) = (plan.columns() as usize, plan.rows() as usize);
    let planes = if plan.planar { plan.samples } else { 1 };
    let tables = match plan.meaning {
        Meaning::YCbCr { .. } => Some(Tables::of(page)?),
        _ => None,
    };
    // Data that are copied or searched before they are read: strips that repeat each other could
    // make that endless.
    let searched = matches!(page.compression, 2..=4 | 7 | 32771);
    let mut left = if searched { bytes.len().saturating_mul(2) } else { usize::MAX };
    let mut raster = Raster { plan, into, row: Vec::new(), samples: Vec::new(), tables };
    for plane in 0..planes.min(plan.channels()) {
        for index in 0..columns * rows {
            let stored = stored(bytes, page, plan, plane * columns * rows + index)?;
            let place = Place::of(plan, plane, index);
            left = left.checked_sub(stored.bytes.len()).ok_or(Reason::Undecodable)?;
            let mut data = codec::open(stored, place.height, page, plan, limits)?;
            let outcome = raster.segment(&mut *data, &place, page);
            outcome.map_err(|reason| if stored.cut { Reason::ImageTruncated } else { reason })?;
        }
    }
    raster.finish();
    Ok(())
}

/// What strip or tile `index` is stored as. Of what is not compressed the length follows from
/// its sides, whatever is said.
pub(super) fn stored<'a>(
    bytes: &'a [u8],
    page: &Directory<'a>,
    plan: &Plan,
    index: usize,
) -> Result<Stored<'a>, Reason> {
    let (offsets, counts) = match plan.tiled {
        true => (page.tile_offsets.or(page.strip_offsets), page.tile_counts.or(page.strip_counts)),
        false => (page.strip_offsets, page.strip_counts),
    };
    let list = offsets.ok_or(Reason::Undecodable)?;
    // The list itself lies past the file's end.
    let missing = if list.data.is_none() { Reason::ImageTruncated } else { Reason::Undecodable };
    let offset = list.whole(index).ok_or(missing)?;
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    let rest = rest.ok_or(Reason::ImageTruncated)?;
    let count = whole(counts, index).filter(|count| *count > 0 && page.compression != 1);
    match count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)) {
        Some(count) => {
            let cut = count > rest.len();
            Ok(Stored { bytes: &rest[..count.min(rest.len())], cut })
        }
        None => Ok(Stored { bytes: rest, cut: true }),
    }
}

/// Where a strip or tile lies, as far as it is shown.
#[derive(Debug, Clone, Copy)]
struct Place {
    plane: usize,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Place {
    fn of(plan: &Plan, plane: usize, index: usize) -> Self {
        let columns = plan.columns() as usize;
        let left = (index % columns) as u32 * plan.segment.width;
        let top = (index / columns) as u32 * plan.segment.height;
        Self {
            plane,
            left,
            top,
            width: plan.segment.width.min(plan.size.width - left),
            height: plan.segment.height.min(plan.size.height - top),
        }
    }
}

/// The picture that is filled, and the row that is read.
struct Raster<'a> {
    plan: &'a Plan,
    into: &'a mut [u8],
    row: Vec<u8>,
    samples: Vec<u8>,
    tables: Option<Tables>,
}

impl Raster<'_> {
    fn segment(
        &mut self,
        data: &mut dyn Read,
        place: &Place,
        page: &Directory<'_>,
    ) -> Result<(), Reason> {
        self.row.resize(self.plan.row_bytes() as usize, 0);
        if let (Meaning::YCbCr { across, down }, false) = (self.plan.meaning, self.plan.planar) {
            for top in (0..place.height).step_by(down as usize) {
                data.read_exact(&mut self.row).map_err(|_| Reason::Undecodable)?;
                self.unpredict(page)?;
                self.blocks(place, top, across, down);
            }
            return Ok(());
        }
        let across = self.plan.segment.width as usize * self.plan.together();
        self.samples.resize(across, 0);
        for y in 0..place.height {
            data.read_exact(&mut self.row).map_err(|_| Reason::Undecodable)?;
            let big_endian = self.unpredict(page)?;
            samples::to_bytes(&self.row, self.plan, big_endian, &mut self.samples);
            self.spread(place, y);
        }
        Ok(())
    }

    /// Sums up differences; returns the row's byte order after it.
    fn unpredict(&mut self, page: &Directory<'_>) -> Result<bool, Reason> {
        // The other compressions know no differences.
        let can = matches!(page.compression, 5 | 8 | 32946 | 34925 | 50000);
        let (bits, big_endian) = (self.plan.bits, page.big_endian);
        let together = match self.plan.meaning {
            Meaning::YCbCr { .. } if !self.plan.planar => 3,
            _ => self.plan.together(),
        };
        let how = Row { bits, together, big_endian };
        match page.predictor {
            2 if can => match predictor::sum(&mut self.row, how) {
                true => Ok(big_endian),
                false => Err(Reason::Undecodable),
            },
            3 if can && self.plan.number == Number::Float => {
                predictor::sum_floats(&mut self.row, how, &mut self.samples);
                self.samples.resize(self.plan.segment.width as usize * together, 0);
                Ok(true)
            }
            0..=3 => Ok(big_endian),
            _ if can => Err(refused("an unknown kind of differences")),
            _ => Ok(big_endian),
        }
    }

    /// Puts the samples of one row where their pixels' channels are.
    fn spread(&mut self, place: &Place, y: u32) {
        let channels = self.plan.channels();
        let start = self.at(place.left, place.top + y) * channels;
        let length = place.width as usize * channels;
        let pixels = self.into[start..start + length].chunks_exact_mut(channels);
        if self.plan.planar {
            for (pixel, sample) in pixels.zip(&self.samples) {
                pixel[place.plane] = *sample;
            }
            return;
        }
        for (pixel, samples) in pixels.zip(self.samples.chunks_exact(self.plan.samples)) {
            pixel.copy_from_slice(&samples[..channels]);
        }
    }

    /// One row of blocks, each of luma for `across` by `down` pixels and their chroma.
    fn blocks(&mut self, place: &Place, top: u32, across: u32, down: u32) {
        let Some(tables) = &self.tables else { return };
        let size = (across * down) as usize;
        for (index, block) in self.row.chunks_exact(size + 2).enumerate() {
            for (luma, &y) in block[..size].iter().enumerate() {
                let x = index as u32 * across + luma as u32 % across;
                let row = top + luma as u32 / across;
                if x < place.width && row < place.height {
                    let at = 3 * self.at(place.left + x, place.top + row);
                    let rgb = tables.rgb([y, block[size], block[size + 1]]);
                    self.into[at..at + 3].copy_from_slice(&rgb);
                }
            }
        }
    }

    /// Luma and chroma that lay in planes of their own become RGB when all are there.
    fn finish(&mut self) {
        if let (Some(tables), true) = (&self.tables, self.plan.planar) {
            let count = self.plan.size.pixels() as usize;
            for pixel in &mut self.into.as_chunks_mut::<3>().0[..count] {
                *pixel = tables.rgb(*pixel);
            }
        }
    }

    fn at(&self, x: u32, y: u32) -> usize {
        y as usize * self.plan.size.width as usize + x as usize
    }
}
