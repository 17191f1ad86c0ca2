//! Shards of the sample pairs in a folder, and the program run there.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use super::data;
use crate::cli::{pairgate, run};

/// Members of a shard: names, and what they hold.
pub type Members = Vec<(String, Vec<u8>)>;

/// Shards `in/00000.tar` and so on below a folder of their own, in which the program runs: inputs are named
/// alike wherever it is.
pub struct Shards {
    folder: TempDir,
}

impl Shards {
    /// One for each of `all`.
    pub fn of(all: impl IntoIterator<Item = Members>) -> Self {
        let folder = tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        let made = Self { folder };
        for (shard, members) in all.into_iter().enumerate() {
            fs::write(made.input(shard), tar(&members)).unwrap();
        }
        made
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn input(&self, shard: usize) -> PathBuf {
        self.at("in").join(format!("{shard:05}.tar"))
    }

    /// The program, in the folder.
    pub fn program(&self, args: &[&str]) -> Command {
        let mut command = pairgate(args);
        command.current_dir(self.folder.path());
        command
    }

    /// Its standard output, where it ends with this code.
    #[track_caller]
    pub fn run(&self, args: &[&str], code: i32) -> String {
        String::from_utf8(run(self.program(args), code).stdout).unwrap()
    }

    /// Its standard error, where it refuses.
    #[track_caller]
    pub fn refused(&self, args: &[&str]) -> String {
        String::from_utf8(run(self.program(args), 2).stderr).unwrap()
    }

    /// What it says with `--json`.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.json_of(args, 0)
    }

    /// The same where it ends with this code.
    #[track_caller]
    pub fn json_of(&self, args: &[&str], code: i32) -> Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat(), code)).unwrap()
    }

    /// Records of a journal, as `journal cat` shows them.
    #[track_caller]
    pub fn records(&self, folder: &str) -> Vec<Value> {
        let lines = self.run(&["journal", "cat", folder], 0);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The shards of a folder, by their names.
    pub fn shards(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.at(folder)).unwrap().map(|entry| entry.unwrap().path());
        let tars = entries.filter(|path| path.extension().is_some_and(|e| e == "tar"));
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        tars.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
    }
}

/// The pictures of tests/data/pairs, in the order of their names.
pub fn pictures() -> Vec<PathBuf> {
    let mut pictures: Vec<PathBuf> =
        fs::read_dir(data("pairs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pictures.retain(|path| path.extension().is_some_and(|e| e == "jpg" || e == "png"));
    pictures.sort();
    pictures
}

/// A picture of them with its caption, and `more` behind that, under a key.
pub fn pair(key: &str, picture: &PathBuf, more: &str) -> Members {
    let kind = picture.extension().unwrap().to_str().unwrap();
    let caption = fs::read_to_string(picture.with_extension("txt")).unwrap();
    let caption = format!("{} {more}", caption.trim());
    vec![
        (format!("{key}.{kind}"), fs::read(picture).unwrap()),
        (format!("{key}.txt"), caption.into_bytes()),
    ]
}

/// A tar of them.
pub fn tar(members: &Members) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, &data[..]).unwrap();
    }
    tar.into_inner().unwrap()
}
