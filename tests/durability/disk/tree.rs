//! What a folder holds: folders, names of files, bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// Tells files apart whatever their names are.
pub type FileId = usize;

/// Folders and files below a folder, by their paths in it. A file may have several names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// All folders but the outermost.
    pub folders: BTreeSet<PathBuf>,
    /// The file behind each name.
    pub names: BTreeMap<PathBuf, FileId>,
    /// The bytes of each file that has a name.
    pub bytes: BTreeMap<FileId, Vec<u8>>,
}

impl Tree {
    /// What is in `folder` now.
    pub fn read(folder: &Path) -> Self {
        let mut tree = Self::default();
        tree.read_below(folder, Path::new(""), &mut HashMap::new());
        tree
    }

    fn read_below(&mut self, folder: &Path, below: &Path, known: &mut HashMap<PathBuf, FileId>) {
        let mut entries: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = below.join(path.file_name().unwrap());
            if path.is_dir() {
                self.read_below(&path, &name, known);
                self.folders.insert(name);
            } else {
                let next = known.len();
                let file = *known.entry(identity(&path)).or_insert(next);
                self.bytes.entry(file).or_insert_with(|| fs::read(&path).unwrap());
                self.names.insert(name, file);
            }
        }
    }

    /// The bytes behind each name.
    pub fn files(&self) -> BTreeMap<&Path, &[u8]> {
        let named = |(name, file): (_, &FileId)| (Path::new(name), &self.bytes[file][..]);
        self.names.iter().map(named).collect()
    }

    /// Makes all this in `folder`, which is made if it is not there.
    pub fn write_to(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        self.folders.iter().for_each(|path| fs::create_dir_all(folder.join(path)).unwrap());
        let mut first = HashMap::new();
        for (name, file) in &self.names {
            let path = folder.join(name);
            match first.get(file) {
                // A second name stays one: what is written under one is read under the other.
                Some(other) => fs::hard_link(other, &path).unwrap(),
                None => fs::write(&path, &self.bytes[file]).unwrap(),
            }
            first.entry(*file).or_insert(path);
        }
    }
}

/// The same for two names of one file.
#[cfg(unix)]
fn identity(path: &Path) -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let about = path.metadata().unwrap();
    PathBuf::from(format!("{}/{}", about.dev(), about.ino()))
}

/// Where second names cannot be told, every name is a file.
#[cfg(not(unix))]
fn identity(path: &Path) -> PathBuf {
    path.to_owned()
}
