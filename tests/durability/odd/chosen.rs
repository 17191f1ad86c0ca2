//! Which picture and which caption, several captions, and many paths in one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use pairgate::source::{
    Captions, InputOptions, Inputs, Place, Sample, Source, expand_paths, pass_over,
};
use pairgate_core::decision::Reason;
use pairgate_core::pair::Digest;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{expected, limits, read_all};

fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, data) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, path, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn options(image: &[&str], caption: &[&str]) -> InputOptions {
    let owned = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
    let (image_keys, caption_keys) = (owned(image), owned(caption));
    InputOptions { image_keys, caption_keys, ..InputOptions::default() }
}

fn all() -> InputOptions {
    InputOptions { captions: Captions::All, ..InputOptions::default() }
}

/// The samples of a tar with these files.
fn read(options: InputOptions, files: &[(&str, &str)]) -> Vec<Sample> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.tar");
    fs::write(&path, tar(files)).unwrap();
    read_all(&mut Inputs::open_with(options, &[path], limits()).unwrap())
}

/// Key, picture, caption and fault.
fn pair(sample: &Sample) -> (String, String, String, Option<Reason>) {
    let text = |data: Option<&[u8]>| {
        data.map_or("-".into(), |data| String::from_utf8(data.to_vec()).unwrap())
    };
    let metadata = sample.metadata();
    let pair = sample.pair(&metadata);
    (sample.key.clone(), text(pair.image), text(pair.caption), pair.fault)
}

fn one(options: InputOptions, files: &[(&str, &str)]) -> (String, String, Option<Reason>) {
    let samples = read(options, files);
    let [sample] = &samples[..] else { panic!("{} samples", samples.len()) };
    let (_, image, caption, fault) = pair(sample);
    (image, caption, fault)
}

fn found(image: &str, caption: &str) -> (String, String, Option<Reason>) {
    (image.into(), caption.into(), None)
}

const FILES: [(&str, &str); 7] = [
    ("a.jpg", "J"),
    ("a.seg.png", "S"),
    ("a.raw", "R"),
    ("a.txt", "txt"),
    ("a.caption.txt", "dotted"),
    ("a.alt", "alt"),
    ("a.json", r#"{"title": "T", "many": ["", "M", "N"], "n": 5}"#),
];

#[test]
fn the_first_key_that_is_there_names_the_picture() {
    let image = |keys: &[&str]| one(options(keys, &[]), &FILES).0;
    assert_eq!(image(&[]), "J");
    assert_eq!(image(&["webp", "png", "jpg"]), "S", "the last part of an extension counts");
    assert_eq!(image(&["seg.png"]), "S");
    assert_eq!(image(&["JPG", "png"]), "J");
    assert_eq!(image(&["raw"]), "R");
    assert_eq!(image(&["webp;.png", " jpg "]), "S", "as webdataset writes them");
    let (_, _, fault) = one(options(&["webp"], &[]), &FILES);
    assert_eq!(fault, Some(Reason::ImageMissing));
}

#[test]
fn the_first_key_that_is_there_names_the_caption() {
    let caption = |keys: &[&str]| one(options(&[], keys), &FILES).1;
    assert_eq!(caption(&[]), "txt");
    assert_eq!(caption(&["caption.txt", "txt"]), "dotted");
    assert_eq!(caption(&["none", "alt"]), "alt");
    assert_eq!(caption(&["title", "txt"]), "T");
    assert_eq!(caption(&["many"]), "M");
    for none in ["none", "n"] {
        let (_, _, fault) = one(options(&[], &[none]), &FILES);
        assert_eq!(fault, Some(Reason::CaptionMissing));
    }
    let without_txt = [("b.jpg", "J"), ("b.x.txt", "dotted")];
    assert_eq!(one(options(&[], &["txt"]), &without_txt), found("J", "dotted"));
    assert_eq!(one(options(&[], &[]), &without_txt), found("J", "dotted"));
}

/// What is stored must be the pair that was judged, for whoever reads it.
#[test]
fn what_was_chosen_has_the_usual_names_and_nothing_is_lost() {
    let samples = read(options(&["png"], &["title"]), &FILES);
    let names = samples[0]
        .members
        .iter()
        .map(|member| (member.extension.as_str(), std::str::from_utf8(&member.data).unwrap()));
    let expected = [
        ("png", "S"),
        ("jpg", "J"),
        ("raw", "R"),
        ("other.txt", "txt"),
        ("caption.txt", "dotted"),
        ("alt", "alt"),
        ("json", FILES[6].1),
        ("txt", "T"),
    ];
    assert_eq!(names.collect::<Vec<_>>(), expected);
    let two = [("a.png", "1"), ("a.x.png", "2"), ("a.other.png", "3"), ("a.txt", "t")];
    let samples = read(options(&["x.png"], &[]), &two);
    let names: Vec<_> = samples[0].members.iter().map(|m| m.extension.as_str()).collect();
    assert_eq!(names, ["png", "other2.png", "other.png", "txt"]);
    assert_eq!(pair(&samples[0]).1, "2");
}

#[test]
fn the_caption_with_the_pictures_own_dots_goes_first() {
    let files = [("p.v1.txt", "one"), ("p.v2.jpg", "J"), ("p.v2.txt", "two")];
    assert_eq!(one(options(&[], &[]), &files), found("J", "two"));
}

const UID: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn each_of_several_captions_is_a_pair() {
    let json = format!(
        "{{ \"x\": 1.50, \"uid\": \"{UID}\", \"captions\": [\"one\", \"two\", \"\", 3, \"one\", \"three\"]}}"
    );
    let files = [
        ("a.jpg", "J"),
        ("a.txt", "one"),
        ("a.json", json.as_str()),
        ("b.jpg", "K"),
        ("b.txt", "k"),
    ];
    let first = read(InputOptions::default(), &files);
    assert_eq!(first.iter().map(pair).map(|pair| pair.2).collect::<Vec<_>>(), ["one", "k"]);
    let samples = read(all(), &files);
    let keys: Vec<_> = samples.iter().map(pair).collect();
    let expected = [
        ("a", "J", "one"),
        ("a-caption1", "J", "two"),
        ("a-caption2", "J", "three"),
        ("b", "K", "k"),
    ];
    let owned = |(key, image, caption): (&str, &str, &str)| {
        (key.to_owned(), image.to_owned(), caption.to_owned(), None)
    };
    assert_eq!(keys, expected.map(owned));
    let uid = |i: usize| samples[i].metadata().uid.unwrap().to_string();
    assert_eq!(uid(0), UID);
    let base: Vec<u8> = (0..16).collect();
    let hash = Sha256::digest([&base[..], &1_u32.to_le_bytes()].concat());
    assert_eq!(samples[1].metadata().uid.unwrap().0, hash[..16]);
    assert_ne!(uid(1), uid(2));
    let told = std::str::from_utf8(samples[1].member("json").unwrap()).unwrap();
    let spliced =
        format!("{},\"captions\":[\"two\"],\"uid\":\"{}\"}}", &json[..json.len() - 1], uid(1));
    assert_eq!(told, spliced, "nothing of it is written anew");
}

#[test]
fn captions_are_found_without_a_file_beside_them() {
    let captions = |json: &str| {
        let samples = read(all(), &[("a.jpg", "J"), ("a.json", json)]);
        samples.iter().map(pair).map(|pair| pair.2).collect::<Vec<_>>()
    };
    assert_eq!(captions(r#"{"captions": ["one", "two"]}"#), ["one", "two"]);
    assert_eq!(captions(r#"{"caption": "main", "captions": ["one", "main"]}"#), ["main", "one"]);
    assert_eq!(captions(r#"{"caption": ["one", "two"]}"#), ["one", "two"]);
    assert_eq!(captions(r#"{"text": "t", "captions": "c"}"#), ["t"]);
    assert_eq!(captions(r#"{"captions": [["one"], {"two": 2}]}"#), ["-"]);
    assert_eq!(captions(r#"{"captions": []}"#), ["-"]);
    let first = one(
        InputOptions::default(),
        &[("a.jpg", "J"), ("a.json", r#"{"captions": [" ", "one", "two"]}"#)],
    );
    assert_eq!(first, found("J", "one"));
}

/// What was stored of a run over all captions is one pair a caption in the next run too.
#[test]
fn pairs_of_several_captions_can_be_read_again() {
    let json = r#"{"text": "one", "captions": ["one", "two"], "said": ["x", "y"]}"#;
    let once = read(all(), &[("a.jpg", "J"), ("a.json", json)]);
    assert_eq!(once.len(), 2);
    let mut files = Vec::new();
    for sample in &once {
        for member in &sample.members {
            let data = String::from_utf8(member.data.clone()).unwrap();
            files.push((format!("{}.{}", sample.key, member.extension), data));
        }
    }
    let files: Vec<_> = files.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
    let again = read(all(), &files);
    assert_eq!(
        again.iter().map(pair).collect::<Vec<_>>(),
        once.iter().map(pair).collect::<Vec<_>>()
    );
    let mut named = all();
    named.caption_keys = vec!["said".into()];
    assert_eq!(read(named, &[("a.jpg", "J"), ("a.json", json)]).len(), 2, "x and y");
}

#[test]
fn captions_are_numbered_in_a_manifest_too() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("a.jpg"), "J").unwrap();
    let path = folder.path().join("m.jsonl");
    fs::write(&path, r#"{"image": "a.jpg", "caption": "one", "captions": ["one", "two"]}"#)
        .unwrap();
    let samples = read_all(&mut Inputs::open_with(all(), &[path], limits()).unwrap());
    let keys: Vec<_> = samples.iter().map(|sample| (pair(sample).0, pair(sample).2)).collect();
    let expected = [("000000000", "one"), ("000000000-caption1", "two")];
    assert_eq!(keys, expected.map(|(key, caption)| (key.to_owned(), caption.to_owned())));
}

/// A run goes on between two captions of one picture.
#[test]
fn places_count_pairs_and_are_found_again() {
    let folder = TempDir::new().unwrap();
    let json = r#"{"captions": ["one", "two", "three"]}"#;
    let mut paths = Vec::new();
    for name in ["s.tar", "t.tar"] {
        paths.push(folder.path().join(name));
        let files = [("a.jpg", "J"), ("a.json", json), ("b.jpg", "K"), ("b.txt", "k")];
        fs::write(folder.path().join(name), tar(&files)).unwrap();
    }
    let open = || Inputs::open_with(all(), &paths, limits()).unwrap();
    let whole = read_all(&mut open());
    let mut inputs = open();
    for (i, sample) in whole.iter().enumerate() {
        assert_eq!(inputs.next().unwrap().as_ref(), Some(sample));
        let position = inputs.position();
        assert_eq!((position.input, position.item), (i as u32 / 4, i as u64 % 4));
        let place = Place {
            tickets: i as u64 + 1,
            position: Some(position),
            key: sample.key.clone(),
            content: Digest(Sha256::digest(sample.image().unwrap()).into()),
        };
        let mut again = open();
        pass_over(&mut again, &place, &AtomicBool::new(false)).unwrap();
        assert_eq!(read_all(&mut again), whole[i + 1..]);
    }
}

#[test]
fn what_a_journal_tells_of_the_choice() {
    assert!(InputOptions::default().named().is_empty());
    let named =
        InputOptions { captions: Captions::All, ..options(&["png", "jpg"], &["alt"]) }.named();
    assert_eq!(named, ["input.caption_key=alt", "input.captions=all", "input.image_key=png,jpg"]);
}

#[test]
fn braces_are_expanded_as_webdataset_does() {
    for case in expected()["braces"].as_array().unwrap() {
        let pattern = PathBuf::from(case[0].as_str().unwrap());
        let texts: Vec<_> = case[1]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| PathBuf::from(text.as_str().unwrap()))
            .collect();
        assert_eq!(
            expand_paths(std::slice::from_ref(&pattern)).unwrap(),
            texts,
            "{}",
            pattern.display()
        );
    }
}

#[test]
fn braces_stand_for_a_bounded_number_of_paths() {
    let deep = "{".repeat(5000) + &"}".repeat(5000);
    for pattern in [
        "{0..9999999999}",
        "{0..999}{0..999}",
        "{a,b}".repeat(40).as_str(),
        "{1..5..-9}{0..100000}",
        &deep,
    ] {
        let error = expand_paths(&[PathBuf::from(pattern)]).unwrap_err();
        assert!(error.to_string().contains("more than 100000 paths"), "{error:.200}");
    }
    let wide = "{9223372036854775806..9223372036854775807}";
    assert_eq!(expand_paths(&[wide.into()]).unwrap(), [Path::new(wide)], "no range of 64 bits");
}

#[test]
fn a_path_that_exists_is_taken_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("{1..2}.tar");
    fs::write(&path, tar(&[("a.jpg", "J"), ("a.txt", "t")])).unwrap();
    assert_eq!(expand_paths(std::slice::from_ref(&path)).unwrap(), [path.as_path()]);
    let two = folder.path().join("{1..2}.zip");
    assert_eq!(expand_paths(&[two]).unwrap().len(), 2);
    let missing = folder.path().join("{3..4}.tar");
    let error = Inputs::open(&[missing], limits()).err().unwrap().to_string();
    assert!(error.contains("3.tar") && error.contains("no such file"), "{error}");
}
