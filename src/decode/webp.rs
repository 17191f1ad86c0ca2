//! The chunks of a WebP file, walked before its decoder sees them: the decoder believes the
//! lengths and sizes that chunks state, and allocates for them.

use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

use super::orientation::Carriers;

/// Of the flags of an extended file, those that say something of the pixels.
const PIXEL_FLAGS: u8 = ALPHA | ANIMATION;
const ALPHA: u8 = 0x10;
const EXIF: u8 = 0x08;
const XMP: u8 = 0x04;
const ANIMATION: u8 = 0x02;

/// What the chunks say.
pub(super) struct Outline<'a> {
    /// The file's head, and in an extended file its first chunk.
    head: Vec<u8>,
    /// The chunks that the first picture is made of, each with its own head.
    chunks: Vec<&'a [u8]>,
    /// Width of the widest and height of the highest bitstream.
    pub largest: Size,
    /// Bytes for each pixel that the decoder holds beside the image.
    pub extra: u64,
    /// Where the orientation may stand.
    pub carriers: Carriers<'a>,
}

/// Walks the chunks, and those of the first frame of an animation.
///
/// # Errors
/// [`Reason::ImageTruncated`] where the file, or a chunk of the picture, says that it is longer
/// than it is.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, Reason> {
    let stated = bytes.get(4..8).and_then(le_u32).ok_or(Reason::ImageTruncated)?;
    let bytes = bytes.get(..stated.saturating_add(8)).ok_or(Reason::ImageTruncated)?;
    let mut outline = Outline {
        head: Vec::new(),
        chunks: Vec::new(),
        largest: Size::default(),
        extra: 0,
        carriers: Carriers::default(),
    };
    outline.add_all(bytes.get(12..).unwrap_or_default())?;
    Ok(outline)
}

impl<'a> Outline<'a> {
    /// A file of the first picture alone: what its decoder does not need cannot make it fail.
    pub fn parts(&self) -> Vec<&[u8]> {
        let head = std::iter::once(self.head.as_slice());
        head.chain(self.chunks.iter().copied()).collect()
    }

    fn add_all(&mut self, chunks: &'a [u8]) -> Result<(), Reason> {
        let mut flags = None;
        for (index, chunk) in (Chunks { rest: chunks }).enumerate() {
            let (kind, data, whole) = match chunk {
                Ok(chunk) => chunk,
                // Nothing of the picture is missing.
                Err(_) if self.has_picture() => break,
                Err(reason) => return Err(reason),
            };
            if index == 0 && kind == b"VP8X" {
                flags = data.first().copied();
                self.begin(Some(data));
            } else if index == 0 {
                self.begin(None);
            }
            self.add(kind, data, whole, flags);
            if kind == b"ANMF" && self.frames() == 1 {
                self.measure_frame(data.get(16..).unwrap_or_default())?;
            }
        }
        self.state_length();
        Ok(())
    }

    /// Writes the file's head, its length left open.
    fn begin(&mut self, extended: Option<&[u8]>) {
        self.head.extend_from_slice(b"RIFF\0\0\0\0WEBP");
        if let Some(data) = extended {
            let mut data = data.to_vec();
            data.truncate(10);
            if let Some(flags) = data.first_mut() {
                *flags &= PIXEL_FLAGS;
            }
            self.head.extend_from_slice(b"VP8X");
            self.head.extend_from_slice(&(data.len() as u32).to_le_bytes());
            self.head.extend_from_slice(&data);
        }
    }

    fn add(&mut self, kind: &[u8; 4], data: &'a [u8], whole: &'a [u8], flags: Option<u8>) {
        let said = |flag: u8| flags.is_some_and(|flags| flags & flag != 0);
        let of_picture = match kind {
            b"VP8 " | b"VP8L" => !self.has_picture(),
            b"ALPH" => flags.is_some() && self.chunks.is_empty(),
            b"ANIM" => said(ANIMATION) && self.chunks.is_empty(),
            b"ANMF" => said(ANIMATION) && self.frames() == 0,
            _ => false,
        };
        if of_picture {
            self.chunks.push(whole);
            self.measure(kind, data);
        }
        match kind {
            b"EXIF" if said(EXIF) && !self.carriers.has_exif() => self.carriers.set_exif(data),
            b"XMP " if said(XMP) && !self.carriers.has_xmp() => self.carriers.set_xmp(data),
            _ => {}
        }
    }

    /// The chunks within a frame.
    fn measure_frame(&mut self, chunks: &[u8]) -> Result<(), Reason> {
        for chunk in (Chunks { rest: chunks }) {
            let (kind, data, _) = chunk?;
            self.measure(kind, data);
        }
        Ok(())
    }

    fn measure(&mut self, kind: &[u8; 4], data: &[u8]) {
        let Size { width, height } = bitstream_size(kind, data);
        self.largest = Size::new(self.largest.width.max(width), self.largest.height.max(height));
        self.extra = self.extra.max(decoder_bytes(kind));
    }

    fn has_picture(&self) -> bool {
        self.chunks.iter().any(|chunk| matches!(&chunk[..4], b"VP8 " | b"VP8L" | b"ANMF"))
    }

    fn frames(&self) -> usize {
        self.chunks.iter().filter(|chunk| chunk.starts_with(b"ANMF")).count()
    }

    fn state_length(&mut self) {
        let length = self.parts().iter().map(|part| part.len()).sum::<usize>().saturating_sub(8);
        if let Some(place) = self.head.get_mut(4..8) {
            place.copy_from_slice(&(length as u32).to_le_bytes());
        }
    }
}

/// Bytes for each pixel that a file with a chunk of this kind makes the decoder hold.
fn decoder_bytes(kind: &[u8; 4]) -> u64 {
    match kind {
        // Luma and chroma.
        b"VP8 " => 2,
        // RGBA, before alpha is dropped, and the images that steer its transforms.
        b"VP8L" => 5,
        // Luma, chroma, and alpha decoded as RGBA, then as a plane, then unfiltered.
        b"ALPH" => 8,
        // All that for a frame, which is RGBA itself, beside the canvas.
        b"ANMF" => 12,
        _ => 0,
    }
}

/// The size that a bitstream states in 14 bits a side; zero for other chunks.
fn bitstream_size(kind: &[u8; 4], data: &[u8]) -> Size {
    let stated = match kind {
        // After a 3-byte tag and a 3-byte start code.
        b"VP8 " => data.get(6..10).and_then(le_u32).map(|v| (v & 0x3fff, v >> 16 & 0x3fff)),
        // After a signature byte, less one.
        b"VP8L" => {
            data.get(1..5).and_then(le_u32).map(|v| ((v & 0x3fff) + 1, (v >> 14 & 0x3fff) + 1))
        }
        _ => None,
    };
    stated.map_or(Size::default(), |(width, height)| Size::new(width as u32, height as u32))
}

/// The chunks of a part of the file: four letters, data, and both with the length between them.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8], &'a [u8]), Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        let all = self.rest;
        let (kind, rest) = all.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((data, rest)) = rest.split_at_checked(length) else {
            self.rest = &[];
            return Some(Err(Reason::ImageTruncated));
        };
        // The byte that pads an odd length may be missing at the very end.
        self.rest = rest.get(length % 2..).unwrap_or_default();
        Some(Ok((kind, data, &all[..all.len() - self.rest.len()])))
    }
}

fn le_u32(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
}
