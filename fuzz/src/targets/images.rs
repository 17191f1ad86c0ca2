//! Pictures.

use std::cell::RefCell;

use pairgate::decode::{Header, Part, Region, Rgb8, Wanted, decode, decode_part, probe};
use pairgate_core::config::{DecodeMode, ImageLimits};
use pairgate_core::pair::Size;

use crate::{Target, files};

const ABOUT: &str = "a picture within the limits, the same each time, or a reason";

pub const JPEG: Target =
    Target { name: "jpeg", about: ABOUT, seeds: || seeds(&["jpg", "jpeg"]), run: picture };
pub const PNG: Target =
    Target { name: "png", about: ABOUT, seeds: || seeds(&["png"]), run: picture };
pub const WEBP: Target =
    Target { name: "webp", about: ABOUT, seeds: || seeds(&["webp"]), run: picture };
pub const GIF: Target =
    Target { name: "gif", about: ABOUT, seeds: || seeds(&["gif"]), run: picture };
pub const BMP: Target =
    Target { name: "bmp", about: ABOUT, seeds: || seeds(&["bmp"]), run: picture };
pub const TIFF: Target =
    Target { name: "tiff", about: ABOUT, seeds: || seeds(&["tif", "tiff"]), run: picture };
pub const AVIF: Target =
    Target { name: "avif", about: ABOUT, seeds: || seeds(&["avif"]), run: picture };

const LIMITS: ImageLimits = ImageLimits {
    max_side: 4096,
    max_pixels: 1 << 20,
    max_decode_bytes: 16 << 20,
    decode: DecodeMode::Exact,
};

thread_local! {
    /// Buffers that are used again, as a worker's are.
    static BUFFERS: RefCell<[Rgb8; 2]> = RefCell::default();
}

fn picture(bytes: &[u8]) {
    let Ok(header) = probe(bytes, &LIMITS) else { return };
    let size = header.size;
    assert!(size.width <= LIMITS.max_side && size.height <= LIMITS.max_side, "{size:?}");
    assert!(size.pixels() <= LIMITS.max_pixels, "{size:?}");
    BUFFERS.with_borrow_mut(|[first, second]| {
        let decoded = decode(bytes, &header, &LIMITS, first);
        let whole = if decoded.is_ok() { size.pixels() as usize * 3 } else { 0 };
        assert_eq!(first.pixels.len(), whole);
        if decoded.is_ok() {
            assert_eq!(first.size, size, "the header does not lie");
            second.pixels.resize(whole, 0xa5);
            assert_eq!(decode(bytes, &header, &LIMITS, second), decoded);
            assert!(first == second, "a picture is the same each time");
        }
        part(bytes, &header, first);
    });
}

/// The middle of a picture, alone and reduced.
fn part(bytes: &[u8], header: &Header, whole: &Rgb8) {
    let Size { width, height } = header.size;
    let (left, top) = (width / 3, height / 3);
    let size = Size::new((width / 3).max(1), (height / 3).max(1));
    let wanted = Wanted { region: Region { left, top, size }, shorter_side: 8 };
    for mode in [DecodeMode::Exact, DecodeMode::Scaled] {
        let limits = ImageLimits { decode: mode, ..LIMITS };
        let mut part = Part::default();
        if decode_part(bytes, header, &limits, &wanted, &mut part).is_err() {
            continue;
        }
        let Part { reduction, image, .. } = &part;
        let ends = [part.left + image.size.width, part.top + image.size.height];
        let needed = [(left + size.width) / reduction, (top + size.height) / reduction];
        assert!(part.left <= left / reduction && part.top <= top / reduction, "{wanted:?}");
        assert!(ends[0] >= needed[0] && ends[1] >= needed[1], "{wanted:?}");
        if *reduction == 1 && whole.size == header.size {
            let row = |image: &Rgb8, x: u32, y: u32| {
                let at = 3 * (y as usize * image.size.width as usize + x as usize);
                image.pixels[at..at + 3 * size.width as usize].to_vec()
            };
            for y in top..top + size.height {
                let found = row(image, left - part.left, y - part.top);
                assert!(found == row(whole, left, y), "row {y} of {wanted:?}");
            }
        }
    }
}

fn seeds(extensions: &[&str]) -> Vec<Vec<u8>> {
    let folders = ["golden/files", "bits", "damaged"].map(|name| format!("tests/data/{name}"));
    let mut seeds: Vec<_> =
        folders.iter().flat_map(|folder| files::all_in(folder, extensions)).collect();
    seeds.extend(odd_files(extensions));
    seeds.retain(|seed| seed.len() <= 32 << 10);
    seeds
}

/// The files of `formats.bin`, by the lines of `formats.csv`: name, bytes, and what is right of it.
fn odd_files(extensions: &[&str]) -> Vec<Vec<u8>> {
    let golden = |name: &str| files::read(&files::repository("tests/data/golden").join(name));
    let contents = golden("formats.bin");
    let lines = String::from_utf8(golden("formats.csv")).expect("text");
    let mut rest = &contents[..];
    let mut seeds = Vec::new();
    for line in lines.lines() {
        let mut fields = line.split(',');
        let (Some(name), Some(Ok(length))) = (fields.next(), fields.next().map(str::parse)) else {
            panic!("a name and a length: {line}")
        };
        let (file, after) = rest.split_at(length);
        rest = after;
        if name.rsplit('.').next().is_some_and(|last| extensions.contains(&last)) {
            seeds.push(file.to_vec());
        }
    }
    seeds
}
