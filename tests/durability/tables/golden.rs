//! The tables of tests/golden/tables.py, read as Python's own readers read them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Map, Value};

use super::{caption, json, read, tables};

#[derive(serde::Deserialize)]
struct Row {
    key: String,
    caption: String,
    image: String,
    fields: Map<String, Value>,
}

#[test]
fn each_table_is_read_as_python_reads_it() {
    let expected = fs::read_to_string(tables().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Vec<Row>> = serde_json::from_str(&expected).unwrap();
    assert!(expected.len() >= 25);
    for (name, rows) in expected {
        if name.ends_with(".parquet") && !cfg!(feature = "parquet") {
            continue;
        }
        let samples = read(&tables().join(&name));
        assert_eq!(samples.len(), rows.len(), "{name}");
        for (sample, row) in samples.iter().zip(rows) {
            assert_eq!(sample.fault, None, "{name}");
            assert_eq!((&sample.key, caption(sample)), (&row.key, Some(row.caption)), "{name}");
            let image = pairgate::digest::sha256(sample.image().unwrap()).to_string();
            assert_eq!(image, row.image, "{name}");
            assert_eq!(json(sample), Value::Object(row.fields), "{name}");
        }
    }
}
