//! A recording of a camera with damaged pictures in it: each costs itself alone.

use std::fs;
use std::io::{BufReader, Cursor};
use std::path::Path;

use pairgate::capture::mjpeg::MjpegSource;
use pairgate::source::Source;
use pairgate_core::config::SampleLimits;
use proptest::prelude::*;

fn picture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/files");
    fs::read(folder.join(name)).unwrap()
}

/// Pictures as read at once, and a few bytes at a time.
fn read(stream: &[u8]) -> Vec<Vec<u8>> {
    let at_once = read_by(stream, 1 << 20);
    assert!(at_once == read_by(stream, 7), "what is read at once changes nothing");
    at_once
}

fn read_by(stream: &[u8], bytes: usize) -> Vec<Vec<u8>> {
    let reader = BufReader::with_capacity(bytes, Cursor::new(stream));
    let mut source = MjpegSource::new(reader, "camera", SampleLimits::default());
    let next = || source.next().unwrap().map(|mut sample| sample.members.remove(0).data);
    std::iter::from_fn(next).collect()
}

/// A camera's picture: the usual segments, as large as the small ones of a camera.
fn plain() -> Vec<u8> {
    picture("baseline-420.jpg")
}

fn segment_at(picture: &[u8], code: u8) -> usize {
    picture.windows(2).position(|two| two == [0xFF, code]).unwrap()
}

/// That the good pictures are there, in their order, one damaged one between them.
#[track_caller]
fn assert_costs_itself(damaged: &[u8], good: &[u8], what: &str) {
    let stream = [good, damaged, good, good, good].concat();
    let found = read(&stream);
    let intact = found.iter().filter(|found| found.as_slice() == good).count();
    assert_eq!(intact, 4, "{what}");
    assert!(found.len() <= 5, "{what}: {} pictures", found.len());
}

#[test]
fn a_false_marker_in_the_pixels_costs_one_picture() {
    let good = plain();
    let middle = (segment_at(&good, 0xDA) + good.len()) / 2;
    for code in [0xE5, 0xC4, 0xDB, 0xFE, 0xDA, 0xC0, 0x37, 0xD9] {
        for length in [0xFFF0_u16, 0x7000, 0x2000, 0x0200, 0x0001, 0x0000] {
            let mut damaged = good.clone();
            let [high, low] = length.to_be_bytes();
            damaged[middle..middle + 4].copy_from_slice(&[0xFF, code, high, low]);
            assert_costs_itself(&damaged, &good, &format!("{code:x} {length:x}"));
        }
    }
}

#[test]
fn a_false_length_in_the_header_costs_one_picture() {
    let good = plain();
    for code in [0xE0, 0xDB, 0xC0, 0xC4, 0xDA] {
        for length in [0xFFFF_u16, 0x9000, 0x4000, 0x0400, 3, 0] {
            let mut damaged = good.clone();
            let at = segment_at(&good, code);
            damaged[at + 2..at + 4].copy_from_slice(&length.to_be_bytes());
            assert_costs_itself(&damaged, &good, &format!("{code:x} {length:x}"));
        }
    }
}

/// Wherever it is cut: in a marker, a length, a table, the scan's header, the pixels, the end.
#[test]
fn a_picture_that_is_cut_anywhere_costs_itself() {
    for name in ["baseline-420.jpg", "restarts.jpg", "thumbnail.jpg", "progressive-420.jpg"] {
        let (whole, good) = (picture(name), picture("baseline-444.jpg"));
        for cut in 0..whole.len() {
            let stream = [&whole[..cut], &good, &good].concat();
            let found = read_by(&stream, 1 << 20);
            let intact = found.iter().filter(|found| **found == good).count();
            assert_eq!(intact, 2, "{name} cut at {cut}");
            // A thumbnail that is cut may pass for a picture of its own.
            assert!(found.len() <= 4, "{name} cut at {cut}: {} pictures", found.len());
        }
    }
}

#[test]
fn a_doubled_start_marker_is_one_picture() {
    let good = plain();
    for doubled in [&[0xFF, 0xD8][..], &[0xFF, 0xD8, 0xFF], &[0xFF, 0xD8, 0xFF, 0xD8]] {
        let stream = [&good, doubled, &good, doubled, &good].concat();
        assert!(read(&stream) == [good.clone(), good.clone(), good.clone()], "{doubled:?}");
    }
}

#[test]
fn garbage_between_pictures_is_no_picture() {
    let good = plain();
    for garbage in [
        &b"\0\0\0\0"[..],
        b"--frame\r\nContent-Length: 1\r\n\r\n",
        &[0xFF, 0xD8, 0x00, 0x41],
        &[0xFF, 0xD9, 0xFF, 0x00, 0xFF, 0xD8, 0x41],
        &[0xFF; 9],
    ] {
        let stream = [garbage, &good, garbage, garbage, &good, garbage].concat();
        assert!(read(&stream) == [good.clone(), good.clone()], "{garbage:?}");
    }
}

#[test]
fn thumbnails_and_large_segments_are_part_of_their_picture() {
    let thumbnail = picture("thumbnail.jpg");
    let good = plain();
    // A segment as long as there are, with a picture in it whose end is in the next one.
    let mut large = vec![0xFF, 0xE2, 0xFF, 0xFF];
    large.extend_from_slice(&good[..segment_at(&good, 0xDA) + 14]);
    large.resize(2 + 0xFFFF, 7);
    let split = [&good[..2], &large, &[0xFF, 0xE2, 0, 4, 0xFF, 0xD9], &good[2..]].concat();
    for whole in [thumbnail, split] {
        let stream = [&whole[..], &good, &whole, &whole].concat();
        assert!(read(&stream) == [whole.clone(), good.clone(), whole.clone(), whole.clone()]);
    }
    // A missing end.
    let endless = good[..good.len() - 2].to_vec();
    assert_eq!(read(&[&endless[..], &good].concat()), [endless, good]);
}

/// Bytes written over, left out or put in, within one picture.
#[derive(Debug, Clone)]
enum Damage {
    Over(usize, Vec<u8>),
    Out(usize, usize),
    In(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let byte = prop_oneof![
        Just(0xFF_u8),
        Just(0xD8),
        Just(0xD9),
        Just(0xDA),
        Just(0xE1),
        Just(0xC4),
        Just(0),
        any::<u8>(),
    ];
    let bytes = || proptest::collection::vec(byte.clone(), 1..9);
    prop_oneof![
        (any::<prop::sample::Index>(), bytes())
            .prop_map(|(at, over)| Damage::Over(at.index(1 << 20), over)),
        (any::<usize>(), 1..4000_usize).prop_map(|(at, count)| Damage::Out(at, count)),
        (any::<usize>(), bytes()).prop_map(|(at, more)| Damage::In(at, more)),
    ]
}

fn damaged(mut picture: Vec<u8>, damage: &Damage) -> Vec<u8> {
    let length = picture.len();
    match damage {
        Damage::Over(at, over) => {
            let at = at % length;
            let end = length.min(at + over.len());
            picture[at..end].copy_from_slice(&over[..end - at]);
        }
        Damage::Out(at, count) => drop(picture.drain(at % length..length.min(at % length + count))),
        Damage::In(at, more) => {
            drop(picture.splice(at % length..at % length, more.iter().copied()))
        }
    }
    picture
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn no_damage_reaches_another_picture(harm in proptest::collection::vec(damage(), 1..4), kind in 0..3) {
        let name = ["baseline-420.jpg", "restarts.jpg", "thumbnail.jpg"][kind as usize];
        let (good, mut bad) = (plain(), picture(name));
        for one in &harm {
            bad = damaged(bad, one);
            if bad.is_empty() {
                break;
            }
        }
        let stream = [&good[..], &bad, &good, &good, &good, &good].concat();
        let found = read(&stream);
        let intact = found.iter().filter(|found| **found == good).count();
        prop_assert!(intact >= 5, "{intact} of {}", found.len());
    }
}
