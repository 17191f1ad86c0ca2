//! The journal's format: its exact bytes, and what a reader makes of damaged ones.

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::error::WireError;
use pairgate_core::pair::{Digest, Size, Uid};
use pairgate_core::wire::{self, FRAME_OVERHEAD, Header, Journal, MAGIC, MAX_PAYLOAD, Record};
use proptest::prelude::*;

fn header() -> Header {
    let (model, config) = (Digest([0x11; 32]), Digest([0x22; 32]));
    Header { version: wire::FORMAT_VERSION, model, config, threshold: Some(0.25), tracker: None }
}

fn scored() -> Record<'static> {
    Record {
        uid: Uid([0x0f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]),
        key: "000000003",
        shard: "00000.tar",
        verdict: Verdict::Kept,
        reason: Reason::Passed,
        facts: Facts {
            score: Some(0.273_437_5),
            caption_length: 300,
            size: Size::new(640, 480),
            content: Digest([0x33; 32]),
        },
    }
}

fn faulty() -> Record<'static> {
    let uid = Uid([0x44; 16]);
    let (verdict, reason) = (Verdict::Failed, Reason::DuplicateMember);
    Record { uid, key: "é", shard: "", verdict, reason, facts: Facts::default() }
}

fn poor() -> Record<'static> {
    let facts = Facts { score: Some(-1.0), ..Facts::default() };
    Record { verdict: Verdict::Rejected, reason: Reason::LowSimilarity, facts, ..scored() }
}

fn framed<T: serde::Serialize>(value: &T) -> Vec<u8> {
    wire::frame(value, &mut vec![0; 1 << 16]).unwrap().to_vec()
}

fn journal(records: &[Record]) -> Vec<u8> {
    let frames = records.iter().flat_map(framed);
    MAGIC.iter().copied().chain(framed(&header())).chain(frames).collect()
}

/// The records that are whole, and the error that ended the reading.
fn read(bytes: &[u8]) -> Result<(Vec<Record<'_>>, Option<WireError>), WireError> {
    let (mut records, mut error) = (Vec::new(), None);
    for record in Journal::open(bytes)? {
        assert_eq!(error, None, "nothing follows an error");
        match record {
            Ok(record) => records.push(record),
            Err(found) => error = Some(found),
        }
    }
    Ok((records, error))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn header_has_these_bytes() {
    let expected = [
        "46000000",       // 70 bytes
        "01",             // version 1
        &"11".repeat(32), // model
        &"22".repeat(32), // config
        "010000803e",     // a threshold, 0.25
        "6d563bb7",
    ];
    assert_eq!(hex(&framed(&header())), expected.concat());
}

#[test]
fn scored_record_has_these_bytes() {
    let expected = [
        "51000000",                         // 81 bytes
        "0f0102030405060708090a0b0c0d0eff", // uid
        "09303030303030303033",             // key "000000003"
        "0930303030302e746172",             // shard "00000.tar"
        "00",                               // kept
        "00",                               // passed
        "0100008c3e",                       // a score, 0.2734375
        "ac02",                             // 300 code points
        "8005e003",                         // 640 by 480
        &"33".repeat(32),                   // SHA-256 of the image
        "5a3c9683",
    ];
    assert_eq!(hex(&framed(&scored())), expected.concat());
}

#[test]
fn faulty_record_has_these_bytes() {
    let expected = [
        "3a000000",       // 58 bytes
        &"44".repeat(16), // uid
        "02c3a9",         // key "é"
        "00",             // no shard name
        "02",             // failed
        "13",             // duplicate_member, 19
        "00",             // no score
        "00",             // no code points
        "0000",           // no size
        &"00".repeat(32), // no image
        "371b1b90",
    ];
    assert_eq!(hex(&framed(&faulty())), expected.concat());
}

/// The codes in journals are positions in the enum for postcard and the numbers in the source for
/// people: they must be the same, and never change.
#[test]
fn codes_are_the_declared_ones() {
    for (code, reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(*reason as usize, code, "{reason}");
        assert_eq!(postcard_bytes(reason), [code as u8], "{reason}");
    }
    for verdict in [Verdict::Kept, Verdict::Rejected, Verdict::Failed] {
        assert_eq!(postcard_bytes(&verdict), [verdict as u8], "{verdict:?}");
    }
}

/// A value's bytes without those of its frame.
fn postcard_bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let frame = framed(value);
    frame[4..frame.len() - 4].to_vec()
}

#[test]
fn checksum_is_crc32c() {
    // The check value of CRC-32/ISCSI: of the nine digits, which postcard writes behind a length.
    let frame = framed(&(b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'8', b'9'));
    assert_eq!(hex(&frame), "09000000313233343536373839839206e3");
}

#[test]
fn torn_at_any_byte_gives_all_whole_records_and_the_place() {
    let records = [scored(), faulty(), poor()];
    let whole = journal(&records);
    let ends: Vec<usize> = (0..=records.len()).map(|n| journal(&records[..n]).len()).collect();
    for length in 0..=whole.len() {
        let result = read(&whole[..length]);
        if length < MAGIC.len() {
            assert_eq!(result, Err(WireError::Torn { at: 0 }), "{length} bytes");
            continue;
        }
        let Some(complete) = ends.iter().rposition(|end| *end <= length) else {
            assert_eq!(result, Err(WireError::Torn { at: 8 }), "{length} bytes");
            continue;
        };
        let torn = (ends[complete] < length).then_some(ends[complete] as u64);
        let torn = torn.map(|at| WireError::Torn { at });
        assert_eq!(result, Ok((records[..complete].to_vec(), torn)), "{length} bytes");
    }
}

#[test]
fn every_flipped_bit_is_detected() {
    let records = [scored(), faulty()];
    let whole = journal(&records);
    let ends: Vec<usize> = (0..=records.len()).map(|n| journal(&records[..n]).len()).collect();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let result = read(&damaged);
        if bit / 8 < MAGIC.len() {
            assert_eq!(result, Err(WireError::NotAJournal), "bit {bit}");
        } else if let Some(before) = ends.iter().rposition(|end| *end <= bit / 8) {
            let torn = WireError::Torn { at: ends[before] as u64 };
            assert_eq!(result, Ok((records[..before].to_vec(), Some(torn))), "bit {bit}");
        } else {
            assert_eq!(result, Err(WireError::Torn { at: 8 }), "bit {bit}");
        }
    }
}

/// A file system that lost power may give a file's last blocks as zeros, and eight zeros are a
/// frame with an empty payload and the right checksum.
#[test]
fn zeros_behind_the_records_are_torn() {
    let mut bytes = journal(&[scored()]);
    let at = bytes.len() as u64;
    bytes.resize(bytes.len() + 4096, 0);
    assert_eq!(read(&bytes), Ok((vec![scored()], Some(WireError::Torn { at }))));
}

#[test]
fn other_versions_and_files_are_told_apart() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(framed(&Header { version: 300, ..header() }));
    assert_eq!(read(&bytes), Err(WireError::Version { found: 300 }));
    // A later version's header may have other fields behind the version.
    let mut bytes = MAGIC.to_vec();
    bytes.extend(framed(&(7_u16, "something new")));
    assert_eq!(read(&bytes), Err(WireError::Version { found: 7 }));
    assert_eq!(read(b"PK\x03\x04 a zip file"), Err(WireError::NotAJournal));
    assert_eq!(read(b"PK"), Err(WireError::NotAJournal));
}

#[test]
fn journal_gives_its_header_and_offset() {
    let bytes = journal(&[scored()]);
    let mut journal = Journal::open(&bytes).unwrap();
    assert_eq!(*journal.header(), header());
    assert_eq!(journal.offset(), 8 + 70 + FRAME_OVERHEAD as u64);
    journal.next().unwrap().unwrap();
    assert_eq!(journal.offset(), bytes.len() as u64);
    assert_eq!(journal.next(), None);
}

#[test]
fn small_buffers_are_refused() {
    let needed = framed(&scored()).len();
    for bytes in 0..needed {
        let result = wire::frame(&scored(), &mut vec![0; bytes]).map(<[u8]>::len);
        assert_eq!(result, Err(WireError::Full { bytes }));
    }
    assert_eq!(wire::frame(&scored(), &mut vec![0; needed]).unwrap().len(), needed);
}

/// What no reader would take must not be written.
#[test]
fn payloads_above_the_limit_are_refused() {
    let key = "k".repeat(MAX_PAYLOAD);
    let record = Record { key: &key, ..scored() };
    let result = wire::frame(&record, &mut vec![0; 2 * MAX_PAYLOAD]).map(<[u8]>::len);
    assert_eq!(result, Err(WireError::Full { bytes: MAX_PAYLOAD }));
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let score = proptest::option::of(-1.0_f32..=1.0);
    let content = any::<[u8; 32]>().prop_map(Digest);
    (score, any::<u32>(), any::<(u32, u32)>(), content).prop_map(
        |(score, length, size, content)| Facts {
            score,
            caption_length: length,
            size: Size::new(size.0, size.1),
            content,
        },
    )
}

fn any_ending() -> impl Strategy<Value = (Verdict, Reason)> {
    const VERDICTS: &[Verdict] = &[Verdict::Kept, Verdict::Rejected, Verdict::Failed];
    (proptest::sample::select(VERDICTS), proptest::sample::select(Reason::ALL))
}

proptest! {
    #[test]
    fn records_come_back(
        uid in any::<[u8; 16]>(),
        key in ".{0,40}",
        shard in ".{0,40}",
        (verdict, reason) in any_ending(),
        facts in any_facts(),
    ) {
        let record = Record { uid: Uid(uid), key: &key, shard: &shard, verdict, reason, facts };
        let bytes = journal(&[record, scored()]);
        prop_assert_eq!(read(&bytes), Ok((vec![record, scored()], None)));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let mut started = journal(&[]);
        started.extend(&bytes);
        let (_, error) = read(&started).unwrap();
        prop_assert_eq!(error.is_some(), !bytes.is_empty());
    }
}
