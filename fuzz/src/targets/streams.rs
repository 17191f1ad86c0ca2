//! What cameras and microcontrollers send.

use std::io::BufReader;
use std::iter;

use pairgate::capture::mjpeg::MjpegSource;
use pairgate::capture::yuyv;
use pairgate::source::frames::FramesSource;
use pairgate::source::{Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::pair::Size;
use pairgate_core::wire::pairs::{Format, Start, Time};
use pairgate_core::wire::sender::Sender;

use super::sources::samples;
use crate::slow_reader::SlowReader;
use crate::{Target, files, seal};

pub const FRAMES: Target = Target {
    name: "frames",
    about: "a pair without a fault is one that was sent, however the bytes arrive",
    seeds: frame_seeds,
    run: frames,
};

pub const MJPEG: Target = Target {
    name: "mjpeg",
    about: "pictures start and end with their markers, and are the same however the bytes arrive",
    seeds: mjpeg_seeds,
    run: mjpeg,
};

pub const YUYV: Target = Target {
    name: "yuyv",
    about: "a frame becomes a JPEG, or is too short",
    seeds: || vec![[&[8, 0, 4, 0, 20, 0][..], &[99; 100]].concat()],
    run: to_jpeg,
};

const LIMITS: SampleLimits =
    SampleLimits { max_sample_bytes: 64 << 10, max_caption_bytes: 1 << 10 };

/// Images of the pairs that are sent, and their captions.
const SENT: [(&[u8], &str); 3] =
    [(b"\xff\xd8 one", "a caption"), (&[7; 24], "two"), (&[0; 12], "three")];

fn frames(bytes: &[u8]) {
    let found = samples(&mut FramesSource::new(bytes, "line", LIMITS));
    let slowly = samples(&mut FramesSource::new(SlowReader::new(bytes), "line", LIMITS));
    assert_eq!(found, slowly, "what comes slowly is the same");
    for sample in found.iter().filter(|sample| sample.fault.is_none()) {
        let caption = sample.member("txt").unwrap_or_default();
        let sent = SENT.iter().find(|(_, text)| text.as_bytes() == caption);
        let (image, _) = sent.unwrap_or_else(|| panic!("nobody sent {sample:?}"));
        let is_raw = sample.member("png").is_some();
        assert!(is_raw || sample.image() == Some(image), "nobody sent {sample:?}");
    }
    // Past the checksums, anything may be said.
    samples(&mut FramesSource::new(&seal::seal_wire(bytes)[..], "line", LIMITS));
}

fn frame_seeds() -> Vec<Vec<u8>> {
    let mut stream = Vec::new();
    let mut buffer = [0; 256];
    let mut sender = Sender::new(&mut buffer, |bytes: &[u8]| stream.extend_from_slice(bytes));
    let formats =
        [(Format::Jpeg, 0, 0), (Format::Rgb8, 4, 2), (Format::Grey8, 3, 4)].into_iter().cycle();
    for ((image, caption), (format, width, height)) in SENT.iter().cycle().zip(formats).take(6) {
        let start = Start {
            node: "barn",
            format,
            size: Size::new(width, height),
            bytes: image.len() as u32,
            time: Time::Unix(1_700_000_000_000),
            place: "Bern",
            sensor: "cam",
            caption: Some(caption),
        };
        sender.send(&start, image).expect("the pair fits");
    }
    vec![stream]
}

fn mjpeg(bytes: &[u8]) {
    let found = pictures(&mut MjpegSource::new(bytes, "camera", LIMITS));
    let slow = BufReader::with_capacity(3, SlowReader::new(bytes));
    assert_eq!(found, pictures(&mut MjpegSource::new(slow, "camera", LIMITS)));
    for picture in found.iter().flatten().filter(|picture| picture.fault.is_none()) {
        let image = picture.image().expect("a picture has an image");
        assert!(image.starts_with(b"\xff\xd8") && image.len() as u64 <= LIMITS.max_sample_bytes);
    }
}

/// The pictures up to the end; `None` for an error, which ends them.
fn pictures(source: &mut dyn Source) -> Vec<Option<Sample>> {
    let mut ended = false;
    let next = || {
        if ended {
            return None;
        }
        let next = source.next();
        ended = next.is_err();
        next.map_or(Some(None), |sample| sample.map(Some))
    };
    iter::from_fn(next).collect()
}

fn mjpeg_seeds() -> Vec<Vec<u8>> {
    let pictures = files::all_in("tests/data/bits", &["jpg"]);
    let small: Vec<_> = pictures.iter().filter(|picture| picture.len() < 8 << 10).collect();
    let mut stream = Vec::new();
    for picture in small.iter().take(4) {
        stream.extend_from_slice(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n");
        stream.extend_from_slice(picture);
        stream.extend_from_slice(b"\r\n");
    }
    vec![stream, [&pictures[0][..], &pictures[1]].concat()]
}

fn to_jpeg(bytes: &[u8]) {
    let Some((&[w, x, h, y, s, t], frame)) = bytes.split_first_chunk() else { return };
    let number = |low, high| u16::from_le_bytes([low, high]).into();
    let (size, stride) = (Size::new(number(w, x), number(h, y)), number(s, t) as usize);
    if let Ok(jpeg) = yuyv::to_jpeg(frame, size, stride) {
        assert!(jpeg.starts_with(b"\xff\xd8") && jpeg.ends_with(b"\xff\xd9"));
    }
}
