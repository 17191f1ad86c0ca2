//! The chunks of a WebP file, walked before its decoder sees them: the decoder believes the
//! lengths and sizes that chunks state, and allocates for them.

use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;

/// What the chunks say.
pub(super) struct Outline<'a> {
    /// The file without the bytes that follow its end.
    pub bytes: &'a [u8],
    /// Width of the widest and height of the highest bitstream.
    pub largest: Size,
    /// Bytes for each pixel that the decoder holds beside the image.
    pub extra: u64,
}

/// Walks the chunks, and those of animation frames.
///
/// # Errors
/// [`Reason::ImageTruncated`] where the file or a chunk says that it is longer than it is.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, Reason> {
    let stated = bytes.get(4..8).and_then(le_u32).ok_or(Reason::ImageTruncated)?;
    let bytes = bytes.get(..stated.saturating_add(8)).ok_or(Reason::ImageTruncated)?;
    let mut outline = Outline { bytes, largest: Size::default(), extra: 0 };
    outline.add(bytes.get(12..).unwrap_or_default(), true)?;
    Ok(outline)
}

impl Outline<'_> {
    fn add(&mut self, chunks: &[u8], outermost: bool) -> Result<(), Reason> {
        for chunk in (Chunks { rest: chunks }) {
            let (kind, data) = chunk?;
            let Size { width, height } = bitstream_size(kind, data);
            self.largest =
                Size::new(self.largest.width.max(width), self.largest.height.max(height));
            self.extra = self.extra.max(decoder_bytes(kind));
            if kind == b"ANMF" && outermost {
                self.add(data.get(16..).unwrap_or_default(), false)?;
            }
        }
        Ok(())
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

/// The chunks of a part of the file: four letters and data each.
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((data, rest)) = rest.split_at_checked(length) else {
            self.rest = &[];
            return Some(Err(Reason::ImageTruncated));
        };
        // The byte that pads an odd length may be missing at the very end.
        self.rest = rest.get(length % 2..).unwrap_or_default();
        Some(Ok((kind, data)))
    }
}

fn le_u32(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok()
}
