//! A bit is flipped in a journal of several segments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::disk::Disk;
use pairgate::journal::{self, segments};

use super::{Run, accept, check_agreement, check_completed, is_damaged, is_long, records, shards};
use crate::disk::clock::TestClock;
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::random::Random;
use crate::disk::tree::Tree;

/// What a run has left that was cut off behind so many pairs, all of which are on disk.
fn cut_off(run: &Run, pairs: usize) -> Tree {
    let folder = scratch();
    let disk = Disk::new(Arc::new(QuickFiles), Arc::new(TestClock::still()));
    let (mut sink, _) = run.go_on(&disk, folder.path()).unwrap();
    accept(&mut sink, &run.pairs[..pairs], |_| ()).unwrap();
    drop(sink);
    Tree::read(folder.path())
}

/// The stem of the last segment's file and of those beside it.
fn last_stem(tree: &Tree) -> String {
    let parts = tree.names.keys().filter(|name| name.extension().is_some_and(|e| e == "pairgate"));
    parts.max().unwrap().file_stem().unwrap().to_str().unwrap().to_owned()
}

/// A restart reads the last segment, its checkpoint and its header: a flipped bit there costs at most the
/// record that it is in, and no stored pair; one in an earlier segment costs a restart nothing.
#[test]
fn a_flipped_bit_in_one_of_several_segments_costs_a_restart_one_record_at_most() {
    let mut run = Run::of(60);
    run.config.sync_pairs = 1;
    let (unbroken, before) = (run.unbroken(), cut_off(&run, 50));
    let last = last_stem(&before);
    assert!(last.parse::<u32>().unwrap() > 1, "{last}");
    let is_part = |name: &&PathBuf| name.starts_with("journal");
    let files: Vec<_> = before.names.keys().filter(is_part).cloned().collect();
    let mut random = Random::seeded(1);
    for round in 0..if is_long() { 20_000 } else { 400 } {
        let file = &files[random.below(files.len())];
        let mut tree = before.clone();
        let bytes = tree.bytes.get_mut(&tree.names[file]).unwrap();
        let bit = random.below(8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        let told = format!("round {round}, bit {bit} of {}", file.display());
        let folder = scratch();
        tree.write_to(folder.path());

        let resumed = run.complete(folder.path(), 50);
        assert_eq!(resumed.undone, 0, "{told}");
        assert!(shards(folder.path()) == unbroken, "{told}");
        let is_last = file.to_str().unwrap().contains(&last);
        let is_segment = file.extension().is_some_and(|ending| ending == "pairgate");
        if is_last && is_segment {
            check_agreement(folder.path(), &run.pairs, 0);
            assert!(records(folder.path()).len() + 1 >= run.pairs.len(), "{told}");
            continue;
        }
        assert_eq!((resumed.next_ticket, is_damaged(folder.path())), (50, false), "{told}");
        if is_last || !is_segment {
            check_completed(folder.path(), &run, &unbroken);
        }
        assert!(whole_records(folder.path()) + 1 >= run.pairs.len() as u64, "{told}");
    }
}

/// Records that are whole, whatever lies between them.
fn whole_records(folder: &Path) -> u64 {
    let parts = segments(&folder.join(journal::FOLDER)).unwrap();
    parts.iter().map(|part| journal::examine(part, |_| ()).unwrap().records).sum()
}
