//! What a frame is called: a template that is filled in for each frame.

use std::fs;
use std::io;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use pairgate_core::config::CaptureConfig;

use crate::disk::IoError;
use crate::pipeline::RunError;

/// Longest label that is read, in bytes; the rest of a line is passed over.
const MAX_LABEL: u64 = 64 << 10;

/// What can stand in a template, in braces.
const FIELDS: [&str; 5] = ["label", "time", "place", "sensor", "number"];

/// A caption's template: text, with fields in braces.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
    place: String,
    sensor: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// Index in [`FIELDS`].
    Field(usize),
}

/// What a frame's caption is made of, beside what holds for all of them.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// What the label stream, or the frame itself, says of the picture.
    pub label: &'a str,
    /// When the frame was taken.
    pub time: SystemTime,
    /// Its place among all frames, from 0.
    pub number: u64,
}

impl Template {
    /// Reads `capture.caption`.
    ///
    /// # Errors
    /// What is wrong with it: a brace that is not closed, or a field that there is not.
    pub fn of(config: &CaptureConfig) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = config.caption.as_str();
        while let Some((text, field)) = rest.split_once('{') {
            let told = || format!("capture.caption = {:?}", config.caption.as_str());
            let (name, behind) =
                field.split_once('}').ok_or_else(|| format!("{}: a brace is open", told()))?;
            let known = FIELDS.iter().position(|field| *field == name).ok_or_else(|| {
                format!("{}: there is no {{{name}}}; there are {}", told(), FIELDS.join(", "))
            })?;
            parts.extend((!text.is_empty()).then(|| Part::Text(text.to_owned())));
            parts.push(Part::Field(known));
            rest = behind;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        let (place, sensor) = (config.place.as_str().to_owned(), config.sensor.as_str().to_owned());
        Ok(Self { parts, place, sensor })
    }

    /// Whether a label is part of the caption.
    pub fn has_label(&self) -> bool {
        self.parts.contains(&Part::Field(0))
    }

    /// The caption of one frame, without blanks at its ends. Times are RFC 3339, UTC, in seconds.
    pub fn fill(&self, about: &About<'_>) -> String {
        let mut caption = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => caption.push_str(text),
                Part::Field(0) => caption.push_str(about.label),
                Part::Field(1) => caption.push_str(&timestamp(about.time)),
                Part::Field(2) => caption.push_str(&self.place),
                Part::Field(3) => caption.push_str(&self.sensor),
                Part::Field(_) => caption.push_str(&about.number.to_string()),
            }
        }
        caption.trim().to_owned()
    }

    /// The name of the sensor, for keys and metadata.
    pub fn sensor(&self) -> &str {
        &self.sensor
    }

    /// The place, for metadata.
    pub fn place(&self) -> &str {
        &self.place
    }
}

/// A time as RFC 3339, UTC, in seconds; times before 1970 are shown as 1970.
pub fn timestamp(time: SystemTime) -> String {
    let time = time.max(SystemTime::UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Where labels come from.
#[derive(Debug)]
pub enum Labels {
    /// There are none.
    None,
    /// A file, whose text is the label: read anew for each frame.
    File(PathBuf),
    /// The last line of a pipe.
    Stream(Arc<Mutex<String>>),
    /// A file or a pipe that is not there yet: looked for with each frame.
    Awaited(PathBuf),
}

impl Labels {
    /// Labels from a file or a named pipe; one that is missing is waited for, and warned of.
    ///
    /// # Errors
    /// [`IoError::Read`] if it cannot be read, [`RunError::Thread`] if the system gives no thread
    /// for the pipe.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let from = || path.display().to_string();
        let kind = match fs::metadata(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                log::warn!("labels: {} is not there: frames have no label until it is", from());
                return Ok(Self::Awaited(path.to_owned()));
            }
            found => found.map_err(|why| IoError::Read { from: from(), why })?,
        };
        if kind.is_file() {
            return Ok(Self::File(path.to_owned()));
        }
        if kind.is_dir() {
            let why = io::Error::new(io::ErrorKind::IsADirectory, "a folder holds no labels");
            return Err(IoError::Read { from: from(), why }.into());
        }
        let last = Arc::new(Mutex::new(String::new()));
        let (path, told) = (path.to_owned(), last.clone());
        let spawned =
            thread::Builder::new().name("labels".into()).spawn(move || read_pipe(&path, &told));
        match spawned {
            Ok(_) => Ok(Self::Stream(last)),
            Err(why) => Err(RunError::Thread { name: "labels".into(), why }),
        }
    }

    /// The label as it is now, without line breaks; empty where there is none.
    pub fn now(&mut self) -> String {
        if let Self::Awaited(path) = self
            && path.exists()
        {
            let path = path.clone();
            *self = Self::open(&path).unwrap_or_else(|why| {
                log::warn!("labels: {why}");
                Self::None
            });
        }
        match self {
            Self::None | Self::Awaited(_) => String::new(),
            Self::File(path) => read_label(path).unwrap_or_else(|why| {
                log::debug!("reading {}: {why}", path.display());
                String::new()
            }),
            Self::Stream(last) => last.lock().unwrap_or_else(|held| held.into_inner()).clone(),
        }
    }
}

fn read_label(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MAX_LABEL), &mut bytes)?;
    Ok(one_line(&bytes))
}

/// Bytes as one line of text: what is not UTF-8 is shown as such, blanks are collapsed.
fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads a pipe to its end, line by line, and opens it again: its writers come and go.
fn read_pipe(path: &Path, last: &Mutex<String>) {
    loop {
        let read =
            fs::File::open(path).and_then(|pipe| read_lines(&mut BufReader::new(pipe), last));
        if let Err(why) = read {
            log::warn!("labels: reading {}: {why}", path.display());
            return;
        }
    }
}

fn read_lines(pipe: &mut impl BufRead, last: &Mutex<String>) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        if io::Read::take(&mut *pipe, MAX_LABEL).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            pipe.skip_until(b'\n')?;
        }
        *last.lock().unwrap_or_else(|held| held.into_inner()) = one_line(&line);
    }
}
