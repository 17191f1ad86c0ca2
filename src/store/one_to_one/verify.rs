//! Whether an output is what its marker says.

use std::fs;
use std::path::Path;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use super::{ATTEMPTS, DATA, JOURNAL, Kind, Marker, Names};
use crate::digest::sha256_of_file;
use crate::journal;
use crate::source::Source;
use crate::source::tar::TarSource;

/// Reads all files of an output and says what is wrong: lengths and digests, samples in the shard, records
/// in the journal. Nothing where all is as the marker says.
pub fn verify(names: &Names, marker: &Marker) -> Vec<String> {
    let mut wrong: Vec<String> = Vec::new();
    for (file, mark) in &marker.files {
        match sha256_of_file(&names.folder().join(file)) {
            Err(why) => wrong.push(format!("{file}: {why}")),
            Ok((bytes, _)) if bytes != mark.bytes => {
                wrong.push(format!("{file} has {bytes} bytes, not {}", mark.bytes));
            }
            Ok((_, digest)) if digest.to_string() != mark.sha256 => {
                wrong.push(format!("{file} has other bytes than its marker says"));
            }
            Ok(_) => {}
        }
    }
    if wrong.is_empty() {
        recount(names, marker, &mut wrong);
    }
    wrong
}

fn recount(names: &Names, marker: &Marker, wrong: &mut Vec<String>) {
    let mut records = 0;
    match journal::examine(&names.path(JOURNAL), |_| records += 1) {
        Err(why) => wrong.push(why.to_string()),
        Ok(found) if !found.is_whole() => {
            wrong.push(format!("{} is damaged", names.file(JOURNAL)));
        }
        Ok(_) if records != marker.counts().decided() => {
            let (file, told) = (names.file(JOURNAL), marker.counts().decided());
            wrong.push(format!("{file} has {records} records, not {told}"));
        }
        Ok(_) => {}
    }
    if marker.kind == Kind::Filter {
        let (file, told) = (names.file(DATA), marker.stored());
        match samples(&names.path(DATA)) {
            Ok(count) if count == told => {}
            Ok(count) => wrong.push(format!("{file} has {count} samples, not {told}")),
            Err(why) => wrong.push(format!("{file}: {why}")),
        }
    }
}

/// Samples in a shard that is read to its end.
fn samples(shard: &Path) -> Result<u64, String> {
    let limits = SampleLimits { max_sample_bytes: u64::MAX, ..SampleLimits::default() };
    let mut source = TarSource::open(shard, limits).map_err(|why| why.to_string())?;
    let mut count = 0;
    while let Some(sample) = source.next().map_err(|why| why.to_string())? {
        if sample.fault == Some(Reason::ArchiveTorn) {
            return Err(format!("torn behind {count} samples"));
        }
        count += 1;
    }
    Ok(count)
}

/// Folders of attempts that have not come to their end: they are at work, or were killed.
pub fn left_behind(folder: &Path) -> usize {
    let entries = fs::read_dir(folder.join(ATTEMPTS)).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().is_dir()).count()
}
