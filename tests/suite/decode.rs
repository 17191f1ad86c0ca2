//! Every format is decoded as PIL decodes it, and whatever is wrong with a file has a name.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{panic, thread};

use pairgate::decode::{Rgb8, decode, probe};
use pairgate::digest::sha256;
use pairgate_core::config::ImageLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use proptest::prelude::*;
use proptest::sample::Index;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden");

fn read(bytes: &[u8], limits: &ImageLimits) -> Result<Rgb8, Reason> {
    let mut image = Rgb8::default();
    let header = probe(bytes, limits)?;
    decode(bytes, &header, limits, &mut image)?;
    assert_eq!(image.size, header.size);
    assert_eq!(image.pixels.len() as u64, 3 * image.size.pixels());
    Ok(image)
}

struct Golden {
    name: String,
    size: Size,
}

fn golden() -> Vec<Golden> {
    let lines = fs::read_to_string(Path::new(GOLDEN).join("decode.csv")).unwrap();
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, width, height] = fields[..] else { panic!("3 fields: {line}") };
        Golden {
            name: name.into(),
            size: Size::new(width.parse().unwrap(), height.parse().unwrap()),
        }
    };
    lines.lines().map(parse).collect()
}

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(GOLDEN).join("files").join(name)).unwrap()
}

#[test]
fn files_decode_as_in_pil() {
    let expected = fs::read(Path::new(GOLDEN).join("decode.bin")).unwrap();
    let mut expected = &expected[..];
    let mut wrong = Vec::new();
    for Golden { name, size } in golden() {
        let (pixels, rest) = expected.split_at(3 * size.pixels() as usize);
        expected = rest;
        let image = match read(&file(&name), &ImageLimits::default()) {
            Ok(image) if image.size == size => image,
            other => {
                wrong.push(format!("{name}: {:?}", other.map(|image| image.size)));
                continue;
            }
        };
        if image.pixels != pixels {
            let differing = image.pixels.iter().zip(pixels).filter(|(a, b)| a != b).count();
            wrong.push(format!("{name}: {differing} values differ"));
        }
    }
    assert!(expected.is_empty(), "the pixels end with the files");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file of the odd ones, and what is right of it.
struct Odd {
    name: String,
    bytes: Vec<u8>,
    /// Sides and the start of the pixels' digest, or a reason.
    expected: String,
}

fn odd_files() -> Vec<Odd> {
    let contents = fs::read(Path::new(GOLDEN).join("formats.bin")).unwrap();
    let lines = fs::read_to_string(Path::new(GOLDEN).join("formats.csv")).unwrap();
    let mut rest = &contents[..];
    let odd = lines.lines().map(|line| {
        let (name, line) = line.split_once(',').unwrap();
        let (length, expected) = line.split_once(',').unwrap();
        let (bytes, after) = rest.split_at(length.parse().unwrap());
        rest = after;
        Odd { name: name.into(), bytes: bytes.into(), expected: expected.into() }
    });
    let mut odd: Vec<Odd> = odd.collect();
    assert!(rest.is_empty(), "the files end with the lines");
    // Its decoder is not in every build.
    let has_avif = cfg!(all(feature = "avif", not(target_arch = "arm")));
    odd.retain(|file| has_avif || !file.name.ends_with(".avif"));
    odd
}

/// What is decoded, as the golden file has it.
fn told(bytes: &[u8], digest: bool) -> String {
    match read(bytes, &ImageLimits::default()) {
        Ok(Rgb8 { size, pixels }) => {
            let start = &sha256(&pixels).0[..8];
            let hex: String = start.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{},{},{}", size.width, size.height, if digest { &hex } else { "-" })
        }
        Err(reason) => reason.to_string(),
    }
}

/// Layouts of TIFF, carriers of the orientation, odd and broken PNGs and GIFs.
#[test]
fn odd_files_decode_as_in_pil_or_in_browsers() {
    let odd = odd_files();
    assert!(odd.len() > 500);
    let wrong: Vec<_> = odd
        .iter()
        .map(|file| (file, told(&file.bytes, !file.expected.ends_with('-'))))
        .filter(|(file, told)| *told != file.expected)
        .map(|(file, told)| format!("{}: {told}, not {}", file.name, file.expected))
        .collect();
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}

/// What is cut off a file is missed, or was not needed. EXIF and XMP may be lost with the end of a
/// file that is decoded nevertheless, as Pillow and browsers decode it.
#[test]
fn cut_odd_files_are_refused_or_decoded() {
    let limits = ImageLimits::default();
    for Odd { name, bytes, .. } in odd_files() {
        let by_metadata = name.contains("turned") || name.contains("xmp");
        if by_metadata || !name.ends_with(".avif") && !name.ends_with(".tif") {
            continue;
        }
        let whole = read(&bytes, &limits);
        for length in (0..bytes.len()).step_by(41) {
            let cut = read(&bytes[..length], &limits);
            let refused = cut.is_err();
            assert!(refused || cut == whole, "{name} cut at {length} of {}", bytes.len());
        }
    }
}

/// A cut file is refused as such, or has lost nothing that is shown.
#[test]
fn cut_files_are_truncated_or_whole() {
    let limits = ImageLimits::default();
    let mut wrong = Vec::new();
    for Golden { name, .. } in golden() {
        let bytes = file(&name);
        let whole = read(&bytes, &limits).unwrap();
        // Every cut near the end, where what is lost may not show, and one in seven before.
        for length in (0..bytes.len()).filter(|n| n % 7 == 0 || bytes.len() - n < 30) {
            match read(&bytes[..length], &limits) {
                Ok(image) if image == whole => {}
                Err(Reason::ImageTruncated) => {}
                Err(Reason::UnknownFormat) if length < 12 => {}
                other => wrong.push(format!(
                    "{name} cut at {length} of {}: {:?}",
                    bytes.len(),
                    other.map(|_| "a picture")
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} {wrong:#?}", wrong.len());
}

#[test]
fn only_images_have_a_format() {
    let limits = ImageLimits::default();
    for bytes in
        [&b""[..], b"\xff\xd8", b"<!DOCTYPE html>", b"RIFF\x04\0\0\0WAVE", b"%PDF-1.7", &[0; 64]]
    {
        assert_eq!(probe(bytes, &limits), Err(Reason::UnknownFormat));
    }
}

/// The smallest limits under which a 23 by 17 image that takes `bytes` to decode passes.
fn exact_limits(bytes: u64) -> ImageLimits {
    ImageLimits {
        max_side: 23,
        max_pixels: 23 * 17,
        max_decode_bytes: bytes,
        ..ImageLimits::default()
    }
}

#[test]
fn limits_hold_exactly_and_before_decoding() {
    let rgb = 3 * 23 * 17;
    // Beside the RGB: coefficients and samples of 3 by 3 blocks in 3 colours, or of 4 and 2 luma blocks
    // with 2 by 2 of chroma; the turned image; the fourth sample; two rows of a TIFF.
    for (name, bytes) in [
        ("baseline-420.jpg", rgb),
        ("progressive-444.jpg", rgb + 3 * 9 * (128 + 64)),
        ("progressive-420.jpg", rgb + (2 * 2 * 4 + 2 * 2 * 2) * (128 + 64)),
        ("orientation-3.jpg", rgb),
        ("orientation-6.jpg", 2 * rgb),
        ("colour0-8.png", rgb),
        ("colour6-8.png", 4 * 23 * 17),
        ("colour6-16.png", 8 * 23 * 17),
        ("still.gif", 4 * 23 * 17),
        ("rgb.bmp", rgb),
        ("raw.tif", rgb + 2 * 3 * 23),
        ("lossy.webp", rgb + 2 * 23 * 17),
    ] {
        let (file, exact) = (file(name), exact_limits(bytes));
        assert!(read(&file, &exact).is_ok(), "{name} passes in {bytes} bytes");
        for limits in [
            ImageLimits { max_side: 22, ..exact },
            ImageLimits { max_pixels: 23 * 17 - 1, ..exact },
            ImageLimits { max_decode_bytes: bytes - 1, ..exact },
        ] {
            assert_eq!(probe(&file, &limits), Err(Reason::ImageTooLarge), "{name} {limits:?}");
        }
    }
}

#[test]
fn a_failed_image_leaves_nothing_behind() {
    let limits = ImageLimits::default();
    let whole = file("rgb.bmp");
    let mut image = read(&whole, &limits).unwrap();
    let header = probe(&whole, &limits).unwrap();
    let failed = decode(&whole[..200], &header, &limits, &mut image);
    assert_eq!((failed, image), (Err(Reason::ImageTruncated), Rgb8::default()));
}

#[test]
fn the_pixel_buffer_is_reused() {
    let limits = ImageLimits::default();
    let mut image = Rgb8::default();
    let mut decode_into = |name: &str| {
        let bytes = file(name);
        decode(&bytes, &probe(&bytes, &limits).unwrap(), &limits, &mut image).unwrap();
        image.pixels.as_ptr()
    };
    let first = decode_into("colour6-16.png");
    for smaller in ["baseline-420.jpg", "grey.tif", "still.gif"] {
        assert_eq!(decode_into(smaller), first);
    }
}

/// A WebP whose parts are `chunks` inside the outer RIFF.
fn webp(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, data) in chunks {
        body.extend_from_slice(*kind);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(2), 0);
    }
    [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
}

/// The decoder allocates for the size that the inner stream states, whatever the canvas is.
#[test]
fn webp_streams_must_fit_their_canvas() {
    let canvas = [0, 0, 0, 0, 15, 0, 0, 15, 0, 0];
    let stream = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0];
    let bytes = webp(&[(b"VP8X", &canvas), (b"VP8 ", &stream)]);
    assert_eq!(probe(&bytes, &ImageLimits::default()), Err(Reason::Undecodable));
}

#[test]
fn webp_frames_in_frames_do_not_recurse() {
    let mut frames = Vec::new();
    for depth in (0..100_000u32).rev() {
        frames.extend(*b"ANMF");
        frames.extend((16 + depth * 24).to_le_bytes());
        frames.extend([0; 16]);
    }
    let canvas = [2, 0, 0, 0, 15, 0, 0, 15, 0, 0];
    let bytes = webp(&[(b"VP8X", &canvas), (b"ANIM", &[0; 6]), (b"ANMF", &frames)]);
    assert!(read(&bytes, &ImageLimits::default()).is_err());
}

/// Nothing is allocated for the values that an entry states: those that are needed are looked up.
#[test]
fn tiff_counts_are_not_believed() {
    let mut bytes = file("big-endian.tif");
    let directory = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let offsets = directory + 2 + 5 * 12;
    assert_eq!(bytes[offsets..offsets + 2], 273u16.to_be_bytes());
    bytes[offsets + 4..offsets + 8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(read(&bytes, &ImageLimits::default()), Err(Reason::ImageTruncated));
    // Strips of no rows: endlessly many.
    let mut bytes = file("big-endian.tif");
    let rows = directory + 2 + 7 * 12;
    assert_eq!(bytes[rows..rows + 2], 278u16.to_be_bytes());
    bytes[rows + 8..rows + 12].copy_from_slice(&0u32.to_be_bytes());
    assert_eq!(probe(&bytes, &ImageLimits::default()), Err(Reason::Undecodable));
}

/// The decoder panics on such a palette, which would be caught, but not before it is printed.
#[test]
fn png_palettes_must_be_whole_colours() {
    let mut bytes = file("palette-1.png");
    let at = bytes.windows(4).position(|w| w == b"PLTE").unwrap();
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes[at..at + 4 + 5]);
    bytes.splice(at + 4 + 5..at + 4 + 6 + 4, crc.to_be_bytes());
    bytes[at - 1] = 5;

    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let (here, other) = (thread::current().id(), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == here {
            PANICS.fetch_add(1, Relaxed);
        }
        other(info);
    }));
    let outcome = read(&bytes, &ImageLimits::default());
    assert_eq!((outcome, PANICS.load(Relaxed)), (Err(Reason::Undecodable), 0));
}

/// One change to a file.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Fill(Index, u8),
    Remove(Index, u8),
    Repeat(Index, u8),
    Cut(Index),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let (Self::Set(at, _)
        | Self::Flip(at, _)
        | Self::Fill(at, _)
        | Self::Remove(at, _)
        | Self::Repeat(at, _)
        | Self::Cut(at)) = self;
        let at = at.index(bytes.len() + 1);
        let end = |length: u8| (at + usize::from(length)).min(bytes.len());
        match *self {
            Self::Set(_, value) => bytes[at..].iter_mut().take(1).for_each(|b| *b = value),
            Self::Flip(_, bit) => bytes[at..].iter_mut().take(1).for_each(|b| *b ^= 1 << (bit & 7)),
            Self::Fill(_, value) => bytes[at..].iter_mut().take(4).for_each(|b| *b = value),
            Self::Remove(_, length) => drop(bytes.drain(at..end(length))),
            Self::Repeat(_, length) => {
                let part = bytes[at..end(length)].to_vec();
                bytes.splice(at..at, part);
            }
            Self::Cut(_) => bytes.truncate(at),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, value)| Damage::Set(at, value)),
        (at(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, value)| Damage::Fill(at, value)),
        (at(), 0..32u8).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at(), 0..32u8).prop_map(|(at, length)| Damage::Repeat(at, length)),
        at().prop_map(Damage::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    /// Whatever is done to a file, it is an image within the limits or there is a reason.
    #[test]
    fn damaged_files_decode_within_the_limits_or_have_a_reason(
        which in any::<Index>(),
        damages in prop::collection::vec(damage(), 1..5),
    ) {
        let names = golden();
        let mut bytes = file(&names[which.index(names.len())].name);
        for damage in damages {
            damage.apply(&mut bytes);
        }
        let limits = ImageLimits { max_side: 100, max_pixels: 3000, max_decode_bytes: 60_000, ..ImageLimits::default() };
        if let Ok(image) = read(&bytes, &limits) {
            prop_assert!(image.size.width.max(image.size.height) <= limits.max_side);
            prop_assert!(image.size.pixels() <= limits.max_pixels);
        }
    }
}
