//! Shards, manifests and metadata.

use std::io::{Read, Write};
use std::sync::OnceLock;
use std::{fs, iter};

use flate2::Compression;
use flate2::write::GzEncoder;
use pairgate::source::manifest::ManifestSource;
use pairgate::source::tar::TarSource;
use pairgate::source::{Inputs, Member, Metadata, Sample, Source};
use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;

use crate::Target;
use crate::files;
use crate::slow_reader::SlowReader;

pub const TAR: Target = Target {
    name: "tar",
    about: "samples stay within the limits, and are the same however the bytes arrive",
    seeds: shards,
    run: tar,
};

pub const MANIFEST: Target = Target {
    name: "manifest",
    about: "a sample a line at most, and no image from outside the folder",
    seeds: manifests,
    run: manifest,
};

pub const CSV: Target = Target {
    name: "csv",
    about: "rows of CSV stay within the limits, and are the same however the bytes arrive",
    seeds: || seeds_with(&["csv", "tsv"]),
    run: |bytes| table("csv", bytes),
};

pub const LIST: Target = Target {
    name: "json-list",
    about: "elements of JSON lists, and COCO's images, stay within the limits",
    seeds: || seeds_with(&["json"]),
    run: |bytes| table("json", bytes),
};

pub const PAIRS: Target = Target {
    name: "parquet-pairs",
    about: "rows of Parquet stay within the limits, and a damaged table ends",
    seeds: || seeds_with(&["parquet"]),
    run: |bytes| table("parquet", bytes),
};

pub const METADATA: Target = Target {
    name: "metadata",
    about: "a sample's .json is read, or invalid",
    seeds: metadata_seeds,
    run: metadata,
};

/// Small, so that they are met.
const LIMITS: SampleLimits =
    SampleLimits { max_sample_bytes: 64 << 10, max_caption_bytes: 1 << 10 };
/// Samples of any input at most: an input has a mebibyte, and gzip may hold a thousand.
const MOST: usize = 4096;

/// All samples of a source, each looked at.
pub fn samples(source: &mut dyn Source) -> Vec<Sample> {
    let next = || source.next().unwrap_or_else(|why| panic!("not the pairs' fault: {why}"));
    let mut found = Vec::new();
    for sample in iter::from_fn(next).take(MOST) {
        assert!(sample.bytes() <= LIMITS.max_sample_bytes, "{} bytes", sample.bytes());
        let metadata = sample.metadata();
        let pair = sample.pair(&metadata);
        if sample.fault.is_some() {
            assert_eq!(pair.fault, sample.fault);
        }
        let _ = sample.uid(&metadata, Default::default());
        let _ = sample.json(1 << 16);
        found.push(sample);
    }
    found
}

fn tar(bytes: &[u8]) {
    let found = samples(&mut TarSource::new(bytes, "shard", LIMITS));
    let slowly = samples(&mut TarSource::new(SlowReader::new(bytes), "shard", LIMITS));
    assert_eq!(found, slowly, "what comes slowly is the same");
    let torn = |sample: &Sample| sample.fault == Some(Reason::ArchiveTorn);
    let before = found.len().saturating_sub(1);
    assert!(!found[..before].iter().any(torn), "a torn shard has ended");
}

fn shards() -> Vec<Vec<u8>> {
    let picture = files::read(&files::repository("tests/data/bits/tiny.jpg"));
    let long = "a/very/".repeat(40) + "long";
    let plain = shard(&[
        ("a.jpg", &picture),
        ("a.txt", b"a ball on a beach"),
        ("a.json", br#"{"uid": "00112233445566778899aabbccddeeff", "original_width": 640}"#),
        ("b.seg.png", b"\x89PNG"),
        ("b.txt", b"nothing"),
        ("folder/c.jpg", &picture),
        (&format!("{long}.jpg"), &picture),
        (&format!("{long}.txt"), b"a caption"),
    ]);
    let mut sized = tar_header("d.txt", b'0', 0, b"");
    let pax = b"30 path=a/name/from/a/pax.txt\n11 size=200\n";
    sized.splice(0..0, [tar_header("pax", b'x', pax.len(), b""), padded(pax)].concat());
    sized.extend(padded(&[b'x'; 200]));
    sized.extend(tar_header("e.jpg", b'2', 0, b"../../etc/passwd"));
    sized.extend(tar_header("f.jpg", b'S', 512, b""));
    sized.extend([0; 2048]);
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&plain).expect("memory takes all");
    let packed = packer.finish().expect("memory takes all");
    let twice = [&plain[..], &plain].concat();
    let joined = [&packed[..], &packed].concat();
    let mut seeds = vec![plain, sized, packed, twice, joined, vec![0; 1024]];
    // Odd ones, and each packing.
    seeds.extend(files::all_in("tests/data/odd", &["gz", "bz2", "xz", "zst"]));
    seeds
}

/// A shard, as Python's tarfile would write it.
pub fn shard(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *data).expect("memory takes all");
    }
    builder.into_inner().expect("memory takes all")
}

fn tar_header(name: &str, kind: u8, size: usize, link: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("the name is short");
    header.set_size(size as u64);
    header.set_entry_type(tar::EntryType::new(kind));
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut block = data.to_vec();
    block.resize(data.len().next_multiple_of(512), 0);
    block
}

fn manifest(bytes: &[u8]) {
    static FOLDER: OnceLock<()> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let inside = files::work().join("inside");
        fs::create_dir_all(&inside).expect("a folder can be made");
        files::in_file("secret.jpg", SECRET);
        files::in_file("inside/a.jpg", b"\xff\xd8 a picture");
        #[cfg(unix)]
        for (from, to) in [("../secret.jpg", "link.jpg"), ("..", "up")] {
            std::os::unix::fs::symlink(from, inside.join(to)).expect("a link can be made");
        }
    });
    let folder = files::work().join("inside");
    let read = |reader: &mut (dyn Read + Send)| {
        samples(&mut ManifestSource::new(reader, "manifest", &folder, LIMITS))
    };
    let found = read(&mut &bytes[..]);
    assert_eq!(found, read(&mut SlowReader::new(bytes)), "what comes slowly is the same");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(found.len() <= lines, "{} samples of {lines} lines", found.len());
    for sample in &found {
        assert_ne!(sample.image(), Some(SECRET), "{} was let out", sample.key);
    }
}

const SECRET: &[u8] = b"\xff\xd8 nobody's business";

fn manifests() -> Vec<Vec<u8>> {
    let lines = concat!(
        "\u{feff}{\"image\": \"a.jpg\", \"caption\": \"a ball\", \"key\": \"k\", \"more\": [1, {}]}\r\n",
        "{\"image\": \"../secret.jpg\", \"text\": \"\\ud83d\\ude00\"}\n",
        "{\"file_name\": \"link.jpg\", \"caption\": \"x\"}\n\n",
        "{\"image\": \"up/secret.jpg\", \"caption\": NaN}\n",
        "{\"image\": \"/etc/hostname\", \"caption\": \"\\ud800\"}\n",
    );
    vec![lines.into(), files::read(&files::repository("tests/data/manifest.jsonl"))]
}

fn seeds_with(extensions: &[&str]) -> Vec<Vec<u8>> {
    let mut seeds = files::all_in("tests/data/tables", extensions);
    seeds.retain(|seed| seed.len() < 20_000);
    seeds
}

/// The pairs of a table's file, which may be a table of any kind where it says so.
fn table(extension: &str, bytes: &[u8]) {
    fs::create_dir_all(files::work().join("tables")).expect("a folder can be made");
    files::in_file("tables/p0.png", b"\x89PNG a picture");
    let path = files::in_file(&format!("tables/table.{extension}"), bytes);
    let mut inputs = Inputs::open(&[path], LIMITS).expect("it is there");
    samples(&mut inputs);
}

fn metadata(bytes: &[u8]) {
    let metadata = Metadata::parse(bytes);
    assert!(!metadata.invalid || metadata.caption.is_none(), "what is invalid says nothing");
    let members = vec![Member { extension: "json".into(), data: bytes.to_vec() }];
    let sample = Sample { shard: "".into(), key: "k".into(), members, fault: None };
    let line = sample.json(usize::MAX);
    assert_eq!(line.is_none(), metadata.invalid, "both readers read the same");
    if let Some(line) = line {
        assert!(!line.get().contains('\n'), "a line is one");
        assert!(!Metadata::parse(line.get().as_bytes()).invalid, "a line is JSON");
    }
}

fn metadata_seeds() -> Vec<Vec<u8>> {
    let mut seeds = files::all_in("tests/data/pairs", &["json"]);
    seeds.push(
        concat!(
            r#"{"uid": "00112233445566778899aabbccddeeff", "caption": "a \ud83d\ude00 \ud800 ball","#,
            r#" "original_width": 640.0, "original_height": 48e1, "width": "7", "a": [[{"b": NaN}],"#,
            r#" Infinity, -0.0, 1e999, 99999999999999999999], "text": null}"#
        )
        .into(),
    );
    seeds
}
