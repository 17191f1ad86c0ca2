//! Parquet tables that are not what they should be.

use std::fs;

use pairgate::source::InputOptions;
use pairgate_core::decision::Reason;

use super::{INVALID, caption, folder, json, lines, read, read_with, tables};

#[test]
fn a_table_without_an_image_is_one_bad_pair() {
    let empty = folder(&[("empty.parquet", b""), ("text.parquet", b"PAR1 and no more PAR1")]);
    for path in [
        tables().join("urls.parquet"),
        tables().join("nothing.parquet"),
        empty.path().join("empty.parquet"),
        empty.path().join("text.parquet"),
    ] {
        let samples = read(&path);
        assert_eq!(samples.iter().map(|sample| sample.fault).collect::<Vec<_>>(), [INVALID]);
    }
}

/// A few kilobytes that unpack to 36 columns of 8 MiB each.
#[test]
fn a_table_that_unpacks_to_more_than_it_may_ends() {
    let samples = read(&tables().join("bomb.parquet"));
    assert_eq!(lines(&samples), [": !archive_torn"]);
}

#[test]
fn a_picture_above_the_limit_is_one_bad_pair() {
    let path = tables().join("snappy.parquet");
    let limits =
        pairgate_core::config::SampleLimits { max_sample_bytes: 200, max_caption_bytes: 9 };
    let inputs = pairgate::source::Inputs::open(&[path], limits);
    let mut inputs = inputs.unwrap();
    let mut faults = Vec::new();
    while let Some(sample) = pairgate::source::Source::next(&mut inputs).unwrap() {
        assert!(sample.bytes() <= 200);
        faults.push(sample.fault);
    }
    assert_eq!(faults, [Some(Reason::SampleTooLarge); 4]);
}

#[test]
fn columns_are_those_that_the_user_names() {
    let (image_keys, caption_keys) = (vec!["JPG".to_owned()], vec!["url".to_owned()]);
    let options = InputOptions { image_keys, caption_keys, ..InputOptions::default() };
    let samples = read_with(options, &tables().join("img2dataset.parquet"));
    assert_eq!(caption(&samples[0]).unwrap(), "https://example.org/a");
}

#[test]
fn several_captions_are_kept_as_a_list() {
    let samples = read(&tables().join("several.parquet"));
    assert_eq!(json(&samples[0])["captions"][1], "another");
}

#[test]
fn metadata_may_be_parquet() {
    let folder = folder(&[]);
    let from = |name: &str| fs::read(tables().join(name)).unwrap();
    fs::write(folder.path().join("metadata.parquet"), from("paths.parquet")).unwrap();
    fs::write(folder.path().join("p2.png"), from("p2.png")).unwrap();
    let samples = read(folder.path());
    let found: Vec<_> = samples.iter().map(|sample| (sample.key.as_str(), sample.fault)).collect();
    let missing = Some(Reason::ImageMissing);
    let expected = [
        ("000000000", missing),
        ("000000001", missing),
        ("p2", None),
        ("000000003", missing),
        ("a", None),
    ];
    assert_eq!(found, expected);
    assert_eq!(lines(&samples[2..3]), ["p2: a blue one\nin two lines"]);
}

/// What a page claims is looked at before anything is set aside for it: a test that fails ends the
/// process, for want of memory or by its limits.
#[test]
fn damaged_tables_end() {
    let folder = folder(&[]);
    let path = folder.path().join("t.parquet");
    for name in
        ["snappy.parquet", "delta.parquet", "brotli-v2.parquet", "lz4.parquet", "hf.parquet"]
    {
        let sound = fs::read(tables().join(name)).unwrap();
        for at in (0..sound.len()).step_by(41) {
            for patch in [0x00, 0x7f, 0xff] {
                let mut bytes = sound.clone();
                bytes[at] = patch;
                fs::write(&path, &bytes).unwrap();
                assert!(read(&path).len() <= 5, "{name}: byte {at} is {patch}");
            }
            fs::write(&path, &sound[..at]).unwrap();
            assert_eq!(read(&path).len(), 1, "{name}: cut off at {at}");
        }
    }
}
