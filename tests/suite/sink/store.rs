//! Shards and journal of one folder together, and going on after every kind of end.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pairgate::config::StorageConfig;
use pairgate::decision::Verdict;
use pairgate::pair::Digest;
use pairgate::policy::FollowRule;
use pairgate::sink::journal::JournalFile;
use pairgate::sink::output::OutputFolder;
use pairgate::sink::store::{Resumed, StoreSink};
use pairgate::sink::{Judged, Sink};
use pairgate::wire;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::{accept_all, kept, listing, rejected, to, tree};

const HEADER: wire::Header = wire::Header {
    version: wire::FORMAT_VERSION,
    model: Digest([1; 32]),
    config: Digest([2; 32]),
    threshold: Some(0.2),
    follow: None,
};

/// A threshold that follows the scores is in the journal, also where a folder is gone on with.
#[test]
fn moved_thresholds_are_journalled_before_and_after_going_on() {
    let folder = tempdir().unwrap();
    let rule = FollowRule { keep: 0.15, warm_up: 1, window: 100, every: 1 };
    let header = wire::Header::new(HEADER.model, HEADER.config, Some(0.2), Some(rule));
    let open = || StoreSink::resume(folder.path(), &config(2, 0), header, None).unwrap().0;
    let mut sink = open();
    sink.accept(&stored(0)).unwrap();
    sink.set_threshold(0.3);
    accept_all(&mut sink, &[stored(1), rejected("r")]);
    let mut sink = open();
    sink.set_threshold(0.4);
    accept_all(&mut sink, &[stored(2)]);
    let journal = JournalFile::open(&folder.path().join(OutputFolder::JOURNAL)).unwrap();
    let thresholds: Vec<_> = journal.map(|record| record.unwrap().threshold).collect();
    assert_eq!(thresholds, [Some(0.2), Some(0.3), Some(0.3), Some(0.4)]);
}

fn config(shard_pairs: u64, sync_pairs: u64) -> StorageConfig {
    StorageConfig { shard_pairs, sync_pairs, ..StorageConfig::default() }
}

/// A kept pair with the uid and the digest that a worker gives it.
fn stored(number: usize) -> Judged {
    let mut judged = kept(&format!("k{number:04}"));
    let content = Digest(Sha256::digest(judged.sample.image().unwrap()).into());
    judged.decision.facts.content = content;
    judged.uid = judged.sample.uid(&judged.sample.metadata(), content);
    judged
}

/// Kept pairs with a rejected one after every second.
fn pairs(count: usize) -> Vec<Judged> {
    let with_rejected =
        |n: usize| [stored(n), rejected(&format!("r{n}"))].into_iter().take(1 + n % 2);
    (0..count).flat_map(with_rejected).collect()
}

fn resume(folder: &Path, config: &StorageConfig) -> (StoreSink, Resumed) {
    StoreSink::resume(folder, config, HEADER, None).unwrap()
}

/// Keys in the journal, of kept pairs and of all.
fn journalled(folder: &Path) -> (Vec<String>, usize) {
    let records: Vec<_> = JournalFile::open(&folder.join(OutputFolder::JOURNAL))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let kept = records.iter().filter(|record| record.verdict == Verdict::Kept);
    (kept.map(|record| record.key.clone()).collect(), records.len())
}

/// Keys in the published shards.
fn published(folder: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    for name in listing(folder).iter().filter(|name| name.ends_with(".tar")) {
        let mut tar = tar::Archive::new(fs::File::open(folder.join(name)).unwrap());
        for entry in tar.entries().unwrap() {
            let path = entry.unwrap().path().unwrap().display().to_string();
            keys.extend(path.strip_suffix(".jpg").map(str::to_owned));
        }
    }
    keys
}

/// Kept, and all, by the statistics.
fn counted(folder: &Path) -> (u64, u64) {
    let mut sums = (0, 0);
    for name in listing(folder).iter().filter(|name| name.ends_with("_stats.json")) {
        let stats: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap();
        sums.0 += stats["successes"].as_u64().unwrap();
        sums.1 += stats["count"].as_u64().unwrap();
    }
    sums
}

#[test]
fn a_run_that_goes_on_writes_what_one_run_would_have_written() {
    let (whole, parts) = (tempdir().unwrap(), tempdir().unwrap());
    let (pairs, config) = (pairs(23), config(5, 0));
    let header_only = OutputFolder::prepare(whole.path(), false).unwrap();
    accept_all(&mut StoreSink::create(header_only.path(), &config, HEADER, None).unwrap(), &pairs);
    // Cut off without an end, at a point where both files are on disk.
    let synced = StorageConfig { sync_pairs: 1, ..config };
    for (n, share) in pairs.chunks(11).enumerate() {
        let (mut sink, resumed) = resume(parts.path(), &synced);
        assert_eq!(resumed.undone, 0, "part {n}");
        share.iter().for_each(|judged| sink.accept(judged).unwrap());
    }
    resume(parts.path(), &synced).0.finish().unwrap();
    let without_times = |folder: &Path| -> Vec<_> {
        tree(folder).into_iter().filter(|(name, _)| !name.ends_with(".json")).collect()
    };
    assert!(without_times(whole.path()) == without_times(parts.path()));
    assert_eq!(counted(whole.path()), counted(parts.path()));
    assert!(
        listing(parts.path()).iter().all(|name| !name.starts_with('.')),
        "nothing is left over"
    );
}

#[test]
fn a_folder_of_another_run_is_not_gone_on_with() {
    let folder = tempdir().unwrap();
    let (mut sink, _) = resume(folder.path(), &config(5, 1));
    accept_all(&mut sink, &pairs(2));
    let refused = |header: wire::Header| {
        let error = StoreSink::resume(folder.path(), &config(5, 1), header, None).unwrap_err();
        assert_eq!(to(&error), folder.path().to_str().unwrap());
        error.to_string()
    };
    assert!(refused(wire::Header { model: Digest([9; 32]), ..HEADER }).contains("another model"));
    assert!(refused(wire::Header { threshold: None, ..HEADER }).contains("another threshold"));
    fs::write(folder.path().join("00007.tar"), "").unwrap();
    assert!(refused(HEADER).contains("00001.tar is missing"));
    let foreign = tempdir().unwrap();
    fs::write(foreign.path().join("00000.tar"), "somebody's").unwrap();
    assert!(StoreSink::resume(foreign.path(), &config(5, 1), HEADER, None).is_err());
    assert_eq!(fs::read(foreign.path().join("00000.tar")).unwrap(), b"somebody's");
}

#[test]
fn a_shard_is_published_at_its_age_though_nothing_comes() {
    let folder = tempdir().unwrap();
    let config = StorageConfig { shard_age_ms: 1, ..config(100, 0) };
    let (mut sink, _) = resume(folder.path(), &config);
    sink.accept(&stored(0)).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    sink.idle().unwrap();
    assert_eq!(published(folder.path()), ["k0000"]);
    assert_eq!(journalled(folder.path()), (vec!["k0000".to_owned()], 1));
    sink.idle().unwrap();
    sink.finish().unwrap();
    assert_eq!(counted(folder.path()), (1, 1));
}

#[test]
fn the_bound_on_bytes_ends_the_run_and_counts_earlier_shards() {
    let folder = tempdir().unwrap();
    // A sample is two members of one block each, and their headers.
    let config = StorageConfig { max_bytes: 6 * 2048 + 2048, ..config(2, 0) };
    let (mut sink, _) = resume(folder.path(), &config);
    accept_all(&mut sink, &[stored(0), stored(1)]);
    let (mut sink, resumed) = resume(folder.path(), &config);
    assert_eq!(resumed.kept, 2);
    let mut taken = 0;
    let error = loop {
        match sink.accept(&stored(2 + taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("max_bytes"), "{error}");
    sink.finish().unwrap();
    assert!((3..=4).contains(&taken), "{taken}");
    assert_eq!(published(folder.path()).len(), 2 + taken);
    assert_eq!(journalled(folder.path()).0, published(folder.path()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever of the open shard and of the journal reached the disk, shards and journal agree
    /// afterwards, nothing published is touched, and what both had is there.
    #[test]
    fn after_any_cut_shards_and_journal_agree(
        count in 1_usize..14, shard_pairs in 1_u64..6,
        shard_cut in 0.0_f64..1.0, journal_cut in 0.0_f64..1.0, more in 0_usize..5,
        stats_lost: bool,
    ) {
        let folder = tempdir().unwrap();
        let (path, config) = (folder.path(), config(shard_pairs, 1));
        let pairs = pairs(count);
        let (mut sink, _) = resume(path, &config);
        pairs.iter().for_each(|judged| sink.accept(judged).unwrap());
        drop(sink);
        let shards = published(path);
        // What one of both had when the power failed: the open shard any part of it, the journal at
        // least what is published.
        let open = tree(path).into_iter().find(|(name, _)| name.ends_with(".tar.partial"));
        if let Some((name, bytes)) = open {
            let left = (bytes.len() as f64 * shard_cut) as usize;
            fs::write(path.join(name), &bytes[..left]).unwrap();
        }
        let journal = path.join(OutputFolder::JOURNAL);
        let bytes = fs::read(&journal).unwrap();
        let stands = offset_after(&journal, shards.len());
        let left = stands + ((bytes.len() - stands) as f64 * journal_cut) as usize;
        fs::write(&journal, &bytes[..left]).unwrap();
        if stats_lost && !shards.is_empty() {
            let last = (shards.len() as u64 - 1) / shard_pairs;
            fs::remove_file(path.join(format!("{last:05}_stats.json"))).unwrap();
        }

        let (mut sink, resumed) = resume(path, &config);
        let next: Vec<_> = (0..more).map(|n| stored(1000 + n)).collect();
        accept_all(&mut sink, &next);
        let (kept, all) = journalled(path);
        let now = published(path);
        prop_assert_eq!(&kept, &now);
        prop_assert!(now.starts_with(&shards));
        prop_assert_eq!(resumed.kept as usize + more, now.len());
        let wanted: Vec<_> = (0..resumed.kept).map(|n| format!("k{n:04}")).collect();
        prop_assert_eq!(&now[..wanted.len()], &wanted[..]);
        prop_assert!(listing(path).iter().all(|name| !name.starts_with('.')));
        if !now.is_empty() {
            let (successes, count) = counted(path);
            prop_assert_eq!(successes as usize, now.len());
            prop_assert!(count as usize <= all);
        }
        if shard_cut == 1.0 && journal_cut == 1.0 {
            prop_assert_eq!(resumed.undone, 0);
        }
    }
}

/// Where the journal's record of the kept pair behind `kept` others begins, in bytes: all before it
/// was on disk when those were published.
fn offset_after(journal: &Path, kept: usize) -> usize {
    let mut records = JournalFile::open(journal).unwrap();
    let (mut seen, mut at) = (0, records.offset());
    if kept == 0 {
        return at as usize;
    }
    while let Some(record) = records.next() {
        seen += usize::from(record.unwrap().verdict == Verdict::Kept);
        if seen > kept {
            break;
        }
        at = records.offset();
    }
    at as usize
}
