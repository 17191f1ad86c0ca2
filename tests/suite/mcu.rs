//! The firmware example: its packed config, and what it sent where tests/mcu.sh has run it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use pairgate::config::Layers;
use pairgate::source::frames::FramesSource;
use pairgate::source::{Sample, Source};
use pairgate_core::config::Config;
use pairgate_core::config::packed::{MAX_BYTES, pack};
use pairgate_core::decision::Reason;
use pairgate_core::wire::pairs::Format;
use pattern::{FRAME_BYTES, SHOTS, Shot};
use serde_json::Value;

#[path = "../../firmware-config/example-mcu/src/pattern.rs"]
mod pattern;

const TOML: &str = include_str!("../../firmware-config/example-mcu/mcu.toml");
const PACKED: &[u8] = include_bytes!("../../firmware-config/example-mcu/mcu.pgcf");

fn config() -> Config {
    let mut layers = Layers::default();
    layers.add("mcu.toml", TOML).unwrap();
    layers.resolve().unwrap()
}

#[test]
fn the_packed_config_is_the_one_that_is_written_down() {
    let mut buffer = [0; MAX_BYTES];
    let packed = pack(&config(), &mut buffer).unwrap();
    assert!(packed == PACKED, "run the command in the first lines of mcu.toml");
}

/// The pictures that the firmware's rules let pass, with their pixels.
fn passing() -> Vec<(&'static Shot, Vec<u8>)> {
    let rules = config().rules;
    let passes =
        |shot: &Shot| rules.caption_fault(shot.caption).or(rules.size_fault(shot.size)).is_none();
    let drawn = |(number, shot): (usize, &'static Shot)| {
        let mut pixels = vec![0; shot.bytes()];
        shot.draw(number as u32, &mut pixels);
        (shot, pixels)
    };
    SHOTS.iter().enumerate().filter(|(_, shot)| passes(shot)).map(drawn).collect()
}

#[test]
fn the_pictures_are_a_test_of_every_rule() {
    assert!(SHOTS.iter().all(|shot| shot.bytes() <= FRAME_BYTES));
    assert_eq!((SHOTS.len(), passing().len()), (12, 7));
    let rules = config().rules;
    let faults = SHOTS.iter().filter_map(|shot| {
        rules.caption_fault(shot.caption).or_else(|| rules.size_fault(shot.size))
    });
    let mut faults: Vec<_> = faults.collect();
    faults.sort();
    faults.dedup();
    use Reason::*;
    assert_eq!(faults, [CaptionTooFewWords, CaptionTooShort, ImageTooSmall, AspectTooExtreme]);
}

/// What tests/mcu.sh left: the bytes of the UART, the firmware's report, kept pairs, summaries.
fn ran() -> Option<PathBuf> {
    let folder = env::var_os("PAIRGATE_MCU").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: tests/mcu.sh runs the firmware and sets PAIRGATE_MCU");
    }
    folder
}

fn summary(folder: &Path, name: &str) -> [u64; 4] {
    let summary: Value = serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
    ["in", "kept", "rejected", "failed"].map(|key| summary[key].as_u64().unwrap())
}

#[test]
fn the_firmware_sent_what_passes_its_rules() {
    let Some(folder) = ran() else { return };
    let report = fs::read_to_string(folder.join("report")).unwrap();
    let count = |name: &str| {
        let line = report.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        line.unwrap_or_else(|| panic!("no {name} in {report}"))
    };
    let sent: u64 = count("sent");
    assert_eq!((count("taken"), sent), (SHOTS.len() as u64, passing().len() as u64));
    let broken = ["caption_too_few_words", "caption_too_short", "image_too_small"];
    let broken: u64 = broken.into_iter().chain(["aspect_too_extreme"]).map(count).sum();
    assert_eq!(count("taken"), sent + broken);
    assert_eq!(summary(&folder, "kept.json"), [sent, sent, 0, 0]);
    assert_eq!(summary(&folder, "damaged.json"), [sent, sent - 1, 0, 1]);
}

#[test]
fn the_gate_kept_the_firmware_s_pictures_bit_for_bit() {
    let Some(folder) = ran() else { return };
    let mut kept = members(&folder.join("kept/00000.tar"));
    for (number, (shot, pixels)) in passing().iter().enumerate() {
        let mut take = |extension: &str| {
            let name = format!("mcu/{number:09}.{extension}");
            kept.remove(&name).unwrap_or_else(|| panic!("no {name}"))
        };
        assert_eq!(take("txt"), shot.caption.as_bytes());
        let json: Value = serde_json::from_slice(&take("json")).unwrap();
        assert_eq!((&json["node"], &json["number"]), (&"mcu".into(), &number.into()));
        assert_eq!((&json["place"], &json["sensor"]), (&"test bench".into(), &"pattern".into()));
        assert!(json["boot_ms"].as_u64().unwrap() > 0);
        let png = image::load_from_memory(&take("png")).unwrap();
        assert_eq!((png.width(), png.height()), (shot.size.width, shot.size.height));
        assert!(raw(shot.format, &png) == *pixels, "picture {number}");
    }
    let pairs = kept.keys().filter(|name| name.starts_with("mcu/"));
    assert_eq!(pairs.count(), 0, "nothing else was kept");
}

/// One byte, wherever it is, costs one pair.
#[test]
fn a_byte_that_is_hit_costs_the_firmware_s_stream_one_pair() {
    let Some(folder) = ran() else { return };
    let stream = fs::read(folder.join("uart")).unwrap();
    let sound = samples(&stream);
    for at in (0..stream.len()).step_by(stream.len() / 200) {
        let mut damaged = stream.clone();
        damaged[at] ^= 0x55;
        let damaged = samples(&damaged);
        assert_eq!(damaged.len(), sound.len(), "byte {at}");
        let differ = damaged.iter().zip(&sound).filter(|(damaged, sound)| damaged != sound);
        let faults: Vec<_> = differ.map(|(damaged, _)| damaged.fault).collect();
        assert_eq!(faults, [Some(Reason::FrameTorn)], "byte {at}");
    }
}

fn samples(stream: &[u8]) -> Vec<Sample> {
    let mut source = FramesSource::new(stream, "uart", config().sample);
    std::iter::from_fn(|| source.next().unwrap()).collect()
}

/// The pixels as the firmware held them.
fn raw(format: Format, png: &image::DynamicImage) -> Vec<u8> {
    if format == Format::Grey8 {
        return png.to_luma8().into_raw();
    }
    let word = |[r, g, b]: [u8; 3]| {
        let [r, g, b] = [r >> 3, g >> 2, b >> 3].map(u16::from);
        (r << 11 | g << 5 | b).to_le_bytes()
    };
    png.to_rgb8().pixels().flat_map(|pixel| word(pixel.0)).collect()
}

/// The files of a tar by their names.
fn members(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(fs::File::open(path).unwrap());
    let mut members = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.insert(name, bytes);
    }
    members
}
