//! In which order things reach the disk.

use std::sync::Arc;

use pairgate::sink::{RunEnd, Sink};

use super::{Run, accept};
use crate::disk::quick::{QuickFiles, scratch};
use crate::disk::recorder::Recorder;

/// Lines of a whole run in a folder `out`.
fn lines(run: &Run) -> Vec<String> {
    let around = scratch();
    let recorder = Recorder::with(around.path(), Arc::new(QuickFiles));
    let (mut sink, _) = run.go_on(&Run::disk(&recorder), &around.path().join("out")).unwrap();
    accept(&mut sink, &run.pairs, |sink| recorder.mark(sink.durable().unwrap())).unwrap();
    sink.finish(RunEnd::Complete).unwrap();
    recorder.mark(sink.durable().unwrap());
    recorder.log().lines()
}

/// The first line from `from` on that begins so.
fn next(lines: &[String], from: usize, begin: &str) -> Option<usize> {
    lines[from..].iter().position(|line| line.starts_with(begin)).map(|at| from + at)
}

/// The last line before `to` that begins so.
fn before(lines: &[String], to: usize, begin: &str) -> Option<usize> {
    lines[..to].iter().rposition(|line| line.starts_with(begin))
}

/// Places of the lines that begin so.
fn places<'a>(lines: &'a [String], begin: &'a str) -> impl Iterator<Item = usize> + 'a {
    (0..lines.len()).filter(move |at| lines[*at].starts_with(begin))
}

fn is_before(lines: &[String], first: Option<usize>, second: usize) -> bool {
    let told = || format!("{first:?} {:?}", &lines[second.saturating_sub(12)..=second]);
    assert!(first.is_some_and(|first| first < second), "{}", told());
    true
}

#[test]
fn a_new_shard_has_its_folder_entry_on_disk_before_anything_is_in_it() {
    let lines = lines(&Run::of(40));
    let opened: Vec<_> =
        places(&lines, "open out/.0").filter(|at| lines[*at].contains(".tar")).collect();
    assert_eq!(opened.len(), 4);
    for at in opened {
        let name = lines[at].strip_prefix("open ").unwrap();
        let written = next(&lines, at, &format!("write {name}")).unwrap();
        let synced = next(&lines, at, "sync folder out").unwrap();
        assert_eq!(lines[synced], "sync folder out");
        is_before(&lines, Some(synced), written);
    }
}

/// A record that is on disk has its sample there, and a ticket below `durable` has its record there.
#[test]
fn samples_are_synced_before_records_and_those_before_anybody_is_told() {
    let lines = lines(&Run::of(40));
    let marks: Vec<_> = places(&lines, "mark ").collect();
    let mut grown = 0;
    for pair in marks.windows(2) {
        let between = &lines[pair[0]..pair[1]];
        if lines[pair[0]] == lines[pair[1]] {
            continue;
        }
        let at = |begin: &str| next(between, 0, begin).unwrap_or_else(|| panic!("{between:?}"));
        is_before(between, Some(at("write out/journal/0")), at("sync out/journal/0"));
        // Where a shard is closed its other writes come later.
        let Some(sample) = next(between, 0, "write out/.0") else { continue };
        is_before(between, Some(sample), at("sync out/.0"));
        is_before(between, Some(at("sync out/.0")), at("write out/journal/0"));
        grown += 1;
    }
    assert!(grown >= 8, "{grown}");
    assert_eq!(lines.last().unwrap(), "mark 40");
}

#[test]
fn a_shard_gets_its_name_when_its_records_are_on_disk() {
    let lines = lines(&Run::of(40));
    let renamed: Vec<_> =
        places(&lines, "rename out/.0").filter(|at| lines[*at].ends_with(".tar")).collect();
    assert_eq!(renamed.len(), 4);
    for at in renamed {
        let partial = lines[at].split(' ').nth(1).unwrap();
        let synced = before(&lines, at, &format!("sync {partial}"));
        let written = before(&lines, at, &format!("write {partial}")).unwrap();
        is_before(&lines, Some(written), synced.unwrap());
        let records = before(&lines, at, "sync out/journal/").unwrap();
        let appended = before(&lines, at, "write out/journal/0").unwrap();
        is_before(&lines, Some(appended), records);
        assert_eq!(lines[at + 1], "sync folder out");
        // What tells of the name comes behind it.
        let number = lines[at].split("out/").last().unwrap().trim_end_matches(".tar");
        let stats = next(&lines, at, &format!("open out/.{number}_stats.json")).unwrap();
        is_before(&lines, Some(at + 1), stats);
        if cfg!(feature = "parquet") {
            // The statistics say that the table is there too.
            let table = next(&lines, at, &format!("sync out/.{number}.parquet")).unwrap();
            is_before(&lines, Some(table), stats);
        }
    }
}

#[test]
fn a_segment_has_its_checkpoint_and_its_header_beside_it_first() {
    let lines = lines(&Run::of(60));
    let segments: Vec<_> = places(&lines, "open out/journal/0").collect();
    assert!(segments.len() > 2, "{}", segments.len());
    for at in segments {
        let name = lines[at].strip_prefix("open out/journal/").unwrap();
        let number = name.strip_suffix(".pairgate").unwrap();
        for beside in ["checkpoint", "header"] {
            let renamed = format!(
                "rename out/journal/.{number}.{beside}.partial to out/journal/{number}.{beside}"
            );
            let renamed = before(&lines, at, &renamed).unwrap();
            assert_eq!(lines[renamed + 1], "sync folder out/journal");
        }
        // The segment before it is on disk, with all samples of its records.
        if let Some(written) = before(&lines, at, "write out/journal/0") {
            is_before(&lines, next(&lines, written, "sync out/journal/0"), at);
        }
        let header = next(&lines, at, &format!("sync out/journal/{name}")).unwrap();
        let entry = next(&lines, at, "sync folder out/journal").unwrap();
        let record = next(&lines, header, &format!("write out/journal/{name}"));
        assert!(record.is_none_or(|record| record > entry));
    }
}

/// The folder's own name, and that of the journal in it, are on disk before anything is durable.
#[test]
fn a_new_folder_has_its_entry_on_disk() {
    let lines = lines(&Run::of(3));
    for (made, around) in [("out", ""), ("out/journal", "out")] {
        let made = next(&lines, 0, &format!("create folder {made}")).unwrap();
        let synced = lines.iter().skip(made).position(|l| *l == format!("sync folder {around}"));
        is_before(&lines, synced, next(&lines, 0, "mark ").unwrap());
    }
}
