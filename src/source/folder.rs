//! Folders of images with their captions beside them, and of shards.
//!
//! Files with a common name up to the last dot belong together: `cat.jpg`, `cat.txt`, `cat.json`,
//! and whatever else is called `cat`. Each image is a sample; files that belong to no image are
//! passed over, as folders hold READMEs. Where two images have the same name (`cat.jpg` and
//! `cat.png`), each is a sample of its own, with all that lies beside it.
//!
//! The key is the path below the folder without the extension. A WebDataset key ends at its first
//! dot, so dots in the name become `_`; the second image of a name has its extension in the key
//! (`cat_png`); and a key that the same folder already gave gets `_2`, `_3` and so on.
//!
//! A folder's own samples and shards come first, in the order of their names, then the folders in
//! it. Names that start with a dot are passed over. Links to files are read, links to folders not
//! followed.

use std::collections::{HashSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec::IntoIter;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use walkdir::{DirEntry, WalkDir};

use super::builder::{SampleBuilder, open_file};
use super::inputs::{Meter, Metered, is_tar_name};
use super::tar::TarSource;
use super::{Sample, Source, is_image, key_from_stem, unreadable};
use crate::disk::IoError;

/// Reads the samples below a folder. It knows one folder's names at a time.
#[derive(Debug)]
pub struct FolderSource {
    root: PathBuf,
    shard: Arc<str>,
    limits: SampleLimits,
    meter: Arc<Meter>,
    /// Folders still to be read, relative to the root, the next one last.
    folders: Vec<PathBuf>,
    /// The folder that is being read.
    folder: PathBuf,
    /// What is left of it.
    files: Peekable<IntoIter<Listed>>,
    /// The keys that it gave.
    keys: HashSet<String>,
    /// Samples of the last name taken from `files`.
    planned: VecDeque<Planned>,
    /// The shard in it that is being read.
    tar: Option<Box<TarSource<Metered<File>>>>,
}

/// A name in a folder. The order is by what belongs together, so that `a.jpg` and `a.txt` are
/// neighbours although `a b.jpg` and `a-b.jpg` sort between them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    stem: OsString,
    name: OsString,
    extension: String,
    is_tar: bool,
}

/// A sample whose files are known.
#[derive(Debug)]
struct Planned {
    key: String,
    /// Extensions and paths.
    files: Vec<(String, PathBuf)>,
}

impl FolderSource {
    /// The samples below `root`.
    pub fn new(root: &Path, limits: SampleLimits) -> Self {
        Self::metered(root, limits, Arc::default())
    }

    /// The same, counting the bytes read.
    pub(super) fn metered(root: &Path, limits: SampleLimits, meter: Arc<Meter>) -> Self {
        Self {
            root: root.to_owned(),
            shard: root.to_string_lossy().into(),
            limits,
            meter,
            folders: vec![PathBuf::new()],
            folder: PathBuf::new(),
            files: Vec::new().into_iter().peekable(),
            keys: HashSet::new(),
            planned: VecDeque::new(),
            tar: None,
        }
    }

    /// Begins with the next folder; gives a sample in its place if it cannot be read.
    fn enter(&mut self, folder: PathBuf) -> Result<Option<Sample>, IoError> {
        let path = self.root.join(&folder);
        let key = key_from_stem(&slashed(&folder));
        self.folder = folder;
        self.keys.clear();
        match list(&path) {
            Ok((files, folders)) => {
                self.files = files.into_iter().peekable();
                self.folders.extend(folders.into_iter().rev().map(|name| self.folder.join(name)));
                Ok(None)
            }
            Err(why) if self.folder.as_os_str().is_empty() => {
                Err(IoError::Read { from: self.shard.to_string(), why })
            }
            Err(why) => {
                log::warn!("{}: {why}", path.display());
                Ok(Some(broken(&self.shard, key, self.limits, Reason::ImageMissing)))
            }
        }
    }

    /// Takes the next name, and all that belongs to it, from the folder.
    fn take(&mut self, first: Listed) -> Option<Sample> {
        if first.is_tar {
            return self.open_tar(&first);
        }
        let mut group = vec![first];
        while let Some(next) = self.files.next_if(|next| next.stem == group[0].stem && !next.is_tar)
        {
            group.push(next);
        }
        self.plan(&group);
        None
    }

    /// Plans a sample for each image of the group.
    fn plan(&mut self, group: &[Listed]) {
        let folder = self.root.join(&self.folder);
        let images = group.iter().filter(|file| is_image(&file.extension));
        for (i, image) in images.enumerate() {
            let mut key = slashed(&self.folder.join(&image.stem));
            if i > 0 {
                key = format!("{key}.{}", image.extension);
            }
            let belongs = |file: &&Listed| !is_image(&file.extension) || file.name == image.name;
            let files = group.iter().filter(belongs);
            let files = files.map(|file| (file.extension.clone(), folder.join(&file.name)));
            let (key, files) = (self.unused(key_from_stem(&key)), files.collect());
            self.planned.push_back(Planned { key, files });
        }
        if self.planned.is_empty() {
            log::debug!("{}: no image called {:?}", folder.display(), group[0].stem);
        }
    }

    /// The key, or the first `key_2`, `key_3`... that this folder has not given yet.
    fn unused(&mut self, key: String) -> String {
        let numbered = (2..).map(|n| format!("{key}_{n}"));
        let mut keys = std::iter::once(key.clone()).chain(numbered);
        keys.find(|key| self.keys.insert(key.clone())).unwrap_or(key)
    }

    fn read(&self, planned: Planned) -> Sample {
        let mut sample = SampleBuilder::new(&self.shard, planned.key, self.limits);
        for (extension, path) in planned.files {
            match sample.read_file(&extension, &path) {
                Ok(Some(data)) => {
                    self.meter.add(data.len() as u64);
                    sample.push(extension, data);
                }
                Ok(None) => {}
                Err(why) => {
                    log::warn!("{}: {why}", path.display());
                    sample.note(unreadable(&extension));
                }
            }
        }
        sample.finish()
    }

    /// Begins with a shard in the folder; gives a sample in its place if it cannot be opened.
    fn open_tar(&mut self, file: &Listed) -> Option<Sample> {
        let path = self.root.join(&self.folder).join(&file.name);
        let name = path.to_string_lossy();
        match open_file(&path) {
            Ok((file, _)) => {
                let reader = Metered::new(file, self.meter.clone());
                self.tar = Some(Box::new(TarSource::new(reader, &name, self.limits)));
                None
            }
            Err(why) => {
                log::warn!("{name}: {why}");
                let shard = Arc::from(&*name);
                Some(broken(&shard, String::new(), self.limits, Reason::ArchiveTorn))
            }
        }
    }
}

impl Source for FolderSource {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            if let Some(tar) = &mut self.tar {
                match tar.next()? {
                    None => self.tar = None,
                    sample => return Ok(sample),
                }
            }
            if let Some(planned) = self.planned.pop_front() {
                return Ok(Some(self.read(planned)));
            }
            let broken = if let Some(file) = self.files.next() {
                self.take(file)
            } else if let Some(folder) = self.folders.pop() {
                self.enter(folder)?
            } else {
                return Ok(None);
            };
            if broken.is_some() {
                return Ok(broken);
            }
        }
    }
}

/// Whether a name below a folder is passed over.
pub(super) fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".")
}

/// The files and the folders in a folder, both sorted.
fn list(folder: &Path) -> io::Result<(Vec<Listed>, Vec<OsString>)> {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in WalkDir::new(folder).min_depth(1).max_depth(1) {
        let entry = entry?;
        if is_hidden(&entry) {
            continue;
        }
        let is_folder = entry.file_type().is_dir();
        let listed = Listed::from_name(entry.file_name().to_owned());
        // A folder with an image's name is reported as one that cannot be read, and entered too.
        files.extend(listed.filter(|listed| !is_folder || is_image(&listed.extension)));
        if is_folder {
            folders.push(entry.file_name().to_owned());
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

impl Listed {
    /// `None` for a name without an extension.
    fn from_name(name: OsString) -> Option<Self> {
        let path = Path::new(&name);
        let extension = path.extension()?.to_string_lossy().to_lowercase();
        let is_tar = is_tar_name(path);
        let stem = if is_tar { name.clone() } else { path.file_stem()?.to_owned() };
        Some(Self { stem, name, extension, is_tar })
    }
}

/// A sample that stands for what could not be read.
fn broken(shard: &Arc<str>, key: String, limits: SampleLimits, fault: Reason) -> Sample {
    let mut sample = SampleBuilder::new(shard, key, limits);
    sample.note(fault);
    sample.finish()
}

/// A relative path with `/` between its parts on every system.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
