//! How a picture is turned to be shown, wherever a file says so: EXIF first, XMP where EXIF does not
//! have the tag. What counts and what does not follows Pillow's `ImageOps.exif_transpose`.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::tags::Tagged;

const UNTURNED: Orientation = Orientation::NoTransforms;
const TAG: u16 = 274;
const EXIF_PREFIX: &[u8] = b"Exif\0\0";
const XMP_PREFIX: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// The places of one file in which its orientation may stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Carriers<'a> {
    exif: Option<Cow<'a, [u8]>>,
    xmp: Option<Cow<'a, [u8]>>,
}

impl<'a> Carriers<'a> {
    /// Takes EXIF, with or without the prefix that it has in JPEG, in place of what was there.
    pub fn set_exif(&mut self, exif: impl Into<Cow<'a, [u8]>>) {
        self.exif = Some(exif.into());
    }

    /// Takes an XMP packet in place of what was there.
    pub fn set_xmp(&mut self, xmp: impl Into<Cow<'a, [u8]>>) {
        self.xmp = Some(xmp.into());
    }

    pub fn has_exif(&self) -> bool {
        self.exif.is_some()
    }

    pub fn has_xmp(&self) -> bool {
        self.xmp.is_some()
    }

    /// Takes what follows the length of a JPEG's APP1 segment, if it is EXIF or XMP. Those before
    /// the first scan count, in the file's order. EXIF that does not fit into one segment goes on
    /// in the next; of XMP the last packet counts.
    pub fn add_app1(&mut self, segment: &'a [u8]) {
        if let Some(exif) = segment.strip_prefix(EXIF_PREFIX) {
            match &mut self.exif {
                Some(before) if !before.is_empty() => before.to_mut().extend_from_slice(exif),
                _ => self.set_exif(exif),
            }
        } else if let Some(xmp) = segment.strip_prefix(XMP_PREFIX) {
            self.set_xmp(xmp);
        }
    }

    /// The orientation that the file says, if it says one.
    pub fn orientation(&self) -> Orientation {
        let exif = self.exif.as_deref().and_then(of_exif);
        exif.or_else(|| self.xmp.as_deref().and_then(of_xmp)).unwrap_or(UNTURNED)
    }
}

/// The orientation in EXIF; `None` where the tag is not there, or the EXIF cannot be read. A value
/// that is no orientation says that the picture is not turned.
pub(super) fn of_exif(mut exif: &[u8]) -> Option<Orientation> {
    while let Some(rest) = exif.strip_prefix(EXIF_PREFIX) {
        exif = rest;
    }
    let (file, first) = Tagged::open(exif)?;
    of_directory(&file, first)
}

/// The orientation in a directory of tags. What follows an entry whose values lie past the end
/// does not count; of the tag's repetitions the last does.
pub(super) fn of_directory(file: &Tagged<'_>, offset: u64) -> Option<Orientation> {
    let readable = file.entries(offset).map_while(|entry| Some((entry.tag, entry.data?, entry)));
    let found = readable.filter(|(tag, data, _)| *tag == TAG && !data.is_empty()).last();
    found.map(|(_, _, entry)| entry.number(0).map_or(UNTURNED, of_number))
}

fn of_number(value: f64) -> Orientation {
    (1..=8u8)
        .find(|known| f64::from(*known) == value)
        .and_then(Orientation::from_exif)
        .unwrap_or(UNTURNED)
}

/// The orientation in XMP, as an attribute or an element: its first digit.
pub(super) fn of_xmp(xmp: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut rest = xmp;
    loop {
        let at = rest.windows(NAME.len()).position(|window| window == NAME)?;
        rest = &rest[at + NAME.len()..];
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"));
        if let Some([digit @ b'0'..=b'9', ..]) = value {
            return Some(of_number(f64::from(digit - b'0')));
        }
    }
}
