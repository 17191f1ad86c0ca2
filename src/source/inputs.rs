//! The inputs of a run: what each path is, and all of them one after the other.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec::IntoIter;

use pairgate_core::config::SampleLimits;
use pairgate_core::pair::Position;
use walkdir::WalkDir;

use super::archive::{Archive, Step};
use super::braces::expand_paths;
use super::captions::Several;
use super::choice::{Choice, plain_keys};
use super::folder::{FolderSource, is_hidden};
use super::frames::FramesSource;
use super::table::Names;
use super::table::kind::{Looked, Named, Reading, Stream, TableKind, look_at_file};
use super::table::root::folder_of;
use super::tar::TarSource;
use super::unpack::Unpacked;
use super::{Sample, Source};
use crate::disk::IoError;

const ACCEPTED: &str = "an input is a folder of images and captions, a WebDataset shard (.tar, \
                        .tar.gz, .tar.zst, .tar.bz2, .tar.xz), a table (.jsonl, .ndjson, .json, .csv, \
                        .tsv, .parquet), or - for a shard or JSON lines on standard input";

/// How shards' names end.
pub(super) const TAR_NAMES: [&str; 10] = [
    ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz",
];

/// How far the reading is; shared with whoever shows progress.
#[derive(Debug, Default)]
pub struct Meter {
    bytes_read: AtomicU64,
    total_bytes: Option<u64>,
}

impl Meter {
    /// Bytes of the inputs read so far, as they are stored: packed shards count packed.
    pub fn bytes_read(&self) -> u64 {
        // Files may have grown since they were counted.
        self.bytes_read.load(Ordering::Relaxed).min(self.total_bytes.unwrap_or(u64::MAX))
    }

    /// Bytes of all inputs; `None` where one of them is a pipe.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    pub(super) fn add(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says that at least so many bytes are done with, read or passed over.
    fn raise(&self, bytes: u64) {
        self.bytes_read.fetch_max(bytes, Ordering::Relaxed);
    }
}

/// A reader that counts on a [`Meter`].
#[derive(Debug)]
pub(super) struct Metered<R> {
    reader: R,
    meter: Arc<Meter>,
}

impl<R> Metered<R> {
    pub fn new(reader: R, meter: Arc<Meter>) -> Self {
        Self { reader, meter }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.meter.add(n as u64);
        Ok(n)
    }
}

/// What files, pipes and devices are taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputFormat {
    /// What their names and first bytes say; pipes and devices are shards.
    #[default]
    Auto,
    /// Frames of pairs, as [`wire::pairs`](pairgate_core::wire::pairs) specifies.
    Frames,
}

/// Which captions of a picture that has several become pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Captions {
    /// One: the caption beside the picture, else the first of them.
    #[default]
    First,
    /// Each of them, a pair each.
    All,
}

/// How inputs are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InputOptions {
    /// What all of them are taken for.
    pub format: InputFormat,
    /// The folder that manifests' image paths are relative to and below which images must lie;
    /// without one, each manifest's own folder.
    pub image_root: Option<PathBuf>,
    /// Extensions, columns or fields that are the picture, the preferred one first; empty: those
    /// that the field uses.
    pub image_keys: Vec<String>,
    /// The same of the caption.
    pub caption_keys: Vec<String>,
    /// Which captions become pairs.
    pub captions: Captions,
}

impl InputOptions {
    /// What decisions depend on and is not the default, as `name=value`.
    pub fn named(&self) -> Vec<String> {
        let Self { format: _, image_root: _, image_keys, caption_keys, captions } = self;
        let keys = |name: &str, keys: &[String]| {
            (!keys.is_empty()).then(|| format!("input.{name}={}", keys.join(",")))
        };
        let all = (*captions == Captions::All).then(|| "input.captions=all".to_owned());
        let named = [keys("caption_key", caption_keys), all, keys("image_key", image_keys)];
        named.into_iter().flatten().collect()
    }
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    /// A tar, or frames.
    Stream,
    Table(TableKind),
    /// What stands beside a shard and tells of it.
    PassedOver,
    /// A stream that can be read only once.
    Pipe,
    /// The same, on standard input.
    Stdin,
}

#[derive(Debug)]
struct Input {
    kind: Kind,
    path: PathBuf,
    bytes: u64,
}

/// The inputs of a run, one after the other. Each is opened when the one before has ended.
pub struct Inputs {
    rest: IntoIter<Input>,
    current: Option<Box<dyn Source>>,
    /// Bytes of the inputs up to and with the current one.
    begun_bytes: u64,
    options: InputOptions,
    limits: SampleLimits,
    meter: Arc<Meter>,
    /// Further captions of the picture that was given last.
    several: Option<Several>,
    /// Inputs opened so far, and samples given of the current one.
    opened: u32,
    given: u64,
    /// The current one.
    begun: (PathBuf, Kind),
    /// Whether it was said that tables beside shards are no inputs.
    told_of_tables: bool,
}

impl Inputs {
    /// Looks at what each path is: a folder, a shard (by its name or its first bytes), a manifest
    /// (by its name), `-` for a shard on standard input.
    ///
    /// # Errors
    /// [`IoError::Read`] for a path that is missing, unreadable or none of these.
    pub fn open(paths: &[PathBuf], limits: SampleLimits) -> Result<Self, IoError> {
        Self::open_as(InputFormat::Auto, paths, limits)
    }

    /// The same, with all of them taken for `format`.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_as(
        format: InputFormat,
        paths: &[PathBuf],
        limits: SampleLimits,
    ) -> Result<Self, IoError> {
        Self::open_with(InputOptions { format, ..InputOptions::default() }, paths, limits)
    }

    /// The same, read as `options` say.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and for an image root that is no folder.
    pub fn open_with(
        options: InputOptions,
        paths: &[PathBuf],
        limits: SampleLimits,
    ) -> Result<Self, IoError> {
        let failed = |path: &PathBuf, why| {
            let from = path.to_string_lossy().into_owned();
            IoError::Read { from, why }
        };
        if let Some(root) = &options.image_root {
            let root_fails = |why| failed(root, why);
            let is_folder = fs::metadata(root).map_err(root_fails)?.is_dir();
            is_folder
                .then_some(())
                .ok_or_else(|| refused("it is no folder"))
                .map_err(root_fails)?;
        }
        let paths = &expand_paths(paths)?;
        let look_at =
            |path: &PathBuf| Input::look_at(path, &options).map_err(|why| failed(path, why));
        let inputs = paths.iter().map(look_at);
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        if inputs.iter().filter(|input| input.kind == Kind::Stdin).count() > 1 {
            return Err(failed(&"-".into(), refused("standard input can be read only once")));
        }
        let sized = inputs.iter().map(|input| input.is_repeatable().then_some(input.bytes));
        let total_bytes = sized.sum();
        let meter = Arc::new(Meter { bytes_read: AtomicU64::new(0), total_bytes });
        let rest = inputs.into_iter();
        Ok(Self {
            rest,
            current: None,
            begun_bytes: 0,
            options,
            limits,
            meter,
            several: None,
            opened: 0,
            given: 0,
            begun: (PathBuf::new(), Kind::PassedOver),
            told_of_tables: false,
        })
    }

    /// Whether the inputs could be read a second time; asked before the first sample is read.
    pub fn is_repeatable(&self) -> bool {
        self.meter.total_bytes.is_some()
    }

    /// How far the reading is.
    pub fn meter(&self) -> Arc<Meter> {
        self.meter.clone()
    }

    /// Leaves out the first `count` inputs, which are then neither opened nor read; asked before the
    /// first sample is read.
    pub(super) fn pass_inputs(&mut self, count: u32) {
        for input in self.rest.by_ref().take(count as usize) {
            self.begun_bytes += input.bytes;
            self.opened += 1;
        }
        self.meter.raise(self.begun_bytes);
    }

    fn start(&self, input: &Input) -> io::Result<Box<dyn Source>> {
        let Input { kind, path, .. } = input;
        let name = path.to_string_lossy();
        let file = || Ok::<_, io::Error>(Metered::new(File::open(path)?, self.meter.clone()));
        Ok(match kind {
            Kind::Folder => {
                let (names, choice) = (self.names(), Choice::of(&self.options));
                let meter = self.meter.clone();
                Box::new(FolderSource::metered(path, self.limits, names, choice, meter))
            }
            Kind::Stream => self.stream(file()?, &name),
            Kind::PassedOver => Box::new(Nothing),
            Kind::Table(kind) => {
                let root = self.options.image_root.as_deref().unwrap_or(folder_of(path));
                kind.open(path, self.reading(&name, root), self.meter.clone())?
            }
            Kind::Pipe => self.look_at(file()?, &name)?,
            Kind::Stdin => self.look_at(Metered::new(io::stdin(), self.meter.clone()), &name)?,
        })
    }

    /// The sample; `None` where it is a picture of several captions, which are then to be given.
    fn split(&mut self, sample: Sample) -> Option<Sample> {
        self.several = None;
        if self.options.captions == Captions::First {
            return Some(sample);
        }
        match Several::of(sample, &plain_keys(&self.options.caption_keys)) {
            Ok(several) => {
                self.several = Some(several);
                None
            }
            Err(sample) => Some(*sample),
        }
    }

    /// What comes from `reader`, which is no folder and no table.
    fn stream(&self, reader: impl Read + Send + 'static, name: &str) -> Box<dyn Source> {
        match self.options.format {
            InputFormat::Auto => {
                let source = TarSource::new(reader, name, self.limits);
                match Choice::of(&self.options) {
                    Some(choice) => Box::new(Chosen { source, choice }),
                    None => Box::new(source),
                }
            }
            InputFormat::Frames => Box::new(FramesSource::new(reader, name, self.limits)),
        }
    }

    /// What comes from `reader`, which has no name that tells it.
    fn look_at(
        &self,
        reader: impl Read + Send + 'static,
        name: &str,
    ) -> io::Result<Box<dyn Source>> {
        if self.options.format == InputFormat::Frames {
            return Ok(self.stream(reader, name));
        }
        let (stream, reader) = Looked::at(Unpacked::new(reader), &self.names());
        match stream {
            Stream::Tar => Ok(self.stream(reader, name)),
            Stream::Table(TableKind::Parquet) => Err(refused(
                "a Parquet table is read from its end: write it to a file, and name that",
            )),
            Stream::Table(kind) => {
                // What a stream names lies in the folder that the program runs in.
                let root = self.options.image_root.as_deref().unwrap_or(Path::new(""));
                Ok(kind.read(reader, self.reading(name, root))?)
            }
        }
    }

    /// Ends the current input, and says where it gave nothing.
    fn end(&mut self) {
        self.current = None;
        let (path, kind) = &self.begun;
        let name = path.display();
        match kind {
            Kind::PassedOver if self.told_of_tables => {}
            Kind::PassedOver => {
                self.told_of_tables = true;
                log::warn!("{name}: it tells of the shard beside it; such tables are no pairs");
            }
            Kind::Folder if self.given == 0 => log::warn!("{name}: no pictures were found in it"),
            _ if self.given == 0 => log::warn!("{name}: no pairs were found in it"),
            _ => {}
        }
    }

    fn names(&self) -> Names {
        Names::new(&self.options.image_keys, &self.options.caption_keys)
    }

    fn reading<'a>(&self, shard: &'a str, root: &'a Path) -> Reading<'a> {
        Reading { names: self.names(), shard, root, limits: self.limits }
    }
}

/// An input that has no pairs.
struct Nothing;

impl Source for Nothing {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        Ok(None)
    }
}

impl Source for Inputs {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        loop {
            if let Some(sample) = self.several.as_mut().and_then(Several::next) {
                self.given += 1;
                return Ok(Some(sample));
            }
            if let Some(source) = &mut self.current {
                match source.next()? {
                    None => self.end(),
                    Some(sample) => match self.split(sample) {
                        Some(sample) => {
                            self.given += 1;
                            return Ok(Some(sample));
                        }
                        None => continue,
                    },
                }
                self.meter.raise(self.begun_bytes);
            }
            let Some(input) = self.rest.next() else {
                return Ok(None);
            };
            let from = || input.path.to_string_lossy().into_owned();
            let source = self.start(&input);
            self.current = Some(source.map_err(|why| IoError::Read { from: from(), why })?);
            self.begun_bytes += input.bytes;
            (self.opened, self.given) = (self.opened + 1, 0);
            self.begun = (input.path, input.kind);
        }
    }

    fn position(&self) -> Position {
        Position { input: self.opened.saturating_sub(1), item: self.given.saturating_sub(1) }
    }
}

/// A source of files with a choice among them.
struct Chosen<S> {
    source: S,
    choice: Choice,
}

impl<S: Source> Source for Chosen<S> {
    fn next(&mut self) -> Result<Option<Sample>, IoError> {
        Ok(self.source.next()?.map(|sample| self.choice.apply(sample)))
    }
}

impl Input {
    fn look_at(path: &Path, options: &InputOptions) -> io::Result<Self> {
        let format = options.format;
        let name = path.to_string_lossy();
        let input = |kind, bytes| Ok(Self { kind, path: path.to_owned(), bytes });
        if name == "-" {
            return input(Kind::Stdin, 0);
        }
        if name.starts_with("pipe:") {
            return Err(refused("commands are not run; pipe their output into `pairgate ... -`"));
        }
        if name.contains("://") {
            return Err(refused(
                "nothing is downloaded; give a file, or pipe it into `pairgate ... -`",
            ));
        }
        let metadata = fs::metadata(path).map_err(|why| {
            let missing = why.kind() == ErrorKind::NotFound;
            if missing {
                io::Error::new(why.kind(), format!("no such file; {ACCEPTED}"))
            } else {
                why
            }
        })?;
        if metadata.is_dir() {
            if format == InputFormat::Frames {
                return Err(refused("a folder holds no frames; give a file, a device or -"));
            }
            fs::read_dir(path)?;
            return input(Kind::Folder, bytes_below(path));
        }
        if !metadata.is_file() {
            return input(Kind::Pipe, 0);
        }
        if format == InputFormat::Frames {
            return input(Kind::Stream, metadata.len());
        }
        File::open(path)?;
        if is_tar_name(path) {
            return input(Kind::Stream, metadata.len());
        }
        if let Some(named) = Named::of(path) {
            let beside = tells_of_a_shard(path);
            let kind = if beside { Kind::PassedOver } else { Kind::Table(named.kind(path)?) };
            return input(kind, metadata.len());
        }
        let names = Names::new(&options.image_keys, &options.caption_keys);
        if let Stream::Table(kind) = look_at_file(File::open(path)?, &names) {
            return input(Kind::Table(kind), metadata.len());
        }
        if matches!(Archive::new(File::open(path)?).step(), Ok(Step::Entry(_))) {
            return input(Kind::Stream, metadata.len());
        }
        Err(refused(&format!("this kind of file is not read; {ACCEPTED}")))
    }

    fn is_repeatable(&self) -> bool {
        !matches!(self.kind, Kind::Pipe | Kind::Stdin)
    }
}

/// Whether a table tells of the shard beside it: img2dataset writes `00000.parquet` and
/// `00000_stats.json` beside `00000.tar` or the folder `00000`.
pub(super) fn tells_of_a_shard(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let told = name.strip_suffix("_stats.json").map(|stem| (stem, true));
    let stem = told.or_else(|| name.strip_suffix(".parquet").map(|stem| (stem, false)));
    let Some((stem, is_stats)) = stem else { return false };
    let beside = |end: &str| path.with_file_name(format!("{stem}{end}"));
    let has_shard = TAR_NAMES.iter().any(|end| beside(end).is_file());
    has_shard || beside("").is_dir() || (is_stats && beside(".parquet").is_file())
}

/// Whether the name is a shard's.
pub(super) fn is_tar_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    TAR_NAMES.iter().any(|end| name.ends_with(end))
}

/// Bytes of the files below a folder, without those that are passed over for their names. A link to a
/// file counts as what it points to, as it is read so.
fn bytes_below(folder: &Path) -> u64 {
    let entries = WalkDir::new(folder).into_iter().filter_entry(|entry| !is_hidden(entry));
    let files = entries.flatten().filter(|entry| !entry.file_type().is_dir());
    let found = files.filter_map(|file| fs::metadata(file.path()).ok());
    found.filter(fs::Metadata::is_file).map(|metadata| metadata.len()).sum()
}

fn refused(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}
