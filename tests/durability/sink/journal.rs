//! The journal, written and streamed back.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate::journal::{Entry, MAX_NAME, Reader, Record, SegmentReader, wire_error};
use pairgate::sink::journal::JournalSink;
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate_core::decision::{Decision, Reason};
use pairgate_core::error::WireError;
use pairgate_core::pair::{Digest, Position};
use pairgate_core::policy::TrackerRule;
use pairgate_core::wire;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::{accept_all, decided, earlier_journal, header, kept, listing, to};

fn record(judged: &Judged) -> Record {
    let Judged {
        ticket, position, sample, uid, decision, broken, threshold, choice, group, ..
    } = judged.clone();
    let Decision { verdict, reason, facts } = decision;
    let image_bytes = sample.image().map_or(0, |image| image.len() as u64);
    let (key, shard) = (sample.key, sample.shard.to_string());
    Record {
        ticket,
        uid,
        key,
        shard,
        position,
        verdict,
        reason,
        facts,
        image_bytes,
        broken,
        stored: None,
        threshold,
        recovered: false,
        spooled: None,
        choice,
        group: group.as_deref().map(str::to_owned),
    }
}

fn journal(folder: &Path, pairs: &[Judged]) -> PathBuf {
    let path = folder.join("j.pairgate");
    accept_all(&mut JournalSink::create(&path, &header()).unwrap(), pairs);
    path
}

/// The decisions with all that a record can hold.
fn full() -> Vec<Judged> {
    let mut pairs = decided();
    for (ticket, pair) in (0..).zip(&mut pairs) {
        pair.ticket = ticket;
        pair.position = Position { input: 3, item: 40 + ticket };
    }
    pairs[1].broken = [Reason::ImageTooSmall, Reason::CaptionTooShort].into_iter().collect();
    pairs[1].threshold = Some(0.125);
    pairs
}

#[test]
fn journal_tells_every_decision_in_order() {
    let folder = tempdir().unwrap();
    let path = journal(folder.path(), &full());
    let mut file = Reader::open(&path).unwrap();
    assert_eq!(*file.header(), header());
    let records: Vec<Record> = file.by_ref().map(Result::unwrap).collect();
    assert_eq!(records, full().iter().map(record).collect::<Vec<_>>());
    assert!(file.next().is_none());
    for (record, judged) in records.iter().zip(full()) {
        assert!(record.names(&judged.sample.key, &judged.sample.shard));
        assert_eq!(record.decision(), judged.decision);
    }
    // And another run writes the same bytes.
    let other = tempdir().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(fs::read(journal(other.path(), &full())).unwrap(), bytes);
}

/// The bytes of format 3, pinned: a change of them is another format.
#[test]
fn journals_of_format_3_have_these_bytes() {
    let folder = tempdir().unwrap();
    let mut header = header();
    header.terms.program = "1.2.3".into();
    header.terms.decision_version = 1;
    let path = folder.path().join("j");
    let mut sink = JournalSink::create(&path, &header).unwrap();
    let pairs = full();
    accept_all(&mut sink, &pairs[..2]);
    let bytes = fs::read(&path).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let hex: String = bytes[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "50414952474154456f0000000305312e");
    let pinned = "c55145cf6838abf1332fca88acd74b5cad8cf513d19303563cfb93ad842189af";
    assert_eq!((bytes.len(), digest.as_str()), (331, pinned));
}

/// Journals of formats 1 and 2 are read with all that they tell.
#[test]
fn earlier_formats_are_read() {
    let rule = TrackerRule { keep: 0.15, warm_up: 1, window: 100, every: 1 };
    for follow in [None, Some(rule)] {
        let header = wire::Header::new(Digest([1; 32]), Digest([2; 32]), Some(0.2), follow);
        let folder = tempdir().unwrap();
        let path = folder.path().join("journal.pairgate");
        fs::write(&path, earlier_journal(&header, &full())).unwrap();
        for place in [folder.path(), &path] {
            let mut reader = Reader::open(place).unwrap();
            assert_eq!(reader.terms().model(), Digest([1; 32]));
            assert_eq!((reader.terms().threshold, reader.terms().tracker), (Some(0.2), follow));
            let records: Vec<Record> = reader.by_ref().map(Result::unwrap).collect();
            for (record, judged) in records.iter().zip(full()) {
                assert_eq!((record.ticket, record.decision()), (judged.ticket, judged.decision));
                assert!(record.names(&judged.sample.key, &judged.sample.shard));
                assert_eq!(record.threshold, follow.map(|_| 0.5));
            }
        }
    }
}

/// Gives its bytes one at a time.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

/// Whole records, and where and how the reading ended, of a journal that is streamed.
fn stream(bytes: &[u8]) -> (usize, Option<WireError>) {
    let (mut whole, mut error) = (0, None);
    let file = match SegmentReader::over(Drip(bytes), "journal".into()) {
        Ok(file) => file,
        Err(found) => return (0, Some(wire_error(&found).expect("a wire error"))),
    };
    for record in file {
        assert!(error.is_none(), "nothing follows an error");
        match record {
            Ok(entry) => whole += usize::from(matches!(entry, Entry::Record(_))),
            Err(found) => error = Some(wire_error(&found).expect("a wire error")),
        }
    }
    (whole, error)
}

/// A flipped bit is found wherever it is, and a cut where a frame is not whole.
#[test]
fn damage_is_found_where_it_is() {
    let folder = tempdir().unwrap();
    let bytes = fs::read(journal(folder.path(), &decided())).unwrap();
    assert_eq!(stream(&bytes), (3, None));
    let mut reader = SegmentReader::over(bytes.as_slice(), "j".into()).unwrap();
    let mut ends = vec![reader.offset() as usize];
    while let Some(entry) = reader.next() {
        entry.unwrap();
        ends.push(reader.offset() as usize);
    }
    for length in 0..bytes.len() {
        let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1).min(3);
        let (found, error) = stream(&bytes[..length]);
        assert_eq!(found, whole, "{length} bytes");
        assert_eq!(error.is_none(), ends.contains(&length), "{length} bytes");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x20;
        let (found, error) = stream(&damaged);
        let before = ends.iter().filter(|end| **end <= place).count().saturating_sub(1).min(3);
        assert!(error.is_some() && found <= before, "byte {place}");
    }
}

/// A damaged length must not make the reader take in the rest of a huge file.
#[test]
fn senseless_length_is_not_followed() {
    let folder = tempdir().unwrap();
    let mut bytes = fs::read(journal(folder.path(), &[])).unwrap();
    let at = bytes.len() as u64;
    bytes.resize(bytes.len() + 8 * wire::MAX_PAYLOAD, 0xff);
    let mut rest = bytes.as_slice();
    let mut file = SegmentReader::over(&mut rest, "journal".into()).unwrap();
    assert_eq!(file.next().unwrap().unwrap(), Entry::End);
    let error = file.next().unwrap().unwrap_err();
    assert_eq!(wire_error(&error), Some(WireError::Torn { at }));
    assert!(file.next().is_none());
    drop(file);
    assert!(rest.len() > 7 * wire::MAX_PAYLOAD, "{} bytes are left", rest.len());
}

#[test]
fn unreadable_journal_is_not_a_torn_one() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let folder = tempdir().unwrap();
    let bytes = fs::read(journal(folder.path(), &decided()[..1])).unwrap();
    let mut file = SegmentReader::over(io::Cursor::new(bytes).chain(Broken), "j".into()).unwrap();
    assert_eq!(file.by_ref().take(2).filter(Result::is_ok).count(), 2, "a record, and the end");
    let error = file.next().unwrap().unwrap_err();
    assert_eq!(wire_error(&error), None);
    assert_eq!(error.to_string(), "reading j: the disk is gone");
    assert!(file.next().is_none());
    assert!(Reader::open(&folder.path().join("none")).is_err());
    assert!(Reader::open(folder.path()).is_err(), "a folder without a journal");
}

#[test]
fn long_names_are_cut_in_the_journal() {
    let folder = tempdir().unwrap();
    let mut long = kept(&"é".repeat(3000));
    long.sample.key.insert(0, 'x');
    long.sample.shard = "s".repeat(10_000).into();
    let path = journal(folder.path(), std::slice::from_ref(&long));
    let record = Reader::open(&path).unwrap().next().unwrap().unwrap();
    assert_eq!(record.key.len(), MAX_NAME - 1, "cut between two characters");
    assert_eq!(record.shard.len(), MAX_NAME);
    assert!(record.names(&long.sample.key, &long.sample.shard));
    assert!(!record.names("x", "00000.tar"));
}

/// A journal of one file has its name when it is complete, and replaces one that was.
#[test]
fn a_journal_that_is_not_complete_has_no_name() {
    let folder = tempdir().unwrap();
    let path = journal(folder.path(), &decided());
    for end in [RunEnd::Interrupted, RunEnd::Failed] {
        let mut sink = JournalSink::create(&path, &header()).unwrap();
        sink.accept(&kept("a")).unwrap();
        sink.finish(end).unwrap();
        assert_eq!(Reader::open(&path).unwrap().count(), 3, "the earlier one stands");
        assert_eq!(listing(folder.path()), [".j.pairgate.partial", "j.pairgate"]);
    }
    journal(folder.path(), &decided()[..1]);
    assert_eq!(Reader::open(&path).unwrap().count(), 1);
    assert_eq!(listing(folder.path()), ["j.pairgate"]);
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_an_error() {
    let Some(full) = super::full_device() else { return };
    let mut sink = JournalSink::create(full, &header()).unwrap();
    sink.accept(&kept("a")).unwrap();
    assert_eq!(to(&sink.finish(RunEnd::Complete).unwrap_err()), "/dev/full");
}
