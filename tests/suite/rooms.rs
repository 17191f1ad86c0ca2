//! The order of the rooms under `src`: each imports only what stands before it, so that there is no
//! circle. docs/architecture.md says what each of them is for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first.
const ROOMS: &[&str] = &[
    "printable",
    "score_text",
    "digest",
    "language",
    "disk",
    "config",
    "text",
    "decode",
    "prepare",
    "model",
    "score",
    "gate",
    "table",
    "embeddings",
    "journal",
    "source",
    "store",
    "spool",
    "decide",
    "datacomp",
    "recorded",
    "select",
    "sink",
    "pipeline",
    "notify",
    "capture",
    "replay",
    "compare",
    "plan",
    "report",
    "agent",
    "cli",
];

/// The rooms of `src/model`, whose face joins them.
const MODEL: &[&str] = &["onnx", "int8", "tower", "bundle", "check", "import"];

/// What the crates beside the library may name of the workspace.
const CRATES: &[(&str, &[&str])] = &[("crates/core", &[]), ("crates/kernels", &[])];

#[test]
fn each_room_imports_only_what_stands_before_it() {
    let wrong = arrows_against(ROOMS, Path::new("src"), "crate");
    assert!(wrong.is_empty(), "against the order of tests/suite/rooms.rs:\n{}", wrong.join("\n"));
}

#[test]
fn each_room_of_the_model_imports_only_what_stands_before_it() {
    let wrong = arrows_against(MODEL, Path::new("src/model"), "crate::model");
    assert!(wrong.is_empty(), "against the order of tests/suite/rooms.rs:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_order_and_on_the_page() {
    let page = fs::read_to_string("docs/architecture.md").unwrap();
    for room in rooms_on_disk(Path::new("src")) {
        assert!(ROOMS.contains(&room.as_str()), "src/{room} is not in tests/suite/rooms.rs");
        assert!(
            page.contains(&format!("`src/{room}")),
            "docs/architecture.md does not name src/{room}"
        );
    }
}

#[test]
fn the_low_crates_name_nothing_of_the_others() {
    for (krate, may) in CRATES {
        let manifest = fs::read_to_string(Path::new(krate).join("Cargo.toml")).unwrap();
        let named = manifest.lines().filter(|line| line.starts_with("pairgate"));
        let wrong: Vec<_> =
            named.filter(|line| !may.iter().any(|name| line.starts_with(name))).collect();
        assert!(wrong.is_empty(), "{krate}: {wrong:?}");
    }
}

/// Modules that are not on the library's page change without notice.
#[test]
fn the_python_package_is_on_the_public_face_alone() {
    let sources = files_by_room(Path::new("bindings/python")).remove("src").unwrap_or_default();
    assert!(!sources.is_empty());
    for file in sources {
        let named = named_in(&code(&fs::read_to_string(&file).unwrap()), "pairgate", 1);
        let is_hidden = |name: &String| name != "cli" && ROOMS.contains(&name.as_str());
        let wrong: Vec<_> = named.into_iter().filter(is_hidden).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", file.display());
    }
}

#[test]
fn paths_are_found_wherever_they_are_written() {
    let text = "use crate::{disk::{Disk, IoError}, journal, text as words};\n// crate::cli\n\
                fn f() -> crate::store::Store { \"crate::report\"; super::super::decide::x() }";
    let found = named_in(&code(text), "crate", 1);
    let wanted = ["decide", "disk", "journal", "store", "text"];
    assert_eq!(found, wanted.map(str::to_owned).into());
}

/// A line for each file that names a room above its own, or what is no room.
fn arrows_against(order: &[&str], root: &Path, prefix: &str) -> Vec<String> {
    let place = |room: &str| order.iter().position(|other| *other == room);
    let mut wrong = Vec::new();
    for (room, files) in files_by_room(root) {
        let Some(own) = place(&room) else { continue };
        for file in files {
            let depth = file.strip_prefix(root).unwrap().components().count() - 1;
            let depth = depth - usize::from(file.ends_with("mod.rs"));
            for named in named_in(&code(&fs::read_to_string(&file).unwrap()), prefix, depth) {
                let is_below = place(&named).is_some_and(|other| other <= own);
                let is_face = prefix != "crate" && place(&named).is_none();
                if !is_below && !is_face {
                    wrong.push(format!("{} names {named}", file.display()));
                }
            }
        }
    }
    wrong
}

fn files_by_room(root: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut rooms = BTreeMap::<String, Vec<PathBuf>>::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let first = path.strip_prefix(root).unwrap().components().next().unwrap();
                let room = first.as_os_str().to_str().unwrap().trim_end_matches(".rs");
                rooms.entry(room.to_owned()).or_default().push(path);
            }
        }
    }
    rooms
}

fn rooms_on_disk(root: &Path) -> impl Iterator<Item = String> {
    files_by_room(root).into_keys().filter(|room| !["lib", "bin"].contains(&room.as_str()))
}

/// The text without comments and strings.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let joined = lines.collect::<Vec<_>>().join("\n");
    joined.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// First names behind `prefix::`, and behind as many `super::` as lead there from a module that lies
/// `depth` modules below it.
fn named_in(code: &str, prefix: &str, depth: usize) -> BTreeSet<String> {
    let up = "super::".repeat(depth + 1);
    let mut named = BTreeSet::new();
    for start in [format!("{prefix}::"), up] {
        for (at, _) in code.match_indices(&start) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                named.extend(names(&code[at + start.len()..]));
            }
        }
    }
    named.remove("super");
    named
}

/// The name that a path goes on with, or the names of its group.
fn names(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return vec![rest[..end].to_owned()];
    };
    let (mut depth, mut first, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.extend(names(group[first..at].trim()).into_iter().filter(|n| !n.is_empty()));
                first = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}
