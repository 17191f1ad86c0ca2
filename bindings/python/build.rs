//! The texts of the stub, each in a file by its name (`Gate.judge.txt`), so that they are said once: the
//! crate takes them for its own documentation, and Python shows them as `__doc__`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const STUB: &str = "python/pairgate_dfn/_native.pyi";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={STUB}");
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names a folder")?);
    for (name, text) in texts(&fs::read_to_string(Path::new(STUB))?) {
        fs::write(out.join(name + ".txt"), text)?;
    }
    Ok(())
}

/// Names and texts, without what they are set in by.
fn texts(stub: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let (mut class, mut name) = (None, String::new());
    let mut lines = stub.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let word = |keyword: &str| {
            let rest = line.trim_start().strip_prefix(keyword)?;
            rest.split(['(', ':']).next().map(str::to_owned)
        };
        if let Some(named) = word("class ") {
            (class, name) = (Some(named.clone()), named);
        } else if let Some(named) = word("def ") {
            name = match &class {
                Some(class) if indent > 0 => format!("{class}.{named}"),
                _ => named,
            };
        } else if let Some(first) = line.trim_start().strip_prefix("\"\"\"") {
            texts.push((name.clone(), text(first, indent, &mut lines)));
        }
    }
    texts
}

/// A text from the rest of its first line on.
fn text<'a>(first: &'a str, indent: usize, lines: &mut impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    let mut line = first;
    loop {
        if let Some(last) = line.strip_suffix("\"\"\"") {
            text += last.trim_end();
            return text.trim_end().to_owned();
        }
        text += line;
        text.push('\n');
        let Some(next) = lines.next() else { return text };
        line = next.get(indent..).unwrap_or_default();
    }
}
