//! Damaged journals: what is whole in them is found, before and behind the damage.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::sink::journal::{JournalFile, JournalSink, OwnedRecord};
use pairgate::sink::salvage::{Found, examine, repair};
use pairgate::wire;
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use super::{accept_all, kept, rejected};

const COUNT: usize = 40;

fn journal() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("j.pairgate");
    let header = wire::Header {
        version: wire::FORMAT_VERSION,
        model: Default::default(),
        config: Default::default(),
        threshold: Some(0.5),
        follow: None,
    };
    let pairs: Vec<_> = (0..COUNT)
        .map(|n| if n % 3 == 0 { rejected(&format!("{n:04}")) } else { kept(&format!("{n:04}")) })
        .collect();
    accept_all(&mut JournalSink::create(&path, header).unwrap(), &pairs);
    (folder, path)
}

/// Offsets of all frames, the end among them.
fn frames(path: &Path) -> Vec<usize> {
    let mut journal = JournalFile::open(path).unwrap();
    let mut offsets = vec![journal.offset() as usize];
    while let Some(record) = journal.next() {
        record.unwrap();
        offsets.push(journal.offset() as usize);
    }
    offsets
}

fn keys(path: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    examine(path, |record: &OwnedRecord| keys.push(record.key.clone())).unwrap();
    keys
}

#[test]
fn a_whole_journal_is_not_touched() {
    let (folder, path) = journal();
    let before = fs::read(&path).unwrap();
    let backup = folder.path().join("backup");
    let found = repair(&path, &backup).unwrap();
    assert_eq!(found, Found { records: COUNT as u64, damage: Vec::new() });
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(!backup.exists());
}

#[test]
fn records_behind_the_damage_are_not_lost() {
    let (folder, path) = journal();
    let frames = frames(&path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[frames[7] + 20] ^= 1;
    bytes.truncate(frames[COUNT] - 3);
    fs::write(&path, &bytes).unwrap();
    let backup = folder.path().join("backup");
    let found = repair(&path, &backup).unwrap();
    let damage = [(frames[7], frames[8]), (frames[COUNT - 1], frames[COUNT] - 3)];
    assert_eq!(found.damage, damage.map(|(from, to)| (from as u64, to as u64)));
    let wanted: Vec<_> = (0..COUNT - 1).filter(|n| *n != 7).map(|n| format!("{n:04}")).collect();
    assert_eq!(keys(&path), wanted);
    assert_eq!(fs::read(&backup).unwrap(), bytes, "it is kept as it was");
    assert_eq!(repair(&path, &backup).unwrap().damage, []);
    // The next one does not replace the first backup.
    let repaired = fs::read(&path).unwrap();
    fs::write(&path, &repaired[..repaired.len() - 1]).unwrap();
    assert!(repair(&path, &backup).is_err());
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
