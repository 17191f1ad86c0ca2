//! JSON as Python's `json` reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pairgate::source::manifest::ManifestSource;
use pairgate::source::{Member, Metadata, Sample};
use pairgate_core::pair::Size;
use serde_json::Value;

use super::{expected, limits, read_all};

fn sample(json: &[u8]) -> Sample {
    let members = vec![Member { extension: "json".into(), data: json.to_vec() }];
    Sample { shard: "s".into(), key: "k".into(), members, fault: None }
}

fn line(json: &str) -> String {
    sample(json.as_bytes()).json(1 << 20).unwrap().get().to_owned()
}

/// Without a field that only strings of digits can say here.
fn without_wide(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text:.80}"))
}

#[test]
fn every_text_is_read_as_python_reads_it() {
    let cases = expected()["json"].take();
    let mut read = 0;
    for case in cases.as_array().unwrap() {
        let json = STANDARD.decode(case[0].as_str().unwrap()).unwrap();
        let (shown, expected) = (String::from_utf8_lossy(&json), &case[1]);
        let metadata = Metadata::parse(&json);
        let whole = sample(&json).json(1 << 20);
        assert_eq!(metadata.invalid, expected.is_null(), "{shown:.120}");
        assert_eq!(whole.is_none(), expected.is_null(), "{shown:.120}");
        let Some(whole) = whole else { continue };
        read += 1;
        assert_eq!(metadata.caption.as_deref(), expected["caption"].as_str(), "{shown:.120}");
        assert_eq!(metadata.uid.map(|uid| uid.to_string()).as_deref(), expected["uid"].as_str());
        let side = |i: usize| u32::try_from(expected["size"][i].as_u64()?).ok();
        let size = side(0).and_then(|width| Some(Size::new(width, side(1)?)));
        assert_eq!(metadata.original_size, size, "{shown:.120}");
        let text = expected["text"].as_str().unwrap();
        assert!(!whole.get().contains('\n'), "a line of a table of lines");
        if text.len() < 300 {
            assert_eq!(without_wide(whole.get()), without_wide(text), "{shown:.120}");
        }
    }
    assert!(read > 40, "{read} texts were read");
}

#[test]
fn no_digit_is_lost() {
    let wide = "123456789012345678901234567890";
    assert_eq!(line(&format!("{{ \"n\" :\n {wide} }}")), format!("{{\"n\":{wide}}}"));
    let long = "9".repeat(400);
    assert_eq!(line(&format!("{{\"n\":-{long}}}")), format!("{{\"n\":-{long}}}"));
}

#[test]
fn what_is_too_deep_is_invalid_and_nothing_overflows() {
    for depth in [1_001, 100_000, 1_000_000] {
        let deep = format!("{{\"a\": {}", "[".repeat(depth));
        assert!(Metadata::parse(deep.as_bytes()).invalid);
        let closed = format!("{deep}{}}}", "]".repeat(depth));
        assert!(Metadata::parse(closed.as_bytes()).invalid);
        assert!(sample(closed.as_bytes()).json(usize::MAX).is_none());
    }
}

/// A manifest's line is such a text too.
#[test]
fn manifests_are_read_by_the_same_reader() {
    let lines = concat!(
        "{\"image\": \"x.jpg\", \"image\": \"a.jpg\", \"caption\": \"\\ud800 one\", \"n\": NaN}\n",
        "{\"image\": \"a.jpg\", \"caption\": \"two\", \"n\": 1e999, \"m\": 99999999999999999999}\n",
        "{\"image\": \"a.jpg\", \"caption\": \"three\", \"n\": -Infinity, \"d\": [[[[[]]]]]}\n",
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.jpg"), "J").unwrap();
    let samples =
        read_all(&mut ManifestSource::new(lines.as_bytes(), "m", folder.path(), limits()));
    let captions = samples.iter().map(|sample| {
        assert_eq!((sample.fault, sample.image()), (None, Some(&b"J"[..])));
        String::from_utf8(sample.member("txt").unwrap().to_vec()).unwrap()
    });
    assert_eq!(captions.collect::<Vec<_>>(), ["\u{fffd} one", "two", "three"]);
}
