//! Damaged journals: what is whole in them is found, before and behind the damage.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::disk::Disk;
use pairgate::journal::{Found, Record, SegmentReader, examine, repair};
use pairgate::sink::journal::JournalSink;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::{accept_all, header, kept, rejected};

const COUNT: usize = 40;

fn journal() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("j.pairgate");
    let pairs: Vec<_> = (0..COUNT)
        .map(|n| if n % 3 == 0 { rejected(&format!("{n:04}")) } else { kept(&format!("{n:04}")) })
        .collect();
    accept_all(&mut JournalSink::create(&path, &header()).unwrap(), &pairs);
    (folder, path)
}

/// Offsets of all frames, the end among them.
fn frames(path: &Path) -> Vec<usize> {
    let mut journal = SegmentReader::open(path).unwrap();
    let mut offsets = vec![journal.offset() as usize];
    while let Some(record) = journal.next() {
        record.unwrap();
        offsets.push(journal.offset() as usize);
    }
    offsets
}

fn keys(path: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    examine(path, |record: &Record| keys.push(record.key.clone())).unwrap();
    keys
}

#[test]
fn a_whole_journal_is_not_touched() {
    let (folder, path) = journal();
    let before = fs::read(&path).unwrap();
    let (found, aside) = repair(&Disk::system(), &path).unwrap();
    assert_eq!(found, Found { records: COUNT as u64, ..Found::default() });
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!((aside, fs::read_dir(folder.path()).unwrap().count()), (None, 1));
}

#[test]
fn records_behind_the_damage_are_not_lost() {
    let (folder, path) = journal();
    let frames = frames(&path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[frames[7] + 20] ^= 1;
    bytes.truncate(frames[COUNT] - 3);
    fs::write(&path, &bytes).unwrap();
    let repaired = || repair(&Disk::system(), &path).unwrap();
    let backup = folder.path().join("j.pairgate.damaged-1");
    let (found, aside) = repaired();
    assert_eq!(aside.as_deref(), Some(&*backup));
    let damage = [(frames[7], frames[8]), (frames[COUNT - 1], frames[COUNT] - 3)];
    assert_eq!(found.damage, damage.map(|(from, to)| (from as u64, to as u64)));
    let wanted: Vec<_> = (0..COUNT - 1).filter(|n| *n != 7).map(|n| format!("{n:04}")).collect();
    assert_eq!(keys(&path), wanted);
    assert_eq!(fs::read(&backup).unwrap(), bytes, "it is kept as it was");
    assert_eq!(repaired().0.damage, []);
    // The next one does not replace the first backup.
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(repaired().1, Some(folder.path().join("j.pairgate.damaged-2")));
    assert_eq!(fs::read(&backup).unwrap(), bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A hole of any length, of any bytes, costs the records that it touches and no other.
    #[test]
    fn only_touched_records_are_lost(at in 0.0_f64..1.0, length in 0_usize..300, fill: u8, cut: bool) {
        let (_folder, path) = journal();
        let frames = frames(&path);
        let mut bytes = fs::read(&path).unwrap();
        let from = frames[0] + ((bytes.len() - frames[0]) as f64 * at) as usize;
        let to = (from + length).min(bytes.len());
        if cut {
            bytes.drain(from..to);
        } else {
            bytes[from..to].fill(fill);
        }
        fs::write(&path, bytes).unwrap();
        let untouched = |n: &usize| frames[n + 1] <= from || frames[*n] >= to;
        let wanted: Vec<_> = (0..COUNT).filter(untouched).map(|n| format!("{n:04}")).collect();
        let found = keys(&path);
        prop_assert!(wanted.iter().all(|key| found.contains(key)), "{found:?}");
    }
}

/// Whatever bit of a header is flipped, all records are read: by what is left of it, or by the form of
/// the frames.
#[test]
fn records_behind_a_damaged_header_are_not_lost() {
    let (_folder, path) = journal();
    let bytes = fs::read(&path).unwrap();
    for bit in 0..8 * frames(&path)[0] {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, damaged).unwrap();
        let mut count = 0;
        match examine(&path, |_| count += 1) {
            Ok(found) => assert!(count == COUNT && !found.is_whole(), "bit {bit}"),
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
}
