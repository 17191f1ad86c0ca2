//! What a disk surely holds after some calls, and what it may hold.
//!
//! A file's bytes and length are sure once it was synced, a name once its folder was. A sync of a
//! file says nothing of its name, and one of a folder nothing of the folder's own name: some file
//! systems do better, no program may count on it. A sync that failed leaves what was before it in
//! doubt for ever, whatever a later one says.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::log::{Call, Log};
use super::tree::{FileId, Tree};

/// The outermost folder.
const ROOT: usize = 0;

/// A change of a file.
#[derive(Debug, Clone, Copy)]
pub enum Change<'log> {
    Write { at: u64, bytes: &'log [u8] },
    SetLen(u64),
}

impl Change<'_> {
    /// Makes the change.
    pub fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::SetLen(bytes) => content.resize(bytes as usize, 0),
            Self::Write { at, bytes } => {
                let (start, end) = (at as usize, at as usize + bytes.len());
                // What lies before the written bytes and was never written reads as zeros.
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(bytes);
            }
        }
    }
}

/// A change of the names in one folder, which is done or not, nothing between.
#[derive(Debug, Clone)]
enum NameChange {
    Put(OsString, Node),
    Take(OsString),
    Move(OsString, OsString),
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            Self::Put(name, node) => drop(names.insert(name.clone(), *node)),
            Self::Take(name) => drop(names.remove(name)),
            Self::Move(from, to) => {
                let node = names.remove(from).expect("changes of names are made in their order");
                names.insert(to.clone(), node);
            }
        }
    }
}

type Names = BTreeMap<OsString, Node>;

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(FileId),
    Folder(usize),
}

/// Changes in their order, each with what is known of it.
#[derive(Debug)]
struct History<T>(Vec<(T, Fate)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The next sync says.
    Open,
    Sure,
    /// No sync will say: one has failed.
    Doubtful,
}

impl<T> History<T> {
    fn add(&mut self, change: T) {
        self.0.push((change, Fate::Open));
    }

    fn synced(&mut self, done: bool) {
        let fate = if done { Fate::Sure } else { Fate::Doubtful };
        let open = self.0.iter_mut().filter(|(_, fate)| *fate == Fate::Open);
        open.for_each(|(_, known)| *known = fate);
    }

    fn unsure(&self) -> usize {
        self.0.iter().filter(|(_, fate)| *fate != Fate::Sure).count()
    }
}

#[derive(Debug)]
struct File<'log> {
    before: &'log [u8],
    changes: History<Change<'log>>,
}

#[derive(Debug)]
struct Folder {
    before: Names,
    /// As a running program sees them.
    live: Names,
    changes: History<NameChange>,
}

impl Folder {
    fn holding(names: Names) -> Self {
        Self { before: names.clone(), live: names, changes: History(Vec::new()) }
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.live);
        self.changes.add(change);
    }

    /// Behind a failed sync no later one counts, because names are kept in their order.
    fn synced(&mut self, done: bool) {
        let doubt = self.changes.0.iter().any(|(_, fate)| *fate == Fate::Doubtful);
        self.changes.synced(done && !doubt);
    }

    /// The names with `unsure` of the changes that are not sure, the first ones.
    fn names(&self, unsure: usize) -> Names {
        let mut names = self.before.clone();
        let sure = self.changes.0.len() - self.changes.unsure();
        self.changes.0.iter().take(sure + unsure).for_each(|(change, _)| change.apply(&mut names));
        names
    }
}

/// A disk after some calls.
#[derive(Debug)]
pub struct Model<'log> {
    files: Vec<File<'log>>,
    folders: Vec<Folder>,
}

impl<'log> Model<'log> {
    /// The disk after the first `point` calls.
    pub fn after(log: &'log Log, point: usize) -> Self {
        let mut model = Self::before(&log.before);
        log.calls[..point].iter().for_each(|call| model.call(call));
        model
    }

    fn before(tree: &'log Tree) -> Self {
        let files = tree.bytes.values();
        let files = files.map(|before| File { before, changes: History(Vec::new()) }).collect();
        let mut model = Self { files, folders: vec![Folder::holding(Names::new())] };
        tree.folders.iter().for_each(|path| model.create_folder(path));
        for (path, file) in &tree.names {
            let (folder, name) = model.place(path);
            folder.change(NameChange::Put(name, Node::File(*file)));
        }
        let stand = |folder: Folder| Folder::holding(folder.live);
        model.folders = model.folders.into_iter().map(stand).collect();
        model
    }

    fn call(&mut self, call: &'log Call) {
        match call {
            Call::Open { path, file, .. } => self.open(path, *file),
            Call::Write { file, at, bytes } => {
                self.files[*file].changes.add(Change::Write { at: *at, bytes });
            }
            Call::SetLen { file, bytes } => self.files[*file].changes.add(Change::SetLen(*bytes)),
            Call::Sync { file, done } => self.files[*file].changes.synced(*done),
            Call::Rename { from, to } => self.rename(from, to),
            Call::HardLink { from, to } => {
                let node = self.node(from);
                self.put(to, node);
            }
            Call::RemoveFile { path } => self.take(path),
            Call::CreateFolder { path } => self.create_folder(path),
            Call::SyncFolder { path, done } => {
                let folder = self.folder(path);
                self.folders[folder].synced(*done);
            }
            Call::Mark(_) => {}
        }
    }

    fn open(&mut self, path: &Path, file: FileId) {
        if file == self.files.len() {
            self.files.push(File { before: &[], changes: History(Vec::new()) });
            self.put(path, Node::File(file));
        }
    }

    /// Between two folders a rename is two changes, either of which may be lost alone.
    fn rename(&mut self, from: &Path, to: &Path) {
        if from.parent() == to.parent() {
            let new = name(to);
            let (folder, old) = self.place(from);
            return folder.change(NameChange::Move(old, new));
        }
        let node = self.node(from);
        self.put(to, node);
        self.take(from);
    }

    fn put(&mut self, path: &Path, node: Node) {
        let (folder, name) = self.place(path);
        folder.change(NameChange::Put(name, node));
    }

    fn take(&mut self, path: &Path) {
        let (folder, name) = self.place(path);
        folder.change(NameChange::Take(name));
    }

    fn create_folder(&mut self, path: &Path) {
        let mut at = ROOT;
        for part in path {
            at = match self.folders[at].live.get(part) {
                Some(Node::Folder(folder)) => *folder,
                Some(Node::File(_)) => panic!("{} is a file", path.display()),
                None => self.new_folder(at, part),
            };
        }
    }

    fn new_folder(&mut self, within: usize, name: &OsStr) -> usize {
        let folder = self.folders.len();
        self.folders.push(Folder::holding(Names::new()));
        self.folders[within].change(NameChange::Put(name.to_owned(), Node::Folder(folder)));
        folder
    }

    /// The folder that a path lies in, and the name there.
    fn place(&mut self, path: &Path) -> (&mut Folder, OsString) {
        let folder = self.folder(path.parent().expect("not the outermost folder"));
        (&mut self.folders[folder], name(path))
    }

    fn folder(&self, path: &Path) -> usize {
        path.iter().fold(ROOT, |at, part| match self.folders[at].live.get(part) {
            Some(Node::Folder(folder)) => *folder,
            _ => panic!("{} was not made through the file layer", path.display()),
        })
    }

    fn node(&self, path: &Path) -> Node {
        let folder = self.folder(path.parent().expect("not the outermost folder"));
        self.folders[folder].live[&name(path)]
    }

    /// A tree that the disk may be left with: of each folder's unsure changes it has the first so
    /// many as `names` says of how many, and of each file's those that `bytes` makes.
    pub fn tree(
        &self,
        mut names: impl FnMut(usize) -> usize,
        mut bytes: impl FnMut(&Unsure<'_, 'log>) -> Vec<u8>,
    ) -> Tree {
        let kept = |folder: &Folder| folder.names(names(folder.changes.unsure()));
        let names: Vec<Names> = self.folders.iter().map(kept).collect();
        let mut tree = Tree::default();
        let mut waiting = vec![(PathBuf::new(), ROOT)];
        while let Some((path, folder)) = waiting.pop() {
            for (name, node) in &names[folder] {
                let path = path.join(name);
                match *node {
                    Node::Folder(inner) => {
                        tree.folders.insert(path.clone());
                        waiting.push((path, inner));
                    }
                    Node::File(file) => {
                        let content = || bytes(&Unsure(&self.files[file]));
                        tree.bytes.entry(file).or_insert_with(content);
                        tree.names.insert(path, file);
                    }
                }
            }
        }
        tree
    }
}

/// A file, some of whose changes are not sure.
#[derive(Debug)]
pub struct Unsure<'a, 'log>(&'a File<'log>);

impl<'log> Unsure<'_, 'log> {
    /// How many are not.
    pub fn count(&self) -> usize {
        self.0.changes.unsure()
    }

    /// The bytes, where `make` makes of each unsure change, in their order, what it likes.
    pub fn bytes(&self, mut make: impl FnMut(Change<'log>, &mut Vec<u8>)) -> Vec<u8> {
        let mut content = self.0.before.to_vec();
        for (change, fate) in &self.0.changes.0 {
            match fate {
                Fate::Sure => change.apply(&mut content),
                Fate::Open | Fate::Doubtful => make(*change, &mut content),
            }
        }
        content
    }
}

fn name(path: &Path) -> OsString {
    path.file_name().expect("a path with a name").to_owned()
}
