//! The markers of a JPEG in order, each with its segment.

use memchr::memchr;

pub(super) const START_OF_IMAGE: u8 = 0xd8;
pub(super) const END_OF_IMAGE: u8 = 0xd9;
pub(super) const START_OF_SCAN: u8 = 0xda;

/// Walks a file from marker to marker; entropy-coded data and stray bytes are passed over.
pub(super) struct Markers<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Markers<'a> {
    /// The markers after the start of the image.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 2)
    }

    /// The markers from a place on.
    pub fn at(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// What follows the segment that was given last.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next marker, where one is left.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.rest();
            let at = memchr(0xff, rest)?;
            let marker = *rest.get(at + 1)?;
            // A second 0xff is a fill byte, and may be the marker's first.
            self.position += at + if marker == 0xff { 1 } else { 2 };
            if !matches!(marker, 0 | 0xff) {
                return Some(marker);
            }
        }
    }
}

impl<'a> Iterator for Markers<'a> {
    type Item = (u8, &'a [u8]);

    /// `None` where the file ends, or a segment says that it is longer than the file.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let marker = self.marker()?;
            match marker {
                END_OF_IMAGE => return Some((marker, &[])),
                // TEM, the restart markers and a stray start of image have no segment.
                0x01 | 0xd0..=START_OF_IMAGE => {}
                _ => {
                    let length = self.rest().first_chunk::<2>()?;
                    let length = usize::from(u16::from_be_bytes(*length)).max(2);
                    let segment = self.rest().get(2..length)?;
                    self.position += length;
                    return Some((marker, segment));
                }
            }
        }
    }
}
