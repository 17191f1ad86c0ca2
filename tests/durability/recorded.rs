//! Recorded scores as anybody writes them: one row whatever the form, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};

use pairgate::recorded::scores::scores_by_uid;
use pairgate::recorded::{Field, MAX_ROW, ReadAs, RecordedRow, Rows, check_repeatable};
use pairgate_core::decision::{Reason, Verdict};
use pairgate_core::pair::Size;
use tempfile::{TempDir, tempdir};

const ALL: &[Field] = &[
    Field::Key,
    Field::Shard,
    Field::Reason,
    Field::Verdict,
    Field::Sha256,
    Field::Caption,
    Field::CaptionLength,
    Field::Width,
    Field::Height,
];
const SCORES: &[Field] = &[Field::Uid, Field::Score];
const UID: &str = "00112233445566778899aabbccddeeff";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.0.path().join(name), text).unwrap();
        self.0.path().join(name)
    }
}

fn rows(path: &Path, read: &ReadAs) -> Result<Vec<RecordedRow>, String> {
    let rows = Rows::open(path, read).map_err(|why| why.to_string())?;
    rows.map(|row| row.map_err(|why| why.to_string())).collect()
}

#[test]
fn lines_and_csv_tell_the_same_whatever_they_are_called() {
    let (files, digest) = (Files::new(), "ab".repeat(32));
    let lines = format!(
        "\u{feff}\n{{\"key\":\"k\\n1\",\"uid\":\"{UID}\",\"shard\":\"s\",\"score\":0.1,\
         \"reason\":\"low_similarity\",\"verdict\":\"rejected\",\"sha256\":\"{digest}\",\
         \"caption\":\"a, b\",\"caption_length\":4,\"width\":5,\"height\":6,\"more\":[{{}}]}}\n \n\
         {{\"uid\":\"none\",\"score\":null}}"
    );
    let table = format!(
        "\u{feff}key,\"uid\",shard,score,reason,verdict,sha256,caption,caption_length,width,height,more\n\
         \"k\n1\",{UID},s, 0.1 ,low_similarity,rejected,{digest},\"a, b\",4,5,6,\n,none,,,,,,,,,,\n"
    );
    let read = ReadAs::fields(SCORES, ALL);
    for (name, text) in [("a.parquet", lines), ("b.jsonl", table)] {
        let rows = rows(&files.write(name, &text), &read).unwrap();
        assert_eq!(rows.len(), 2, "{name}");
        let row = &rows[0];
        assert_eq!((row.uid.to_string(), row.is_malformed), (UID.to_owned(), false));
        assert_eq!((row.key.as_str(), row.shard.as_str(), row.ticket), ("k\n1", "s", 0));
        assert_eq!((row.score, row.reason), (Some(0.1), Some(Reason::LowSimilarity)), "{name}");
        assert_eq!((row.verdict, row.threshold), (Some(Verdict::Rejected), None), "{name}");
        assert_eq!((row.content.to_string(), row.size), (digest.clone(), Size::new(5, 6)));
        assert_eq!((row.caption.as_deref(), row.caption_length), (Some("a, b"), 4), "{name}");
        assert_eq!((rows[1].is_malformed, rows[1].ticket, rows[1].score), (true, 1, None));
    }
}

/// Other programs' fields may be anything, as long as nobody asks for them.
#[test]
fn what_is_not_asked_for_is_not_looked_at() {
    let files = Files::new();
    let line =
        format!("{{\"uid\":\"{UID}\",\"key\":7,\"width\":\"wide\",\"reason\":0,\"score\":1e-3}}");
    let path = files.write("lines.txt", &line);
    let found = rows(&path, &ReadAs::fields(SCORES, &[])).unwrap();
    assert_eq!((found[0].score, found[0].key.as_str()), (Some(0.001), ""));
    let error = rows(&path, &ReadAs::fields(SCORES, &[Field::Key])).unwrap_err();
    assert!(error.contains("lines.txt: line 1: not a score with its uid: key"), "{error}");
    // A caption is found where programs put it.
    for (told, wanted) in [
        ("\"caption\":\"a\",\"text\":\"b\"", Some("a")),
        ("\"caption\":3,\"text\":\"b\"", Some("b")),
        ("\"metadata\":{\"text\":\"c\"}", Some("c")),
        ("\"metadata\":\"c\"", None),
    ] {
        let path = files.write("caption", &format!("{{\"uid\":\"{UID}\",{told}}}"));
        assert_eq!(rows(&path, &ReadAs::default()).unwrap()[0].caption.as_deref(), wanted);
    }
}

/// A text is what its escapes say; bytes that nobody asks for need be no text.
#[test]
fn texts_have_escapes_and_what_is_passed_over_any_bytes() {
    let files = Files::new();
    let uid = UID.replacen('0', "\\u0030", 1);
    let line = |more: &[u8]| {
        let front = format!("{{\"uid\":\"{uid}\",\"score\":0.5,\"key\":\"a\\\"b\\\\\",\"more\":\"");
        [front.as_bytes(), more, b"\"}"].concat()
    };
    let path = files.0.path().join("escapes");
    let read = ReadAs::fields(SCORES, &[Field::Key]);
    for more in [&b"plain"[..], b"\xff\xfe"] {
        fs::write(&path, line(more)).unwrap();
        let found = rows(&path, &read).unwrap();
        assert_eq!((found[0].uid.to_string(), found[0].key.as_str()), (UID.into(), "a\"b\\"));
    }
    let broken =
        [format!("{{\"uid\":\"{UID}\",\"score\":1,\"key\":\"").as_bytes(), b"\xff\"}"].concat();
    fs::write(&path, broken).unwrap();
    assert!(rows(&path, &read).is_err(), "what is asked for is text");
}

/// Whoever leaves a field out has lost it; null says that there is none.
#[test]
fn what_is_wrong_is_named_with_its_line() {
    let files = Files::new();
    let long = "x".repeat(MAX_ROW as usize + (64 << 10));
    let good = format!("{{\"uid\":\"{UID}\",\"score\":null,\"sha256\":null}}\n");
    let second = |line: &str| format!("{good}{line}\n");
    let of = |more: &str| second(&format!("{{\"uid\":\"{UID}\",\"score\":1{more}}}"));
    let table = |row: &str| format!("uid,score,sha256\n{row}\n");
    let cases = [
        (second("nonsense"), "line 2: not a score with its uid"),
        (of(""), "line 2: not a score with its uid: missing field `sha256`"),
        (of(",\"sha256\":\"12\""), "line 2: sha256 \"12\" is not 64 hex digits"),
        (of(",\"sha256\":null,\"reason\":\"whim\""), "line 2: the reason \"whim\" is not known"),
        (of(",\"sha256\":null,\"verdict\":\"so so\""), "line 2: the verdict \"so so\" is none"),
        (
            good.replace("\"score\":null", "\"score\":\"1\""),
            "line 1: not a score with its uid: the score \"1\" is no number",
        ),
        (second(&format!("{{\"uid\":\"{long}")), "line 2: it is longer than 8388608 bytes"),
        (format!("uid,score\n{UID},1\n"), "there is no column \"sha256\""),
        (table(&format!("{UID},high,")), "line 2: the score \"high\" is no number"),
        (table("1,2"), "line: 2"),
        (table(&format!("\"{long}")), "line 2: a row is longer than 8388608 bytes"),
        ("# Notes".into(), "it is no journal, and no file of scores"),
        (String::new(), "it is no journal, and no file of scores"),
    ];
    let needs = &[Field::Uid, Field::Score, Field::Sha256];
    for (text, wanted) in cases {
        let path = files.write("scores", &text);
        let error = rows(&path, &ReadAs::fields(needs, ALL)).unwrap_err();
        assert!(error.contains(wanted) && error.contains("scores"), "{wanted}: {error}");
        // Nothing comes behind an error.
        if let Ok(mut rows) = Rows::open(&path, &ReadAs::fields(needs, ALL)) {
            assert!(rows.by_ref().any(|row| row.is_err()) && rows.next().is_none(), "{wanted}");
        }
    }
    // A run without pairs has lines by its name alone.
    assert_eq!(rows(&files.write("none.jsonl", "\n"), &ReadAs::default()), Ok(Vec::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_is_read_once() {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
    write!(writer, "{{\"uid\":\"{UID}\",\"score\":0.5}}\n{{\"uid\":\"x\",\"score\":1}}\n").unwrap();
    drop(writer);
    let error = check_repeatable(&path).unwrap_err().to_string();
    assert!(error.contains("more than once"), "{error}");
    let scores = scores_by_uid(&path).unwrap();
    assert_eq!((scores.len(), scores.malformed), (1, 1));
    assert_eq!(scores.find(&UID.parse().unwrap()), Some(0.5));
}
