//! Planes of luma and chroma: one picture's, as rav1d decodes it, or those of a grid together.

use std::cell::Cell;

use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use re_rav1d::dav1d::{Decoder, Error, PixelLayout, PlanarImageComponent, Settings, pixel};

use super::boxes::Fields;
use super::sequence;

/// Frames in one item: of a picture in layers there are up to four.
const MAX_FRAMES: usize = 4;

/// Pixels of the largest picture after which a decoder keeps its buffers.
const MOST_KEPT: u64 = 1 << 20;

/// A decoded picture.
pub(super) struct Picture {
    pub size: Size,
    /// Bits of a sample: 8, 10 or 12.
    pub bits: u32,
    /// By how many bits chroma's sides are shorter; `None` in grey.
    pub chroma: Option<(u32, u32)>,
    /// What the stream says of its colours: primaries, matrix, and whether all levels are used.
    pub primaries: u64,
    pub matrix: u64,
    pub full_range: bool,
    planes: Vec<Plane>,
}

struct Plane {
    stored: Stored,
    /// Bytes from row to row.
    stride: usize,
}

enum Stored {
    Decoded(re_rav1d::dav1d::Plane),
    Assembled(Vec<u8>),
}

impl Plane {
    fn bytes(&self) -> &[u8] {
        match &self.stored {
            Stored::Decoded(plane) => plane,
            Stored::Assembled(bytes) => bytes,
        }
    }
}

/// Decodes the one picture in `data`, which is of `size`. What the item says of its `samples` has
/// been counted, so the stream may not have more.
///
/// # Errors
/// [`Reason::ImageTooLarge`] above the limits, [`Reason::Undecodable`] for damage.
pub(super) fn decode(
    data: &[u8],
    size: Size,
    samples: Option<(bool, u8)>,
    limits: &ImageLimits,
) -> Result<Picture, Reason> {
    let units = Units::of(data);
    let (wide, halves) = samples.unwrap_or((true, 6));
    let more = (units.wide && !wide) || units.halves > halves || units.pixels > size.pixels();
    if units.frames > MAX_FRAMES || more || size.pixels() > limits.max_pixels {
        return Err(Reason::Undecodable);
    }
    let mut decoder = match IDLE.take() {
        Some(decoder) => decoder,
        None => Decoder::with_settings(&settings()).map_err(|_| Reason::Undecodable)?,
    };
    let picture =
        run(&mut decoder, data).and_then(|picture| Picture::of(&picture, units.colours, limits));
    decoder.flush();
    if size.pixels() <= MOST_KEPT {
        IDLE.set(Some(decoder));
    }
    picture
}

thread_local! {
    /// The thread's decoder between two pictures. Beginning anew for each would take time, and leave the
    /// heap in pieces, since rav1d loses a few bytes with each picture.
    static IDLE: Cell<Option<Decoder>> = const { Cell::new(None) };
}

fn settings() -> Settings {
    let mut settings = Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings
}

fn run(decoder: &mut Decoder, data: &[u8]) -> Result<re_rav1d::dav1d::Picture, Reason> {
    let mut sent = decoder.send_data(data.to_vec(), None, None, None);
    loop {
        match decoder.get_picture() {
            Ok(picture) => return Ok(picture),
            Err(Error::Again) if sent == Err(Error::Again) => {}
            Err(_) => return Err(Reason::Undecodable),
        }
        sent = decoder.send_pending_data();
        if sent.is_err_and(|error| error != Error::Again) {
            return Err(Reason::Undecodable);
        }
    }
}

/// What the units of a stream say before they are decoded.
#[derive(Debug, Default)]
struct Units {
    /// How many frames they begin: each costs the time of a picture.
    frames: usize,
    /// Pixels that a frame may have.
    pixels: u64,
    /// Whether samples may be wider than 8 bits, and halves of one that a pixel may have.
    wide: bool,
    halves: u8,
    /// Primaries and matrix.
    colours: Option<(u64, u64)>,
}

impl Units {
    fn of(data: &[u8]) -> Self {
        let (mut fields, mut units) = (Fields(data), Self::default());
        while let Some(head) = fields.number(1) {
            let (kind, extended, sized) = (head >> 3 & 15, head & 4 != 0, head & 2 != 0);
            let _ = extended.then(|| fields.number(1));
            let length = if sized { leb128(&mut fields) } else { None };
            let length = length.map_or(fields.0.len() as u64, |length| length);
            let length = usize::try_from(length).unwrap_or(usize::MAX).min(fields.0.len());
            let unit = fields.bytes(length).unwrap_or_default();
            match kind {
                1 => {
                    let sequence = sequence::read(unit);
                    units.pixels = units.pixels.max(sequence.pixels);
                    units.wide |= sequence.wide;
                    units.halves = units.halves.max(sequence.halves);
                    // A stream has one header; of repetitions the first counts.
                    units.colours.get_or_insert((sequence.primaries, sequence.matrix));
                }
                // A frame's header, with the frame or without.
                3 | 6 => units.frames += 1,
                _ => {}
            }
        }
        units
    }
}

/// Seven bits a byte, the lowest first.
fn leb128(fields: &mut Fields<'_>) -> Option<u64> {
    let mut value = 0;
    for index in 0..8 {
        let byte = fields.number(1)?;
        value |= (byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

impl Picture {
    fn of(
        picture: &re_rav1d::dav1d::Picture,
        colours: Option<(u64, u64)>,
        limits: &ImageLimits,
    ) -> Result<Self, Reason> {
        use PlanarImageComponent::{U, V, Y};
        let size = Size::new(picture.width(), picture.height());
        if size.pixels() > limits.max_pixels {
            return Err(Reason::ImageTooLarge);
        }
        let bits = picture.bits_per_component().ok_or(Reason::Undecodable)?.0 as u32;
        let chroma = match picture.pixel_layout() {
            PixelLayout::I400 => None,
            PixelLayout::I420 => Some((1, 1)),
            PixelLayout::I422 => Some((1, 0)),
            PixelLayout::I444 => Some((0, 0)),
        };
        let unknown = (sequence::UNSPECIFIED, sequence::UNSPECIFIED);
        let (primaries, matrix) = colours.unwrap_or(unknown);
        let components: &[_] = if chroma.is_none() { &[Y] } else { &[Y, U, V] };
        let plane = |component: &PlanarImageComponent| Plane {
            stored: Stored::Decoded(picture.plane(*component)),
            stride: picture.stride(*component) as usize,
        };
        Ok(Self {
            size,
            bits,
            chroma,
            primaries,
            matrix,
            full_range: picture.color_range() == pixel::YUVRange::Full,
            planes: components.iter().map(plane).collect(),
        })
    }

    /// A picture of `size` for cells such as `cell`.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] where chroma would be split.
    pub fn of_cells(cell: &Self, size: Size) -> Result<Self, Reason> {
        let (across, down) = cell.chroma.unwrap_or((0, 0));
        let splits = !cell.size.width.is_multiple_of(1 << across)
            || !cell.size.height.is_multiple_of(1 << down);
        if splits {
            return Err(Reason::Undecodable);
        }
        let mut whole = Self { size, planes: Vec::new(), ..*cell };
        for index in 0..cell.planes.len() {
            let (width, height) = whole.sides(index);
            let stride = width * whole.sample_bytes();
            let stored = Stored::Assembled(vec![0; stride * height]);
            whole.planes.push(Plane { stored, stride });
        }
        Ok(whole)
    }

    /// Copies a cell to its place in the grid.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] where it is not such as the first.
    pub fn place(&mut self, cell: &Self, (column, row): (usize, usize)) -> Result<(), Reason> {
        if (cell.bits, cell.chroma) != (self.bits, self.chroma) {
            return Err(Reason::Undecodable);
        }
        let bytes = self.sample_bytes();
        for index in 0..self.planes.len() {
            let ((width, height), (cell_width, cell_height)) =
                (self.sides(index), cell.sides(index));
            let (left, top) = (column * cell_width, row * cell_height);
            let count = cell_width.min(width.saturating_sub(left)) * bytes;
            let plane = &mut self.planes[index];
            let Stored::Assembled(into) = &mut plane.stored else {
                return Err(Reason::Undecodable);
            };
            for y in 0..cell_height.min(height.saturating_sub(top)) {
                let at = (top + y) * plane.stride + left * bytes;
                let from = cell.row(index, y).get(..count).ok_or(Reason::Undecodable)?;
                into.get_mut(at..at + count).ok_or(Reason::Undecodable)?.copy_from_slice(from);
            }
        }
        Ok(())
    }

    /// Width and height of a plane: 0 is luma.
    pub fn sides(&self, plane: usize) -> (usize, usize) {
        let (across, down) = self.chroma.filter(|_| plane > 0).unwrap_or((0, 0));
        let side = |side: u32, by: u32| (side as usize).div_ceil(1 << by);
        (side(self.size.width, across), side(self.size.height, down))
    }

    /// Bytes of one sample, 1 or 2.
    pub fn sample_bytes(&self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// The bytes of a row, as far as it has samples.
    pub fn row(&self, plane: usize, y: usize) -> &[u8] {
        let length = self.sides(plane).0 * self.sample_bytes();
        let Some(plane) = self.planes.get(plane) else { return &[] };
        let start = y * plane.stride;
        plane.bytes().get(start..start + length).unwrap_or_default()
    }

    /// The samples of a row into `into`, those that are missing as they were.
    pub fn samples(&self, plane: usize, y: usize, into: &mut [u16]) {
        let row = self.row(plane, y);
        if self.bits > 8 {
            let most = (1 << self.bits) - 1;
            for (into, sample) in into.iter_mut().zip(row.as_chunks::<2>().0) {
                *into = u16::from_ne_bytes(*sample).min(most);
            }
        } else {
            into.iter_mut().zip(row).for_each(|(into, &sample)| *into = sample.into());
        }
    }
}
