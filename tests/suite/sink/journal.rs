//! The journal, written and streamed back.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pairgate::decision::Decision;
use pairgate::error::WireError;
use pairgate::pair::Digest;
use pairgate::sink::journal::{JournalFile, JournalSink, MAX_NAME, OwnedRecord, wire_error};
use pairgate::sink::output::OutputFolder;
use pairgate::sink::{Judged, Sink};
use pairgate::wire;
use tempfile::tempdir;

use super::{accept_all, decided, kept, to};

fn header() -> wire::Header {
    let version = wire::FORMAT_VERSION;
    wire::Header {
        version,
        model: Digest([1; 32]),
        config: Digest([2; 32]),
        threshold: Some(0.2),
        follow: None,
    }
}

fn record(judged: &Judged) -> OwnedRecord {
    let Judged { sample, uid, decision } = judged.clone();
    let Decision { verdict, reason, facts } = decision;
    let (key, shard) = (sample.key, sample.shard.to_string());
    OwnedRecord { uid, key, shard, verdict, reason, facts, threshold: None }
}

fn journal(folder: &Path, pairs: &[Judged]) -> PathBuf {
    let path = folder.join(OutputFolder::JOURNAL);
    accept_all(&mut JournalSink::create(&path, header()).unwrap(), pairs);
    path
}

#[test]
fn journal_tells_every_decision_in_order() {
    let folder = tempdir().unwrap();
    let path = journal(folder.path(), &decided());
    let mut file = JournalFile::open(&path).unwrap();
    assert_eq!(*file.header(), header());
    let records: Vec<OwnedRecord> = file.by_ref().map(Result::unwrap).collect();
    assert_eq!(records, decided().iter().map(record).collect::<Vec<_>>());
    assert_eq!(file.offset(), fs::metadata(&path).unwrap().len());
    assert!(file.next().is_none());
    for (record, judged) in records.iter().zip(decided()) {
        assert!(record.names(&judged.sample));
        assert_eq!(record.decision(), judged.decision);
    }
    // The reader in memory sees the same.
    let bytes = fs::read(&path).unwrap();
    let in_memory = wire::Journal::open(&bytes).unwrap().map(|record| record.unwrap().into());
    assert_eq!(in_memory.collect::<Vec<OwnedRecord>>(), records);
    // And another run writes the same bytes.
    let other = tempdir().unwrap();
    assert_eq!(fs::read(journal(other.path(), &decided())).unwrap(), bytes);
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
    let file = match JournalFile::over(Drip(bytes), "journal".into()) {
        Ok(file) => file,
        Err(found) => return (0, Some(wire_error(&found).expect("a wire error"))),
    };
    for record in file {
        assert!(error.is_none(), "nothing follows an error");
        match record {
            Ok(_) => whole += 1,
            Err(found) => error = Some(wire_error(&found).expect("a wire error")),
        }
    }
    (whole, error)
}

/// As `stream`, by the reader in memory.
fn scan(bytes: &[u8]) -> (usize, Option<WireError>) {
    let mut journal = match wire::Journal::open(bytes) {
        Ok(journal) => journal,
        Err(error) => return (0, Some(error)),
    };
    let whole = journal.by_ref().take_while(Result::is_ok).count();
    let at = journal.offset();
    (whole, (at < bytes.len() as u64).then_some(WireError::Torn { at }))
}

#[test]
fn streamed_journal_ends_where_the_one_in_memory_does() {
    let folder = tempdir().unwrap();
    let bytes = fs::read(journal(folder.path(), &decided())).unwrap();
    assert_eq!(stream(&bytes), (3, None));
    for length in 0..bytes.len() {
        assert_eq!(stream(&bytes[..length]), scan(&bytes[..length]), "{length} bytes");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x20;
        assert_eq!(stream(&damaged), scan(&damaged), "byte {place}");
        assert!(scan(&damaged).1.is_some(), "byte {place}");
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
    let mut file = JournalFile::over(&mut rest, "journal".into()).unwrap();
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
    let mut file = JournalFile::over(io::Cursor::new(bytes).chain(Broken), "j".into()).unwrap();
    assert!(file.next().unwrap().is_ok());
    let error = file.next().unwrap().unwrap_err();
    assert_eq!(wire_error(&error), None);
    assert_eq!(error.to_string(), "reading j: the disk is gone");
    assert!(file.next().is_none());
    assert!(JournalFile::open(&folder.path().join("none")).is_err());
}

#[test]
fn long_names_are_cut_in_the_journal() {
    let folder = tempdir().unwrap();
    let mut long = kept(&"é".repeat(3000));
    long.sample.key.insert(0, 'x');
    long.sample.shard = "s".repeat(10_000).into();
    let path = journal(folder.path(), std::slice::from_ref(&long));
    let record = JournalFile::open(&path).unwrap().next().unwrap().unwrap();
    assert_eq!(record.key.len(), MAX_NAME - 1, "cut between two characters");
    assert_eq!(record.shard.len(), MAX_NAME);
    assert!(record.names(&long.sample));
    assert!(!record.names(&kept("x").sample));
}

#[test]
fn header_is_on_disk_before_the_first_pair() {
    let folder = tempdir().unwrap();
    let path = folder.path().join(OutputFolder::JOURNAL);
    let mut sink = JournalSink::create(&path, header()).unwrap();
    assert_eq!(JournalFile::open(&path).unwrap().count(), 0);
    sink.accept(&kept("a")).unwrap();
    sink.sync().unwrap();
    assert_eq!(JournalFile::open(&path).unwrap().count(), 1);
}

#[test]
fn existing_journal_is_not_replaced() {
    let folder = tempdir().unwrap();
    let path = journal(folder.path(), &decided());
    let error = JournalSink::create(&path, header()).unwrap_err();
    assert_eq!(to(&error), path.display().to_string());
    assert_eq!(JournalFile::open(&path).unwrap().count(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_an_error() {
    let Some(full) = super::full_device() else { return };
    let file = fs::OpenOptions::new().write(true).open(full).unwrap();
    let mut sink = JournalSink::over(file, full, header()).unwrap();
    sink.accept(&kept("a")).unwrap();
    assert_eq!(to(&sink.finish().unwrap_err()), "/dev/full");
}
