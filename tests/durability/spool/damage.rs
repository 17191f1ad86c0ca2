//! What damage costs.

use std::fs;

use pairgate::spool::{Lost, Push};

use super::{names, open, payload, push_all, read_all, segments};
use crate::disk::quick::scratch;
use crate::disk::random::Random;
use crate::disk::tree::Tree;

/// Forty pairs in several segments.
fn filled() -> Tree {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..40);
    drop(spool);
    Tree::read(folder.path())
}

fn is_segment(name: &std::path::Path) -> bool {
    name.extension().is_some_and(|ending| ending == "spool")
}

/// Reads all that is left, acknowledges it, and pushes one more.
fn complete(folder: &std::path::Path) -> (Vec<u64>, Lost) {
    let mut spool = open(folder);
    let mut read = read_all(&mut spool);
    let Push::Taken(next) = spool.push(&payload(40)).unwrap() else { panic!("it is full") };
    assert!(next == 40 || next == 39, "{next}");
    let (_, bytes) = spool.next_pair().unwrap().unwrap();
    assert!(bytes == payload(40));
    spool.acknowledge(next + 1);
    read.retain(|number| *number < 40);
    (read, spool.lost())
}

#[test]
fn a_flipped_bit_costs_one_pair_and_the_segment_is_kept() {
    let before = filled();
    let mut random = Random::seeded(1);
    let files: Vec<_> = before.names.keys().filter(|name| is_segment(name)).cloned().collect();
    for round in 0..400 {
        let mut tree = before.clone();
        let file = &files[random.below(files.len())];
        let bytes = tree.bytes.get_mut(&tree.names[file]).unwrap();
        let bit = random.below(8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        let folder = scratch();
        tree.write_to(folder.path());
        let told = format!("round {round}, bit {bit} of {}", file.display());
        let (read, lost) = complete(folder.path());
        assert_eq!(read.len(), 39, "{told}");
        assert!(read.is_sorted(), "{told}");
        let aside: Vec<_> =
            names(folder.path()).into_iter().filter(|name| name.contains(".damaged-")).collect();
        let is_last_pair = !read.contains(&39);
        assert!(aside.len() == 1 && (lost.damaged == 1 || is_last_pair), "{told}: {lost:?}");
        let kept = fs::read(folder.path().join(&aside[0])).unwrap();
        assert!(kept == tree.bytes[&tree.names[file]], "{told}: it is kept as it was");
    }
}

#[test]
fn a_hole_of_any_size_costs_what_is_in_it() {
    let before = filled();
    let mut random = Random::seeded(2);
    let (name, file) = before.names.iter().find(|(name, _)| is_segment(name)).unwrap();
    for _ in 0..200 {
        let mut tree = before.clone();
        let bytes = tree.bytes.get_mut(file).unwrap();
        let from = random.below(bytes.len());
        let to = from + random.below(bytes.len() - from + 1);
        match random.below(3) {
            0 => bytes[from..to].fill(0),
            1 => drop(bytes.drain(from..to)),
            _ => bytes[from..to].iter_mut().for_each(|byte| *byte = random.below(256) as u8),
        }
        let folder = scratch();
        tree.write_to(folder.path());
        let (read, lost) = complete(folder.path());
        assert!(read.is_sorted(), "{read:?}");
        assert_eq!(read.len() as u64 + lost.damaged, 40, "{}: {read:?}", name.display());
    }
}

/// Frames of another spool, and frames within a payload, are not taken for this one's.
#[test]
fn what_looks_like_a_frame_is_none() {
    let other = scratch();
    let mut spool = open(other.path());
    push_all(&mut spool, 0..3);
    drop(spool);
    let stranger = fs::read(other.path().join(&segments(other.path())[0])).unwrap();
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..1);
    assert_eq!(spool.push(&stranger).unwrap(), Push::Taken(1));
    drop(spool);
    let path = folder.path().join(&segments(folder.path())[0]);
    let mut bytes = fs::read(&path).unwrap();
    // The header of the second frame is damaged: the reader looks into its payload.
    let second = bytes.len() - stranger.len() - 32;
    bytes[second + 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut spool = open(folder.path());
    assert_eq!(read_all(&mut spool), [0]);
    push_all(&mut spool, 1..2);
    assert_eq!(read_all(&mut spool), [1]);
}

/// The ledger is a hint: without it, or with a wrong one, the consumer's number decides.
#[test]
fn a_lost_or_damaged_ledger_costs_nothing() {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..40);
    spool.acknowledge(20);
    let id = spool.id();
    drop(spool);
    let ledger = folder.path().join("ledger");
    let whole = fs::read(&ledger).unwrap();
    for damage in [None, Some(Vec::new()), Some(whole[..20].to_vec()), Some(vec![0xff; 32])] {
        match damage {
            None => fs::remove_file(&ledger).unwrap(),
            Some(bytes) => fs::write(&ledger, bytes).unwrap(),
        }
        let mut spool = open(folder.path());
        spool.go_on_from(25);
        assert_eq!(spool.id(), id);
        assert_eq!(read_all(&mut spool), (25..40).collect::<Vec<_>>());
    }
}

/// Files that are none of a spool's are left alone; one that has a segment's name and holds no frame is
/// kept under another.
#[test]
fn strangers_files_are_left_alone() {
    let folder = scratch();
    fs::write(folder.path().join("00000000000000000007.spool"), b"nothing of the kind").unwrap();
    fs::write(folder.path().join("7.spool"), b"a name that is none").unwrap();
    fs::write(folder.path().join("readme"), b"hello").unwrap();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..2);
    assert_eq!(read_all(&mut spool), [0, 1]);
    let found = names(folder.path());
    assert!(found.contains(&"00000000000000000007.spool.damaged-1".to_owned()), "{found:?}");
    assert!(found.contains(&"7.spool".to_owned()) && found.contains(&"readme".to_owned()));
}

/// A frame that was being written: its begin, or its begin with zeros behind it. It is no damage.
#[test]
fn half_a_frame_at_the_end_is_passed_over() {
    let folder = scratch();
    let mut spool = open(folder.path());
    push_all(&mut spool, 0..2);
    drop(spool);
    let path = folder.path().join(&segments(folder.path())[0]);
    let whole = fs::read(&path).unwrap();
    let first = 32 + payload(0).len();
    for cut in first..whole.len() {
        for zeros in [0, 1, 500] {
            let scratch = scratch();
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeros, 0);
            fs::write(scratch.path().join(path.file_name().unwrap()), bytes).unwrap();
            let mut spool = open(scratch.path());
            assert_eq!(read_all(&mut spool), [0], "cut at {cut}");
            push_all(&mut spool, 1..2);
            assert_eq!(read_all(&mut spool), [1], "cut at {cut}");
            spool.acknowledge(2);
            let damaged = names(scratch.path()).iter().any(|name| name.contains("damaged"));
            assert!(!damaged, "cut at {cut}, {zeros} zeros");
        }
    }
}
