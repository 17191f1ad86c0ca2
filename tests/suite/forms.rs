//! The same pairs in each form that they are read in: the same keys where they have some, the same
//! captions, identities and scores.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cli::{pairgate, run, text};
use crate::support::data;

const NAMES: [&str; 6] = ["ball", "beach", "city", "meadow", "mountain", "wrong-city"];

/// What is said of a pair: caption's length, identity, score and picture.
type Pair = (u64, String, String, String);

struct Forms {
    folder: tempfile::TempDir,
}

impl Forms {
    fn new() -> Self {
        let forms = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(forms.at("files")).unwrap();
        for name in NAMES {
            let picture = data(&format!("pairs/{name}.jpg"));
            fs::copy(&picture, forms.at(&format!("{name}.jpg"))).unwrap();
            fs::copy(&picture, forms.at(&format!("files/{name}.jpg"))).unwrap();
            fs::write(forms.at(&format!("files/{name}.txt")), caption(name)).unwrap();
        }
        forms
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, data: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, data).unwrap();
        path
    }

    /// The pairs of an input, by their keys.
    fn score(&self, input: &Path) -> BTreeMap<String, Pair> {
        pairs(&run(pairgate(["score", &text(input), "-o", "-"]), 0).stdout)
    }

    /// The same of a file that is written to the program.
    fn score_stream(&self, file: &Path) -> BTreeMap<String, Pair> {
        let root = text(self.folder.path());
        let mut command = pairgate(["score", "-", "-o", "-", "--image-root", &root]);
        command.stdin(Stdio::from(File::open(file).unwrap()));
        pairs(&run(command, 0).stdout)
    }
}

fn caption(name: &str) -> String {
    fs::read_to_string(data(&format!("pairs/{name}.txt"))).unwrap().trim().to_owned()
}

fn pairs(lines: &[u8]) -> BTreeMap<String, Pair> {
    let lines = String::from_utf8(lines.to_vec()).unwrap();
    let pair = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].to_string();
        let length = line["caption_length"].as_u64().unwrap();
        let key = line["key"].as_str().unwrap().to_owned();
        (key, (length, field("uid"), field("score"), field("sha256")))
    };
    lines.lines().map(pair).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(data).unwrap();
    packer.finish().unwrap()
}

/// Rows with the picture's path, or with the picture, and the names of their fields.
fn rows(image: &str, caption_name: &str, of: impl Fn(&str) -> Value) -> Vec<Value> {
    let row = |name: &&str| json!({ "key": *name, image: of(name), caption_name: caption(name) });
    NAMES.iter().map(row).collect()
}

fn path(name: &str) -> Value {
    format!("{name}.jpg").into()
}

fn encoded(name: &str) -> Value {
    STANDARD.encode(fs::read(data(&format!("pairs/{name}.jpg"))).unwrap()).into()
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn csv(image: &str, caption_name: &str, separator: &str) -> String {
    let row = |name: &&str| {
        let caption = caption(name).replace('"', "\"\"");
        format!("{name}{separator}{name}.jpg{separator}\"{caption}\"\n")
    };
    let header = format!("key{separator}{image}{separator}{caption_name}\n");
    header + &NAMES.iter().map(row).collect::<String>()
}

fn shard() -> Vec<u8> {
    let mut shard = tar::Builder::new(Vec::new());
    for name in NAMES {
        let picture = fs::read(data(&format!("pairs/{name}.jpg"))).unwrap();
        for (end, bytes) in [("jpg", picture), ("txt", caption(name).into_bytes())] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            shard.append_data(&mut header, format!("{name}.{end}"), &*bytes).unwrap();
        }
    }
    shard.into_inner().unwrap()
}

fn coco() -> String {
    let image = |(id, name): (usize, &&str)| json!({ "id": id, "file_name": path(name) });
    let annotation =
        |(id, name): (usize, &&str)| json!({ "image_id": id, "caption": caption(name) });
    let images: Vec<_> = NAMES.iter().enumerate().map(image).collect();
    let annotations: Vec<_> = NAMES.iter().enumerate().map(annotation).collect();
    json!({ "info": {}, "images": images, "annotations": annotations }).to_string()
}

#[test]
fn each_form_gives_the_same_pairs() {
    let forms = Forms::new();
    let expected = forms.score(&forms.at("files"));
    assert_eq!(expected.keys().collect::<Vec<_>>(), NAMES.iter().collect::<Vec<_>>());
    let list = |rows: &[Value]| Value::from(rows.to_vec()).to_string();
    let both = |name: &str| json!({ "bytes": encoded(name), "path": path(name) });
    // What may be packed and may come on standard input.
    for (name, bytes) in [
        ("a.tar", shard()),
        ("a.jsonl", lines(&rows("image", "caption", path)).into()),
        ("b.jsonl", lines(&rows("file_name", "text", path)).into()),
        ("c.ndjson", lines(&rows("image", "caption", encoded)).into()),
        ("d.jsonl", lines(&rows("image", "TEXT", both)).into()),
        ("a.json", list(&rows("image_path", "title", path)).into()),
        ("b.json", list(&rows("jpg", "alt", encoded)).into()),
        ("a.csv", csv("filepath", "title", ",").into()),
        ("b.csv", csv("image", "caption", "\t").into()),
        ("a.tsv", csv("img", "alt_text", "\t").into()),
    ] {
        let file = forms.write(name, &bytes);
        let packed = forms.write(&format!("{name}.gz"), gzip(&bytes));
        assert_eq!(forms.score(&file), expected, "{name}");
        assert_eq!(forms.score(&packed), expected, "{name}.gz");
        assert_eq!(forms.score_stream(&file), expected, "{name} as a stream");
        assert_eq!(forms.score_stream(&packed), expected, "{name}.gz as a stream");
    }
    let coco = forms.write("coco.json", coco());
    assert_eq!(forms.score(&coco), expected);
    // Folders.
    for (folder, table, text) in [
        ("hf-lines", "metadata.jsonl", lines(&rows("file_name", "text", path))),
        ("hf-csv", "metadata.csv", csv("file_name", "caption", ",")),
    ] {
        forms.write(&format!("{folder}/{table}"), text);
        for name in NAMES {
            fs::copy(forms.at(&format!("{name}.jpg")), forms.at(&format!("{folder}/{name}.jpg")))
                .unwrap();
        }
        assert_eq!(forms.score(&forms.at(folder)), expected, "{folder}");
    }
    for (folder, end) in [("kohya", "caption"), ("names", "jpg.txt"), ("texts", "text")] {
        for name in NAMES {
            let picture = fs::read(data(&format!("pairs/{name}.jpg"))).unwrap();
            forms.write(&format!("{folder}/{name}.jpg"), picture);
            forms.write(&format!("{folder}/{name}.{end}"), caption(name));
        }
        assert_eq!(forms.score(&forms.at(folder)), expected, "{folder}");
    }
}

/// A table with these columns of bytes.
#[cfg(feature = "parquet")]
fn parquet(columns: &[(&str, Vec<Vec<u8>>)]) -> Vec<u8> {
    use std::sync::Arc;

    use parquet::basic::Type as Physical;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    let field = |(name, _): &(&str, Vec<Vec<u8>>)| {
        let field = Type::primitive_type_builder(name, Physical::BYTE_ARRAY);
        Arc::new(field.with_repetition(parquet::basic::Repetition::REQUIRED).build().unwrap())
    };
    let fields = columns.iter().map(field).collect();
    let schema = Type::group_type_builder("pairs").with_fields(fields).build().unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, values) in columns {
        let values: Vec<ByteArray> = values.iter().cloned().map(ByteArray::from).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_gives_the_same_pairs() {
    let forms = Forms::new();
    let expected = forms.score(&forms.at("files"));
    let column = |of: &dyn Fn(&str) -> Vec<u8>| NAMES.iter().map(|name| of(name)).collect();
    let keys = || ("key", column(&|name| name.into()));
    let captions = || column(&|name| caption(name).into_bytes());
    let pictures = column(&|name| fs::read(data(&format!("pairs/{name}.jpg"))).unwrap());
    let paths = || column(&|name| format!("{name}.jpg").into_bytes());
    let inlined = parquet(&[keys(), ("jpg", pictures), ("caption", captions())]);
    let named = parquet(&[("file_name", paths()), ("TEXT", captions()), keys()]);
    for (name, bytes) in [("00000.parquet", &inlined), ("b.parquet", &named)] {
        assert_eq!(forms.score(&forms.write(name, bytes)), expected, "{name}");
    }
    forms.write("hf/metadata.parquet", &named);
    for name in NAMES {
        fs::copy(forms.at(&format!("{name}.jpg")), forms.at(&format!("hf/{name}.jpg"))).unwrap();
    }
    assert_eq!(forms.score(&forms.at("hf")), expected);
    // Beside a shard of its name it tells of that.
    forms.write("00000.tar", shard());
    let both = [forms.at("00000.parquet"), forms.at("00000.tar")].map(|path| text(&path));
    let told = run(pairgate(["score", &both[0], &both[1], "-o", "-"]), 0);
    assert_eq!(pairs(&told.stdout), expected);
    assert!(String::from_utf8(told.stderr).unwrap().contains("tells of the shard beside it"));
}

#[test]
fn an_input_without_pairs_says_why() {
    let forms = Forms::new();
    for (name, text, expected) in [
        ("a.csv", "a,b\n1,2\n", "no image column: the columns are a, b; --image-key names one"),
        (
            "u.csv",
            "URL,TEXT\nhttps://example.org/a.jpg,a dog\n",
            "img2dataset fetches the pictures",
        ),
        ("l.jsonl", "{\"caption\": \"a dog\"}\n", "no image field: its fields are caption"),
        ("e.csv", "image,caption\n", "no pairs were found in it"),
        ("empty/README", "", "no pictures were found in it"),
        ("tables/t.csv", "image,caption\n", "name them to read them"),
    ] {
        let path = forms.write(name, text);
        let path = if name.contains('/') { path.parent().unwrap() } else { &path };
        let output = run(pairgate(["score", &self::text(path), "-o", "-"]), 1);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(expected), "{name}: {told}");
    }
}
