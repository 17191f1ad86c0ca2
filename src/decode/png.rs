//! PNG: the chunks, read here, and the pixels, through the `png` crate.
//!
//! The decoder is given nothing but what the pixels need: header, palette, transparency and data,
//! put together anew. So no text, profile, checksum or missing end can lose a picture. Of an
//! animation the default image is taken.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::Read;

use flate2::read::ZlibDecoder;
use image::ImageFormat;
use image::metadata::Orientation;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use png::{BitDepth, ColorType, DecodeOptions, DecodingError, Transformations};

use super::orientation::Carriers;
use super::pieces::Pieces;
use super::{Header, Layout, Rgb8, empty, pixels, stored_size};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const END: &[u8] = b"\0\0\0\0\0\0\0\0IEND\0\0\0\0";
/// Bytes of a text that is inflated; Pillow refuses longer ones.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Reads the header; see [`super::probe`].
pub(super) fn probe(bytes: &[u8], limits: &ImageLimits) -> Result<Header, Reason> {
    let file = File::parse(bytes)?;
    let ended = Cell::new(false);
    let size = file.reader(limits, &ended)?.info().size();
    let stored = Size::new(size.0, size.1);
    file.layout(limits)?.admit(ImageFormat::Png, stored, file.orientation(), limits)
}

/// Decodes to RGB; see [`super::decode`].
pub(super) fn decode(
    bytes: &[u8],
    header: &Header,
    limits: &ImageLimits,
    into: &mut Rgb8,
) -> Result<(), Reason> {
    let file = File::parse(bytes)?;
    let working = file.layout(limits)?.working;
    let ended = Cell::new(false);
    let mut reader = file.reader(limits, &ended)?;
    into.size = stored_size(header);
    if reader.info().size() != (into.size.width, into.size.height) {
        return Err(Reason::Undecodable);
    }
    empty(&mut into.pixels, working)?;
    let frame = reader.next_frame(&mut into.pixels).map_err(|error| file.reason(&error))?;
    to_native(&mut into.pixels, frame.bit_depth);
    let colour = colour(frame.color_type, frame.bit_depth)?;
    pixels::to_rgb(&mut into.pixels, colour, into.size.pixels() as usize)
}

/// The parts of a file that count.
struct File<'a> {
    /// Signature, header, palette and transparency, and the start of the one chunk of data.
    head: Vec<u8>,
    size: Size,
    data: Vec<&'a [u8]>,
    /// The file ends before its data do, as their lengths say.
    cut: bool,
    texts: Texts<'a>,
}

impl<'a> File<'a> {
    /// # Errors
    /// [`Reason::ImageTruncated`] where the file ends before its data begin,
    /// [`Reason::Undecodable`] for a header or palette that cannot be right.
    fn parse(bytes: &'a [u8]) -> Result<Self, Reason> {
        let mut chunks = Chunks { rest: bytes.get(SIGNATURE.len()..).unwrap_or_default() };
        let header = match chunks.next() {
            Some(Chunk { kind: b"IHDR", data, .. }) if data.len() >= 13 => &data[..13],
            Some(Chunk { cut: false, .. }) => return Err(Reason::Undecodable),
            _ => return Err(Reason::ImageTruncated),
        };
        let mut body = Body::default();
        let mut texts = Texts::default();
        for chunk in chunks {
            if body.is_past_first_frame(&chunk) {
                break;
            }
            texts.add(&chunk);
            body.add(&chunk);
        }
        if body.data.is_empty() {
            return Err(if body.ended { Reason::Undecodable } else { Reason::ImageTruncated });
        }
        let side = |at: usize| header[at..at + 4].iter().fold(0, |v, &b| v << 8 | u32::from(b));
        let head = body.head(header)?;
        let size = Size::new(side(0), side(4));
        Ok(Self { head, size, data: body.data, cut: body.cut, texts })
    }

    fn reader<'b>(
        &'b self,
        limits: &ImageLimits,
        ended: &'b Cell<bool>,
    ) -> Result<png::Reader<Pieces<'b>>, Reason> {
        // Rows are allocated before anyone is asked.
        if self.size.width.max(self.size.height) > limits.max_side {
            return Err(Reason::ImageTooLarge);
        }
        let mut parts = vec![self.head.as_slice()];
        parts.extend_from_slice(&self.data);
        parts.push(END);
        let mut options = DecodeOptions::default();
        options.set_ignore_checksums(true);
        let mut decoder = png::Decoder::new_with_options(Pieces::new(parts, ended), options);
        let bytes = usize::try_from(limits.metadata_bytes()).unwrap_or(usize::MAX);
        decoder.set_limits(png::Limits { bytes });
        decoder.set_transformations(Transformations::EXPAND);
        decoder.read_info().map_err(|error| self.reason(&error))
    }

    fn layout(&self, limits: &ImageLimits) -> Result<Layout, Reason> {
        let ended = Cell::new(false);
        let decoded = self.reader(limits, &ended)?.output_buffer_size();
        let decoded = decoded.ok_or(Reason::ImageTooLarge)? as u64;
        Ok(Layout { working: decoded.max(self.size.pixels().saturating_mul(3)), extra: 0 })
    }

    fn orientation(&self) -> Orientation {
        self.texts.carriers().orientation()
    }

    fn reason(&self, error: &DecodingError) -> Reason {
        match error {
            DecodingError::LimitsExceeded => Reason::ImageTooLarge,
            _ if self.cut => Reason::ImageTruncated,
            _ => Reason::Undecodable,
        }
    }
}

/// What the pixels are made of.
#[derive(Default)]
struct Body<'a> {
    palette: Option<&'a [u8]>,
    transparency: Option<&'a [u8]>,
    data: Vec<&'a [u8]>,
    animated: bool,
    cut: bool,
    /// The end chunk was found.
    ended: bool,
}

impl<'a> Body<'a> {
    fn is_past_first_frame(&self, chunk: &Chunk<'_>) -> bool {
        self.animated && !self.data.is_empty() && chunk.kind == b"fcTL"
    }

    fn add(&mut self, chunk: &Chunk<'a>) {
        match chunk.kind {
            b"IDAT" => {
                self.data.push(chunk.data);
                self.cut |= chunk.cut;
            }
            b"PLTE" if self.data.is_empty() => self.palette = Some(chunk.data),
            b"tRNS" if self.data.is_empty() => self.transparency = Some(chunk.data),
            b"acTL" => self.animated = true,
            b"IEND" => self.ended = true,
            _ => {}
        }
    }

    /// What comes before the data, with their length.
    ///
    /// # Errors
    /// [`Reason::Undecodable`] for a palette that is no whole number of colours.
    fn head(&self, header: &[u8]) -> Result<Vec<u8>, Reason> {
        let (depth, colour) = (header[8], header[9]);
        let mut head = SIGNATURE.to_vec();
        add_chunk(&mut head, b"IHDR", header);
        let mut colours = 0;
        if colour == 3 {
            let palette = self.palette.ok_or(Reason::Undecodable)?;
            if !palette.len().is_multiple_of(3) {
                return Err(Reason::Undecodable);
            }
            let most = 3 << depth.min(8);
            let palette = &palette[..palette.len().min(most)];
            colours = palette.len() / 3;
            add_chunk(&mut head, b"PLTE", palette);
        }
        if let Some(transparency) = self.transparency_of(colour, depth, colours) {
            add_chunk(&mut head, b"tRNS", &transparency);
        }
        let length: usize = self.data.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).map_err(|_| Reason::ImageTooLarge)?;
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(b"IDAT");
        Ok(head)
    }

    /// The transparency, if it fits the colours: as browsers do, one that does not is passed over,
    /// and bits above a sample's depth do not count.
    fn transparency_of(&self, colour: u8, depth: u8, colours: usize) -> Option<Cow<'a, [u8]>> {
        let data = self.transparency?;
        match colour {
            3 => (1..=colours).contains(&data.len()).then_some(data.into()),
            0 | 2 => {
                let length = if colour == 0 { 2 } else { 6 };
                let samples = data.get(..length)?.as_chunks::<2>().0;
                let mask = if depth >= 16 { u16::MAX } else { (1 << depth) - 1 };
                let masked = |s: &[u8; 2]| (u16::from_be_bytes(*s) & mask).to_be_bytes();
                Some(samples.iter().flat_map(masked).collect::<Vec<_>>().into())
            }
            _ => None,
        }
    }
}

/// Appends a chunk; its checksum is never looked at.
fn add_chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend_from_slice(&(data.len() as u32).to_be_bytes());
    file.extend_from_slice(kind);
    file.extend_from_slice(data);
    file.extend_from_slice(&[0; 4]);
}

/// The chunks in which an orientation may stand; of each kind the last.
#[derive(Default)]
struct Texts<'a> {
    exif: Option<&'a [u8]>,
    profile: Option<Text<'a>>,
    xmp: Option<Text<'a>>,
}

#[derive(Clone, Copy)]
enum Text<'a> {
    Plain(&'a [u8]),
    Deflated(&'a [u8]),
}

impl<'a> Texts<'a> {
    fn add(&mut self, chunk: &Chunk<'a>) {
        let data = chunk.data;
        match chunk.kind {
            b"eXIf" => self.exif = Some(data),
            b"tEXt" => self.add_text(split(data).map(|(key, text)| (key, Text::Plain(text)))),
            b"zTXt" => self.add_text(deflated(data)),
            b"iTXt" => self.add_text(international(data)),
            _ => {}
        }
    }

    fn add_text(&mut self, text: Option<(&'a [u8], Text<'a>)>) {
        match text {
            Some((b"exif", Text::Plain(exif))) => self.exif = Some(exif),
            Some((b"Raw profile type exif", text)) => self.profile = Some(text),
            Some((b"XML:com.adobe.xmp", text)) => self.xmp = Some(text),
            _ => {}
        }
    }

    fn carriers(&self) -> Carriers<'a> {
        let mut carriers = Carriers::default();
        if let Some(exif) = self.exif {
            carriers.set_exif(exif);
        } else if let Some(exif) = self.profile.and_then(Text::read).and_then(|t| profile(&t)) {
            carriers.set_exif(exif);
        }
        if let Some(xmp) = self.xmp.and_then(Text::read) {
            carriers.set_xmp(xmp);
        }
        carriers
    }
}

impl<'a> Text<'a> {
    /// The text; `None` where it is damaged or too long.
    fn read(self) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Plain(text) => Some(text.into()),
            Self::Deflated(data) => {
                let mut text = Vec::new();
                let mut inflated = ZlibDecoder::new(data).take(MAX_TEXT_BYTES + 1);
                match inflated.read_to_end(&mut text) {
                    // What there is of a cut text may hold what is looked for.
                    Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => None,
                    _ => (text.len() as u64 <= MAX_TEXT_BYTES).then_some(text.into()),
                }
            }
        }
    }
}

/// What stands before the first zero, and after it.
fn split(data: &[u8]) -> Option<(&[u8], &[u8])> {
    data.split_at_checked(data.iter().position(|&byte| byte == 0)?)
        .map(|(key, text)| (key, &text[1..]))
}

fn deflated(data: &[u8]) -> Option<(&[u8], Text<'_>)> {
    let (key, text) = split(data)?;
    let (&method, text) = text.split_first()?;
    (method == 0).then_some((key, Text::Deflated(text)))
}

/// Key, flag and method of compression, language, the key in it, text.
fn international(data: &[u8]) -> Option<(&[u8], Text<'_>)> {
    let (key, rest) = split(data)?;
    let [flag, method, rest @ ..] = rest else { return None };
    let text = split(split(rest)?.1)?.1;
    match (flag, method) {
        (0, _) => Some((key, Text::Plain(text))),
        (_, 0) => Some((key, Text::Deflated(text))),
        _ => None,
    }
}

/// The bytes of a "raw profile": after three lines of what it is, hexadecimal digits.
fn profile(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n').skip(3);
    let digits = lines.flatten().filter(|byte| !byte.is_ascii_whitespace());
    let digits = digits.map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8));
    let digits = digits.collect::<Option<Vec<u8>>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// 16-bit samples, which are big-endian in the file, in native order.
fn to_native(pixels: &mut [u8], depth: BitDepth) {
    if depth == BitDepth::Sixteen {
        for sample in pixels.as_chunks_mut::<2>().0 {
            *sample = u16::from_be_bytes(*sample).to_ne_bytes();
        }
    }
}

fn colour(colour: ColorType, depth: BitDepth) -> Result<image::ColorType, Reason> {
    use image::ColorType as To;
    Ok(match (colour, depth) {
        (ColorType::Grayscale, BitDepth::Eight) => To::L8,
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => To::La8,
        (ColorType::Rgb, BitDepth::Eight) => To::Rgb8,
        (ColorType::Rgba, BitDepth::Eight) => To::Rgba8,
        (ColorType::Grayscale, BitDepth::Sixteen) => To::L16,
        (ColorType::GrayscaleAlpha, BitDepth::Sixteen) => To::La16,
        (ColorType::Rgb, BitDepth::Sixteen) => To::Rgb16,
        (ColorType::Rgba, BitDepth::Sixteen) => To::Rgba16,
        _ => return Err(Reason::Undecodable),
    })
}

/// The chunks of a file in order; the last may be cut.
struct Chunks<'a> {
    rest: &'a [u8],
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
    cut: bool,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    /// `None` after the end chunk, or where the file ends.
    fn next(&mut self) -> Option<Chunk<'a>> {
        // Length, kind, data, checksum.
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let cut = rest.len() < length;
        let (data, rest) = rest.split_at(length.min(rest.len()));
        self.rest = if kind == b"IEND" { &[] } else { rest.get(4..).unwrap_or_default() };
        Some(Chunk { kind, data, cut })
    }
}
