//! Where results went, and commands to type next.

use std::path::{Path, PathBuf};

/// Columns that are left for a command on a terminal of 80.
const WIDTH: usize = 74;
/// More inputs than this are not repeated in a command.
const MAX_INPUTS: usize = 3;

/// Where the results of a run went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Output {
    /// Nowhere: a dry run.
    #[default]
    Nowhere,
    /// A folder of shards and a journal.
    Folder(PathBuf),
    /// A file of scores; it is there when the run is complete.
    File(PathBuf),
    /// Standard output.
    Stream,
}

impl Output {
    /// The folder or file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Folder(path) | Self::File(path) => Some(path),
            Self::Nowhere | Self::Stream => None,
        }
    }
}

/// A command of this program, word by word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command(Vec<String>);

impl Command {
    /// `pairgate`, and these words.
    pub fn new(words: &[&str]) -> Self {
        Self(vec!["pairgate".into()]).words(words)
    }

    /// Adds words that need no quotes.
    pub fn words(mut self, words: &[&str]) -> Self {
        self.0.extend(words.iter().map(|&word| word.to_owned()));
        self
    }

    /// Adds a path.
    pub fn path(mut self, path: &Path) -> Self {
        self.0.push(quoted(&path.to_string_lossy()));
        self
    }

    /// Adds an option that takes a path, where there is one.
    pub fn option(self, name: &str, path: Option<&Path>) -> Self {
        match path {
            Some(path) => self.words(&[name]).path(path),
            None => self,
        }
    }

    /// Adds inputs, behind `option` where it is one.
    pub fn inputs(self, option: &[&str], inputs: &[PathBuf]) -> Self {
        inputs.iter().fold(self.words(option), |command, input| command.path(input))
    }

    /// The command, in lines that a shell takes together.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in &self.0 {
            match lines.last_mut() {
                // Room is left for the backslash.
                Some(line) if line.chars().count() + word.chars().count() + 3 <= WIDTH => {
                    *line += " ";
                    *line += word;
                }
                Some(line) => {
                    *line += " \\";
                    lines.push(format!("    {word}"));
                }
                None => lines.push(word.clone()),
            }
        }
        lines
    }
}

/// Whether inputs can be read again, and are few enough to be named in a command.
pub fn can_be_named(inputs: &[PathBuf]) -> bool {
    inputs.len() <= MAX_INPUTS && inputs.iter().all(|path| path.is_dir() || path.is_file())
}

/// What to do with a folder of kept pairs: look at it, and ask why. `pictures` are inputs that
/// hold the pictures, or none.
pub fn after_keeping(
    folder: &Path,
    pictures: &[PathBuf],
    image_root: Option<&Path>,
) -> [Command; 2] {
    let report = Command::new(&["report"]).path(folder);
    let report = match pictures.is_empty() {
        true => report,
        false => report.inputs(&["--source"], pictures).option("--image-root", image_root),
    };
    let why = Command::new(&["journal", "why", "KEY"]).path(folder);
    [report.words(&["-o", "report.html"]), why]
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_./-+,:@%=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}
