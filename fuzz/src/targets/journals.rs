//! Journals of all formats, and sketches of scores.

use std::fs;
use std::sync::OnceLock;

use pairgate::decide::sketch::ScoreSketch;
use pairgate::disk::Disk;
use pairgate::journal::{
    Choice, Closed, Entry, Epoch, Header, ModelName, Part, Record, Salvage, SegmentReader, Stored,
    Terms, Writer, examine, repair,
};
use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::{Digest, Position, Size, Uid};
use pairgate_core::policy::TrackerRule;
use pairgate_core::wire::{self, Journal};

use crate::{Target, files, seal};

pub const JOURNAL: Target = Target {
    name: "journal",
    about: "salvage gives every record that is whole, and what is repaired is whole",
    seeds: || vec![segment().0.clone(), earlier(None), earlier(Some(TRACKER))],
    run: |bytes| {
        journal(bytes);
        let mut sealed = bytes.to_vec();
        seal::seal_frames(&mut sealed, wire::MAGIC.len());
        journal(&sealed);
    },
};

pub const EARLIER: Target = Target {
    name: "earlier_journal",
    about: "formats 1 and 2 are read in memory as they are from a file",
    seeds: || vec![earlier(None), earlier(Some(TRACKER))],
    run: |bytes| {
        in_memory(bytes);
        let mut sealed = bytes.to_vec();
        seal::seal_frames(&mut sealed, wire::MAGIC.len());
        in_memory(&sealed);
    },
};

pub const SKETCH: Target = Target {
    name: "sketch",
    about: "a sketch that is read answers",
    seeds: sketches,
    run: |bytes| {
        sketch(bytes);
        let mut sealed = bytes.to_vec();
        seal::seal_frames(&mut sealed, pairgate::decide::sketch::MAGIC.len());
        sketch(&sealed);
    },
};

const TRACKER: TrackerRule = TrackerRule { keep: 0.15, warm_up: 10, window: 100, every: 10 };

/// The records that a reader gives before damage.
fn records(bytes: &[u8]) -> Option<Vec<Record>> {
    let reader = SegmentReader::over(bytes, "segment".into()).ok()?;
    let mut records = Vec::new();
    for entry in reader {
        match entry {
            Ok(Entry::Record(record)) => records.push(*record),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Some(records)
}

fn journal(bytes: &[u8]) {
    let path = files::in_file("00000000.pairgate", bytes);
    let _ = fs::remove_file(files::work().join("00000000.header"));
    let mut salvaged = Vec::new();
    let Ok(found) = examine(&path, |record| salvaged.push(record.clone())) else { return };
    assert_eq!(found.records, salvaged.len() as u64);
    if let Some(read) = records(bytes) {
        assert!(same(&salvaged[..read.len().min(salvaged.len())], &read), "the front is the same");
    }
    let expected = whole_frames(bytes);
    assert!(found.records >= expected, "{} of {expected} whole records", found.records);
    let (_, aside) = repair(&Disk::system(), &path).expect("the folder can be written");
    if let Some(aside) = aside {
        assert_eq!(files::read(&aside), bytes, "damage is kept as it was found");
        fs::remove_file(aside).expect("it is there");
        let mut again = Vec::new();
        let now = examine(&path, |record| again.push(record.clone())).expect("it was just written");
        assert!(now.is_whole(), "{now:?}");
        assert!(same(&salvaged, &again), "a repaired journal holds the same records");
    }
}

/// Records of the seed's that stand in `bytes` whole, behind a header of its format.
fn whole_frames(bytes: &[u8]) -> u64 {
    let path = files::work().join("00000000.pairgate");
    let Ok(mut salvage) = Salvage::open(&path) else { return 0 };
    if salvage.header().format != pairgate::journal::FORMAT_VERSION {
        return 0;
    }
    let (mut at, mut count) = (salvage.offset() as usize, 0);
    // A frame that damage made may hold one of these: what stands in it does not count.
    let mut held = Vec::new();
    while let Ok(Some(part)) = salvage.next_part() {
        let end = salvage.offset();
        if let Part::Whole(_) = part {
            held.push(end - salvage.bytes().len() as u64..end);
        }
    }
    while at < bytes.len() {
        let frame = segment().1.iter().find(|frame| bytes[at..].starts_with(frame));
        let Some(frame) = frame else {
            at += 1;
            continue;
        };
        let range = at as u64..(at + frame.len()) as u64;
        let within = |part: &std::ops::Range<u64>| {
            *part != range && part.start < range.end && range.start < part.end
        };
        count += u64::from(!held.iter().any(within));
        at += frame.len();
    }
    count
}

/// Whether both hold the same records; numbers that are none are equal here.
fn same(these: &[Record], those: &[Record]) -> bool {
    format!("{these:?}") == format!("{those:?}")
}

fn in_memory(bytes: &[u8]) {
    let Ok(journal) = Journal::open(bytes) else { return };
    let here: Vec<_> = journal.map_while(Result::ok).map(|record| record.key.to_owned()).collect();
    let there = records(bytes).expect("a header that is read from memory is read from a file");
    let there: Vec<_> = there.iter().map(|record| record.key.clone()).collect();
    assert_eq!(here, there);
}

/// A segment of the present format, and the frames of its records.
fn segment() -> &'static (Vec<u8>, Vec<Vec<u8>>) {
    static SEGMENT: OnceLock<(Vec<u8>, Vec<Vec<u8>>)> = OnceLock::new();
    SEGMENT.get_or_init(|| {
        let disk = Disk::system();
        let folder = files::work().join("journal");
        let _ = fs::remove_dir_all(&folder);
        let name = ModelName { name: "model 1".into(), digest: Digest([3; 32]) };
        let settings = vec!["rules.min_words=3".to_owned()];
        let terms = Terms::new(name, Digest([4; 32]), settings, Some(0.25), Some(TRACKER));
        let header = Header::new(terms.clone(), vec!["shards/00000.tar".into()]);
        let mut writer = Writer::begin(&disk, &folder, 0, header, &()).expect("it is a new folder");
        let mut frames = Vec::new();
        for ticket in 0..24 {
            let before = writer.position().1;
            writer.append(&Entry::Record(Box::new(record(ticket)))).expect("memory takes all");
            frames.push(before..writer.position().1);
            let entry = match ticket {
                7 => Entry::Closed(Closed { shard: 0, samples: 3 }),
                11 => Entry::Epoch(Box::new(Epoch { terms: terms.clone(), first_ticket: 12 })),
                23 => Entry::End,
                _ => continue,
            };
            writer.append(&entry).expect("memory takes all");
        }
        writer.sync().expect("memory takes all");
        let bytes = files::read(writer.position().0);
        let cut =
            |range: std::ops::Range<u64>| bytes[range.start as usize..range.end as usize].to_vec();
        let frames = frames.into_iter().map(cut).collect();
        (bytes, frames)
    })
}

fn record(ticket: u64) -> Record {
    let byte = ticket as u8;
    let (verdict, reason) = match ticket % 3 {
        0 => (Verdict::Kept, Reason::Passed),
        1 => (Verdict::Rejected, Reason::LowSimilarity),
        _ => (Verdict::Failed, Reason::Undecodable),
    };
    let stored = Stored { shard: 0, key: format!("key-{ticket}"), check: Some(byte.into()) };
    Record {
        ticket,
        uid: Uid([byte; 16]),
        key: format!("key-{}", ticket / 2 * 2),
        shard: "shards/00000.tar".into(),
        position: Position { input: 0, item: ticket },
        verdict,
        reason,
        facts: facts(byte),
        image_bytes: 1000 * ticket,
        broken: [Reason::LowSimilarity].into_iter().collect(),
        stored: (verdict == Verdict::Kept).then_some(stored),
        threshold: Some(0.2),
        recovered: ticket.is_multiple_of(5),
        spooled: ticket.is_multiple_of(7).then_some(Position { input: 3, item: ticket }),
        choice: ticket.is_multiple_of(4).then(|| Box::new(choice(ticket))),
        group: ticket.is_multiple_of(6).then(|| "example.org".into()),
    }
}

fn choice(ticket: u64) -> Choice {
    let measures = vec![0.5; ticket as usize % 40];
    Choice { measures, group: Some(7), like: Some(ticket), flags: vec![1], learnt: vec![2] }
}

fn facts(byte: u8) -> Facts {
    Facts {
        score: Some(f32::from(byte) / 100.0),
        caption_length: 20,
        size: Size::new(240, 200),
        content: Digest([byte; 32]),
    }
}

/// A journal of format 1, or 2 where the threshold follows the scores.
fn earlier(tracker: Option<TrackerRule>) -> Vec<u8> {
    let mut bytes = wire::MAGIC.to_vec();
    let mut buffer = [0; 4096];
    let header = wire::Header::new(Digest([1; 32]), Digest([2; 32]), Some(0.5), tracker);
    bytes.extend(wire::frame(&header, &mut buffer).expect("it fits"));
    for number in 0..20 {
        let key = format!("key-{number}");
        let record = wire::Record {
            uid: Uid([number; 16]),
            key: &key,
            shard: "00000.tar",
            verdict: Verdict::Rejected,
            reason: Reason::LowSimilarity,
            facts: facts(number),
        };
        let frame = match tracker {
            None => wire::frame(&record, &mut buffer),
            Some(_) => wire::frame(&wire::TrackedRecord { record, threshold: 0.5 }, &mut buffer),
        };
        bytes.extend(frame.expect("it fits"));
    }
    bytes
}

fn sketch(bytes: &[u8]) {
    let path = files::in_file("sketch", bytes);
    let Ok((mut sketch, model)) = ScoreSketch::load(&path) else { return };
    for rank in [0.0, 0.15, 0.5, 1.0] {
        assert!(sketch.quantile(rank).is_some() || sketch.count() == 0);
        let _ = (sketch.threshold(rank), sketch.interval(rank, 0.95));
    }
    let _ = sketch.share_kept(0.3);
    let mut sum = ScoreSketch::new();
    sum.add(0.5);
    sum.merge(&sketch);
    sketch.save(&path, model).expect("what was read can be written");
}

fn sketches() -> Vec<Vec<u8>> {
    [0, 1, 50, 5000]
        .map(|count| {
            let mut sketch = ScoreSketch::new();
            (0..count).for_each(|k| sketch.add((k * 37 % 101) as f32 / 101.0));
            let path = files::work().join("seed");
            sketch.save(&path, Digest([9; 32])).expect("the folder can be written");
            files::read(&path)
        })
        .into()
}
