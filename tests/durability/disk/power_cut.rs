//! The states that a disk may be left in when the power fails.

use std::fmt;
use std::path::Path;

use super::log::Log;
use super::model::{Change, Model, Unsure};
use super::random::Random;
use super::tree::Tree;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What is left of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Lost,
    /// All of it.
    All,
    /// Names without their bytes.
    Names,
    /// Bytes, but no new names.
    Bytes,
    /// The first writes of each file, the last of them cut, or only its length.
    Torn,
    /// Any sectors of each file, with holes between them that read as zeros.
    Reordered,
}

/// Each, with the chosen ones last.
pub const KINDS: [Kind; 6] =
    [Kind::Lost, Kind::All, Kind::Names, Kind::Bytes, Kind::Torn, Kind::Reordered];

/// Those of which there are many.
const CHOSEN: [Kind; 2] = [Kind::Torn, Kind::Reordered];

/// One state.
#[derive(Debug, Clone)]
pub struct State {
    /// What the disk holds.
    pub tree: Tree,
    /// The last mark before the cut.
    pub mark: Option<u64>,
    /// What is left of that which was not synced.
    pub kind: Kind,
    point: usize,
    seed: u64,
    last: String,
}

impl State {
    /// Makes the state of this kind after the first `point` calls.
    pub fn make(log: &Log, point: usize, kind: Kind, random: &mut Random) -> Self {
        let seed = random.seed();
        let tree = tree(&Model::after(log, point), kind, random);
        let last = log.calls[..point].last().map_or("start".to_owned(), |call| log.line(call));
        Self { tree, mark: log.mark_at(point), kind, point, seed, last }
    }

    /// Puts it into `folder`, which must be empty or not there.
    pub fn write_to(&self, folder: &Path) {
        self.tree.write_to(folder);
    }
}

/// All that `State::make` needs to make it again.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, point, seed, last, .. } = self;
        write!(f, "{kind:?} at point {point} (behind `{last}`), seed {seed:#x}")
    }
}

/// Up to `how_many` states after the first `point` calls, no two alike: one of each kind, then more
/// of those that are chosen at random. Where little is unsure there are fewer.
pub fn states(log: &Log, point: usize, random: &mut Random, how_many: usize) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    for kind in KINDS.iter().chain(CHOSEN.iter().cycle()).take(how_many) {
        let state = State::make(log, point, *kind, random);
        if states.iter().all(|other| other.tree != state.tree) {
            states.push(state);
        }
    }
    states
}

/// Cuts the power at every point of `log` and gives `check` up to `how_many` states of each, with the
/// folder that holds it. Where `check` panics, the state is told on standard error.
pub fn cut_everywhere(
    log: &Log,
    random: &mut Random,
    how_many: usize,
    mut check: impl FnMut(&Path, &State),
) {
    for point in log.points() {
        for state in states(log, point, random, how_many) {
            let folder = tempfile::tempdir().unwrap();
            state.write_to(folder.path());
            let told = Told(&state);
            check(folder.path(), &state);
            drop(told);
        }
    }
}

/// Names a state if the test fails while it is there.
pub struct Told<'a>(pub &'a State);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the power was cut: {}", self.0);
        }
    }
}

fn tree(model: &Model<'_>, kind: Kind, random: &mut Random) -> Tree {
    let nothing = |file: &Unsure| file.bytes(|_, _| {});
    let everything = |file: &Unsure| file.bytes(Change::apply);
    let mut order = random.fork();
    let some = |unsure: usize| order.below(unsure + 1);
    match kind {
        Kind::Lost => model.tree(|_| 0, nothing),
        Kind::All => model.tree(|unsure| unsure, everything),
        Kind::Names => model.tree(|unsure| unsure, nothing),
        Kind::Bytes => model.tree(|_| 0, everything),
        Kind::Torn => model.tree(some, |file| torn(file, random)),
        Kind::Reordered => model.tree(some, |file| reordered(file, random)),
    }
}

fn torn(file: &Unsure, random: &mut Random) -> Vec<u8> {
    let whole = random.below(file.count() + 1);
    let mut number = 0;
    file.bytes(|change, content| {
        if number < whole {
            change.apply(content);
        } else if number == whole {
            tear(change, content, random);
        }
        number += 1;
    })
}

/// Part of a write: its first bytes, zeros in their place, or both.
fn tear(change: Change, content: &mut Vec<u8>, random: &mut Random) {
    let Change::Write { at, bytes } = change else { return };
    let cut = random.below(bytes.len() + 1);
    let mut part = bytes[..cut].to_vec();
    if random.coin() {
        part.resize(bytes.len(), 0);
    }
    Change::Write { at, bytes: &part }.apply(content);
}

fn reordered(file: &Unsure, random: &mut Random) -> Vec<u8> {
    file.bytes(|change, content| match change {
        Change::Write { at, bytes } => {
            let mut start = 0;
            while start < bytes.len() {
                let from = at as usize + start;
                let end = bytes.len().min(start + SECTOR - from % SECTOR);
                if random.coin() {
                    Change::Write { at: from as u64, bytes: &bytes[start..end] }.apply(content);
                }
                start = end;
            }
        }
        Change::SetLen(_) if random.coin() => change.apply(content),
        Change::SetLen(_) => {}
    })
}
