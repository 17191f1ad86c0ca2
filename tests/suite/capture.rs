//! Capture: streams of pictures, the queue, captions, frame rules, back-off.

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use pairgate::capture::Frame;
use pairgate::capture::backoff::{Backoff, State};
use pairgate::capture::caption::{About, Labels, Template, timestamp};
use pairgate::capture::change::{FrameRules, Grey};
use pairgate::capture::intake::{Captured, Start};
use pairgate::capture::mjpeg::MjpegSource;
use pairgate::capture::queue::{FrameQueue, Taken};
use pairgate::capture::silence::Silence;
use pairgate::capture::taker::{Pace, Taker};
use pairgate::capture::yuyv;
use pairgate::decode::{Rgb8, decode, probe};
use pairgate::disk::IoError;
use pairgate::sink::Judged;
use pairgate::source::{Member, Sample, Source};
use pairgate_core::config::{CaptureConfig, ImageLimits, OnFull, SampleLimits, ThermalConfig};
use pairgate_core::decision::{Facts, Reason};
use pairgate_core::pair::{Size, Uid};
use pairgate_core::policy::Policy;
use proptest::prelude::*;
use tempfile::tempdir;

use crate::support::data;

fn picture(name: &str) -> Vec<u8> {
    fs::read(data("golden/files").join(name)).unwrap()
}

fn limits(bytes: u64) -> SampleLimits {
    SampleLimits { max_sample_bytes: bytes, ..SampleLimits::default() }
}

fn read_stream(bytes: &[u8], most: u64) -> Result<Vec<Sample>, IoError> {
    let mut source = MjpegSource::new(Cursor::new(bytes), "camera", limits(most));
    let mut samples = Vec::new();
    while let Some(sample) = source.next()? {
        samples.push(sample);
    }
    Ok(samples)
}

fn pictures(bytes: &[u8]) -> Vec<Vec<u8>> {
    let samples = read_stream(bytes, 1 << 30).unwrap();
    samples.into_iter().map(|mut sample| sample.members.remove(0).data).collect()
}

// The stream.

/// Pictures of all kinds: with restarts, with a thumbnail inside, progressive, fill bytes.
const KINDS: [&str; 6] = [
    "baseline-420.jpg",
    "restarts.jpg",
    "thumbnail.jpg",
    "progressive-420.jpg",
    "fill-bytes.jpg",
    "grey.jpg",
];

#[test]
fn pictures_are_told_apart_and_keep_their_bytes() {
    let wanted: Vec<_> = KINDS.iter().map(|name| picture(name)).collect();
    // Fill bytes before a marker may go: they say nothing.
    let without_fill = |bytes: Vec<u8>| decoded(&bytes);
    for between in
        [&b""[..], b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", &[0xFF, 0, 0xFF, 0xFF]]
    {
        let stream: Vec<u8> =
            wanted.iter().flat_map(|one| [one.as_slice(), between].concat()).collect();
        let found = pictures(&stream);
        assert_eq!(found.len(), wanted.len());
        for ((found, wanted), name) in found.into_iter().zip(&wanted).zip(KINDS) {
            if name == "fill-bytes.jpg" {
                assert_eq!(without_fill(found), without_fill(wanted.clone()));
            } else {
                assert!(found == *wanted, "{name}");
            }
        }
    }
}

fn decoded(bytes: &[u8]) -> Rgb8 {
    let mut rgb = Rgb8::default();
    let limits = ImageLimits::default();
    decode(bytes, &probe(bytes, &limits).unwrap(), &limits, &mut rgb).unwrap();
    rgb
}

#[test]
fn a_picture_that_is_cut_does_not_swallow_the_next() {
    let (a, b) = (picture("baseline-444.jpg"), picture("grey.jpg"));
    let cut = &a[..a.len() - 40];
    let found = pictures(&[cut, &b, &b].concat());
    assert_eq!(found, [cut.to_vec(), b.clone(), b.clone()]);
    // At the stream's end too.
    assert_eq!(pictures(&[&b, cut].concat()), [b, cut.to_vec()]);
}

#[test]
fn a_picture_without_huffman_tables_gets_the_usual_ones() {
    // What motion JPEG is: a picture less its tables. PIL's are the usual ones.
    let whole = picture("baseline-420.jpg");
    let mut bare = Vec::new();
    let mut rest = &whole[2..];
    bare.extend_from_slice(&whole[..2]);
    while rest[1] != 0xDA {
        let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if rest[1] != 0xC4 {
            bare.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    bare.extend_from_slice(rest);
    assert!(bare.len() < whole.len() - 400);
    let found = pictures(&bare);
    assert_eq!(decoded(&found[0]), decoded(&whole));
}

#[test]
fn a_picture_above_the_limit_is_counted_and_passed_over() {
    let (large, small) = (picture("thumbnail.jpg"), picture("grey.jpg"));
    let stream = [&large[..], &small].concat();
    let samples = read_stream(&stream, small.len() as u64).unwrap();
    let faults: Vec<_> = samples.iter().map(|sample| sample.fault).collect();
    assert_eq!(faults, [Some(Reason::SampleTooLarge), None]);
    assert_eq!(samples[1].members[0].data, small);
}

#[test]
fn a_stream_without_pictures_is_an_error_and_an_empty_one_is_not() {
    assert!(read_stream(b"", 100).unwrap().is_empty());
    let error = read_stream(b"<html>not found</html>", 100).unwrap_err().to_string();
    assert!(error.contains("camera") && error.contains("no JPEG"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(
        prop_oneof![Just(0xFF_u8), Just(0xD8), Just(0xD9), Just(0xDA), Just(0), any::<u8>()], 0..400,
    )) {
        if let Ok(samples) = read_stream(&bytes, 64) {
            let held: usize = samples.iter().flat_map(|s| &s.members).map(|m| m.data.len()).sum();
            prop_assert!(held <= bytes.len());
        }
    }
}

// YUYV.

#[test]
fn yuyv_frames_become_the_pictures_that_they_are() {
    let size = Size::new(64, 32);
    // Pure red in BT.601: Y 81, U 90, V 240; a stride wider than the row.
    let row: Vec<u8> = [81, 90, 81, 240].repeat(32).into_iter().chain([7; 16]).collect();
    let jpeg = yuyv::to_jpeg(&row.repeat(32), size, 144).unwrap();
    let rgb = decoded(&jpeg);
    assert_eq!(rgb.size, size);
    let far = rgb.pixels.chunks(3).any(|p| p[0] < 245 || p[1] > 10 || p[2] > 10);
    assert!(!far, "{:?}", &rgb.pixels[..3]);
    assert!(yuyv::to_jpeg(&row.repeat(31), size, 144).is_err());
    assert!(yuyv::to_jpeg(&[], Size::new(0, 0), 0).is_err());
}

// The queue.

fn frame(number: u64) -> Frame {
    let sample =
        Sample { shard: "camera".into(), key: String::new(), members: Vec::new(), fault: None };
    Frame { sample, time: SystemTime::UNIX_EPOCH, number }
}

fn left(queue: &FrameQueue) -> Vec<u64> {
    let stop = AtomicBool::new(true);
    std::iter::from_fn(|| queue.pop(&stop)).map(|frame| frame.number).collect()
}

#[test]
fn a_full_queue_sheds_what_the_config_says() {
    let running = AtomicBool::new(false);
    for (on_full, kept) in [(OnFull::DropNewest, [0, 1, 2]), (OnFull::DropOldest, [4, 5, 6])] {
        let queue = FrameQueue::new(3, on_full);
        (0..7).for_each(|number| queue.push(frame(number), &running));
        assert_eq!(queue.taken().shed, 4, "{on_full:?}");
        assert_eq!(left(&queue), kept, "{on_full:?}");
    }
}

#[test]
fn a_blocking_queue_sheds_nothing_until_it_is_stopped() {
    let queue = FrameQueue::new(2, OnFull::Block);
    let stop = Arc::new(AtomicBool::new(false));
    let (pushing, stopped) = (queue.clone(), stop.clone());
    let pusher = std::thread::spawn(move || {
        (0..100).for_each(|number| pushing.push(frame(number), &stopped));
    });
    let found: Vec<_> = (0..95).map(|_| queue.pop(&stop).unwrap().number).collect();
    assert_eq!(found, (0..95).collect::<Vec<_>>());
    stop.store(true, Ordering::SeqCst);
    pusher.join().unwrap();
    let rest = left(&queue).len() as u64;
    assert_eq!(rest + queue.taken().shed, 5);
}

/// Gives so many frames, then fails.
struct Flaky(u64);

impl Source for Flaky {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| IoError::Read {
            from: "camera".into(),
            why: std::io::Error::other("unplugged"),
        })?;
        let data = picture("grey.jpg");
        let members = vec![Member { extension: "jpg".into(), data }];
        Ok(Some(Sample { members, ..frame(0).sample }))
    }
}

fn captured(camera: Box<dyn Source>, config: &CaptureConfig, labels: Labels) -> Captured {
    let stop = Arc::new(AtomicBool::new(false));
    let queue = FrameQueue::new(config.places as usize, config.on_full);
    let backoff = Backoff::new(&ThermalConfig::default(), Arc::default());
    let pace = Pace::new(Duration::from_millis(config.interval_ms), backoff);
    let limit = (config.max_silence_ms > 0).then(|| Duration::from_millis(config.max_silence_ms));
    let silence = Silence::new("camera", limit);
    let taker = Taker::start(camera, queue.clone(), pace, silence.clone(), stop.clone()).unwrap();
    let rules = FrameRules::new(config, ImageLimits::default());
    let template = Template::of(config).unwrap();
    Captured { queue, taker, rules, template, labels, start: Start::new(), silence, stop }
}

fn config(caption: &str) -> CaptureConfig {
    CaptureConfig {
        caption: caption.try_into().unwrap(),
        place: "Bern".try_into().unwrap(),
        sensor: "door 2".try_into().unwrap(),
        on_full: OnFull::Block,
        ..CaptureConfig::default()
    }
}

#[test]
fn a_camera_that_fails_ends_the_source_after_its_last_frame() {
    let mut source = captured(Box::new(Flaky(3)), &config("{label}"), Labels::None);
    for _ in 0..3 {
        assert!(source.next().unwrap().is_some());
    }
    assert!(source.next().unwrap_err().to_string().contains("unplugged"));
    assert_eq!(source.queue.taken(), Taken { read: 3, ..Taken::default() });
}

#[test]
fn frames_within_the_interval_are_left_out_and_counted() {
    let config = CaptureConfig { interval_ms: 3_600_000, ..config("a door") };
    let mut source = captured(Box::new(Flaky(9)), &config, Labels::None);
    assert!(source.next().unwrap().is_some());
    assert!(source.next().is_err());
    assert_eq!(source.queue.taken(), Taken { read: 9, early: 8, ..Taken::default() });
}

// Captions.

#[test]
fn a_frame_gets_key_caption_and_metadata() {
    let folder = tempdir().unwrap();
    let label = folder.path().join("label");
    fs::write(&label, "two people\n wait\n").unwrap();
    let config = config("{label} in {place}, {sensor} {number}");
    let labels = Labels::open(&label).unwrap();
    let mut source = captured(Box::new(Flaky(2)), &config, labels);
    source.next().unwrap();
    let sample = source.next().unwrap().unwrap();
    let parts: Vec<&str> = sample.key.split('-').collect();
    let &[sensor, time, number, start] = &parts[..] else { panic!("{}", sample.key) };
    assert_eq!((sensor, number), ("door_2", "000001"));
    assert!(time.starts_with("20") && time.len() == "20260102T030405678Z".len(), "{time}");
    assert!(start.len() == 8 && start.bytes().all(|b| b.is_ascii_hexdigit()), "{start}");
    let names: Vec<_> = sample.members.iter().map(|member| member.extension.as_str()).collect();
    assert_eq!(names, ["jpg", "json", "txt"], "the caption comes last");
    assert_eq!(sample.members[2].data, b"two people wait in Bern, door 2 1");
    let about: serde_json::Value = serde_json::from_slice(&sample.members[1].data).unwrap();
    assert_eq!(about["place"], "Bern");
    assert_eq!(about["label"], "two people wait");
    assert_eq!(about["number"], 1);
}

/// The key of the first frame, taken at `time`.
fn first_key(source: &mut Captured, time: SystemTime) -> String {
    source.queue = FrameQueue::new(1, OnFull::Block);
    source.queue.push(Frame { time, ..frame(0) }, &AtomicBool::new(false));
    source.next().unwrap().unwrap().key
}

#[test]
fn no_two_starts_give_the_same_key() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_323_045_678);
    let started = || captured(Box::new(Flaky(0)), &config("a door"), Labels::None);
    // The same first frame at the same time: the clock was set back.
    let keys: Vec<String> = (0..8).map(|_| first_key(&mut started(), time)).collect();
    for key in &keys {
        assert!(key.starts_with("door_2-20260102T030405678Z-000000-"), "{key}");
        assert_eq!(keys.iter().filter(|other| *other == key).count(), 1, "{keys:?}");
    }
    // Within one start they sort by time, to the millisecond, and are the same for the same frame.
    let mut source = started();
    let mut at = |ms| first_key(&mut source, time + Duration::from_millis(ms));
    let (first, next, again) = (at(0), at(1), at(0));
    assert!(first < next, "{first} {next}");
    assert_eq!(first, again);
}

#[test]
fn a_caption_that_comes_with_the_frame_is_its_label() {
    let mut source = captured(Box::new(Flaky(0)), &config("{label}!"), Labels::None);
    let txt = Member { extension: "txt".into(), data: "ein Hund".into() };
    let sample = Sample { key: "k7".into(), members: vec![txt], ..frame(0).sample };
    let again = std::mem::replace(&mut source.queue, FrameQueue::new(1, OnFull::Block));
    drop(again);
    source.queue.push(Frame { sample, ..frame(5) }, &AtomicBool::new(false));
    let named = source.next().unwrap().unwrap();
    assert_eq!(named.key, "k7");
    assert_eq!(named.members.last().unwrap().data, b"ein Hund!");
}

#[test]
fn templates_name_what_is_wrong_with_them() {
    for (caption, told) in [("{lable}", "{lable}"), ("a {place", "a brace is open")] {
        let error = Template::of(&config(caption)).unwrap_err();
        assert!(error.contains("capture.caption") && error.contains(told), "{error}");
    }
    let filled = |caption: &str| {
        let about = About { label: "x", time: SystemTime::UNIX_EPOCH, number: 3 };
        Template::of(&config(caption)).unwrap().fill(&about)
    };
    assert_eq!(filled(" {time} } "), "1970-01-01T00:00:00Z }");
    assert_eq!(filled(""), "");
    assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(9)), "1970-01-01T00:00:00Z");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_gives_its_last_line_also_from_the_next_writer() {
    let folder = tempdir().unwrap();
    let pipe = folder.path().join("labels");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut labels = Labels::open(&pipe).unwrap();
    for text in ["one\ntwo\n", "three\n"] {
        fs::write(&pipe, text).unwrap();
        let wanted = text.trim_end().rsplit('\n').next().unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        while labels.now() != wanted {
            assert!(Instant::now() < until, "{:?}", labels.now());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert!(Labels::open(folder.path()).is_err());
}

#[test]
fn a_label_file_that_is_missing_is_waited_for() {
    let folder = tempdir().unwrap();
    let label = folder.path().join("label");
    let labels = Labels::open(&label).unwrap();
    let mut source = captured(Box::new(Flaky(2)), &config("{label}"), labels);
    let caption = |sample: Sample| {
        let txt = sample.members.into_iter().find(|member| member.extension == "txt");
        txt.map(|member| String::from_utf8(member.data).unwrap())
    };
    assert_eq!(caption(source.next().unwrap().unwrap()), None);
    fs::write(&label, "a door\n").unwrap();
    assert_eq!(caption(source.next().unwrap().unwrap()), Some("a door".into()));
}

// Silence.

/// A camera that gives a frame each few milliseconds, without an end.
struct Endless(&'static [u8]);

impl Source for Endless {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        std::thread::sleep(Duration::from_millis(5));
        let members = vec![Member { extension: "jpg".into(), data: self.0.to_vec() }];
        Ok(Some(Sample { members, ..frame(0).sample }))
    }
}

/// Gives nothing for as long as the program runs.
struct Mute;

impl Source for Mute {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            std::thread::park();
        }
    }
}

fn judged(reason: Reason) -> Judged {
    let decision = Policy::default().decide(reason, Facts::default());
    Judged::new(0, frame(0).sample, Uid::default(), decision)
}

#[test]
fn a_camera_without_pictures_ends_after_a_while() {
    let config = CaptureConfig { max_silence_ms: 300, ..config("a door") };
    let mut mute = captured(Box::new(Mute), &config, Labels::None);
    let error = mute.next().unwrap_err().to_string();
    assert!(error.contains("camera") && error.contains("capture.max_silence_ms"), "{error}");
    assert_eq!(mute.silence.silences(), 1);

    // Frames come, and none of them can be read.
    let began = Instant::now();
    let mut garbage = captured(Box::new(Endless(b"no picture")), &config, Labels::None);
    let mut sink = garbage.silence.sink();
    while garbage.next().is_ok() {
        sink.accept(&judged(Reason::Undecodable)).unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
    }
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(garbage.silence.silences(), 1);
}

#[test]
fn a_camera_whose_pictures_can_be_read_goes_on_whatever_becomes_of_them() {
    let config = CaptureConfig { max_silence_ms: 1500, ..config("a door") };
    let mut source = captured(Box::new(Endless(b"a picture")), &config, Labels::None);
    let mut sink = source.silence.sink();
    let began = Instant::now();
    let mut reasons =
        [Reason::Undecodable, Reason::LowSimilarity, Reason::Unchanged].iter().cycle();
    while began.elapsed() < Duration::from_millis(2500) {
        source.next().unwrap();
        sink.accept(&judged(*reasons.next().unwrap())).unwrap();
    }
    // One that is being judged for long is no silence.
    let source_waits = || std::thread::sleep(Duration::from_millis(2000));
    source.next().unwrap();
    source_waits();
    source.next().unwrap();
}

// Frame rules.

fn rgb(level: impl Fn(usize, usize) -> u8) -> Rgb8 {
    let size = Size::new(640, 480);
    let pixels = (0..640 * 480).flat_map(|i| [level(i % 640, i / 640); 3]).collect();
    Rgb8 { size, pixels }
}

#[test]
fn grey_pictures_differ_by_their_levels_and_are_sharp_where_levels_jump() {
    let (dark, light) = (Grey::of(&rgb(|_, _| 10)), Grey::of(&rgb(|_, _| 110)));
    assert!((dark.difference(&light) - 100.0).abs() < 1e-3);
    assert_eq!(dark.difference(&dark), 0.0);
    assert_eq!(dark.sharpness(), 0.0);
    // A ramp has no second derivative, stripes have much of it.
    let ramp = Grey::of(&rgb(|x, _| (x / 4) as u8));
    let stripes = Grey::of(&rgb(|x, _| if x / 20 % 2 == 0 { 0 } else { 200 }));
    assert!(ramp.sharpness() < 3.0, "{}", ramp.sharpness());
    assert!(stripes.sharpness() > 1000.0, "{}", stripes.sharpness());
}

#[test]
fn frames_that_show_nothing_new_or_nothing_sharp_are_named() {
    let config = CaptureConfig { min_change: 2.0, min_sharpness: 1.0, ..CaptureConfig::default() };
    let mut rules = FrameRules::new(&config, ImageLimits::default());
    let (sharp, flat) = (picture("baseline-444.jpg"), picture("flat.gif"));
    assert_eq!(rules.fault(&sharp), None);
    assert_eq!(rules.fault(&sharp), Some(Reason::Unchanged));
    assert_eq!(rules.fault(&flat), Some(Reason::Blurred));
    assert_eq!(rules.fault(b"no picture"), None, "the gate will say why");
    assert_eq!(rules.fault(&sharp), Some(Reason::Unchanged), "compared with the last one taken");
    let mut off = FrameRules::new(&CaptureConfig::default(), ImageLimits::default());
    assert_eq!([off.fault(&sharp), off.fault(&sharp)], [None, None]);
}

// Back-off.

fn thermal(folder: &Path) -> ThermalConfig {
    let name = |name: &str| folder.join(name).to_str().unwrap().try_into().unwrap();
    fs::create_dir_all(folder.join("zone")).unwrap();
    fs::create_dir_all(folder.join("battery")).unwrap();
    ThermalConfig { zone: name("zone"), battery: name("battery"), ..ThermalConfig::default() }
}

#[test]
fn heat_and_battery_set_the_state_with_hysteresis() {
    let folder = tempdir().unwrap();
    let gentle = Arc::new(AtomicBool::new(false));
    let mut backoff = Backoff::new(&thermal(folder.path()), gentle.clone());
    let mut now = Instant::now();
    let mut look = |degrees: &str, battery: (&str, &str)| {
        fs::write(folder.path().join("zone/temp"), degrees).unwrap();
        fs::write(folder.path().join("battery/capacity"), battery.0).unwrap();
        fs::write(folder.path().join("battery/status"), battery.1).unwrap();
        now += Duration::from_secs(2);
        (backoff.look(now), gentle.load(Ordering::Relaxed))
    };
    let full = ("90\n", "Discharging\n");
    assert_eq!(look("45000\n", full), (State::Normal, false));
    assert_eq!(look("70000\n", full), (State::Warm, true));
    assert_eq!(look("80100\n", full), (State::Hot, true));
    assert_eq!(look("75000\n", full), (State::Hot, true), "hot until it is no longer warm");
    assert_eq!(look("69000\n", full), (State::Normal, false));
    assert_eq!(look("75000\n", full), (State::Warm, true));
    assert_eq!(look("45000\n", ("14\n", "Discharging\n")), (State::Low, true));
    assert_eq!(look("45000\n", ("14\n", "Charging\n")), (State::Normal, false));
    assert_eq!(look("no number", full), (State::Normal, false), "it says nothing");
}

#[test]
fn warm_takes_every_second_frame_and_hot_none() {
    for (degrees, taken) in [("70000", 3), ("90000", 0), ("20000", 6)] {
        let folder = tempdir().unwrap();
        let config = thermal(folder.path());
        fs::write(folder.path().join("zone/temp"), degrees).unwrap();
        let queue = FrameQueue::new(10, OnFull::DropNewest);
        let pace = Pace::new(Duration::ZERO, Backoff::new(&config, Arc::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let silence = Silence::new("camera", None);
        let camera = Box::new(Flaky(6));
        let taker = Taker::start(camera, queue.clone(), pace, silence, stop.clone()).unwrap();
        let found = std::iter::from_fn(|| queue.pop(&stop)).count() as u64;
        assert_eq!(found, taken, "{degrees}");
        assert_eq!(queue.taken(), Taken { read: 6, backed_off: 6 - taken, ..Taken::default() });
        assert!(taker.error().is_some());
    }
}
