//! NumPy's files and parquet tables.

use pairgate::datacomp::embeddings::{Rows, read_matrix, read_places};
use pairgate::datacomp::metadata::Table;

use crate::{Target, files};

pub const ARRAY: Target = Target {
    name: "npy",
    about: "an array has as many values as its shape says",
    seeds: || {
        let mut seeds = files::all_in(METADATA, &["npy"]);
        seeds.push(files::read(&files::repository("tests/data/golden/datacomp/subsets/all.npy")));
        seeds
    },
    run: array,
};

pub const ARCHIVE: Target = Target {
    name: "npz",
    about: "members lie in the archive, and their rows are read or refused",
    seeds: || {
        let mut seeds = files::all_in(METADATA, &["npz"]);
        seeds.truncate(4);
        seeds
    },
    run: archive,
};

pub const PARQUET: Target = Target {
    name: "parquet",
    about: "columns are read, or refused",
    seeds: || files::all_in(METADATA, &["parquet"]),
    run: parquet,
};

const METADATA: &str = "tests/data/golden/datacomp/metadata";

fn array(bytes: &[u8]) {
    let path = files::in_file("array.npy", bytes);
    if let Ok((values, columns)) = read_matrix(&path) {
        assert!(columns == 0 || values.len().is_multiple_of(columns));
        assert!(values.len() <= bytes.len());
    }
    if let Ok(places) = read_places(&path) {
        assert!(places.len() <= bytes.len());
    }
}

fn archive(bytes: &[u8]) {
    let path = files::in_file("rows.npz", bytes);
    let mut rows = Vec::new();
    for (name, count, columns) in [("b32_img", 300, 3), ("l14_img", 300, 16)] {
        if let Ok(mut reader) = Rows::open(&path, name, count, columns, 2..9) {
            let _ = reader.read(7, &mut rows);
        }
    }
}

fn parquet(bytes: &[u8]) {
    let path = files::in_file("table.parquet", bytes);
    let Ok(table) = Table::open(&path) else { return };
    let Ok(groups) = table.groups() else { return };
    let (mut texts, mut numbers) = (Vec::new(), Vec::new());
    for group in 0..groups.len().min(4) {
        for name in ["uid", "text"] {
            if let Ok(mut column) = table.texts(group, name) {
                while column.read(500, &mut texts).is_ok() && texts.len() == 500 {}
            }
        }
        for name in ["original_width", "original_height", "clip_l14_similarity_score"] {
            let _ = table.precision(name);
            if let Ok(mut column) = table.numbers(group, name) {
                while column.read(500, &mut numbers).is_ok() && numbers.len() == 500 {}
            }
        }
    }
}
