//! Tests of the models: what these do not find, no test that uses them does.

mod clock;
mod injector;
mod oracle;
mod power_cut;
mod recorder;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pairgate::disk::{FileSystem, Open};
use tempfile::{TempDir, tempdir};

use super::power_cut::{State, states};
use super::quick::QuickFiles;
use super::random::Random;
use super::recorder::Recorder;
use super::tree::Tree;

/// Enough for each way in which the few changes of a test can get lost.
const MANY: usize = 300;

fn recorded() -> (TempDir, Recorder) {
    let folder = tempdir().unwrap();
    let recorder = Recorder::with(folder.path(), Arc::new(QuickFiles));
    (folder, recorder)
}

/// States at the end of what was recorded.
fn ends(recorder: &Recorder) -> Vec<State> {
    let log = recorder.log();
    states(&log, log.calls.len(), &mut Random::seeded(1), MANY)
}

/// The bytes that a file has in each of the states; `None`: it is not there.
fn seen<'a>(states: &'a [State], name: &str) -> BTreeSet<Option<&'a [u8]>> {
    let bytes = |state: &'a State| state.tree.files().get(Path::new(name)).copied();
    states.iter().map(bytes).collect()
}

/// The names that are there in each of the states.
fn name_lists(states: &[State]) -> BTreeSet<Vec<PathBuf>> {
    states.iter().map(|state| state.tree.names.keys().cloned().collect()).collect()
}

/// A file that appears whole, as the library writes them.
fn publish(files: &dyn FileSystem, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap();
    let partial = folder.join(".partial");
    let mut file = files.open(&partial, Open::Append)?;
    assert!(file.try_lock()?);
    file.set_len(0)?;
    files.sync_folder(folder)?;
    file.write_all(bytes)?;
    file.flush()?;
    file.sync()?;
    drop(file);
    files.rename(&partial, path)?;
    files.sync_folder(folder)
}

fn same(tree: &Tree, folder: &Path) -> bool {
    let real = Tree::read(folder);
    (real.files(), &real.folders) == (tree.files(), &tree.folders)
}
