//! JSON lines, lists and COCO's captions.

use pairgate::source::{Inputs, Source};
use pairgate_core::decision::Reason;
use serde_json::json;

use super::{INVALID, LIMITS, caption, folder, json, lines, read, read_text};

#[test]
fn a_line_names_its_picture_in_many_ways() {
    for line in [
        r#"{"image": "a.png", "caption": "a dog"}"#,
        r#"{"file_name": "a.png", "text": "a dog"}"#,
        r#"{"Image_Path": "a.png", "TEXT": "a dog"}"#,
        r#"{"image": {"path": "a.png", "bytes": null}, "caption": "a dog"}"#,
        r#"{"image": null, "img": "a.png", "caption": null, "title": "a dog"}"#,
        r#"{"images": ["a.png"], "captions": ["a dog", "a cat"]}"#,
        r#"{"images": ["a.png"], "text": "<__dj__image> a dog <|__dj__eoc|>"}"#,
        r#"{"url": "https://example.org/a.png", "filepath": "a.png", "alt_text": "a dog"}"#,
    ] {
        assert_eq!(lines(&read_text("t.jsonl", line)), ["000000000: a dog"], "{line}");
    }
}

#[test]
fn a_line_without_a_picture_is_a_bad_pair() {
    for line in [
        "3",
        "[]",
        r#"{"caption": "a dog"}"#,
        r#"{"url": "https://example.org/a.png", "caption": "a dog"}"#,
        r#"{"images": ["a.png", "a.png"], "text": "two"}"#,
        r#"{"images": [], "text": "none"}"#,
        r#"{"image": 3, "text": "a number"}"#,
        r#"{"image": "a.png", "text": {"en": "a dog"}}"#,
    ] {
        assert_eq!(read_text("t.jsonl", line)[0].fault, INVALID, "{line}");
    }
}

#[test]
fn a_picture_within_a_line_leaves_its_text() {
    let picture = "iVBORw0KGgogYSBwaWN0dXJlIHRoYXQgbm9ib2R5IGRlY29kZXMgaGVyZQ==";
    for value in [
        json!(picture),
        json!(format!("data:image/png;base64,{picture}")),
        json!({ "bytes": picture, "path": "x.png" }),
    ] {
        let line = json!({ "image": value, "caption": "a dog", "n": 1 }).to_string();
        let sample = &read_text("t.jsonl", &line)[0];
        assert_eq!(sample.image(), Some(super::PNG));
        assert!(!json(sample).to_string().contains(picture), "{line}");
        assert_eq!(json(sample)["n"], 1);
    }
    // Only what is a picture's is one: paths may be of the same letters.
    let path = "a".repeat(60);
    let line = json!({ "image": path, "caption": "a dog" }).to_string();
    assert_eq!(read_text("t.jsonl", &line)[0].fault, Some(Reason::ImageMissing));
}

#[test]
fn several_captions_are_kept_as_a_list() {
    let line = r#"{"image": "a.png", "caption": [" ", "a dog", "a cat"]}"#;
    let sample = &read_text("t.jsonl", line)[0];
    assert_eq!(caption(sample).unwrap(), "a dog");
    assert_eq!(json(sample)["captions"], json!([" ", "a dog", "a cat"]));
}

#[test]
fn a_list_is_read_element_by_element() {
    let one = r#"{"image": "a.png", "caption": "a [dog], \"{\" and }"}"#;
    for text in [format!("[{one}]"), format!(" \n[ {one} ]\n"), format!("\u{feff}[{one}]")] {
        assert_eq!(lines(&read_text("t.json", &text)), ["000000000: a [dog], \"{\" and }"]);
    }
    assert_eq!(lines(&read_text("t.json", "[]")), [""; 0]);
    let long = format!(r#"[{{"image": "a.png", "x": "{}"}}, {one}, 3]"#, "x".repeat(5000));
    let faults: Vec<_> = read_text("t.json", &long).iter().map(|sample| sample.fault).collect();
    assert_eq!(faults, [Some(Reason::SampleTooLarge), None, INVALID]);
}

#[test]
fn a_list_that_breaks_off_ends_in_a_bad_pair() {
    let one = r#"{"image": "a.png", "caption": "a dog"}"#;
    for text in [
        format!("[{one}"),
        format!("[{one}, "),
        format!("[{one} {one}]"),
        format!("[{one}, {{\"image\": \"a.p"),
        format!("[{one}] and more"),
        format!("[{one}, {}", "[".repeat(100_000)),
    ] {
        let samples = read_text("t.json", &text);
        assert_eq!(samples[0].fault, None, "{text:.60}");
        assert_eq!(samples.last().unwrap().fault, Some(Reason::ArchiveTorn), "{text:.60}");
        assert_eq!(samples.len(), 2);
    }
}

#[test]
fn a_json_file_may_hold_lines() {
    let one = r#"{"image": "a.png", "caption": "a dog"}"#;
    let several = r#"{"images": ["a.png"], "text": "a cat"}"#;
    let samples = read_text("t.json", &format!("{one}\n{several}\n"));
    assert_eq!(lines(&samples), ["000000000: a dog", "000000001: a cat"]);
}

#[test]
fn cocos_lists_may_come_in_any_order() {
    let images = r#""images": [{"id": 7, "file_name": "a.png", "n": 1}, {"id": 8, "file_name": "sub.d/b.png"}]"#;
    let annotations = r#""annotations": [{"image_id": 7, "caption": "a dog"},
        {"image_id": 7, "caption": "a cat"}, {"image_id": 9, "caption": "nobody's"}]"#;
    for text in [
        format!(r#"{{"info": {{"images": "x"}}, {images}, {annotations}}}"#),
        format!("{{{annotations}, {images}}}"),
    ] {
        let samples = read_text("c.json", &text);
        assert_eq!(lines(&samples), ["a: a dog", "sub.d/b: !image_missing"], "{text}");
        let expected =
            json!({ "captions": ["a dog", "a cat"], "id": 7, "file_name": "a.png", "n": 1 });
        assert_eq!(json(&samples[0]), expected);
    }
    let cut = format!("{{{images}, \"annotations\": [{{");
    assert_eq!(lines(&read_text("c.json", &cut)), [": !archive_torn"]);
    let without = read_text("c.json", &format!("{{{images}}}"));
    assert_eq!((without.len(), caption(&without[0])), (2, None));
}

#[test]
fn karpathys_sentences_are_captions() {
    let text = r#"{"images": [{"filename": "a.png", "imgid": 0, "sentences": [{"raw": "a dog",
        "tokens": ["a", "dog"]}, {"raw": "a cat"}]}, {"filepath": "sub", "filename": "b.png"}], "dataset": "x"}"#;
    let samples = read_text("c.json", text);
    assert_eq!(lines(&samples), ["a: a dog", "sub/b: !image_missing"]);
    assert_eq!(json(&samples[0])["captions"], json!(["a dog", "a cat"]));
}

#[test]
fn what_tells_of_a_shard_is_no_table() {
    let line = br#"{"image": "a.png", "caption": "a dog"}"#;
    let folder = folder(&[
        ("00000/x.png", super::PNG),
        ("00000_stats.json", b"{}"),
        ("00000.parquet", b"PAR1"),
        ("b.tar", b""),
        ("b_stats.json", line),
        ("c_stats.json", line),
    ]);
    let count = |name: &str| read(&folder.path().join(name)).len();
    assert_eq!(["00000_stats.json", "00000.parquet", "b_stats.json"].map(count), [0, 0, 0]);
    assert_eq!(count("c_stats.json"), 1);
}

#[test]
fn files_without_a_known_name_are_told_by_their_text() {
    let line = "{\"image\": \"a.png\", \"caption\": \"a dog\"}\n";
    for text in [line.to_owned(), format!("[{line}]"), "image,caption\na.png,a dog\n".to_owned()] {
        assert_eq!(lines(&read_text("pairs", &text)), ["000000000: a dog"]);
    }
    let folder = folder(&[("notes", b"nothing that is known\n")]);
    assert!(Inputs::open(&[folder.path().join("notes")], LIMITS).is_err());
    let mut inputs = Inputs::open(&[folder.path().to_owned()], LIMITS).unwrap();
    assert!(inputs.next().unwrap().is_some());
}
