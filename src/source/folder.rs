//! Folders of images with their captions beside them, and of shards.
//!
//! Files with a common name up to the last dot belong together: `cat.jpg`, `cat.txt`, `cat.json`,
//! and whatever else is called `cat`; and to an image whatever has its whole name in front
//! (`cat.jpg.txt`). Each image is a sample; files that belong to no image are passed over, as folders
//! hold READMEs. Where two images have the same name (`cat.jpg` and `cat.png`), each is a sample of
//! its own, with all that lies beside it. A file without an image's extension that has a caption
//! beside it is an image where its first bytes are one's.
//!
//! A folder's `metadata.csv`, `metadata.jsonl` or `metadata.parquet` says what its images' captions
//! are, as in Hugging Face's image folders: the images that it names come first, in its order. Other
//! tables are passed over.
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
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec::IntoIter;

use pairgate_core::config::SampleLimits;
use pairgate_core::decision::Reason;
use walkdir::{DirEntry, WalkDir};

use super::builder::{SampleBuilder, fill, open_file};
use super::choice::Choice;
use super::inputs::{Meter, Metered, is_tar_name, tells_of_a_shard};
use super::table::kind::{Named, Reading, TableKind};
use super::table::row::PairTable;
use super::table::{Names, extension_of, member_extension};
use super::tar::TarSource;
use super::{CAPTION_EXTENSIONS, Sample, Source, is_image, key_from_stem, unreadable};
use crate::disk::IoError;

/// Files that say what a folder's images are, the preferred one first.
const METADATA: [&str; 3] = ["metadata.csv", "metadata.jsonl", "metadata.parquet"];

/// Rows without an image after which a file is one of something else.
const MOST_UNPROVEN: usize = 16;

/// Reads the samples below a folder. It knows one folder's names at a time.
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
    names: Names,
    /// What of a sample's files was asked for; metadata say that themselves.
    choice: Option<Choice>,
    /// The folder's metadata that are being read.
    table: Option<FolderTable>,
    /// Images that metadata named, by their paths' hashes.
    named: HashSet<u64>,
    /// Tables that were passed over, and the first of them.
    tables: (u64, PathBuf),
}

/// A folder's metadata.
struct FolderTable {
    pairs: Box<dyn PairTable>,
    /// Whether it told of an image: such a file may be of something else.
    is_proven: bool,
    /// Pairs to be given; before it is proven, rows that are none.
    ready: VecDeque<Sample>,
}

/// A name in a folder. The order is by what belongs together, so that `a.jpg` and `a.txt` are
/// neighbours although `a b.jpg` and `a-b.jpg` sort between them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    stem: OsString,
    name: OsString,
    /// Empty where the name has none.
    extension: String,
    is_tar: bool,
    /// The image that it belongs to alone, by its whole name.
    of: Option<OsString>,
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
        Self::metered(root, limits, Names::default(), None, Arc::default())
    }

    /// The same, with columns of metadata called as `names` say and files of samples as `choice` does,
    /// counting the bytes read.
    pub(super) fn metered(
        root: &Path,
        limits: SampleLimits,
        names: Names,
        choice: Option<Choice>,
        meter: Arc<Meter>,
    ) -> Self {
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
            names,
            choice,
            table: None,
            named: HashSet::new(),
            tables: (0, PathBuf::new()),
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
                self.table = self.metadata(&path, &files);
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
        if group.iter().any(|file| is_image(&file.extension)) {
            self.plan(&group);
        } else {
            self.plan_unnamed(&group);
        }
        None
    }

    /// Plans a sample for each image of the group.
    fn plan(&mut self, group: &[Listed]) {
        let folder = self.root.join(&self.folder);
        let images = group.iter().filter(|file| is_image(&file.extension));
        for (i, image) in images.enumerate() {
            if self.is_named(&folder.join(&image.name)) {
                continue;
            }
            let mut key = slashed(&self.folder.join(&image.stem));
            if i > 0 {
                key = format!("{key}.{}", image.extension);
            }
            let files = belonging(group, image);
            let files = files.map(|file| (file.extension.clone(), folder.join(&file.name)));
            let (key, files) = (self.unused(key_from_stem(&key)), files.collect());
            self.planned.push_back(Planned { key, files });
        }
    }

    /// Plans a sample where a group without an image's extension has a caption, and a file whose bytes
    /// are an image's.
    fn plan_unnamed(&mut self, group: &[Listed]) {
        let folder = self.root.join(&self.folder);
        let is_caption = |file: &Listed| CAPTION_EXTENSIONS.contains(&file.extension.as_str());
        let is_text = |file: &&Listed| is_caption(file) || file.extension == "json";
        let others = group.iter().filter(|file| !is_text(file));
        let found = others.filter(|_| group.iter().any(is_caption)).find_map(|file| {
            let path = folder.join(&file.name);
            first_bytes_of_image(&path).map(|bytes| (path, bytes))
        });
        let Some((image, bytes)) = found else {
            return self.pass_over(&folder, group);
        };
        if self.is_named(&image) {
            return;
        }
        let key = slashed(&self.folder.join(&group[0].stem));
        let extension = member_extension("", &bytes);
        let beside = group.iter().filter(is_text);
        let beside = beside.map(|file| (file.extension.clone(), folder.join(&file.name)));
        let files = std::iter::once((extension, image)).chain(beside).collect();
        let key = self.unused(key_from_stem(&key));
        self.planned.push_back(Planned { key, files });
    }

    /// Takes note of tables in a group without an image.
    fn pass_over(&mut self, folder: &Path, group: &[Listed]) {
        log::debug!("{}: no image called {:?}", folder.display(), group[0].stem);
        for file in group {
            let path = folder.join(&file.name);
            let is_table = matches!(Named::of(&path), Some(Named::Table(_)));
            let is_metadata = METADATA.iter().any(|name| *name == file.name);
            if is_table && !is_metadata && !tells_of_a_shard(&path) {
                if self.tables.0 == 0 {
                    self.tables.1 = path;
                }
                self.tables.0 += 1;
            }
        }
    }

    /// What the folder's metadata say of its images, where there are some.
    fn metadata(&self, folder: &Path, files: &[Listed]) -> Option<FolderTable> {
        let name = METADATA.iter().find(|name| files.iter().any(|file| file.name == ***name))?;
        let path = folder.join(name);
        let shard = path.to_string_lossy();
        let names = self.names.clone();
        let reading = Reading { names, shard: &shard, root: folder, limits: self.limits };
        let kind = match *name {
            "metadata.csv" => TableKind::Csv,
            "metadata.jsonl" => TableKind::Lines,
            _ => TableKind::Parquet,
        };
        match kind.open(&path, reading, self.meter.clone()) {
            Ok(pairs) => Some(FolderTable { pairs, is_proven: false, ready: VecDeque::new() }),
            Err(why) => {
                log::warn!("{shard}: {why}; the images are read with what lies beside them");
                None
            }
        }
    }

    /// The next pair of the folder's metadata; `None` at their end.
    fn next_of_table(&mut self) -> Result<Option<Sample>, IoError> {
        while let Some(table) = &mut self.table {
            if table.is_proven
                && let Some(sample) = table.ready.pop_front()
            {
                return Ok(Some(sample));
            }
            let is_proven = table.is_proven;
            let Some(mut sample) = table.pairs.next()? else { break };
            let file = table.pairs.file().map(Path::to_owned);
            if sample.fault.is_none() && sample.member("txt").is_none() && file.is_some() {
                // The caption may lie beside the image.
                continue;
            }
            let is_row = sample.fault != Some(Reason::MetadataInvalid);
            sample.shard = self.shard.clone();
            sample.key = self.key_of_row(&sample.key, file.as_deref());
            if let Some(file) = file {
                self.named.insert(hash(&file));
            }
            let Some(table) = &mut self.table else { break };
            table.is_proven = is_proven || is_row;
            table.ready.push_back(sample);
            if !table.is_proven && table.ready.len() >= MOST_UNPROVEN {
                break;
            }
        }
        self.table = None;
        Ok(None)
    }

    /// The key of a metadata's row: the image's path as for other images, else the row's own.
    fn key_of_row(&mut self, key: &str, file: Option<&Path>) -> String {
        let root = self.root.canonicalize().ok();
        let below = file.zip(root.as_deref()).and_then(|(file, root)| file.strip_prefix(root).ok());
        let stem = below.map_or_else(|| self.folder.join(key), |below| below.with_extension(""));
        self.unused(key_from_stem(&slashed(&stem)))
    }

    /// Whether metadata named the image.
    fn is_named(&self, image: &Path) -> bool {
        let found = || image.canonicalize().is_ok_and(|path| self.named.contains(&hash(&path)));
        !self.named.is_empty() && found()
    }

    /// The key, or the first `key_2`, `key_3`... that this folder has not given yet.
    fn unused(&mut self, key: String) -> String {
        let numbered = (2..).map(|n| format!("{key}_{n}"));
        let mut keys = std::iter::once(key.clone()).chain(numbered);
        keys.find(|key| self.keys.insert(key.clone())).unwrap_or(key)
    }

    fn chosen(&self, sample: Sample) -> Sample {
        match &self.choice {
            Some(choice) => choice.apply(sample),
            None => sample,
        }
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
                    Some(sample) => return Ok(Some(self.chosen(sample))),
                }
            }
            if let Some(sample) = self.next_of_table()? {
                return Ok(Some(sample));
            }
            if let Some(planned) = self.planned.pop_front() {
                return Ok(Some(self.chosen(self.read(planned))));
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
        let name = entry.file_name().to_owned();
        if is_folder {
            folders.push(name.clone());
        }
        let listed = Listed::from_name(name);
        // A folder with an image's name is reported as one that cannot be read, and entered too.
        if !is_folder || is_image(&listed.extension) {
            files.push(listed);
        }
    }
    let images = files.iter().filter(|file| is_image(&file.extension));
    let images: HashSet<OsString> = images.map(|file| file.name.clone()).collect();
    for file in &mut files {
        file.bind(&images);
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

/// The image and what belongs to it: of two files with one extension that which has the image's whole
/// name.
fn belonging<'a>(group: &'a [Listed], image: &'a Listed) -> impl Iterator<Item = &'a Listed> {
    let own = |file: &&Listed| file.of.as_ref() == Some(&image.name);
    let has_own =
        move |extension: &str| group.iter().filter(own).any(|file| file.extension == extension);
    group.iter().filter(move |file| {
        let is_beside = file.of.is_none() && !has_own(&file.extension);
        let is_other = is_image(&file.extension) || file.extension.is_empty();
        file.name == image.name || own(file) || (is_beside && !is_other)
    })
}

/// The first bytes of the file, where they are an image's.
fn first_bytes_of_image(path: &Path) -> Option<Vec<u8>> {
    let (mut file, _) = open_file(path).ok()?;
    let mut bytes = vec![0; 16];
    let read = fill(&mut file, &mut bytes).ok()?;
    bytes.truncate(read);
    extension_of(&bytes).map(|_| bytes)
}

/// The same number for the same path in each run.
fn hash(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

impl Listed {
    fn from_name(name: OsString) -> Self {
        let path = Path::new(&name);
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_tar = is_tar_name(path);
        let stem = path.file_stem().filter(|_| !is_tar).unwrap_or(&name).to_owned();
        Self { stem, name, extension, is_tar, of: None }
    }

    /// Sees whether it belongs to one of the images alone: `a.jpg.txt` to `a.jpg`.
    fn bind(&mut self, images: &HashSet<OsString>) {
        let is_other = !is_image(&self.extension) && !self.extension.is_empty();
        if !is_other || self.is_tar {
            return;
        }
        // The extension may be written otherwise: a.JPG and a.jpg.txt.
        let path = Path::new(&self.stem);
        let extension = path.extension().unwrap_or_default();
        let cases = [extension.to_ascii_lowercase(), extension.to_ascii_uppercase()];
        let others = cases.map(|extension| path.with_extension(extension).into_os_string());
        let found = std::iter::once(&self.stem).chain(&others).find(|name| images.contains(*name));
        if let Some(image) = found.cloned() {
            self.stem = Path::new(&image).file_stem().unwrap_or(&image).to_owned();
            self.of = Some(image);
        }
    }
}

impl Drop for FolderSource {
    fn drop(&mut self) {
        let (count, first) = &self.tables;
        if *count > 0 {
            log::warn!(
                "{}: tables in it were passed over ({count}, the first {}): name them to read them",
                self.shard,
                first.display()
            );
        }
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
