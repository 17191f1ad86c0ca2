//! The source of frames: what becomes a pair, and that nothing else does.

use std::fs::File;
use std::io::{self, Read};

use pairgate::disk::IoError;
use pairgate::source::frames::FramesSource;
use pairgate::source::{InputFormat, Inputs, Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use pairgate_core::pair::Size;
use pairgate_core::wire::pairs::{Body, Format, Frame, MAX_STUFFED, Start, Time};
use pairgate_core::wire::sender::Sender;
use proptest::prelude::*;
use serde_json::Value;

use crate::cli::{pairgate, run};

const LIMITS: SampleLimits = SampleLimits { max_sample_bytes: 4096, max_caption_bytes: 1024 };

/// Pairs with their images.
type Pairs<'a> = Vec<(Start<'a>, Vec<u8>)>;

fn sent(pairs: &[(Start<'_>, Vec<u8>)]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut buffer = [0; 96];
    let mut sender = Sender::new(&mut buffer, |part: &[u8]| stream.extend_from_slice(part));
    for (start, image) in pairs {
        sender.send(start, image).unwrap();
    }
    stream
}

/// The frames of a stream, stuffed.
fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let frames = stream.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    frames.filter(|frame| !frame.is_empty()).collect()
}

/// What is sent of a picture beside its pixels.
fn start() -> Start<'static> {
    Start {
        node: "cam",
        format: Format::Grey8,
        size: Size::new(2, 1),
        bytes: 2,
        time: Time::SinceBoot(300),
        place: "hall",
        sensor: "",
        caption: Some("two dots"),
    }
}

/// A grey picture of 10 by 10 pixels, told from others by `seed`.
fn picture(seed: u8) -> (Start<'static>, Vec<u8>) {
    let image = (0..100).map(|i: u8| i.wrapping_mul(seed)).collect();
    (Start { size: Size::new(10, 10), bytes: 100, ..start() }, image)
}

/// So many different pairs, of several frames each.
fn pictures(pairs: u8) -> Pairs<'static> {
    (0..pairs).map(|i| picture(2 * i + 1)).collect()
}

fn source(stream: &[u8]) -> FramesSource<&[u8]> {
    FramesSource::new(stream, "uart", LIMITS)
}

fn read(stream: &[u8]) -> Vec<Sample> {
    let mut source = source(stream);
    std::iter::from_fn(|| source.next().unwrap()).collect()
}

/// Key and fault of each sample.
fn faults(samples: &[Sample]) -> Vec<String> {
    let fault = |sample: &Sample| sample.fault.map_or("sound", Reason::name);
    samples.iter().map(|sample| format!("{} {}", sample.key, fault(sample))).collect()
}

fn member<'a>(sample: &'a Sample, extension: &str) -> &'a [u8] {
    let member = sample.members.iter().find(|member| member.extension == extension);
    &member.unwrap_or_else(|| panic!("no {extension} in {}", sample.key)).data
}

fn joined(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.join(&0)
}

#[test]
fn a_pair_becomes_a_sample_with_all_that_is_known() {
    let samples = read(&sent(&[picture(3)]));
    assert_eq!(faults(&samples), ["cam/000000000 sound"]);
    let sample = &samples[0];
    assert_eq!((&*sample.shard, sample.members.len()), ("uart", 3));
    assert_eq!(member(sample, "txt"), b"two dots");
    let json = r#"{"node":"cam","number":0,"format":"grey8","width":10,"height":10,"boot_ms":300,"place":"hall"}"#;
    assert_eq!(std::str::from_utf8(member(sample, "json")).unwrap(), json);
    let png = image::load_from_memory(member(sample, "png")).unwrap();
    assert_eq!(png.into_luma8().into_raw(), picture(3).1);
}

#[test]
fn raw_colours_are_held_exactly() {
    let words: Vec<u16> = (0..=u16::MAX).step_by(7).collect();
    let image: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let size = Size::new(words.len() as u32, 1);
    let bytes = image.len() as u32;
    let start = Start { format: Format::Rgb565, size, bytes, ..start() };
    let stream = sent(&[(start, image)]);
    let mut source = FramesSource::new(&stream[..], "uart", SampleLimits::default());
    let sample = source.next().unwrap().unwrap();
    let pixels = image::load_from_memory(member(&sample, "png")).unwrap().into_rgb8();
    let five = |byte: u8| u16::from(byte >> 3);
    for (pixel, word) in pixels.pixels().zip(&words) {
        let [r, g, b] = pixel.0;
        assert_eq!(five(r) << 11 | u16::from(g >> 2) << 5 | five(b), *word);
    }
    // Full is full, and nothing is nothing.
    let (white, black) = (vec![255, 255], vec![0, 0]);
    let one = Start { format: Format::Rgb565, size: Size::new(1, 1), bytes: 2, ..self::start() };
    for (image, level) in [(white, 255), (black, 0)] {
        let samples = read(&sent(&[(one, image)]));
        let png = image::load_from_memory(member(&samples[0], "png")).unwrap().into_rgb8();
        assert_eq!(png.into_raw(), [level; 3]);
    }
    let rgb = Start { format: Format::Rgb8, size: Size::new(1, 2), bytes: 6, ..self::start() };
    let samples = read(&sent(&[(rgb, vec![1, 2, 3, 4, 5, 6])]));
    let png = image::load_from_memory(member(&samples[0], "png")).unwrap().into_rgb8();
    assert_eq!(png.into_raw(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_jpeg_is_passed_on_as_it_is_and_texts_may_be_missing() {
    let jpeg = std::fs::read(crate::support::data("pairs/meadow.jpg")).unwrap();
    let start = Start {
        node: "",
        format: Format::Jpeg,
        size: Size::default(),
        bytes: jpeg.len() as u32,
        time: Time::Unix(1_700_000_000_000),
        place: "",
        sensor: "ov2640",
        caption: None,
    };
    let stream = sent(&[(start, jpeg.clone())]);
    let mut source = FramesSource::new(&stream[..], "uart", SampleLimits::default());
    let sample = source.next().unwrap().unwrap();
    assert_eq!((sample.key.as_str(), sample.members.len()), ("000000000", 2));
    assert_eq!(member(&sample, "jpg"), jpeg);
    let json = r#"{"node":"","number":0,"format":"jpeg","width":0,"height":0,"unix_ms":1700000000000,"sensor":"ov2640"}"#;
    assert_eq!(std::str::from_utf8(member(&sample, "json")).unwrap(), json);
}

#[test]
fn a_lost_frame_tears_its_pair_alone() {
    let whole = frames(&sent(&pictures(3)));
    let each = whole.len() / 3;
    assert!(each > 3, "a pair must have several frames of data");
    for lost in 0..whole.len() {
        let mut rest = whole.clone();
        rest.remove(lost);
        let samples = read(&joined(&rest));
        let expected: Vec<_> = (0..3)
            .map(|pair| {
                let fault = if pair == lost / each { "frame_torn" } else { "sound" };
                // The node's name comes with the first start.
                let node = if lost == 0 && pair == 0 { "" } else { "cam/" };
                format!("{node}{pair:09} {fault}")
            })
            .collect();
        assert_eq!(faults(&samples), expected, "without frame {lost}");
    }
}

#[test]
fn what_a_torn_pair_had_is_given_but_the_image() {
    let whole = frames(&sent(&[picture(1)]));
    let samples = read(&joined(&whole[..whole.len() - 1]));
    assert_eq!(faults(&samples), ["cam/000000000 frame_torn"]);
    let extensions: Vec<_> = samples[0].members.iter().map(|member| &*member.extension).collect();
    assert_eq!(extensions, ["txt", "json"]);
}

#[test]
fn frames_twice_or_in_another_order_tear_the_pair() {
    let whole = frames(&sent(&pictures(2)));
    let mut twice = whole.clone();
    twice.insert(2, whole[1].clone());
    let mut swapped = whole.clone();
    swapped.swap(1, 2);
    for stream in [twice, swapped] {
        let samples = read(&joined(&stream));
        assert_eq!(faults(&samples), ["cam/000000000 frame_torn", "cam/000000001 sound"]);
    }
}

#[test]
fn missing_pairs_are_counted() {
    let whole = frames(&sent(&pictures(8)));
    let each = whole.len() / 8;
    let stream = joined(&[&whole[..each], &whole[5 * each..]].concat());
    let faults = faults(&read(&stream));
    assert_eq!(faults.len(), 8);
    for (number, fault) in faults.iter().enumerate() {
        let name = if (1..5).contains(&number) { "frame_torn" } else { "sound" };
        assert_eq!(*fault, format!("cam/{number:09} {name}"));
    }
}

/// The node of a pair whose start was lost is not known, but is no other one.
#[test]
fn pairs_missing_behind_a_lost_start_are_counted() {
    let whole = frames(&sent(&pictures(4)));
    let each = whole.len() / 4;
    let stream = joined(&[&whole[1..each], &whole[3 * each..]].concat());
    let torn = ["000000000 frame_torn", "cam/000000001 frame_torn", "cam/000000002 frame_torn"];
    assert_eq!(faults(&read(&stream)), [&torn[..], &["cam/000000003 sound"]].concat());
}

/// A stream that jumps must not be made into a flood of records.
#[test]
fn a_long_gap_counts_as_one() {
    let each = sent(&[picture(1)]).len();
    let all = sent(&vec![picture(1); 400]);
    let stream = [&all[..each], &all[399 * each..]].concat();
    let expected = ["cam/000000000 sound", "cam/000000001 frame_torn", "cam/000000399 sound"];
    assert_eq!(faults(&read(&stream)), expected);
}

#[test]
fn a_node_that_starts_anew_or_is_another_one_misses_nothing() {
    let mut other = pictures(2);
    other.iter_mut().for_each(|(start, _)| start.node = "door");
    let stream = [sent(&pictures(3)), sent(&pictures(2)), sent(&other)].concat();
    let expected = [
        "cam/000000000 sound",
        "cam/000000001 sound",
        "cam/000000002 sound",
        "cam/000000000 sound",
        "cam/000000001 sound",
        "door/000000000 sound",
        "door/000000001 sound",
    ];
    assert_eq!(faults(&read(&stream)), expected);
}

/// The second start is lost: its image must not become the first one's.
#[test]
fn an_image_is_never_taken_for_that_of_another_start() {
    let (start, image) = picture(5);
    let other = (Start { caption: Some("other dots"), ..start }, image);
    let (one, other) = (frames(&sent(&[picture(1)])), frames(&sent(&[other])));
    let samples = read(&joined(&[&one[..1], &other[1..]].concat()));
    assert_eq!(faults(&samples), ["cam/000000000 frame_torn"]);
}

#[test]
fn noise_before_and_between_pairs_costs_nothing() {
    let each = sent(&[picture(1)]).len();
    let all = sent(&pictures(2));
    let stream =
        [b"boot loader 1.0\r\n", &all[..each], b"\xff\xfe\0noise\0", &all[each..]].concat();
    assert_eq!(faults(&read(&stream)), ["cam/000000000 sound", "cam/000000001 sound"]);
}

#[test]
fn damage_at_the_end_is_counted_once() {
    let stream = [&sent(&pictures(1))[..], b"what may have been\0a pair"].concat();
    assert_eq!(faults(&read(&stream)), ["cam/000000000 sound", "cam/000000001 frame_torn"]);
    assert_eq!(faults(&read(b"no frames at all")), ["000000000 frame_torn"]);
    assert_eq!(faults(&read(&vec![1; 5 * MAX_STUFFED])), ["000000000 frame_torn"]);
    assert_eq!(faults(&read(b"")), [""; 0]);
    assert_eq!(faults(&read(&[0; 1000])), [""; 0]);
}

/// Frames longer than any are passed over up to the next zero, and not kept in memory.
#[test]
fn an_endless_frame_does_not_hide_what_follows() {
    let stream = [&vec![1; 3 * MAX_STUFFED][..], &sent(&pictures(1))].concat();
    assert_eq!(faults(&read(&stream)), ["cam/000000000 sound"]);
}

/// A frame of another version, whatever is in it.
fn other_version(number: u32) -> Vec<u8> {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    let mut frame = [&[2][..], &number.to_le_bytes(), b"something new"].concat();
    frame.extend(crc.checksum(&frame).to_le_bytes());
    let mut stuffed = vec![0; cobs::max_encoding_length(frame.len())];
    let length = cobs::encode(&frame, &mut stuffed);
    stuffed.truncate(length);
    stuffed
}

#[test]
fn pairs_of_another_version_are_counted() {
    let stream = [0, 0, 0, 1, 1].map(other_version);
    assert_eq!(
        faults(&read(&joined(&stream))),
        ["000000000 frame_version", "000000001 frame_version"]
    );
}

#[test]
fn a_pair_above_the_limit_is_refused_at_its_start() {
    let pair = |bytes: usize| {
        (Start { size: Size::new(bytes as u32, 1), bytes: bytes as u32, ..start() }, vec![9; bytes])
    };
    let samples = read(&sent(&[pair(5000), pair(100)]));
    assert_eq!(faults(&samples), ["cam/000000000 sample_too_large", "cam/000000001 sound"]);
    // Two bytes a pixel become three.
    let size = Size::new(1400, 1);
    let wide = Start { format: Format::Rgb565, size, bytes: 2800, ..start() };
    assert_eq!(faults(&read(&sent(&[(wide, vec![9; 2800])]))), ["cam/000000000 sample_too_large"]);
    // Noise does not get smaller as a file.
    let mut noise = 1_u32;
    let noise = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    });
    let (start, _) = pair(3980);
    let samples = read(&sent(&[(start, noise.take(3980).collect())]));
    assert_eq!(faults(&samples), ["cam/000000000 sample_too_large"]);
}

/// A sender of our own refuses it.
#[test]
fn a_start_that_contradicts_itself_is_a_fault() {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
    let body = Body::Start(Start { size: Size::new(3, 3), ..start() });
    let mut frame = [1, 0, 0, 0, 0].to_vec();
    frame.extend(postcard::to_stdvec(&body).unwrap());
    frame.extend(crc.checksum(&frame).to_le_bytes());
    let mut stuffed = vec![0; cobs::max_encoding_length(frame.len())];
    let length = cobs::encode(&frame, &mut stuffed);
    assert!(Frame::read(&mut stuffed.clone()[..length]).is_some());
    assert_eq!(faults(&read(&stuffed[..length])), ["cam/000000000 metadata_invalid"]);
}

#[test]
fn a_last_frame_without_its_zero_counts() {
    let mut stream = sent(&pictures(1));
    assert_eq!(stream.pop(), Some(0));
    assert_eq!(faults(&read(&stream)), ["cam/000000000 sound"]);
}

/// Gives its bytes a few at a time, and then an error of the system's.
struct Unplugged<'a>(&'a [u8]);

impl Read for Unplugged<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(7);
        match self.0.read(&mut buffer[..n])? {
            0 => Err(io::Error::from_raw_os_error(5)),
            n => Ok(n),
        }
    }
}

#[test]
fn a_line_that_fails_is_an_error_behind_all_that_arrived() {
    let stream = sent(&pictures(2));
    let reader = Unplugged(&stream[..stream.len() - 3]);
    let mut source = FramesSource::new(reader, "uart", LIMITS);
    let mut keys = Vec::new();
    let error = loop {
        match source.next() {
            Ok(sample) => keys.extend(faults(&[sample.unwrap()])),
            Err(error) => break error,
        }
    };
    assert_eq!(keys, ["cam/000000000 sound", "cam/000000001 frame_torn"]);
    let IoError::Read { from, why } = error else { panic!("{error}") };
    assert_eq!((from.as_str(), why.raw_os_error()), ("uart", Some(5)));
    assert_eq!(source.next().unwrap(), None);
}

#[test]
fn inputs_are_frames_where_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("camera.bin");
    std::fs::write(&path, sent(&pictures(2))).unwrap();
    let open = |path| Inputs::open_as(InputFormat::Frames, &[path], LIMITS);
    let mut inputs = open(path).unwrap();
    assert!(inputs.is_repeatable());
    let samples: Vec<_> = std::iter::from_fn(|| inputs.next().unwrap()).collect();
    assert_eq!(faults(&samples), ["cam/000000000 sound", "cam/000000001 sound"]);
    assert!(open(folder.path().into()).err().unwrap().to_string().contains("holds no frames"));
    assert!(!open("-".into()).unwrap().is_repeatable());
    #[cfg(unix)]
    assert!(!open("/dev/null".into()).unwrap().is_repeatable());
}

/// What can happen to bytes on a wire.
#[derive(Debug, Clone)]
enum Damage {
    Flip(u8),
    Delete(usize),
    Insert(Vec<u8>),
    Overwrite(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0_u8..8).prop_map(Damage::Flip),
        (1_usize..400).prop_map(Damage::Delete),
        prop::collection::vec(any::<u8>(), 1..50).prop_map(Damage::Insert),
        prop::collection::vec(any::<u8>(), 1..200).prop_map(Damage::Overwrite),
    ]
}

fn spoil(stream: &mut Vec<u8>, at: prop::sample::Index, damage: &Damage) {
    if stream.is_empty() {
        return;
    }
    let at = at.index(stream.len());
    let up_to = |n: usize| at..stream.len().min(at + n);
    match damage {
        Damage::Flip(bit) => stream[at] ^= 1 << bit,
        Damage::Delete(n) => drop(stream.drain(up_to(*n))),
        Damage::Insert(bytes) => drop(stream.splice(at..at, bytes.iter().copied())),
        Damage::Overwrite(bytes) => drop(stream.splice(up_to(bytes.len()), bytes.iter().copied())),
    }
}

fn number(sample: &Sample) -> u32 {
    sample.key.trim_start_matches("cam/").parse().unwrap()
}

fn any_pair() -> impl Strategy<Value = (Format, u32, u32, Vec<u8>, Option<String>, String)> {
    const FORMATS: &[Format] = &[Format::Jpeg, Format::Grey8, Format::Rgb565, Format::Rgb8];
    let size = (proptest::sample::select(FORMATS), 1_u32..20, 1_u32..20);
    size.prop_flat_map(|(format, width, height)| {
        let bytes = (format.pixel_bytes().unwrap_or(1) as u32 * width * height) as usize;
        let image = prop::collection::vec(any::<u8>(), bytes);
        (Just(format), Just(width), Just(height), image, prop::option::of(".{0,20}"), ".{0,10}")
    })
}

proptest! {
    #[test]
    fn pairs_come_back(pairs in prop::collection::vec(any_pair(), 1..6)) {
        let pairs: Pairs = pairs
            .iter()
            .map(|(format, width, height, image, caption, place)| {
                let size = Size::new(*width, *height);
                let bytes = image.len() as u32;
                let caption = caption.as_deref();
                let (format, place, node) = (*format, place.as_str(), "n");
                (Start { node, format, size, bytes, caption, place, sensor: "", time: Time::Unknown }, image.clone())
            })
            .collect();
        let mut stream = Vec::new();
        let mut buffer = [0; 200];
        let mut sender = Sender::new(&mut buffer, |part: &[u8]| stream.extend_from_slice(part));
        for (start, image) in &pairs {
            sender.send(start, image).unwrap();
        }
        let mut source = FramesSource::new(&stream[..], "uart", SampleLimits::default());
        for (i, (start, image)) in pairs.iter().enumerate() {
            let sample = source.next().unwrap().unwrap();
            prop_assert_eq!((&sample.key, sample.fault), (&format!("n/{i:09}"), None));
            let caption = sample.members.iter().find(|member| member.extension == "txt");
            let caption = caption.map(|member| std::str::from_utf8(&member.data).unwrap());
            prop_assert_eq!(caption, start.caption);
            if start.format == Format::Jpeg {
                prop_assert_eq!(member(&sample, "jpg"), image);
            } else {
                let png = image::load_from_memory(member(&sample, "png")).unwrap();
                prop_assert_eq!((png.width(), png.height()), (start.size.width, start.size.height));
                match start.format {
                    Format::Grey8 => prop_assert_eq!(&png.into_luma8().into_raw(), image),
                    Format::Rgb8 => prop_assert_eq!(&png.into_rgb8().into_raw(), image),
                    _ => {}
                }
            }
        }
        prop_assert_eq!(source.next().unwrap(), None);
    }

    /// A sound sample is one that was sent, and the samples are those that were sent, each once and
    /// in order: none is lost without a word but those before the first and behind the last frame
    /// that arrived.
    #[test]
    fn damage_never_makes_another_pair_and_hides_none(
        hits in prop::collection::vec((any::<prop::sample::Index>(), damage()), 0..8),
    ) {
        let mut stream = sent(&pictures(6));
        let sound = read(&stream);
        hits.iter().for_each(|(at, damage)| spoil(&mut stream, *at, damage));
        let samples = read(&stream);
        for sample in samples.iter().filter(|sample| sample.fault.is_none()) {
            prop_assert_eq!(sample, &sound[number(sample) as usize]);
        }
        for pair in samples.windows(2) {
            prop_assert_eq!(number(&pair[0]) + 1, number(&pair[1]));
        }
        prop_assert!(samples.iter().all(|sample| number(sample) <= 6));
        if hits.is_empty() {
            prop_assert_eq!(samples.len(), 6);
        }
    }

    /// Whole frames of two runs of a node, in which the same numbers are other pairs, in any order.
    #[test]
    fn frames_in_any_order_never_make_another_pair(
        order in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..6), 0..40),
    ) {
        let (first, second) = (sent(&pictures(3)), sent(&pictures(6)[3..]));
        let sound = [read(&first), read(&second)].concat();
        let all = [frames(&first), frames(&second)].concat();
        let mut stream = Vec::new();
        for (at, length) in order {
            let at = at.index(all.len());
            stream.extend_from_slice(&all[at..all.len().min(at + length)]);
        }
        for sample in read(&joined(&stream)).iter().filter(|sample| sample.fault.is_none()) {
            prop_assert!(sound.contains(sample));
        }
    }

    #[test]
    fn any_stream_is_read_without_panic(stream in prop::collection::vec(any::<u8>(), 0..2000)) {
        let samples = read(&stream);
        prop_assert!(samples.len() <= 1);
        prop_assert!(samples.iter().all(|sample| sample.fault == Some(Reason::FrameTorn)));
    }
}

#[test]
fn the_command_filters_a_file_and_scores_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut stream = sent(&pictures(4));
    let middle = stream.len() / 2;
    stream[middle] ^= 0x55;
    std::fs::write(at("camera.bin"), &stream).unwrap();
    let frames = ["--format", "frames", "--rules", "none", "--json"];

    let (camera, kept) = (at("camera.bin"), at("kept"));
    let filter = ["filter", camera.as_str(), "-o", kept.as_str(), "--threshold=-1"];
    let out = run(pairgate([&filter[..], &frames].concat()), 1);
    let summary: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(
        (&summary["in"], &summary["kept"], &summary["failed"]),
        (&4.into(), &3.into(), &1.into())
    );

    let scores = at("scores.jsonl");
    let score = ["score", "-", "-o", scores.as_str()];
    let mut command = pairgate([&score[..], &frames].concat());
    command.stdin(File::open(camera).unwrap());
    run(command, 1);
    let scores = std::fs::read_to_string(scores).unwrap();
    let lines: Vec<Value> =
        scores.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<_> = lines.iter().map(|line| line["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["cam/000000000", "cam/000000001", "cam/000000002", "cam/000000003"]);
    let torn: Vec<_> = lines.iter().filter(|line| line["reason"] == "frame_torn").collect();
    assert_eq!((torn.len(), &torn[0]["score"]), (1, &Value::Null));
}
