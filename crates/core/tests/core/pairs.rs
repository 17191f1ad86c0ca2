//! Frames of pairs: their exact bytes, and the sender that makes them.

use pairgate_core::error::SendError;
use pairgate_core::pair::Size;
use pairgate_core::wire::pairs::{Body, Format, Frame, MAX_FRAME, MAX_STUFFED, Start, Time};
use pairgate_core::wire::sender::Sender;
use proptest::prelude::*;

/// A picture of two pixels.
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

/// What a sender with a buffer of so many bytes writes.
fn sent(buffer: usize, send: impl FnOnce(&mut Sender<'_, &mut dyn FnMut(&[u8])>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut write = |part: &[u8]| bytes.extend_from_slice(part);
    send(&mut Sender::new(&mut vec![0; buffer], &mut write));
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The frames of a stream, stuffed.
fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let frames = stream.split(|byte| *byte == 0).map(<[u8]>::to_vec);
    frames.filter(|frame| !frame.is_empty()).collect()
}

#[test]
fn a_pair_has_these_bytes() {
    let stream = sent(64, |sender| assert_eq!(sender.send(&start(), &[7, 0]), Ok(0)));
    let unstuffed: Vec<String> = frames(&stream)
        .iter()
        .map(|frame| {
            let mut bytes = vec![0; frame.len()];
            let length = cobs::decode(frame, &mut bytes).unwrap();
            hex(&bytes[..length])
        })
        .collect();
    let expected = [
        [
            "01",                   // version 1
            "00000000",             // pair 0
            "00",                   // a start
            "0363616d",             // node "cam"
            "01",                   // grey8
            "0201",                 // 2 by 1
            "02",                   // 2 bytes
            "01ac02",               // 300 ms since boot
            "0468616c6c",           // place "hall"
            "00",                   // no sensor
            "010874776f20646f7473", // a caption, "two dots"
            "590a5c01",
        ]
        .concat(),
        ["01", "00000000", "01", "00", "020700", "2a7f9825"].concat(),
        ["01", "00000000", "02", "adddee9905", "c304f3f5"].concat(),
    ];
    assert_eq!(unstuffed, expected);
    assert!(stream.starts_with(&[0]) && stream.ends_with(&[0]));
    assert_eq!(stream.iter().filter(|byte| **byte == 0).count(), 4);
}

#[test]
fn numbers_count_pairs_also_those_that_are_not_finished() {
    let stream = sent(64, |sender| {
        assert_eq!(sender.send(&start(), &[1, 2]), Ok(0));
        sender.begin(&start()).unwrap().push(&[1]).unwrap();
        assert_eq!(sender.send(&start(), &[1, 2]), Ok(2));
    });
    let mut frames = frames(&stream);
    let numbers = frames.iter_mut().map(|frame| Frame::read(frame).unwrap().number);
    assert_eq!(numbers.collect::<Vec<_>>(), [0, 0, 0, 1, 1, 2, 2, 2]);
}

#[test]
fn an_image_in_parts_is_sent_as_it_is() {
    let image: Vec<u8> = (0..200).collect();
    let wide = Start { size: Size::new(200, 1), bytes: 200, ..start() };
    let stream = sent(64, |sender| {
        let mut pair = sender.begin(&wide).unwrap();
        image.chunks(77).for_each(|part| pair.push(part).unwrap());
        pair.finish().unwrap();
    });
    let mut arrived = Vec::new();
    for frame in &mut frames(&stream) {
        if let Some(Body::Data { offset, bytes }) = Frame::read(frame).unwrap().body() {
            assert_eq!(offset as usize, arrived.len());
            arrived.extend_from_slice(bytes);
        }
    }
    assert_eq!(arrived, image);
}

#[test]
fn a_buffer_that_is_too_small_for_the_start_is_refused_and_nothing_sent() {
    let needed = (0..200).find(|&bytes| {
        let mut result = Ok(0);
        let stream = sent(bytes, |sender| result = sender.send(&start(), &[1, 2]));
        if result.is_err() {
            assert_eq!((result, stream.len()), (Err(SendError::Full { bytes }), 0));
        }
        result.is_ok()
    });
    // Version and number, a start of 28 bytes, a checksum.
    assert_eq!(needed, Some(5 + 28 + 4));
}

#[test]
fn an_image_that_is_not_what_the_start_says_is_refused() {
    let refused = |start: Start<'_>, image: &[u8]| {
        let stream = sent(64, |sender| {
            let error = Err(SendError::Length { bytes: start.bytes });
            assert_eq!(sender.send(&start, image), error, "{start:?}");
        });
        assert!(stream.is_empty());
    };
    refused(start(), &[1]);
    refused(start(), &[1, 2, 3]);
    refused(Start { size: Size::new(3, 1), ..start() }, &[1, 2]);
    refused(Start { format: Format::Rgb565, ..start() }, &[1, 2]);
    refused(Start { size: Size::new(0, 1), bytes: 0, ..start() }, &[]);
    refused(Start { size: Size::new(u32::MAX, u32::MAX), ..start() }, &[1, 2]);
    sent(64, |sender| {
        let mut pair = sender.begin(&start()).unwrap();
        assert_eq!(pair.push(&[1, 2, 3]), Err(SendError::Length { bytes: 2 }));
        pair.push(&[1]).unwrap();
        assert_eq!(pair.finish(), Err(SendError::Length { bytes: 2 }));
    });
}

#[test]
fn frames_never_pass_the_longest_that_a_reader_takes() {
    let image = vec![1; 3 * MAX_FRAME];
    let size = Size::new(3 * MAX_FRAME as u32, 1);
    let wide = Start { size, bytes: image.len() as u32, ..start() };
    let stream = sent(2 * MAX_FRAME, |sender| assert_eq!(sender.send(&wide, &image), Ok(0)));
    let frames = frames(&stream);
    assert!(frames.iter().all(|frame| frame.len() <= MAX_STUFFED));
    assert!(frames.iter().all(|frame| Frame::read(&mut frame.clone()).is_some()));
}

#[test]
fn every_flipped_bit_of_a_frame_is_detected() {
    let stream = sent(64, |sender| assert_eq!(sender.send(&start(), &[7, 0]), Ok(0)));
    for frame in frames(&stream) {
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::read(&mut damaged), None, "bit {bit} of {}", hex(&frame));
        }
    }
}

proptest! {
    /// Long runs without a zero, and zeros, are where stuffing goes wrong.
    #[test]
    fn stuffing_is_what_others_read_and_write(
        runs in prop::collection::vec((0_usize..600, any::<u8>()), 1..5),
    ) {
        let image: Vec<u8> = runs.iter().flat_map(|(n, byte)| vec![*byte; *n]).collect();
        prop_assume!(!image.is_empty());
        let wide = Start {
            size: Size::new(image.len() as u32, 1),
            bytes: image.len() as u32,
            ..start()
        };
        let stream = sent(4096, |sender| assert_eq!(sender.send(&wide, &image), Ok(0)));
        for mut frame in frames(&stream) {
            let mut theirs = vec![0; frame.len()];
            let length = cobs::decode(&frame, &mut theirs).unwrap();
            let mut again = vec![0; cobs::max_encoding_length(length)];
            let stuffed = cobs::encode(&theirs[..length], &mut again);
            let read = Frame::read(&mut frame).unwrap();
            prop_assert_eq!(Frame::read(&mut again[..stuffed]), Some(read));
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Frame::read(&mut bytes), None);
    }
}
