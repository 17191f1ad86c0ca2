//! Shards and journal of one folder together, and going on after every kind of end.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use pairgate::disk::Disk;
use pairgate::journal::{self, Header, ModelName, Reader, Record, Terms, examine, segments};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate::store::{OutputFolder, Resumed, StoreOptions, StoreSink};
use pairgate_core::config::StorageConfig;
use pairgate_core::decision::Verdict;
use pairgate_core::pair::{Digest, Position};
use pairgate_core::wire;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tempfile::tempdir;

use super::{accept_all, accept_each, earlier_journal, header, kept, rejected, terms, to, tree};

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

/// Kept pairs with a rejected one after every second, tickets and positions in their order.
fn pairs(count: usize) -> Vec<Judged> {
    let with_rejected =
        |n: usize| [stored(n), rejected(&format!("r{n}"))].into_iter().take(1 + n % 2);
    let pairs = (0..count).flat_map(with_rejected).enumerate();
    let placed = |(ticket, judged): (usize, Judged)| {
        let ticket = ticket as u64;
        Judged { ticket, position: Position { input: 0, item: ticket }, ..judged }
    };
    pairs.map(placed).collect()
}

fn options(config: &StorageConfig) -> StoreOptions {
    StoreOptions::new(*config, header())
}

fn go_on(folder: &Path, config: &StorageConfig) -> (StoreSink, Resumed) {
    StoreSink::go_on(&Disk::system(), folder, options(config)).unwrap()
}

/// Gives the sink what it has not decided yet, as a source that is read again does.
fn run_on(folder: &Path, config: &StorageConfig, pairs: &[Judged]) -> Resumed {
    let (mut sink, resumed) = go_on(folder, config);
    let item = resumed.place.as_ref().map_or(0, |place| place.position.unwrap().item + 1);
    for judged in pairs.iter().filter(|judged| judged.position.item >= item) {
        let ticket = sink.ledger().next_ticket;
        sink.accept(&Judged { ticket, ..judged.clone() }).unwrap();
    }
    sink.finish(RunEnd::Complete).unwrap();
    resumed
}

fn records(folder: &Path) -> Vec<Record> {
    Reader::open(folder).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Keys in the journal, of kept pairs and of all.
fn journalled(folder: &Path) -> (Vec<String>, usize) {
    let records = records(folder);
    let kept = records.iter().filter(|record| record.verdict == Verdict::Kept);
    (kept.map(|record| record.key.clone()).collect(), records.len())
}

/// Shards and the tables beside them.
fn shards(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let is_output =
        |(name, _): &(String, Vec<u8>)| name.ends_with(".tar") || name.ends_with(".parquet");
    tree(folder).into_iter().filter(is_output).collect()
}

/// Of these the shards alone: a table lacks what a lost record told.
fn tars(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&str, &[u8]> {
    let tars = files.iter().filter(|(name, _)| name.ends_with(".tar"));
    tars.map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

/// Keys in the published shards.
fn published(folder: &Path) -> Vec<String> {
    let mut keys = Vec::new();
    for bytes in tars(&shards(folder)).into_values() {
        let mut tar = tar::Archive::new(bytes);
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            entry.read_to_end(&mut Vec::new()).unwrap();
            keys.extend(path.strip_suffix(".jpg").map(str::to_owned));
        }
    }
    keys
}

/// Kept, and all, by the statistics.
fn counted(folder: &Path) -> (u64, u64) {
    let mut sums = (0, 0);
    for (_, text) in tree(folder).iter().filter(|(name, _)| name.ends_with("_stats.json")) {
        let stats: serde_json::Value = serde_json::from_slice(text).unwrap();
        sums.0 += stats["successes"].as_u64().unwrap();
        sums.1 += stats["count"].as_u64().unwrap();
    }
    sums
}

fn segment(folder: &Path) -> PathBuf {
    segments(&folder.join(journal::FOLDER)).unwrap().pop().unwrap()
}

/// A folder and the shards of a run that nothing has cut.
fn unbroken(config: &StorageConfig, pairs: &[Judged]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempdir().unwrap();
    run_on(folder.path(), config, pairs);
    shards(folder.path())
}

/// A run of which everything is on disk, cut off without an end.
fn cut_off(folder: &Path, config: &StorageConfig, pairs: &[Judged]) {
    let (mut sink, _) = go_on(folder, config);
    for judged in pairs {
        sink.accept(judged).unwrap();
    }
}

#[test]
fn records_tell_where_pairs_are_stored() {
    let folder = tempdir().unwrap();
    let mut merged: Vec<_> = (0..5).map(stored).collect();
    merged[3].sample.key = merged[2].sample.key.clone();
    let (mut sink, _) = go_on(folder.path(), &config(3, 0));
    accept_all(&mut sink, &merged);
    let places = records(folder.path()).into_iter().map(|record| {
        let stored = record.stored.unwrap();
        (stored.shard, stored.key)
    });
    let wanted = [(0, "k0000"), (0, "k0001"), (0, "k0002"), (1, "k0002"), (1, "k0004")];
    assert!(places.eq(wanted.map(|(shard, key)| (shard, key.to_owned()))));
}

#[test]
fn moved_thresholds_are_journalled_before_and_after_going_on() {
    let folder = tempdir().unwrap();
    for threshold in [0.2, 0.3] {
        let (mut sink, _) = go_on(folder.path(), &config(2, 0));
        let moved = Judged { threshold: Some(threshold), ..stored(0) };
        accept_all(&mut sink, &[moved]);
    }
    let thresholds: Vec<_> = records(folder.path()).iter().map(|r| r.threshold).collect();
    assert_eq!(thresholds, [Some(0.2), Some(0.3)]);
}

#[test]
fn a_run_that_goes_on_writes_what_one_run_would_have_written() {
    let folder = tempdir().unwrap();
    let (pairs, config) = (pairs(23), config(5, 1));
    for part in [11, 22, 30] {
        let resumed = {
            let (mut sink, resumed) = go_on(folder.path(), &config);
            let from = resumed.next_ticket as usize;
            pairs[from..part].iter().for_each(|judged| sink.accept(judged).unwrap());
            resumed
        };
        assert_eq!(resumed.undone, 0, "part {part}");
    }
    run_on(folder.path(), &config, &pairs);
    assert!(shards(folder.path()) == unbroken(&config, &pairs));
    assert_eq!(counted(folder.path()), (23, 34));
    let left = tree(folder.path()).into_keys().filter(|name| name.contains("partial"));
    assert_eq!(left.count(), 0);
    // Going on once more changes nothing.
    let before = tree(folder.path());
    let (sink, resumed) = go_on(folder.path(), &config);
    assert!(resumed.is_complete);
    drop(sink);
    assert!(tree(folder.path()) == before);
}

#[test]
fn a_folder_of_another_run_is_not_gone_on_with() {
    let folder = tempdir().unwrap();
    let (mut sink, _) = go_on(folder.path(), &config(5, 1));
    accept_all(&mut sink, &pairs(2));
    drop(sink);
    let open = |header: Header, new_decisions| {
        let mut options = StoreOptions::new(config(5, 1), header);
        options.new_decisions = new_decisions;
        StoreSink::go_on(&Disk::system(), folder.path(), options)
    };
    let refused = |header: Header| {
        let error = open(header, false).unwrap_err();
        assert_eq!(to(&error), folder.path().to_str().unwrap());
        error.to_string()
    };
    let with = |terms: Terms| Header::new(terms, vec!["in".into()]);
    let other = ModelName { name: "another".into(), digest: Digest([9; 32]) };
    let model = Terms { models: vec![other], ..terms() };
    assert!(
        refused(with(model.clone()))
            .contains("the model was a model (010101010101), it is another (")
    );
    let threshold = Terms { threshold: Some(0.3), ..terms() };
    assert!(refused(with(threshold)).contains("the threshold was 0.2, it is 0.3"));
    let rules =
        Terms { config: Digest([8; 32]), settings: vec!["rules.min_words=2".into()], ..terms() };
    assert!(
        refused(with(rules)).contains("rules.min_words=1 was set; rules.min_words=2 is set now")
    );
    let version = Terms { decision_version: 77, ..terms() };
    assert!(refused(with(version)).contains("--accept-new-decisions"));
    let unattended = tempdir().unwrap();
    for (ticket, decision_version) in (0..).zip([1, 77]) {
        let mut options =
            StoreOptions::new(config(5, 1), with(Terms { decision_version, ..terms() }));
        options.again = false;
        let (mut sink, _) = StoreSink::go_on(&Disk::system(), unattended.path(), options).unwrap();
        sink.accept(&Judged { ticket, ..stored(ticket as usize) }).unwrap();
        sink.finish(RunEnd::Complete).unwrap();
    }
    let mut reader = Reader::open(unattended.path()).unwrap();
    let versions: Vec<_> =
        std::iter::from_fn(|| reader.next().map(|_| reader.terms().decision_version)).collect();
    assert_eq!(versions, [1, 77], "an epoch, where nobody is there to ask");
    // Segments that are begun behind it say the same.
    let header = with(Terms { decision_version: 77, ..terms() });
    let again = StoreOptions { again: false, ..StoreOptions::new(config(5, 1), header) };
    let (sink, _) = StoreSink::go_on(&Disk::system(), unattended.path(), again).unwrap();
    let mut sink = sink.with_segment_bytes(1);
    sink.checkpoint(&[]).unwrap();
    drop(sink);
    let last = journal::SegmentReader::open(&segment(unattended.path())).unwrap();
    assert_eq!(last.header().terms.decision_version, 77);
    let inputs = Header::new(terms(), vec!["other".into(), "in".into()]);
    assert!(refused(inputs).contains("number 0 was \"in\" and is \"other\""));
    let foreign = tempdir().unwrap();
    fs::write(foreign.path().join("00000.tar"), "somebody's").unwrap();
    let disk = Disk::system();
    assert!(StoreSink::go_on(&disk, foreign.path(), options(&config(5, 1))).is_err());
    assert_eq!(fs::read(foreign.path().join("00000.tar")).unwrap(), b"somebody's");

    // Accepted, it is an epoch, and each record's own terms are told.
    let (mut sink, _) = open(with(model), true).unwrap();
    accept_all(&mut sink, &[stored(7)]);
    let mut reader = Reader::open(folder.path()).unwrap();
    let mut models = Vec::new();
    while let Some(record) = reader.next() {
        record.unwrap();
        models.push(reader.terms().model());
    }
    assert_eq!((models[0], *models.last().unwrap()), (Digest([1; 32]), Digest([9; 32])));
}

#[test]
fn more_inputs_are_gone_on_with() {
    let folder = tempdir().unwrap();
    run_on(folder.path(), &config(5, 1), &pairs(3));
    let longer = Header::new(terms(), vec!["in".into(), "more".into()]);
    let options = StoreOptions::new(config(5, 1), longer.clone());
    let (mut sink, resumed) = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
    assert!(resumed.is_complete && resumed.is_longer);
    accept_all(&mut sink, &[stored(50)]);
    drop(sink);
    let options = StoreOptions::new(config(5, 1), longer);
    let (_, resumed) = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
    assert!(resumed.is_complete && !resumed.is_longer);
    assert_eq!(published(folder.path()), ["k0000", "k0001", "k0002", "k0050"]);
}

/// Two runs in one folder would write over each other.
#[test]
fn a_second_run_is_refused_with_the_first_ones_number() {
    let folder = tempdir().unwrap();
    let (first, _) = go_on(folder.path(), &config(5, 1));
    let error =
        StoreSink::go_on(&Disk::system(), folder.path(), options(&config(5, 1))).unwrap_err();
    let who = format!("process {} is writing", std::process::id());
    assert!(error.to_string().contains(&who), "{error}");
    drop(first);
    go_on(folder.path(), &config(5, 1));
}

#[test]
fn a_shard_is_published_at_its_age_though_nothing_comes() {
    let folder = tempdir().unwrap();
    let config = StorageConfig { shard_age_ms: 1, ..config(100, 0) };
    let (mut sink, _) = go_on(folder.path(), &config);
    sink.accept(&stored(0)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2));
    sink.idle().unwrap();
    assert_eq!(published(folder.path()), ["k0000"]);
    assert_eq!(journalled(folder.path()), (vec!["k0000".to_owned()], 1));
    sink.idle().unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    assert_eq!(counted(folder.path()), (1, 1));
}

#[test]
fn what_is_durable_grows_by_count() {
    let folder = tempdir().unwrap();
    let (mut sink, _) = go_on(folder.path(), &config(100, 3));
    let pairs = pairs(8);
    let durable = pairs.iter().map(|judged| {
        sink.accept(judged).unwrap();
        sink.durable().unwrap()
    });
    // k0 k1 r1 k2 | k3 r3 k4 k5 | ...
    assert_eq!(durable.collect::<Vec<_>>(), [0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 8]);
    sink.finish(RunEnd::Interrupted).unwrap();
    assert_eq!(sink.durable(), Some(12));
    assert_eq!(published(folder.path()), [""; 0], "a shard that is not full has no name yet");
    drop(sink);
    let (_, resumed) = go_on(folder.path(), &config(100, 3));
    assert_eq!((resumed.kept, resumed.undone, resumed.next_ticket), (8, 0, 12));
}

#[test]
fn the_bound_on_bytes_ends_the_run_and_counts_earlier_shards() {
    let folder = tempdir().unwrap();
    // A sample is two members of one block each, and their headers.
    let config = StorageConfig { max_bytes: 6 * 2048 + 2048, ..config(2, 1) };
    let (mut sink, _) = go_on(folder.path(), &config);
    accept_all(&mut sink, &[stored(0), stored(1)]);
    drop(sink);
    let (mut sink, resumed) = go_on(folder.path(), &config);
    assert_eq!(resumed.kept, 2);
    let mut taken = 0;
    let error = loop {
        match sink.accept(&stored(2 + taken)) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("max_bytes"), "{error}");
    sink.finish(RunEnd::Failed).unwrap();
    assert!((3..=4).contains(&taken), "{taken}");
    assert_eq!(sink.lost().decided(), 0, "all that was taken is on disk");
    drop(sink);
    let (_, resumed) = go_on(folder.path(), &StorageConfig { max_bytes: 0, ..config });
    assert_eq!(resumed.kept as usize, 2 + taken);
}

/// When a full shard cannot be closed, the pair that would have come behind it is stored nowhere, and
/// is not taken.
#[test]
fn a_shard_that_cannot_be_closed_costs_no_pair_that_was_counted() {
    let folder = tempdir().unwrap();
    let (mut sink, _) = go_on(folder.path(), &config(2, 0));
    accept_each(&mut sink, &[stored(0), stored(1)]);
    fs::create_dir(folder.path().join("00000.tar")).unwrap();
    sink.accept(&stored(2)).unwrap_err();
    sink.finish(RunEnd::Failed).unwrap();
    // Its samples and records were on disk before it was to get its name.
    assert_eq!((sink.lost().decided(), sink.durable()), (0, Some(2)));
    drop(sink);
    fs::remove_dir(folder.path().join("00000.tar")).unwrap();
    let (mut sink, resumed) = go_on(folder.path(), &config(2, 0));
    assert_eq!((resumed.kept, resumed.next_ticket), (2, 2));
    sink.finish(RunEnd::Complete).unwrap();
    assert_eq!(published(folder.path()), ["k0000", "k0001"]);
}

/// A restart reads a checkpoint and the last segment: the segments before it may even be gone.
#[test]
fn a_restart_reads_the_last_segment_alone() {
    let folder = tempdir().unwrap();
    let (config, pairs) = (config(7, 1), pairs(40));
    let (sink, _) = go_on(folder.path(), &config);
    let mut sink = sink.with_segment_bytes(1000);
    for judged in &pairs[..50] {
        if sink.wants_checkpoint() {
            sink.checkpoint(b"what was learnt").unwrap();
        }
        sink.accept(judged).unwrap();
    }
    drop(sink);
    let all = segments(&folder.path().join(journal::FOLDER)).unwrap();
    assert!(all.len() > 3, "{}", all.len());
    let copy = tempdir().unwrap();
    let copy_all = |to: &Path| {
        for (name, bytes) in tree(folder.path()) {
            fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
            fs::write(to.join(name), bytes).unwrap();
        }
    };
    copy_all(copy.path());
    for early in &all[..all.len() - 1] {
        fs::write(copy.path().join(early.strip_prefix(folder.path()).unwrap()), "").unwrap();
    }
    let (_, told) = go_on(copy.path(), &config);
    assert_eq!((told.next_ticket, told.undone), (50, 0));
    assert_eq!(told.decider, b"what was learnt");
    assert!(told.past(terms()).unwrap().count() < 50);

    // Without its checkpoint it is read on from the one before, and comes to the same.
    let checkpoint = segment(folder.path()).with_extension("checkpoint");
    fs::write(&checkpoint, "damaged").unwrap();
    let resumed = run_on(folder.path(), &config, &pairs);
    assert_eq!(resumed.before, told.before);
    assert_eq!((resumed.decider.as_slice(), resumed.next_ticket), (&b"what was learnt"[..], 50));
    let past = |resumed: &Resumed| resumed.past(terms()).unwrap().count();
    assert!(past(&resumed) > past(&told));
    assert_eq!(journalled(folder.path()).1, pairs.len());
    assert!(shards(folder.path()) == unbroken(&config, &pairs));
}

/// Bytes that the calling thread has read so far, by Linux's account.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let account = fs::read_to_string("/proc/thread-self/io").unwrap();
    account.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// However long the journal is, a restart reads a checkpoint, and the last segment a few times.
/// PAIRGATE_LONG_TESTS=1 makes it ten million records in segments of the usual size.
#[cfg(target_os = "linux")]
#[test]
fn a_restart_reads_no_more_than_a_segment_of_a_long_journal() {
    let is_long = std::env::var_os("PAIRGATE_LONG_TESTS").is_some();
    let (count, bytes) =
        if is_long { (10_000_000, journal::SEGMENT_BYTES) } else { (30_000, 128 << 10) };
    let folder = tempdir().unwrap();
    let (sink, _) = go_on(folder.path(), &config(10, 0));
    let mut sink = sink.with_segment_bytes(bytes);
    let mut pair = rejected("r");
    for ticket in 0..count {
        pair.ticket = ticket;
        pair.position.item = ticket;
        if sink.wants_checkpoint() {
            sink.checkpoint(&[]).unwrap();
        }
        sink.accept(&pair).unwrap();
    }
    sink.finish(RunEnd::Interrupted).unwrap();
    drop(sink);
    let written: u64 = tree_bytes(&folder.path().join(journal::FOLDER));
    let before = bytes_read();
    let (_, resumed) = go_on(folder.path(), &config(10, 0));
    let read = bytes_read() - before;
    assert_eq!((resumed.next_ticket, resumed.before.decided()), (count, count));
    eprintln!("a restart after {count} records, {written} bytes of journal, reads {read} bytes");
    assert!(read <= 4 * bytes && written > 10 * bytes, "{read} of {written} bytes");
}

/// Bytes of the files in a folder.
#[cfg(target_os = "linux")]
fn tree_bytes(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// A folder of an earlier version is gone on with by segments of this one.
#[test]
fn folders_of_earlier_versions_are_gone_on_with() {
    for cut in [0, 3, 700] {
        let folder = tempdir().unwrap();
        let (config, pairs) = (config(5, 1), pairs(18));
        cut_off(folder.path(), &config, &pairs[..20]);
        // As they left it: one journal, shards, and their statistics.
        fs::remove_dir_all(folder.path().join(journal::FOLDER)).unwrap();
        let header = wire::Header::new(Digest([1; 32]), Digest([3; 32]), Some(0.2), None);
        let bytes = earlier_journal(&header, &pairs[..20]);
        let path = folder.path().join(OutputFolder::EARLIER_JOURNAL);
        fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
        let mut options = options(&config);
        let error = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap_err();
        assert!(error.to_string().contains("threshold or config"), "{error}");
        options = self::options(&config);
        options.earlier_config = Some(Digest([3; 32]));
        let (mut sink, resumed) =
            StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
        assert_eq!(resumed.place.as_ref().unwrap().position, None, "only their number is told");
        for judged in &pairs[resumed.next_ticket as usize..] {
            sink.accept(judged).unwrap();
        }
        sink.finish(RunEnd::Complete).unwrap();
        let tickets: Vec<_> = records(folder.path()).iter().map(|record| record.ticket).collect();
        assert_eq!(tickets, (0..27).collect::<Vec<_>>());
        let wanted = unbroken(&config, &pairs);
        assert!(tars(&shards(folder.path())) == tars(&wanted), "cut {cut}");
        drop(sink);
        assert!(go_on(folder.path(), &config).1.is_complete);
    }
}

/// A source that does not give pairs again, such as a camera: what is stored is never cut.
#[test]
fn a_sample_without_a_record_gets_one() {
    let folder = tempdir().unwrap();
    let (config, pairs) = (config(10, 1), pairs(5));
    cut_off(folder.path(), &config, &pairs);
    let mut frames = journal::SegmentReader::open(&segment(folder.path())).unwrap();
    let mut ends = vec![frames.offset()];
    while let Some(entry) = frames.next() {
        entry.unwrap();
        ends.push(frames.offset());
    }
    // Without the records of k3, r3, k4.
    let file = fs::File::options().write(true).open(segment(folder.path())).unwrap();
    file.set_len(ends[4]).unwrap();
    let mut options = options(&config);
    options.again = false;
    let (mut sink, resumed) = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
    assert_eq!((resumed.recovered, resumed.kept, resumed.undone), (2, 5, 0));
    sink.finish(RunEnd::Complete).unwrap();
    assert_eq!(published(folder.path()), ["k0000", "k0001", "k0002", "k0003", "k0004"]);
    let found = records(folder.path());
    let recovered: Vec<_> = found.iter().filter(|record| record.recovered).collect();
    assert_eq!(recovered.len(), 2);
    assert_eq!(recovered[0].uid, pairs[4].uid);
    assert_eq!(recovered[0].facts.caption_length, 9);
}

/// A shard had its name, and neither the journal's word of it nor the records of the samples in the
/// next one were on disk: these were counted with the former's.
#[test]
fn samples_without_a_record_are_counted_with_their_own_shard() {
    let folder = tempdir().unwrap();
    let (config, pairs) = (config(3, 1), pairs(5));
    cut_off(folder.path(), &config, &pairs);
    let cut = offset_of_closed(&segment(folder.path()), 0);
    let file = fs::File::options().write(true).open(segment(folder.path())).unwrap();
    file.set_len(cut as u64).unwrap();
    let mut options = options(&config);
    options.again = false;
    let (mut sink, resumed) = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
    assert_eq!(resumed.recovered, 2);
    sink.finish(RunEnd::Complete).unwrap();
    let successes = |shard: &str| {
        let text = fs::read(folder.path().join(format!("{shard}_stats.json"))).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["successes"].clone()
    };
    assert_eq!((successes("00000"), successes("00001")), (3.into(), 2.into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever of the open shard and of the journal reached the disk, shards and journal agree
    /// afterwards, nothing published is touched, and the shards come out as those of one run.
    #[test]
    fn after_any_cut_shards_and_journal_agree(
        count in 1_usize..14, shard_pairs in 1_u64..6,
        shard_cut in 0.0_f64..1.0, journal_cut in 0.0_f64..1.0, stats_lost: bool,
    ) {
        let folder = tempdir().unwrap();
        let (path, config) = (folder.path(), config(shard_pairs, 1));
        let pairs = pairs(count);
        cut_off(path, &config, &pairs);
        let before = shards(path);
        // What one of both had when the power failed: the open shard any part of it, the journal at
        // least what is published.
        let open = tree(path).into_iter().find(|(name, _)| name.ends_with(".tar.partial"));
        if let Some((name, bytes)) = open {
            let left = (bytes.len() as f64 * shard_cut) as usize;
            fs::write(path.join(name), &bytes[..left]).unwrap();
        }
        let segment = segment(path);
        let bytes = fs::read(&segment).unwrap();
        let mut left = {
            let stands = offset_after(&segment, published(path).len());
            stands + ((bytes.len() - stands) as f64 * journal_cut) as usize
        };
        if stats_lost && !before.is_empty() {
            // Killed when the last shard had its name and nothing told of it.
            let last = tars(&before).len() - 1;
            fs::remove_file(path.join(format!("{last:05}_stats.json"))).unwrap();
            left = offset_of_closed(&segment, last);
        }
        fs::write(&segment, &bytes[..left]).unwrap();

        run_on(path, &config, &pairs);
        let now = shards(path);
        prop_assert!(before.iter().all(|(name, bytes)| now[name] == *bytes));
        prop_assert!(now == unbroken(&config, &pairs));
        let (kept, all) = journalled(path);
        prop_assert_eq!(kept, published(path));
        prop_assert_eq!(all, pairs.len());
        prop_assert_eq!(counted(path).0 as usize, count);
        prop_assert!(counted(path).1 as usize <= all);
        prop_assert!(tree(path).keys().all(|name| !name.contains("damaged")), "nothing is damaged");
    }
}

/// Where the journal's record of the kept pair behind `kept` others begins, in bytes: all before it
/// was on disk when those were published.
fn offset_after(segment: &Path, kept: usize) -> usize {
    let mut entries = journal::SegmentReader::open(segment).unwrap();
    let (mut seen, mut at) = (0, entries.offset());
    if kept == 0 {
        return at as usize;
    }
    while let Some(entry) = entries.next() {
        if let journal::Entry::Record(record) = entry.unwrap() {
            seen += usize::from(record.verdict == Verdict::Kept);
        }
        if seen > kept {
            break;
        }
        at = entries.offset();
    }
    at as usize
}

/// Where the journal tells that a shard has its name.
fn offset_of_closed(segment: &Path, shard: usize) -> usize {
    let mut entries = journal::SegmentReader::open(segment).unwrap();
    loop {
        let at = entries.offset();
        if let journal::Entry::Closed(closed) = entries.next().unwrap().unwrap()
            && closed.shard as usize == shard
        {
            return at as usize;
        }
    }
}

/// A number that looks random, the same in every run.
fn noise(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// A flipped bit anywhere in the journal costs no whole record and no stored pair; what is damaged is
/// kept, the run goes on, and journal and shards agree.
#[test]
fn a_flipped_bit_costs_no_whole_record_and_no_stored_pair() {
    let (config, pairs) = (config(4, 1), pairs(10));
    let whole = unbroken(&config, &pairs);
    let mut state = 7;
    for (round, complete) in (0..1000).zip([false, true].into_iter().cycle()) {
        let folder = tempdir().unwrap();
        match complete {
            true => drop(run_on(folder.path(), &config, &pairs)),
            false => cut_off(folder.path(), &config, &pairs),
        }
        let mut files: Vec<_> =
            tree(folder.path()).into_keys().filter(|name| name.starts_with("journal/")).collect();
        files.sort();
        let total: u64 =
            files.iter().map(|f| fs::metadata(folder.path().join(f)).unwrap().len()).sum();
        let mut bit = noise(&mut state) % (8 * total);
        let file = files.iter().map(|file| folder.path().join(file)).find(|file| {
            let bits = 8 * fs::metadata(file).unwrap().len();
            let is_in = bit < bits;
            bit -= if is_in { 0 } else { bits };
            is_in
        });
        let file = file.unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[bit as usize / 8] ^= 1 << (bit % 8);
        fs::write(&file, &bytes).unwrap();
        let told = format!("round {round}, bit {bit} of {}", file.display());
        let mut kept_whole = Vec::new();
        examine(&segment(folder.path()), |record| kept_whole.push(record.clone())).unwrap();
        assert!(kept_whole.len() + 1 >= pairs.len(), "{told}");

        let resumed = run_on(folder.path(), &config, &pairs);
        assert_eq!(resumed.undone, 0, "{told}");
        let found = records(folder.path());
        assert!(kept_whole.iter().all(|record| found.contains(record)), "{told}");
        assert_eq!(published(folder.path()).len(), 10, "{told}");
        assert!(tars(&shards(folder.path())) == tars(&whole), "{told}");
        let kept = found.iter().filter(|record| record.verdict == Verdict::Kept).count();
        assert_eq!(kept, 10, "{told}");
        let found = examine(&segment(folder.path()), |_| ()).unwrap();
        assert!(found.is_whole(), "{told}");
        for aside in &resumed.damaged {
            assert_eq!(fs::read(aside).unwrap(), bytes, "{told}");
        }
    }
}

/// Beside each kept shard is a table that leads from a sample to its decision, and back.
#[cfg(feature = "parquet")]
#[test]
fn a_table_beside_each_shard_tells_the_decisions() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::{Field, RowAccessor};

    let folder = tempdir().unwrap();
    let mut pairs: Vec<_> = (0..5).map(stored).collect();
    let json =
        br#"{"url":"https://x/1.jpg","original_width":640,"original_height":480,"exif":"{}"}"#;
    pairs[3].sample.members.push(super::member("json", json));
    pairs[3].sample.key = pairs[4].sample.key.clone();
    pairs[4].decision.facts.score = Some(0.2734);
    pairs[4].threshold = Some(0.25);
    let (mut sink, _) = go_on(folder.path(), &config(3, 0));
    accept_all(&mut sink, &pairs);
    let table = fs::File::open(folder.path().join("00001.parquet")).unwrap();
    let reader = SerializedFileReader::new(table).unwrap();
    let names: Vec<_> = reader
        .metadata()
        .file_metadata()
        .schema()
        .get_fields()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    let img2dataset = [
        "url",
        "caption",
        "key",
        "status",
        "error_message",
        "width",
        "height",
        "original_width",
        "original_height",
        "exif",
        "sha256",
    ];
    assert!(img2dataset.iter().all(|name| names.contains(&(*name).to_owned())));
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    let text = |row: usize, name: &str| rows[row].get_string(at(name)).unwrap().clone();
    assert_eq!((text(0, "key"), text(0, "url")), ("k0004".into(), "https://x/1.jpg".into()));
    assert_eq!(rows[0].get_long(at("original_height")).unwrap(), 480);
    assert_eq!((text(1, "key"), text(1, "source_key")), ("k0004_2".into(), "k0004".into()));
    assert_eq!(
        (text(1, "caption"), text(1, "source_shard")),
        ("a caption".into(), "00000.tar".into())
    );
    assert_eq!((text(1, "uid"), text(1, "status")), (pairs[4].uid.to_string(), "success".into()));
    assert_eq!(rows[1].get_float(at("score")).unwrap(), 0.2734);
    assert_eq!(rows[1].get_float(at("threshold")).unwrap(), 0.25);
    assert_eq!(rows[0].get_float(at("threshold")).unwrap(), 0.2, "the run's, where none moves");
    let fields: Vec<_> = rows[0].get_column_iter().map(|(_, field)| field.clone()).collect();
    assert_eq!(fields[at("score")], Field::Null);
}

/// A sample's own text is not written anew: the decision is spliced in.
#[test]
fn annotating_changes_nothing_else() {
    for (json, wanted) in [
        (&br#"{ "b" : 1.50, "a":[ ] }"#[..], r#"{ "b" : 1.50, "a":[ ],"pairgate":@ }"#),
        (b"{}\n", "{\"pairgate\":@}\n"),
        (b"{ }", r#"{"pairgate":@ }"#),
        (b"[1]", "[1]"),
        (b"{\"a\":NaN}", r#"{"a":NaN,"pairgate":@}"#),
    ] {
        let folder = tempdir().unwrap();
        let mut options = options(&config(3, 0));
        options.annotate = true;
        let (mut sink, _) = StoreSink::go_on(&Disk::system(), folder.path(), options).unwrap();
        let mut pair = stored(0);
        pair.sample.members.push(super::member("json", json));
        pair.decision.facts.score = Some(0.2734);
        accept_all(&mut sink, &[pair.clone()]);
        drop(sink);
        let tar = fs::read(folder.path().join("00000.tar")).unwrap();
        let mut archive = tar::Archive::new(tar.as_slice());
        let mut text = String::new();
        let mut entries = archive.entries().unwrap().map(Result::unwrap);
        entries
            .find(|e| e.path().unwrap().ends_with("k0000.json"))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        let told = format!(
            r#"{{"key":"k0000","reason":"passed","score":0.2734,"shard":"00000.tar","threshold":0.2,"uid":"{}"}}"#,
            pair.uid
        );
        assert_eq!(text, wanted.replace('@', &told));
        // A run that goes on finds its sample all the same.
        assert_eq!(go_on(folder.path(), &config(3, 0)).1.kept, 1);
    }
}
