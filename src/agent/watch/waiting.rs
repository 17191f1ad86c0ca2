//! Files that were found and are not read yet: something may still be written, or a caption come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::source::LooseKind;

/// Groups that wait at most; what comes beyond is found by a later scan.
const MOST: usize = 100_000;
/// Groups above which a scan waits.
const MANY: usize = 10_000;

/// What waits together: pictures of one stem, or a shard.
#[derive(Debug)]
pub(super) struct Group {
    /// The pictures' file names, or the shard's; none where only texts were heard of.
    pub names: Vec<OsString>,
    /// Names that an event vouches for.
    pub vouched: Vec<OsString>,
    pub is_shard: bool,
    /// When it was found.
    pub since: Instant,
    /// All its files' sizes and times as they were last looked at, and since when they are so.
    pub look: Option<(u64, Instant)>,
    /// What it was when it had no caption, or was no whole tar.
    pub incomplete: Option<u64>,
    pub is_told: bool,
}

/// Groups by the paths of their stems, and when each is looked at again.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    groups: HashMap<PathBuf, Group>,
    due: BinaryHeap<Reverse<(Instant, PathBuf)>>,
}

impl Waiting {
    /// Whether a scan should wait.
    pub fn is_full(&self) -> bool {
        self.groups.len() >= MANY
    }

    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Notes a file; `vouched` where an event says that it is whole now. `false` where there is no room.
    pub fn add(&mut self, path: &Path, kind: LooseKind, vouched: bool, now: Instant) -> bool {
        let Some(name) = path.file_name() else { return true };
        let stem = stem_of(path, kind);
        if !self.groups.contains_key(&stem) {
            if self.groups.len() >= MOST {
                return false;
            }
            self.due.push(Reverse((now, stem.clone())));
        }
        let group = self.groups.entry(stem).or_insert_with(|| Group {
            names: Vec::new(),
            vouched: Vec::new(),
            is_shard: kind == LooseKind::Shard,
            since: now,
            look: None,
            incomplete: None,
            is_told: false,
        });
        if kind != LooseKind::Text {
            if group.names.is_empty() {
                // Captions that came before it have waited for it.
                group.since = now;
            }
            insert(&mut group.names, name);
        }
        if vouched {
            insert(&mut group.vouched, name);
            group.look = None;
        }
        true
    }

    /// A group that is to be looked at now; it is to be put back, unless it is done with.
    pub fn take_due(&mut self, now: Instant) -> Option<(PathBuf, Group)> {
        while self.due.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Reverse((_, stem)) = self.due.pop()?;
            if let Some(group) = self.groups.remove(&stem) {
                return Some((stem, group));
            }
        }
        None
    }

    /// Looks at the group again after `pause`.
    pub fn put_back(&mut self, stem: PathBuf, group: Group, now: Instant, pause: Duration) {
        self.due.push(Reverse((now + pause, stem.clone())));
        self.groups.insert(stem, group);
    }
}

fn insert(names: &mut Vec<OsString>, name: &OsStr) {
    if !names.iter().any(|other| other == name) {
        names.push(name.to_owned());
    }
}

/// What files of one group have in common: the path without the extension, without two where a text has
/// its picture's whole name in front (`cat.jpg.txt`). A shard is a group of its own.
fn stem_of(path: &Path, kind: LooseKind) -> PathBuf {
    if kind == LooseKind::Shard {
        return path.to_owned();
    }
    let stem = path.with_extension("");
    match kind == LooseKind::Text && LooseKind::of(&stem) == LooseKind::Image {
        true => stem.with_extension(""),
        false => stem,
    }
}
