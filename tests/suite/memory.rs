//! The memory ceiling: what the config promises, the system enforces.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::Value;
use tempfile::tempdir;

use crate::cli::{pairgate, run, skipped_under_emulation};

const CEILING: u64 = 116 << 20;

/// One worker under 116 MiB: pictures of up to 2.7 megapixels.
pub const CONFIG: &str = r#"
[memory]
ceiling_bytes = "116 MiB"
[image]
max_side = 4096
max_decode_bytes = "8 MiB"
[sample]
max_sample_bytes = "1 MiB"
max_caption_bytes = "4 KiB"
[pipeline]
workers = 1
batch = 2
queue = 4
max_bytes_in_flight = "2 MiB"
[capture]
places = 1
[storage]
shard_pairs = 3
"#;

/// A picture that is not all of one colour, and packs well.
fn pixels(width: u32, height: u32, samples: u32) -> Vec<u8> {
    (0..width * height * samples).map(|i| (i / (width * samples) / 8 * 5) as u8).collect()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 60);
    let pixels = pixels(width, height, 3);
    encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn png(width: u32, height: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::NoFilter);
    let samples = u32::from(colour.bits_per_pixel()) / 8;
    encoder.write_image(&pixels(width, height, samples), width, height, colour).unwrap();
    bytes
}

/// A PNG with a colour profile that unpacks to 200 MB of zeros.
fn png_with_a_bomb() -> Vec<u8> {
    let whole = png(300, 300, ExtendedColorType::Rgb8);
    let mut packer =
        flate2::write::ZlibEncoder::new(b"icc\0\0".to_vec(), flate2::Compression::new(9));
    let zeros = vec![0; 1 << 20];
    (0..200).for_each(|_| std::io::Write::write_all(&mut packer, &zeros).unwrap());
    let profile = packer.finish().unwrap();
    let mut chunk = b"iCCP".to_vec();
    chunk.extend(profile);
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&chunk).to_be_bytes();
    let length = (chunk.len() as u32 - 4).to_be_bytes();
    // Behind the header: signature and IHDR are 33 bytes.
    [&whole[..33], &length, &chunk, &crc, &whole[33..]].concat()
}

/// The header of a huge picture, and nothing behind it.
fn png_of_size(side: u32) -> Vec<u8> {
    let mut bytes = png(300, 300, ExtendedColorType::Rgb8);
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&crc);
    bytes
}

/// Hostile pictures, and the largest that are allowed, several times over.
fn write_pairs(folder: &Path) {
    let pictures = [
        ("bomb.png", png_with_a_bomb()),
        ("claims.png", png_of_size(60_000)),
        ("grey16.png", png(1600, 1300, ExtendedColorType::L16)),
        ("largest.jpg", jpeg(1670, 1670)),
        ("largest.png", png(1670, 1670, ExtendedColorType::Rgb8)),
        ("narrow.jpg", jpeg(4096, 1500)),
        ("over.jpg", jpeg(1700, 1700)),
        ("rgba.png", png(1440, 1440, ExtendedColorType::Rgba8)),
        ("tall.jpg", jpeg(680, 4096)),
    ];
    for round in 0..3 {
        for (name, bytes) in &pictures {
            let (key, extension) = name.split_once('.').unwrap();
            fs::write(folder.join(format!("{round}-{key}.{extension}")), bytes).unwrap();
            let caption = format!("a picture that is called {key}");
            fs::write(folder.join(format!("{round}-{key}.txt")), caption).unwrap();
        }
        // Above the bound on samples, a caption above its bound, and those that take most to read.
        fs::write(folder.join(format!("{round}-heavy.jpg")), vec![0xFF; 3 << 20]).unwrap();
        fs::write(folder.join(format!("{round}-long.jpg")), jpeg(300, 300)).unwrap();
        fs::write(folder.join(format!("{round}-long.txt")), vec![b'a'; 900 << 10]).unwrap();
        for (name, unit) in [("a", "a1"), ("b", "\u{130}"), ("c", "\u{c3}\u{a9}")] {
            let caption = unit.repeat((4 << 10) / unit.len());
            fs::write(folder.join(format!("{round}-most-{name}.jpg")), jpeg(300, 300)).unwrap();
            fs::write(folder.join(format!("{round}-most-{name}.txt")), caption).unwrap();
        }
    }
}

/// The program with the system's own bound on the memory that it may write to.
fn bounded(args: &[&str]) -> Option<Command> {
    let found = Command::new("prlimit").arg("--version").output().is_ok();
    if !found || !cfg!(target_os = "linux") {
        eprintln!("skipped: no prlimit here");
        return None;
    }
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={CEILING}")).arg(env!("CARGO_BIN_EXE_pairgate")).args(args);
    Some(command)
}

#[test]
fn hostile_and_largest_pictures_stay_below_the_ceiling() {
    if skipped_under_emulation("the memory would be the emulator's") {
        return;
    }
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (config, pairs, kept) = (at("c.toml"), at("pairs"), at("kept"));
    fs::create_dir(&pairs).unwrap();
    fs::write(&config, CONFIG).unwrap();
    write_pairs(Path::new(&pairs));
    let args = ["filter", &pairs, "-o", &kept, "--config", &config, "-t=-1", "--json", "--rules"];
    let Some(command) = bounded(&[&args[..], &["none"]].concat()) else { return };
    let output = run(command, 1);
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let peak = summary["peak_memory_bytes"].as_u64().unwrap();
    assert!(peak < CEILING, "{peak} bytes");
    let failed = &summary["failed_reasons"];
    // The claim, the one above the pixels' bytes, and the one that only its sides make so large.
    assert_eq!(failed["image_too_large"], 9, "{summary:#}");
    assert_eq!(failed["sample_too_large"], 3, "{summary:#}");
    assert_eq!(failed["caption_too_long"], 3, "{summary:#}");
    // The bomb's picture is read without its profile, or refused for it: never unpacked.
    let kept = summary["kept"].as_u64().unwrap();
    assert!(kept == 24 || kept == 27, "{summary:#}");
    assert_eq!(summary["in"], 42);
}

#[test]
fn a_run_that_could_pass_its_ceiling_does_not_start() {
    if skipped_under_emulation("the memory would be the emulator's") {
        return;
    }
    let folder = tempdir().unwrap();
    let config = folder.path().join("c.toml");
    let kept = folder.path().join("kept");
    fs::write(&config, CONFIG.replace("\"8 MiB\"", "\"31 MiB\"")).unwrap();
    let pairs = crate::support::data("pairs");
    let args = ["filter".as_ref(), pairs.as_os_str(), "--config".as_ref(), config.as_os_str()];
    let more = ["-o".as_ref(), kept.as_os_str()];
    let output = run(pairgate(args.iter().chain(&more)), 2);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("memory.ceiling_bytes") && error.contains("c.toml, line 3"), "{error}");
    assert!(!kept.exists(), "nothing is written");
}

/// The least ceiling that a run accepts, found by asking.
fn least_ceiling(config: &str, workers: usize, start: impl Fn(&str) -> Output) -> u64 {
    let (mut low, mut high) = (16u64 << 20, 1 << 30);
    while high - low > 1 << 18 {
        let middle = low.midpoint(high);
        let output = start(&under(config, middle, workers));
        let refused = String::from_utf8_lossy(&output.stderr).contains("is too low");
        (low, high) = if refused { (middle, high) } else { (low, middle) };
    }
    high + (1 << 18)
}

fn under(config: &str, ceiling: u64, workers: usize) -> String {
    let config = config.replace("\"112 MiB\"", &ceiling.to_string());
    config.replace("workers = 1", &format!("workers = {workers}"))
}

/// Words that no caption had before, again and again: what tokenizers like to remember.
fn write_words(folder: &Path, pairs: usize) {
    let picture = jpeg(64, 64);
    for pair in 0..pairs {
        let words = (0..12).map(|word| format!("w{:x}q", (12 * pair + word) * 40_503 % 1_000_003));
        let caption = words.collect::<Vec<_>>().join(" ");
        fs::write(folder.join(format!("{pair:05}.jpg")), &picture).unwrap();
        fs::write(folder.join(format!("{pair:05}.txt")), caption).unwrap();
    }
}

#[test]
fn many_words_stay_below_the_least_ceiling() {
    if skipped_under_emulation("the memory would be the emulator's") || !cfg!(target_os = "linux") {
        return;
    }
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (path, few, many) = (at("c.toml"), at("few"), at("many"));
    for (pairs, count) in [(&few, 1), (&many, 1500)] {
        fs::create_dir(pairs).unwrap();
        write_words(Path::new(pairs), count);
    }
    // Nothing that a run could have to spare.
    let config = CONFIG.replace("\"8 MiB\"", "\"256 KiB\"").replace("4096", "512");
    let start = |pairs: &str, config: &str| {
        fs::write(&path, config).unwrap();
        let args = ["filter", pairs, "--dry-run", "--config", &path, "-t=-1", "--json", "--rules"];
        pairgate([&args[..], &["none"]].concat()).output().unwrap()
    };
    for workers in [1, 8] {
        let ceiling = least_ceiling(&config, workers, |config| start(&few, config));
        let output = start(&many, &under(&config, ceiling, workers));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let peak = summary["peak_memory_bytes"].as_u64().unwrap();
        assert_eq!(summary["kept"], 1500);
        assert!(peak <= ceiling, "{workers} workers: {peak} bytes under {ceiling}");
    }
}
