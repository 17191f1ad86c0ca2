//! Scores and metadata as tables, read back by the `csv` crate's and the `parquet` crate's readers.

#[cfg(feature = "parquet")]
mod parquet_files;

use std::fs;
use std::path::Path;

use pairgate::journal::{ModelName, Terms};
use pairgate::sink::table::{Format, TableSink, WINDOW_BYTES, WINDOW_ROWS};
use pairgate::sink::{Judged, RunEnd, Sink};
use pairgate_core::pair::{Digest, Uid};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{accept_all, decided, kept, listing, member};

fn terms() -> Terms {
    let model = ModelName { name: String::new(), digest: Digest([0xaa; 32]) };
    Terms::new(model, Digest([0xbb; 32]), Vec::new(), None, None)
}

const FIXED: [&str; 9] =
    ["uid", "key", "shard", "score", "reason", "width", "height", "caption_length", "sha256"];

/// A pair with this `.json` member.
fn carrying(key: &str, json: &str) -> Judged {
    let mut pair = kept(key);
    pair.sample.members.push(member("json", json.as_bytes()));
    pair
}

fn table(path: &Path) -> TableSink {
    TableSink::create(path, Format::of(path).unwrap(), terms()).unwrap()
}

/// The table's names, and its rows as CSV's fields.
fn csv_of(pairs: &[Judged]) -> (Vec<String>, Vec<Vec<String>>) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.csv");
    accept_all(&mut table(&path), pairs);
    read_csv(&path)
}

fn read_csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let names = fields(reader.headers().unwrap());
    (names, reader.records().map(|record| fields(&record.unwrap())).collect())
}

/// One column of a table that was read as CSV.
fn column<'t>((names, rows): &'t (Vec<String>, Vec<Vec<String>>), name: &str) -> Vec<&'t str> {
    let place = names.iter().position(|n| n == name).unwrap_or_else(|| panic!("{name}: {names:?}"));
    rows.iter().map(|row| row[place].as_str()).collect()
}

#[test]
fn tables_have_these_rows_as_csv() {
    let mut pairs = decided();
    pairs[0].uid = Uid([0xab; 16]);
    pairs[1].sample.key = "quote\" comma, and\nline".into();
    pairs[1].uid = Uid([0; 16]);
    pairs[1].decision.facts.score = Some(f32::NAN);
    pairs[0].sample.members.push(member("json", br#"{"url":"https://a/?b=\u00e9","likes":3}"#));
    pairs.truncate(2);
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.csv");
    accept_all(&mut table(&path), &pairs);
    let expected = [
        "uid,key,shard,score,reason,width,height,caption_length,sha256,likes,url,metadata_other\r\n",
        "abababababababababababababababab,000000000,00000.tar,0.25,,640,480,9,",
        "0303030303030303030303030303030303030303030303030303030303030303,3,https://a/?b=é,\r\n",
        "00000000000000000000000000000000,\"quote\"\" comma, and\nline\",00000.tar,,low_similarity,",
        "0,0,0,,,,\r\n",
    ];
    assert_eq!(fs::read_to_string(&path).unwrap(), expected.concat());
    assert_eq!(listing(folder.path()), ["t.csv"]);
}

#[test]
fn fields_give_typed_columns() {
    let kinds = kinds_of(&[
        carrying(
            "a",
            r#"{"i":1,"f":0.5,"m":1,"b":true,"s":"x","l":[1],"o":{"p":1},"x":1,"n":null}"#,
        ),
        carrying("b", r#"{"i":-2,"f":NaN,"m":2.5,"b":null,"s":"5","l":[],"o":null,"x":"1"}"#),
        kept("without"),
    ]);
    let expected = [
        ("b", "bool"),
        ("f", "float64"),
        ("i", "int64"),
        ("l", "json"),
        ("m", "float64"),
        ("n", "json"),
        ("o", "json"),
        ("s", "string"),
        ("x", "json"),
        ("metadata_other", "json"),
    ];
    assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind.to_owned())));
}

/// Columns of metadata and their types, told by their values' form in a table of one more row of
/// each type, which must be in the last column unless it fits.
fn kinds_of(pairs: &[Judged]) -> Vec<(String, String)> {
    let (names, _) = csv_of(pairs);
    let fields = &names[FIXED.len()..];
    let kind = |name: &String| {
        let fits = |value: Value| {
            let mut late = pairs.to_vec();
            late.extend((pairs.len()..WINDOW_ROWS).map(|n| kept(&n.to_string())));
            late.push(carrying("late", &json!({ name: value }).to_string()));
            let table = csv_of(&late);
            column(&table, "metadata_other").last().unwrap().is_empty()
        };
        if name == "metadata_other" || fits(json!([1])) {
            "json"
        } else if fits(json!(true)) {
            "bool"
        } else if fits(json!("text")) {
            "string"
        } else if fits(json!(0.5)) {
            "float64"
        } else {
            "int64"
        }
    };
    fields.iter().map(|name| (name.clone(), kind(name).to_owned())).collect()
}

#[test]
fn nothing_is_rounded_where_numbers_do_not_fit() {
    let beyond = [
        r#"{"n":9007199254740993,"u":18446744073709551615}"#,
        r#"{"n":0.5,"u":1}"#,
        r#"{"n":-1,"u":2}"#,
    ];
    let pairs: Vec<_> = beyond.iter().map(|json| carrying("k", json)).collect();
    let table = csv_of(&pairs);
    assert_eq!(column(&table, "n"), ["9007199254740993", "0.5", "-1"]);
    assert_eq!(column(&table, "u"), ["18446744073709551615", "1", "2"]);
}

#[test]
fn mixed_text_is_json_that_tells_strings_from_numbers() {
    let table = csv_of(&[carrying("a", r#"{"x":"1"}"#), carrying("b", r#"{"x":1}"#)]);
    assert_eq!(column(&table, "x"), ["\"1\"", "1"]);
}

#[test]
fn names_that_are_taken_get_a_prefix() {
    let json = r#"{"key":"k2","Score":1,"metadata_key":"k3","":"e","url":1,"URL":2,
                   "metadata_other":"o"}"#;
    let table = csv_of(&[carrying("k1", json)]);
    let expected = [
        "metadata_",
        "metadata_Score",
        "URL",
        "metadata_key",
        "metadata_metadata_key",
        "metadata_metadata_other",
        "metadata_url",
        "metadata_other",
    ];
    assert_eq!(table.0[FIXED.len()..], expected);
    assert_eq!(column(&table, "key"), ["k1"]);
    assert_eq!(column(&table, "metadata_key"), ["k2"]);
    assert_eq!(column(&table, "metadata_metadata_key"), ["k3"]);
    let mut lower: Vec<_> = table.0.iter().map(|name| name.to_lowercase()).collect();
    lower.sort();
    lower.dedup();
    assert_eq!(lower.len(), table.0.len(), "as SQL reads them, no two are the same");
}

/// A field that appears late, and a late value of another type.
#[test]
fn what_comes_late_is_in_the_last_column() {
    let mut pairs: Vec<_> =
        (0..WINDOW_ROWS).map(|n| carrying(&n.to_string(), r#"{"likes":1,"w":0.5}"#)).collect();
    pairs.push(carrying("type", r#"{"likes":"many","w":2}"#));
    pairs.push(carrying("field", r#"{"likes":7,"w":9007199254740993,"new":[null],"null":null}"#));
    let table = csv_of(&pairs);
    assert_eq!(table.0[FIXED.len()..], ["likes", "w", "metadata_other"]);
    assert_eq!(column(&table, "likes")[WINDOW_ROWS..], ["", "7"]);
    assert_eq!(column(&table, "w")[WINDOW_ROWS..], ["2", ""]);
    let rest = &column(&table, "metadata_other")[WINDOW_ROWS - 1..];
    assert_eq!(rest, ["", r#"{"likes":"many"}"#, r#"{"new":[null],"w":9007199254740993}"#]);
}

/// The window is bounded in bytes too, and so are columns.
#[test]
fn what_is_held_back_is_bounded() {
    let large = format!(r#"{{"t":"{}"}}"#, "x".repeat(WINDOW_BYTES / 10));
    let mut pairs: Vec<_> = (0..10).map(|n| carrying(&n.to_string(), &large)).collect();
    pairs.push(carrying("late", r#"{"new":1}"#));
    let table = csv_of(&pairs);
    assert_eq!(column(&table, "metadata_other")[10], r#"{"new":1}"#);

    let fields: serde_json::Map<String, Value> =
        (0..1000).map(|n| (format!("f{n:04}"), n.into())).collect();
    let many = Value::Object(fields).to_string();
    let table = csv_of(&[carrying("many", &many)]);
    assert_eq!(table.0.len(), FIXED.len() + 256 + 1);
    let rest: Value = serde_json::from_str(column(&table, "metadata_other")[0]).unwrap();
    assert_eq!(rest.as_object().unwrap().len(), 1000 - 256);
}

#[test]
fn hostile_metadata_are_no_error() {
    let deep = "[".repeat(100_000);
    let huge = format!(r#"{{"t":"{}"}}"#, "x".repeat(2 << 20));
    let long = format!(r#"{{"{}":1}}"#, "n".repeat(1000));
    for json in ["[1]", "{", "nothing", "", "\"text\"", "{\"a\":01}", &deep, &huge, "\u{feff}{}"] {
        let table = csv_of(&[carrying("k", json), kept("next")]);
        assert_eq!(table.0.len(), FIXED.len() + 1, "{json:.20}");
        assert_eq!(column(&table, "key"), ["k", "next"]);
    }
    let table = csv_of(&[carrying("k", &long)]);
    assert_eq!(column(&table, "metadata_other"), [long.as_str()]);
}

#[test]
fn an_empty_input_gives_a_table_without_rows() {
    let (names, rows) = csv_of(&[]);
    assert_eq!(names[..9], FIXED);
    assert!(names.len() == 10 && rows.is_empty());
}

#[test]
fn tables_appear_when_the_run_is_done() {
    let folder = tempdir().unwrap();
    for name in ["t.csv", "t.parquet"] {
        let path = folder.path().join(name);
        fs::write(&path, "an earlier run's").unwrap();
        if cfg!(not(feature = "parquet")) && name == "t.parquet" {
            let error = TableSink::create(&path, Format::Parquet, terms()).err().unwrap();
            assert!(error.to_string().contains("feature `parquet`"), "{error}");
            continue;
        }
        let mut sink = table(&path);
        (0..2 * WINDOW_ROWS).for_each(|n| sink.accept(&kept(&n.to_string())).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"an earlier run's");
        drop(sink);
        assert_eq!(fs::read(&path).unwrap(), b"an earlier run's", "{name}");
        accept_all(&mut table(&path), &[kept("a")]);
        assert_ne!(fs::read(&path).unwrap(), b"an earlier run's");
        assert!(
            TableSink::create(&folder.path().join("no").join(name), Format::Csv, terms()).is_err()
        );
    }
    assert_eq!(listing(folder.path()), ["t.csv", "t.parquet"]);
}

#[cfg(target_os = "linux")]
#[test]
fn full_device_is_an_error() {
    let Some(full) = super::full_device() else { return };
    let formats = [Format::Csv, Format::Parquet];
    for format in formats.into_iter().filter(|f| *f == Format::Csv || cfg!(feature = "parquet")) {
        let mut sink = TableSink::create(full, format, terms()).unwrap();
        sink.accept(&kept("a")).unwrap();
        let error = sink.finish(RunEnd::Complete).unwrap_err();
        assert_eq!(super::to(&error), "/dev/full", "{format:?}");
        assert!(error.to_string().contains("No space left"), "{format:?}: {error}");

        // Also in the middle of a run, and then nothing more is taken.
        let mut sink = TableSink::create(full, format, terms()).unwrap();
        let large = format!(r#"{{"t":"{}"}}"#, "0123456789".repeat(50_000));
        let failed = (0..1000).find_map(|n| sink.accept(&carrying(&n.to_string(), &large)).err());
        assert!(failed.unwrap().to_string().contains("No space left"), "{format:?}");
        sink.accept(&kept("a")).unwrap_err();
        sink.finish(RunEnd::Failed).unwrap();
    }
}

#[test]
fn extensions_tell_the_format() {
    let of = |name: &str| Format::of(Path::new(name));
    assert_eq!(of("a/b.PARQUET"), Some(Format::Parquet));
    assert_eq!(of("b.csv"), Some(Format::Csv));
    assert_eq!([of("-"), of("b.jsonl"), of("parquet"), of(".csv"), of("b.pairgate")], [None; 5]);
}

#[test]
fn a_table_under_a_threshold_has_a_column_for_the_verdict() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let terms = Terms { threshold: Some(0.5), ..terms() };
    let mut sink = TableSink::create(&path, Format::Csv, terms).unwrap();
    let mut pairs = decided();
    pairs.truncate(2);
    pairs[0].sample.members.push(member("json", br#"{"verdict":"theirs"}"#));
    accept_all(&mut sink, &pairs);
    let table = read_csv(&path);
    let names = ["uid", "key", "shard", "score", "reason", "verdict", "width", "height"];
    assert_eq!(table.0[..8], names);
    assert_eq!(column(&table, "verdict"), ["kept", "rejected"]);
    assert_eq!(column(&table, "metadata_verdict"), ["theirs", ""]);
    assert_eq!(column(&table, "caption_length"), ["9", "0"]);
}
