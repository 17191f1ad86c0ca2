//! The power-cut model against a naive one, which keeps a copy of everything after every call: since
//! its last sync, a folder's names are those of one of its copies, and each byte of a file is that of
//! one of its copies, or zero where one of them had none.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::disk::{FileHandle, FileSystem, Open};
use proptest::prelude::*;
use tempfile::{TempDir, tempdir};

use crate::disk::log::Call;
use crate::disk::power_cut::{State, states};
use crate::disk::quick::QuickFiles;
use crate::disk::random::Random;
use crate::disk::recorder::Recorder;
use crate::disk::tree::{FileId, Tree};

/// Files of the test, in two folders.
const NAMES: [&str; 4] = ["a", "b", "x/a", "x/b"];

/// The folders, as paths in the recorded one.
const FOLDERS: [&str; 2] = ["", "x"];

/// Something that a program does; names are numbers in [`NAMES`] and [`FOLDERS`].
#[derive(Debug, Clone, Copy)]
enum Act {
    Write(usize, usize),
    SetLen(usize, u64),
    Sync(usize),
    Rename(usize, usize),
    Link(usize, usize),
    Remove(usize),
    SyncFolder(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let name = 0..NAMES.len();
    prop_oneof![
        4 => (name.clone(), 1usize..1500).prop_map(|(name, bytes)| Act::Write(name, bytes)),
        1 => (name.clone(), 0u64..2000).prop_map(|(name, bytes)| Act::SetLen(name, bytes)),
        2 => name.clone().prop_map(Act::Sync),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => (name.clone(), name.clone()).prop_map(|(from, to)| Act::Link(from, to)),
        1 => name.prop_map(Act::Remove),
        2 => (0..FOLDERS.len()).prop_map(Act::SyncFolder),
    ]
}

/// The file behind each name of a folder.
type Names = BTreeMap<PathBuf, FileId>;

/// A program, and the copies.
struct Oracle {
    temp: TempDir,
    recorder: Recorder,
    handles: BTreeMap<FileId, Box<dyn FileHandle>>,
    names: Names,
    files: BTreeMap<FileId, Vec<u8>>,
    /// Copies since the last sync, of each folder and of each file.
    folder_copies: [Vec<Names>; FOLDERS.len()],
    file_copies: BTreeMap<FileId, Vec<Vec<u8>>>,
    /// Written next, never 0.
    byte: u8,
}

impl Oracle {
    fn new() -> Self {
        let temp = tempdir().unwrap();
        let recorder = Recorder::with(temp.path(), Arc::new(QuickFiles));
        recorder.create_folder(&temp.path().join("x")).unwrap();
        recorder.sync_folder(temp.path()).unwrap();
        Self {
            temp,
            recorder,
            handles: BTreeMap::new(),
            names: Names::new(),
            files: BTreeMap::new(),
            folder_copies: [vec![Names::new()], vec![Names::new()]],
            file_copies: BTreeMap::new(),
            byte: 0,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Write(name, bytes) => self.write(NAMES[name], bytes),
            Act::SetLen(name, bytes) => self.set_len(NAMES[name], bytes),
            Act::Sync(name) => self.sync(NAMES[name]),
            Act::Rename(from, to) => self.rename(NAMES[from], NAMES[to]),
            Act::Link(from, to) => self.link(NAMES[from], NAMES[to]),
            Act::Remove(name) => self.remove(NAMES[name]),
            Act::SyncFolder(folder) => self.sync_folder(folder),
        }
    }

    /// The file of that name, which is made if it is not there.
    fn file(&mut self, name: &str) -> FileId {
        if let Some(file) = self.names.get(Path::new(name)) {
            return *file;
        }
        let handle = self.recorder.open(&self.path(name), Open::New).unwrap();
        let file = self.files.len();
        self.handles.insert(file, handle);
        self.files.insert(file, Vec::new());
        self.file_copies.insert(file, vec![Vec::new()]);
        self.names.insert(name.into(), file);
        self.copy_names();
        file
    }

    fn write(&mut self, name: &str, bytes: usize) {
        let file = self.file(name);
        self.byte = self.byte % 250 + 1;
        let bytes = vec![self.byte; bytes];
        self.handles.get_mut(&file).unwrap().write_all(&bytes).unwrap();
        self.files.get_mut(&file).unwrap().extend(bytes);
        self.copy_file(file);
    }

    fn set_len(&mut self, name: &str, bytes: u64) {
        let file = self.file(name);
        self.handles.get_mut(&file).unwrap().set_len(bytes).unwrap();
        self.files.get_mut(&file).unwrap().resize(bytes as usize, 0);
        self.copy_file(file);
    }

    fn sync(&mut self, name: &str) {
        let file = self.file(name);
        self.handles.get_mut(&file).unwrap().sync().unwrap();
        self.file_copies.get_mut(&file).unwrap().clear();
        self.copy_file(file);
    }

    fn rename(&mut self, from: &str, to: &str) {
        let Some(file) = self.names.get(Path::new(from)).copied() else { return };
        self.recorder.rename(&self.path(from), &self.path(to)).unwrap();
        // Two names of one file both stay.
        if self.names.get(Path::new(to)) != Some(&file) {
            self.names.remove(Path::new(from));
            self.names.insert(to.into(), file);
            self.copy_names();
        }
    }

    fn link(&mut self, from: &str, to: &str) {
        let Some(file) = self.names.get(Path::new(from)).copied() else { return };
        let made = self.recorder.hard_link(&self.path(from), &self.path(to)).is_ok();
        assert_eq!(made, !self.names.contains_key(Path::new(to)));
        if made {
            self.names.insert(to.into(), file);
            self.copy_names();
        }
    }

    fn remove(&mut self, name: &str) {
        if self.names.remove(Path::new(name)).is_some() {
            self.recorder.remove_file(&self.path(name)).unwrap();
            self.copy_names();
        }
    }

    fn sync_folder(&mut self, folder: usize) {
        self.recorder.sync_folder(&self.path(FOLDERS[folder])).unwrap();
        self.folder_copies[folder].clear();
        self.copy_names();
    }

    fn copy_names(&mut self) {
        for (folder, copies) in FOLDERS.iter().zip(&mut self.folder_copies) {
            copies.push(within(&self.names, folder));
        }
    }

    fn copy_file(&mut self, file: FileId) {
        self.file_copies.get_mut(&file).unwrap().push(self.files[&file].clone());
    }

    /// Whether the disk can be left so.
    fn allows(&self, tree: &Tree) -> Result<(), String> {
        for (folder, copies) in FOLDERS.iter().zip(&self.folder_copies) {
            let names = within(&tree.names, folder);
            if !copies.contains(&names) {
                return Err(format!("names {names:?} of `{folder}`"));
            }
        }
        let foul = tree.bytes.iter().find(|(file, bytes)| !may_be(bytes, &self.file_copies[file]));
        foul.map_or(Ok(()), |(file, bytes)| Err(format!("file {file}: {bytes:?}")))
    }

    /// What is lost where everything that was not synced is.
    fn synced(&self) -> (Names, BTreeMap<FileId, Vec<u8>>) {
        let names: Names = self.folder_copies.iter().flat_map(|copies| copies[0].clone()).collect();
        let bytes = names.values().map(|file| (*file, self.file_copies[file][0].clone())).collect();
        (names, bytes)
    }
}

/// The names in a folder, without those in folders in it.
fn within(names: &Names, folder: &str) -> Names {
    let inside = |(name, _): &(&PathBuf, &FileId)| name.parent() == Some(Path::new(folder));
    names.iter().filter(inside).map(|(name, file)| (name.clone(), *file)).collect()
}

/// Whether bytes can be what is left of a file that has had these contents since its last sync.
fn may_be(bytes: &[u8], copies: &[Vec<u8>]) -> bool {
    let lengths = || copies.iter().map(Vec::len);
    let as_long = (lengths().min().unwrap()..=lengths().max().unwrap()).contains(&bytes.len());
    let byte_may_be = |at: usize| {
        let mut had = copies.iter().map(|copy| copy.get(at));
        let zero = bytes[at] == 0 && had.clone().any(|byte| byte.is_none());
        zero || had.any(|byte| byte == Some(&bytes[at]))
    };
    as_long && (0..bytes.len()).all(byte_may_be)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn states_are_those_that_a_naive_model_allows(
        acts in prop::collection::vec(act(), 1..40),
        seed: u64,
    ) {
        let mut oracle = Oracle::new();
        let mut random = Random::seeded(seed);
        for act in acts {
            oracle.act(act);
            let log = oracle.recorder.log();
            let states = states(&log, log.calls.len(), &mut random, 10);
            for state in &states {
                let allowed = oracle.allows(&state.tree);
                prop_assert!(allowed.is_ok(), "{state}: {}", allowed.unwrap_err());
            }
            // The first state is the one without anything unsynced.
            let State { tree, .. } = &states[0];
            prop_assert_eq!((&tree.names, &tree.bytes), (&oracle.synced().0, &oracle.synced().1));
            let real = Tree::read(oracle.temp.path());
            let whole = |state: &State| state.tree.files() == real.files();
            prop_assert!(states.iter().any(whole), "no state with everything");
        }
        let opened = oracle.recorder.log().calls.into_iter();
        let opened = opened.filter(|call| matches!(call, Call::Open { .. })).count();
        prop_assert_eq!(opened, oracle.files.len());
    }
}
