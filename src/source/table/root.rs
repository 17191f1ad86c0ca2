//! The folder that a table's pictures must lie below.

use std::io;
use std::path::{Component, Path, PathBuf};

/// The folder that images must lie below.
#[derive(Debug)]
pub(in crate::source) struct ImageRoot {
    /// As it was named.
    pub named: PathBuf,
    /// Without links; `None` where there is no such folder.
    real: Option<PathBuf>,
}

/// Why an image is not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It lies outside the root.
    Outside,
    /// The system's reason.
    Failed(io::Error),
}

/// The folder that a table's paths are relative to.
pub(in crate::source) fn folder_of(table: &Path) -> &Path {
    table.parent().unwrap_or(Path::new(""))
}

impl ImageRoot {
    pub fn at(folder: &Path) -> Self {
        let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Self { named: named.to_owned(), real: named.canonicalize().ok() }
    }

    /// The file that `image` names, without links. Names of what is not there are judged by
    /// themselves, so that nothing shows what there is outside.
    pub(super) fn find(&self, image: &str) -> Result<PathBuf, Unread> {
        let path = self.named.join(image);
        match (path.canonicalize(), &self.real) {
            (Ok(found), Some(root)) if found.starts_with(root) => Ok(found),
            (Ok(_), _) => Err(Unread::Outside),
            (Err(why), _) if self.seems_to_hold(Path::new(image)) => Err(Unread::Failed(why)),
            (Err(_), _) => Err(Unread::Outside),
        }
    }

    /// Whether a path stays below the root at each of its steps, by its names alone.
    fn seems_to_hold(&self, image: &Path) -> bool {
        let real = self.real.as_deref().unwrap_or(&self.named);
        let below = image.strip_prefix(real).or_else(|_| image.strip_prefix(&self.named));
        let step = |depth: u32, part: Component<'_>| match part {
            Component::Normal(_) => Some(depth + 1),
            Component::CurDir => Some(depth),
            Component::ParentDir => depth.checked_sub(1),
            Component::RootDir | Component::Prefix(_) => None,
        };
        below.unwrap_or(image).components().try_fold(0, step).is_some()
    }
}
