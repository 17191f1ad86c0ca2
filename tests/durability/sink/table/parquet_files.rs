//! Tables as Parquet files.

use std::fs::File;

use pairgate_core::decision::{Facts, Reason, Verdict};
use pairgate_core::pair::Size;
use parquet::basic::Type;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::super::judged;
use super::*;

fn open(pairs: &[Judged]) -> SerializedFileReader<File> {
    let folder = tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    accept_all(&mut table(&path), pairs);
    SerializedFileReader::new(File::open(path).unwrap()).unwrap()
}

/// The rows, nulls left out.
fn rows(reader: &SerializedFileReader<File>) -> Vec<Vec<(String, Field)>> {
    let present = |row: parquet::record::Row| {
        let columns = row.get_column_iter().map(|(name, field)| (name.clone(), field.clone()));
        columns.filter(|(_, field)| *field != Field::Null).collect()
    };
    reader.get_row_iter(None).unwrap().map(|row| present(row.unwrap())).collect()
}

fn text(text: &str) -> Field {
    Field::Str(text.to_owned())
}

#[test]
fn values_come_back_typed() {
    let mut pairs = decided();
    pairs[0].uid = Uid([0xab; 16]);
    pairs[0].sample.members.push(member(
        "json",
        r#"{"i":-5,"f":0.25,"b":true,"s":"é\n","l":[1,"x"],"width":4000}"#.as_bytes(),
    ));
    pairs[1].sample.key = "ключ\n\"".into();
    pairs[1].decision.facts.score = Some(f32::NAN);
    pairs.truncate(2);
    let reader = open(&pairs);
    let rows = rows(&reader);
    let expected = [
        ("uid", text(&"ab".repeat(16))),
        ("key", text("000000000")),
        ("shard", text("00000.tar")),
        ("score", Field::Float(0.25)),
        ("width", Field::UInt(640)),
        ("height", Field::UInt(480)),
        ("caption_length", Field::UInt(9)),
        ("sha256", text(&"03".repeat(32))),
        ("b", Field::Bool(true)),
        ("f", Field::Double(0.25)),
        ("i", Field::Long(-5)),
        ("l", text(r#"[1,"x"]"#)),
        ("s", text("é\n")),
        ("metadata_width", Field::Long(4000)),
    ];
    assert_eq!(rows[0], expected.map(|(name, field)| (name.to_owned(), field)));
    let reason = ("reason".to_owned(), text("low_similarity"));
    assert!(rows[1].contains(&("key".to_owned(), text("ключ\n\""))));
    assert!(rows[1].contains(&reason) && rows[1].len() == 7, "{:?}", rows[1]);
}

#[test]
fn the_file_tells_where_it_comes_from() {
    let reader = open(&[carrying("a", r#"{"l":[]}"#)]);
    let metadata = reader.metadata();
    let about = metadata.file_metadata().key_value_metadata().unwrap();
    let value =
        |key: &str| about.iter().find(|pair| pair.key == key).unwrap().value.clone().unwrap();
    assert_eq!(value("pairgate.version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(value("pairgate.model"), "aa".repeat(32));
    assert_eq!(value("pairgate.config"), "bb".repeat(32));
    let columns: Value = serde_json::from_str(&value("pairgate.columns")).unwrap();
    assert_eq!((&columns["l"], &columns["score"]), (&json!("json"), &json!("float32")));
    let group = metadata.row_group(0);
    let shard = group.columns().iter().find(|c| c.column_path().string() == "shard").unwrap();
    assert!(shard.dictionary_page_offset().is_some());
    assert!(group.columns().iter().all(|column| column.statistics().is_some()));
}

#[test]
fn an_empty_input_gives_columns_and_no_rows() {
    let reader = open(&[]);
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.num_rows(), 0);
    let columns = metadata.schema_descr().columns();
    let names: Vec<_> = columns.iter().map(|column| column.name().to_owned()).collect();
    assert_eq!(names[..9], FIXED);
    assert_eq!(columns[3].physical_type(), Type::FLOAT);
}

/// Rows come in groups of bounded bytes, whatever a row holds.
#[test]
fn row_groups_are_bounded() {
    let fat = format!(r#"{{"t":"{}"}}"#, "x".repeat(1_000_000));
    let pairs: Vec<_> = (0..100).map(|n| carrying(&n.to_string(), &fat)).collect();
    let reader = open(&pairs);
    let groups = reader.metadata().row_groups();
    assert!((3..=4).contains(&groups.len()), "{}", groups.len());
    let rows: i64 = groups.iter().map(|group| group.num_rows()).sum();
    assert_eq!(rows, 100);
    let keys = rows_of_key(&reader);
    assert!(keys.iter().enumerate().all(|(n, key)| *key == n.to_string()));
}

fn rows_of_key(reader: &SerializedFileReader<File>) -> Vec<String> {
    let key = |row: Vec<(String, Field)>| match &row[1].1 {
        Field::Str(key) => key.clone(),
        other => panic!("{other:?}"),
    };
    rows(reader).into_iter().map(key).collect()
}

/// More rows than a batch of the encoder, nulls at every place, equal scores.
#[test]
fn nulls_and_ties_stay_in_their_rows() {
    let pair = |n: usize| {
        let mut pair = judged(&n.to_string(), Verdict::Kept, Reason::Passed);
        let score = (!n.is_multiple_of(3)).then_some((n % 7) as f32 / 8.0);
        pair.decision.facts = Facts { score, size: Size::new(n as u32, 1), ..Facts::default() };
        if n.is_multiple_of(5) {
            pair.sample.members.push(member("json", format!(r#"{{"n":{n}}}"#).as_bytes()));
        }
        pair
    };
    let pairs: Vec<_> = (0..10_000).map(pair).collect();
    let reader = open(&pairs);
    for (n, row) in rows(&reader).into_iter().enumerate() {
        let has = |name: &str, field| row.contains(&(name.to_owned(), field));
        assert!(has("key", text(&n.to_string())) && has("width", Field::UInt(n as u32)), "{n}");
        let scored = row.iter().any(|(name, _)| name == "score");
        assert_eq!(scored, n % 3 > 0, "{n}");
        assert!(!scored || has("score", Field::Float((n % 7) as f32 / 8.0)), "{n}");
        assert_eq!(has("n", Field::Long(n as i64)), n % 5 == 0, "{n}");
    }
}

#[test]
fn sizes_above_two_thousand_million_stay_unsigned() {
    let mut pair = kept("a");
    pair.decision.facts.size = Size::new(u32::MAX, 0);
    let rows = rows(&open(&[pair]));
    assert!(rows[0].contains(&("width".to_owned(), Field::UInt(u32::MAX))));
}
