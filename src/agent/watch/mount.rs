//! File systems on which others write too, of which no event tells.

use std::fs;
use std::path::Path;

/// Types of them, as Linux calls them; those that begin so too (`nfs4`).
const NETWORK: [&str; 17] = [
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.", "gfs2", "gluster", "lustre",
    "ncpfs", "nfs", "ocfs2", "smb", "vboxsf", "virtiofs",
];

/// The type of the file system that `path` is on, where it is one of a network; `None` too where that is
/// not known.
pub fn network_file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    network_type(&mounts, &path).map(str::to_owned)
}

/// The same by the mounts that there are, as `/proc/self/mountinfo` tells them.
pub fn network_type<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let kind = type_of(mounts, path)?;
    NETWORK.iter().any(|network| kind.starts_with(network)).then_some(kind)
}

/// The type of the innermost mount round `path`.
fn type_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (front, back) = line.split_once(" - ")?;
        let point = unescaped(front.split(' ').nth(4)?);
        let kind = back.split(' ').next()?;
        path.starts_with(&point).then_some((point.len(), kind))
    };
    // Of two at one place the later one is on top.
    mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// A mount point as it is: blanks are written as octal numbers.
fn unescaped(text: &str) -> String {
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
