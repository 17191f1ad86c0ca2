//! Tars as Python's `tarfile` and `webdataset` read them, in every packing.

use std::fs;
use std::io::{self, Read};

use pairgate::disk::IoError;
use pairgate::source::Source;
use pairgate::source::tar::TarSource;
use pairgate_core::decision::Reason;
use serde_json::{Value, json};

use super::{expected, folder, limits, read_all, read_tar};

#[test]
fn every_tar_has_the_samples_that_webdataset_finds() {
    let expected = expected();
    let tars = expected["tars"].as_object().unwrap();
    assert!(tars.len() > 50, "{} tars", tars.len());
    for (name, expected) in tars {
        let samples = read_tar(&fs::read(folder().join(name)).unwrap());
        let found = samples.iter().map(|sample| {
            assert_eq!(sample.fault, None, "{name}");
            let text = |data: &[u8]| data.iter().map(|&byte| char::from(byte)).collect::<String>();
            let members = sample.members.iter();
            let members = members.map(|member| json!([member.extension, text(&member.data)]));
            json!([sample.key, members.collect::<Vec<_>>()])
        });
        assert_eq!(&found.collect::<Value>(), expected, "{name}");
    }
}

fn keys(bytes: &[u8]) -> Vec<String> {
    let shown = |sample: &pairgate::source::Sample| match sample.fault {
        Some(fault) => format!("{} !{fault}", sample.key),
        None => sample.key.clone(),
    };
    read_tar(bytes).iter().map(shown).collect()
}

fn packed(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

const PACKED: [&str; 5] =
    ["packed.tar.gz", "packed.tar.bz2", "packed.tar.xz", "packed.tar.zst", "blocks.tar.zst"];

#[test]
fn a_cut_packed_shard_gives_whole_samples_and_then_one_torn() {
    for end in PACKED {
        let whole = packed(end);
        let sound = read_tar(&whole);
        for at in (0..whole.len()).step_by(7) {
            let found = read_tar(&whole[..at]);
            let (last, before) = found.split_last().unwrap();
            assert_eq!(before, &sound[..before.len()], "{end} cut at {at}");
            assert!(before.len() <= sound.len(), "{end} cut at {at}");
            // Between two members it seems to be whole, and the tar in it is cut.
            assert!(last.fault.is_some() || before.len() < 4, "{end} cut at {at}: {last:?}");
        }
    }
}

#[test]
fn a_member_before_the_damage_is_not_lost() {
    for end in PACKED {
        let mut bytes = packed(end);
        let at = bytes.len() - 40;
        bytes[at..at + 8].fill(0x5a);
        let found = keys(&bytes);
        assert!(found.len() >= 4 && found[..3] == ["0", "1", "2"], "{end}: {found:?}");
        assert!(found.last().unwrap().ends_with("!archive_torn"), "{end}: {found:?}");
    }
}

#[test]
fn what_follows_the_last_member_is_padding() {
    for end in PACKED {
        for padding in [&[0_u8; 4096][..], b"no member", &[0xff; 70_000]] {
            let padded = [&packed(end)[..], padding].concat();
            assert_eq!(read_tar(&padded), read_tar(&packed(end)), "{end}");
        }
    }
}

/// Gives its bytes a few at a time, and then an error of the system's.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(7);
        match self.0.read(&mut buffer[..n])? {
            0 => Err(io::Error::from_raw_os_error(5)),
            n => Ok(n),
        }
    }
}

#[test]
fn a_failing_disk_is_told_from_damage_in_every_packing() {
    for end in PACKED {
        let bytes = packed(end);
        for at in (1..bytes.len()).step_by(11) {
            let mut source = TarSource::new(Failing(&bytes[..at]), "s.tar", limits());
            let failed = loop {
                match source.next() {
                    Ok(Some(sample)) => assert_eq!(sample.fault, None, "{end} at {at}"),
                    Ok(None) => panic!("{end} at {at}: no error"),
                    Err(IoError::Read { why, .. }) => break why,
                    Err(other) => panic!("{end} at {at}: {other}"),
                }
            };
            assert_eq!(failed.raw_os_error(), Some(5), "{end} at {at}");
        }
    }
}

/// In the midst of a frame the decoder wraps what the disk said.
#[test]
fn a_disk_that_fails_within_a_frame_is_told_from_damage() {
    let frames = packed("blocks.tar.zst").repeat(60);
    assert!(frames.len() > 20_000, "more than is read at once");
    let mut source = TarSource::new(Failing(&frames[..20_000]), "s.tar", limits());
    let failed = loop {
        match source.next() {
            Ok(Some(sample)) => assert_eq!(sample.fault, None),
            Ok(None) => panic!("no error"),
            Err(IoError::Read { why, .. }) => break why,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(failed.raw_os_error(), Some(5));
}

/// The decoder holds a window of what it has unpacked back: none of it may be lost.
#[test]
fn of_a_damaged_zstd_frame_all_blocks_before_the_damage_are_read() {
    let whole = packed("blocks.tar.zst");
    let sound = read_tar(&whole);
    let found = read_tar(&whole[..whole.len() / 2]);
    assert!((3..6).contains(&found.len()), "{}", found.len());
    let (torn, before) = found.split_last().unwrap();
    assert_eq!(before, &sound[..before.len()]);
    assert_eq!(torn.fault, Some(Reason::ArchiveTorn));
}

#[test]
fn checksums_of_zstd_frames_are_looked_at() {
    let mut bytes = packed("blocks.tar.zst");
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(keys(&bytes).last().unwrap(), " !archive_torn");
}

#[test]
fn damage_in_a_joined_archive_is_torn_as_in_any() {
    let unpack = |name: &str| {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&packed(name)[..]).read_to_end(&mut bytes).unwrap();
        bytes
    };
    let joined = unpack("joined.tar.gz");
    // A pair is four blocks, an end mark two: the second pair's text is at the ninth block.
    let mut damaged = joined.clone();
    damaged[8 * 512..9 * 512].fill(0x5a);
    assert_eq!(keys(&damaged), ["a", "b !archive_torn"]);
    assert_eq!(keys(&joined[..8 * 512 + 700]), ["a", "b !archive_torn"]);
}

#[test]
fn bytes_that_come_slowly_are_the_same() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(3);
            self.0.read(&mut buffer[..n])
        }
    }
    for end in PACKED {
        let mut bytes = packed(end);
        for at in [bytes.len(), bytes.len() - 30] {
            bytes.truncate(at);
            let slowly = read_all(&mut TarSource::new(Slow(&bytes), "s.tar", limits()));
            assert_eq!(slowly, read_tar(&bytes), "{end}");
        }
    }
}

/// A window is memory, of the size that a stranger asks for.
#[test]
fn an_absurd_window_is_refused() {
    // A frame with a window of 2^41 bytes, and one with 2^27, in which a block of nothing follows.
    let frame = |window: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, window, 1, 0, 0];
    assert_eq!(keys(&frame(0xf8)), [" !archive_torn"]);
    assert_eq!(keys(&frame(17 << 3)), [" !archive_torn"], "it is empty");
}

#[test]
fn a_block_of_zeros_ends_a_sample_before_the_next_byte_is_asked_for() {
    struct Then<'a>(&'a [u8]);
    impl Read for Then<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.is_empty(), "nothing comes unless there was an answer");
            self.0.read(buffer)
        }
    }
    let mut bytes = Vec::new();
    let packed = fs::read(folder().join("joined.tar.gz")).unwrap();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
    let mut source = TarSource::new(Then(&bytes[..4 * 512 + 512]), "s.tar", limits());
    let sample = source.next().unwrap().unwrap();
    assert_eq!((sample.key.as_str(), sample.members.len()), ("a", 2));
}

#[test]
fn what_follows_an_end_mark_is_looked_through_and_never_torn() {
    let joined = fs::read(folder().join("garbage-behind.tar.gz")).unwrap();
    assert_eq!(keys(&joined), ["a"]);
}

#[test]
fn a_name_of_any_size_costs_its_own_file_alone() {
    let record = format!("70013 path={}\n", "a".repeat(70_013 - 12));
    for (kind, text) in [(b'L', record.as_str()), (b'x', record.as_str()), (b'g', "13 comment=x\n")]
    {
        let mut builder = tar::Builder::new(Vec::new());
        let mut append = |kind: u8, path: &str, data: &[u8]| {
            let mut header = tar::Header::new_ustar();
            header.set_path(path).unwrap();
            header.set_size(data.len() as u64);
            header.set_entry_type(tar::EntryType::new(kind));
            header.set_cksum();
            builder.append(&header, data).unwrap();
        };
        append(b'0', "a.jpg", b"1");
        append(kind, "name", text.as_bytes());
        append(b'0', "a.txt", b"22");
        append(b'0', "b.jpg", b"1");
        let samples = read_tar(&builder.into_inner().unwrap());
        assert!(samples.iter().all(|sample| sample.fault != Some(Reason::ArchiveTorn)));
        assert_eq!(samples.last().unwrap().key, "b", "{}", kind as char);
    }
}
