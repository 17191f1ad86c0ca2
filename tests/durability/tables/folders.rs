//! Folders as other programs leave them.

use pairgate::source::InputOptions;

use super::{PNG, caption, folder, json, lines, read, read_with};

#[test]
fn what_has_an_images_whole_name_in_front_is_its_own() {
    let folder = folder(&[
        ("a.png.txt", b"a dog"),
        ("a.png.json", b"{}"),
        ("b.jpg", PNG),
        ("b.png", PNG),
        ("b.jpg.txt", b"a cat"),
        ("b.png.caption", b"a bird"),
        ("b.txt", b"not so near"),
        ("c.png.png", PNG),
        ("c.png.txt", b"an image called c.png.png"),
        ("d.jpg.txt", b"nothing"),
        ("e.JPG", PNG),
        ("e.jpg.txt", b"a fish"),
    ]);
    let samples = read(folder.path());
    let captions: Vec<_> = samples
        .iter()
        .map(|sample| {
            let metadata = sample.metadata();
            let caption = sample.pair(&metadata).caption.unwrap();
            format!("{}: {}", sample.key, String::from_utf8_lossy(caption))
        })
        .collect();
    let expected = [
        "a: a dog",
        "b: a cat",
        "b_png: not so near",
        "c_png: an image called c.png.png",
        "e: a fish",
    ];
    assert_eq!(captions, expected);
    assert!(samples[0].member("json").is_some());
    assert!(samples.iter().all(|sample| sample.fault.is_none()));
}

#[test]
fn a_picture_without_an_extension_is_found_by_its_caption() {
    let folder = folder(&[
        ("h", PNG),
        ("h.txt", b"a dog"),
        ("i.dat", PNG),
        ("i.caption", b"a cat"),
        ("i.json", b"{}"),
        ("j.bin", b"no picture"),
        ("j.txt", b"a bird"),
        ("k", PNG),
    ]);
    let samples = read(folder.path());
    let keys: Vec<_> = samples.iter().map(|sample| sample.key.as_str()).collect();
    assert_eq!(keys, ["a", "h", "i"]);
    assert!(samples.iter().all(|sample| sample.image() == Some(PNG)));
    assert_eq!(samples[2].members.len(), 3);
}

#[test]
fn metadata_tell_of_a_folders_images_and_of_those_below() {
    let table =
        b"file_name,text,n\nb.png,a dog,1\nsub/c.png,a cat,2\nb.png,a dog again,3\ngone.png,x,4\n";
    let folder = folder(&[
        ("metadata.csv", table),
        ("a.txt", b"beside"),
        ("b.png", PNG),
        ("b.txt", b"not this"),
        ("sub/c.png", PNG),
        ("sub/d.png", PNG),
        ("sub/metadata.jsonl", br#"{"file_name": "d.png", "caption": "a bird"}"#),
    ]);
    let samples = read(folder.path());
    let expected = [
        "b: a dog",
        "sub/c: a cat",
        "b_2: a dog again",
        "000000003: x!image_missing",
        "a: beside",
        "sub/d: a bird",
    ];
    assert_eq!(lines(&samples), expected);
    assert_eq!(json(&samples[1])["n"], 2);
    assert!(samples.iter().all(|sample| *sample.shard == *folder.path().to_string_lossy()));
}

#[test]
fn metadata_of_something_else_leave_a_folder_as_it_is() {
    for (name, text) in [
        ("metadata.csv", "a,b\n1,2\n"),
        ("metadata.jsonl", "{\"a\": 1}\n{\"a\": 2}\n"),
        ("metadata.parquet", "no Parquet"),
        ("metadata.csv", "file_name,label\na.png,3\n"),
        ("pairs.csv", "file_name,text\na.png,not this\n"),
    ] {
        let folder = folder(&[(name, text.as_bytes()), ("a.txt", b"beside")]);
        assert_eq!(lines(&read(folder.path())), ["a: beside"], "{name} {text}");
    }
}

#[test]
fn a_bad_row_of_metadata_is_one_bad_pair() {
    let table = b"no object\n{\"file_name\": \"a.png\", \"text\": \"a dog\"}\n{}\n";
    let folder = folder(&[("metadata.jsonl", table)]);
    let expected = ["000000000: !metadata_invalid", "a: a dog", "000000002: !metadata_invalid"];
    assert_eq!(lines(&read(folder.path())), expected);
    let many = "{\"a\": 1}\n".repeat(1000) + "{\"file_name\": \"a.png\", \"text\": \"a dog\"}\n";
    let other = super::folder(&[("metadata.jsonl", many.as_bytes()), ("a.txt", b"beside")]);
    assert_eq!(lines(&read(other.path())), ["a: beside"]);
}

#[test]
fn metadata_name_nothing_outside_their_folder() {
    let outer =
        folder(&[("in/b.png", PNG), ("in/metadata.csv", b"file_name,text\n../a.png,x\nb.png,y\n")]);
    let samples = read(&outer.path().join("in"));
    assert_eq!(lines(&samples), ["000000000: x!path_outside", "b: y"]);
}

#[test]
fn img2datasets_files_are_a_folder() {
    let folder = folder(&[
        ("00000/000000000.jpg", PNG),
        ("00000/000000000.txt", b"a dog"),
        ("00000/000000000.json", b"{}"),
        ("00000.parquet", b"PAR1"),
        ("00000_stats.json", b"{}"),
    ]);
    let samples = read(folder.path());
    assert_eq!(samples.len(), 2);
    assert_eq!(
        (samples[1].key.as_str(), caption(&samples[1]).unwrap().as_str()),
        ("00000/000000000", "a dog")
    );
}

#[test]
fn columns_of_metadata_are_those_that_the_user_names() {
    let folder = folder(&[("metadata.csv", b"pic,what\na.png,a dog\n")]);
    let (image_keys, caption_keys) = (vec!["pic".to_owned()], vec!["what".to_owned()]);
    let options = InputOptions { image_keys, caption_keys, ..InputOptions::default() };
    assert_eq!(lines(&read_with(options, folder.path())), ["a: a dog"]);
}
