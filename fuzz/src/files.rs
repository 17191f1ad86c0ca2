//! The repository's files, and a folder for what must lie in one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Largest seed, in bytes: small ones are read often.
const MOST: u64 = 160 << 10;

/// A file or folder of the repository.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The files of a folder of the repository with one of these extensions, in the order of their names.
pub fn all_in(folder: &str, extensions: &[&str]) -> Vec<Vec<u8>> {
    let folder = repository(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let wanted = |path: &&PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
            && path.metadata().is_ok_and(|about| about.len() <= MOST)
    };
    paths.iter().filter(wanted).map(|path| read(path)).collect()
}

/// A file's bytes.
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The process's own folder. The driver removes it.
pub fn work() -> &'static Path {
    static WORK: OnceLock<PathBuf> = OnceLock::new();
    WORK.get_or_init(|| {
        let folder = work_of(std::process::id());
        fs::create_dir_all(&folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        folder
    })
}

/// The folder of the process of this number; in memory where the system has such a place.
pub fn work_of(process: u32) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    root.join(format!("pairgate-fuzz-{process}"))
}

/// Writes the bytes to a file of this name in the process's folder.
pub fn in_file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = work().join(name);
    fs::write(&path, bytes).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    path
}
