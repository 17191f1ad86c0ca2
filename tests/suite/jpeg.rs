//! JPEGs have the pixels that libjpeg-turbo gives them in Pillow, whole, in part and reduced.

use std::path::Path;
use std::{env, fs};

use libjpeg_turbo_rs::{Decoder, Encoder, PixelFormat, ScalingFactor, Subsampling};
use pairgate::decode::{Part, Region, Rgb8, Wanted, decode, decode_part, probe};
use pairgate_core::config::{DecodeMode, ImageLimits};
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use sha2::{Digest, Sha256};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/golden/jpeg.bin");

/// Files that tests/golden/jpeg.py has had Pillow decode, and as many of them with damaged bytes.
const FILES: u32 = 2000;
const DAMAGED: u32 = 2000;

/// Bytes of each file's digest in the golden file.
const DIGEST: usize = 8;

const SAMPLINGS: [Subsampling; 8] = [
    Subsampling::S444,
    Subsampling::S422,
    Subsampling::S420,
    Subsampling::S440,
    Subsampling::S411,
    Subsampling::S441,
    Subsampling::S410,
    Subsampling::S24,
];

/// Numbers that are the same everywhere.
struct Random(u32);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % end
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 0
    }
}

/// One of the generated files: of every sampling, size, quality, number of scans and restart interval.
fn generated(number: u32) -> Vec<u8> {
    let mut random = Random(number.wrapping_mul(2_654_435_761) + 1);
    // The usual samplings come oftener.
    let sampling =
        SAMPLINGS[(if random.chance(4) { random.below(8) } else { random.below(4) }) as usize];
    let most = if random.chance(8) { 300 } else { 70 };
    let (width, height) = (1 + random.below(most) as usize, 1 + random.below(most) as usize);
    let quality = 1 + random.below(100) as u8;
    let pixels = picture(&mut random, width, height);
    let encoder = Encoder::new(&pixels, width, height, PixelFormat::Rgb).quality(quality);
    let encoder = encoder.subsampling(sampling).progressive(random.chance(3));
    let encoder = encoder.optimize_huffman(random.chance(2)).grayscale_from_color(random.chance(8));
    let restart = if random.chance(3) { 1 + random.below(9) as u16 } else { 0 };
    let encoder = encoder.restart_blocks(restart);
    let mut bytes = encoder.encode().unwrap();
    if random.chance(8) {
        leave_out_scans(&mut bytes, 1 + random.below(5) as usize);
    }
    bytes
}

/// Ends a file after some scans, where it has more: what its last ones would refine stays coarse.
fn leave_out_scans(bytes: &mut Vec<u8>, kept: usize) {
    let scans = bytes.windows(2).enumerate().filter(|(_, pair)| *pair == [0xff, 0xda]);
    let Some(end) = scans.map(|(at, _)| at).nth(kept) else { return };
    bytes.truncate(end);
    bytes.extend([0xff, 0xd9]);
}

/// Waves, and noise over them: coefficients of all magnitudes.
fn picture(random: &mut Random, width: usize, height: usize) -> Vec<u8> {
    let noise = [0, 8, 64, 256][random.below(4) as usize];
    let (across, down) = (1 + random.below(9) as usize, 1 + random.below(9) as usize);
    let mut pixels = Vec::with_capacity(3 * width * height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for colour in 1..4 {
            let wave = (x * across * colour + y * down) & 511;
            let level = if wave > 255 { 511 - wave } else { wave };
            let noise = if noise > 0 { random.below(noise) as usize } else { 0 };
            pixels.push(((level + noise) % 256) as u8);
        }
    }
    pixels
}

fn read(bytes: &[u8]) -> Result<Rgb8, Reason> {
    let (limits, mut image) = (ImageLimits::default(), Rgb8::default());
    decode(bytes, &probe(bytes, &limits)?, &limits, &mut image)?;
    Ok(image)
}

/// A generated file with up to three bytes of its scans changed.
fn damaged(number: u32) -> Vec<u8> {
    let mut bytes = generated(number);
    let scan = bytes.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap() + 2;
    let mut random = Random(number ^ 0x5eed);
    for _ in 0..1 + random.below(3) {
        let at = scan + random.below((bytes.len() - scan) as u32) as usize;
        bytes[at] = random.below(256) as u8;
    }
    bytes
}

fn digest(image: &Rgb8) -> [u8; DIGEST] {
    let mut hash = Sha256::new();
    hash.update(image.size.width.to_le_bytes());
    hash.update(image.size.height.to_le_bytes());
    hash.update(&image.pixels);
    *hash.finalize().first_chunk().unwrap()
}

fn golden() -> Vec<[u8; DIGEST]> {
    let golden = fs::read(GOLDEN).unwrap();
    assert_eq!(golden.len(), (FILES + DAMAGED) as usize * DIGEST);
    golden.as_chunks().0.to_vec()
}

#[test]
fn generated_files_decode_as_in_pillow() {
    for (number, expected) in (0..FILES).zip(golden()) {
        let image = read(&generated(number)).unwrap();
        assert_eq!(digest(&image), expected, "file {number}, {:?}", image.size);
    }
}

/// Pillow gives some picture for most damage. Where it and we give one, it is the same.
#[test]
fn damaged_files_decode_as_in_pillow_or_not_at_all() {
    let golden = golden().split_off(FILES as usize);
    let in_pillow = (0..DAMAGED).zip(golden).filter(|(_, digest)| *digest != [0; DIGEST]);
    let mut decoded = 0;
    for (number, expected) in in_pillow {
        if let Ok(image) = read(&damaged(number)) {
            assert_eq!(digest(&image), expected, "file {number}, {:?}", image.size);
            decoded += 1;
        }
    }
    assert!(decoded > DAMAGED / 10, "{decoded} of {DAMAGED} are decoded");
}

/// For tests/golden/jpeg.py: writes the files into the folder that `PAIRGATE_JPEGS` names.
#[test]
#[ignore = "writes files for a script"]
fn write_generated_files() {
    let folder = env::var("PAIRGATE_JPEGS").unwrap();
    let write = |name: String, bytes| fs::write(Path::new(&folder).join(name), bytes).unwrap();
    for number in 0..FILES {
        write(format!("{number:04}.jpg"), generated(number));
    }
    for number in 0..DAMAGED {
        write(format!("damaged-{number:04}.jpg"), damaged(number));
    }
}

/// The whole image at a reduction, by libjpeg-turbo-rs alone.
fn whole(bytes: &[u8], reduction: u32) -> Option<Rgb8> {
    let mut decoder = Decoder::new(bytes).ok()?;
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_scale(ScalingFactor::try_new(1, reduction).unwrap());
    // As libjpeg does where scans are missing.
    decoder.set_block_smoothing(true);
    let image = decoder.decode_image().ok()?;
    let size = Size::new(image.width as u32, image.height as u32);
    Some(Rgb8 { size, pixels: image.data })
}

/// Holds a part against the same pixels of the whole image.
fn check_part(bytes: &[u8], region: Region, shorter_side: u32) {
    let limits = ImageLimits { decode: DecodeMode::Scaled, ..ImageLimits::default() };
    let header = probe(bytes, &limits).unwrap();
    let mut part = Part::default();
    decode_part(bytes, &header, &limits, &Wanted { region, shorter_side }, &mut part).unwrap();
    let Part { whole: size, reduction, left, top, image } = part;
    assert_eq!(size, header.size);
    let whole = whole(bytes, reduction).unwrap();
    let (first, last) =
        (region.left / reduction, (region.left + region.size.width - 1) / reduction);
    assert!(left <= first && last < left + image.size.width, "columns at 1/{reduction}");
    let (above, below) =
        (region.top / reduction, (region.top + region.size.height - 1) / reduction);
    assert!(top <= above && below < top + image.size.height, "rows at 1/{reduction}");
    for y in above..=below {
        let row = |image: &Rgb8, x: u32, y: u32| {
            let at = 3 * (y as usize * image.size.width as usize + x as usize);
            image.pixels[at..at + 3 * (last - first + 1) as usize].to_vec()
        };
        assert_eq!(row(&image, first - left, y - top), row(&whole, first, y), "{region:?} row {y}");
    }
}

#[test]
fn parts_hold_the_pixels_of_the_whole() {
    for number in 0..FILES / 4 {
        let bytes = generated(number);
        let size = probe(&bytes, &ImageLimits::default()).unwrap().size;
        let mut random = Random(number);
        let mut span = |side: u32| {
            let start = random.below(side);
            (start, 1 + random.below(side - start))
        };
        let ((left, width), (top, height)) = (span(size.width), span(size.height));
        let region = Region { left, top, size: Size::new(width, height) };
        let shorter = size.width.min(size.height);
        for reduction in [1, 2, 4, 8] {
            check_part(&bytes, region, shorter.div_ceil(reduction));
        }
    }
}

#[test]
fn parts_of_files_of_other_colours_hold_the_same_pixels() {
    for name in ["cmyk", "ycck", "cmyk-without-adobe", "rgb", "grey-progressive", "progressive-420"]
    {
        let path = format!("{}/tests/data/golden/files/{name}.jpg", env!("CARGO_MANIFEST_DIR"));
        let bytes = fs::read(path).unwrap();
        let region = Region { left: 9, top: 5, size: Size::new(5, 6) };
        check_part(&bytes, region, u32::MAX);
        check_part(&bytes, region, 8);
    }
}

#[test]
fn the_largest_reduction_that_fits_is_taken() {
    let (limits, bytes) = (ImageLimits::default(), generated(3));
    let header = probe(&bytes, &limits).unwrap();
    let shorter = header.size.width.min(header.size.height);
    let reduction = |limits: &ImageLimits, shorter_side| {
        let wanted = Wanted { shorter_side, ..Wanted::whole(header.size) };
        let mut part = Part::default();
        decode_part(&bytes, &header, limits, &wanted, &mut part).unwrap();
        part.reduction
    };
    let scaled = ImageLimits { decode: DecodeMode::Scaled, ..limits };
    assert_eq!(reduction(&scaled, shorter.div_ceil(4)), 4);
    assert_eq!(reduction(&scaled, shorter.div_ceil(4) + 1), 2);
    assert_eq!(reduction(&scaled, shorter), 1);
    assert_eq!(reduction(&limits, 1), 1, "exact is the default");
}

#[test]
fn segments_that_decoding_does_not_need_may_be_broken() {
    let bytes = generated(5);
    let expected = read(&bytes).unwrap();
    let adobe = |transform| [b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat();
    let segments: [(u8, u16, Vec<u8>); 6] = [
        (0xe1, 0, vec![]),
        (0xe5, 1, vec![]),
        (0xfe, 0, vec![]),
        (0xfe, 1, vec![]),
        (0xee, 13, adobe(9)[..11].to_vec()),
        (0xee, 14, adobe(9)),
    ];
    for (marker, length, data) in segments {
        let broken = [&bytes[..2], &[0xff, marker], &length.to_be_bytes(), &data, &bytes[2..]];
        let image = read(&broken.concat());
        assert_eq!(image.as_ref(), Ok(&expected), "{marker:#x} of {length} bytes");
    }
}
