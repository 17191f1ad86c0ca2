//! Text for terminals: what comes from outside made harmless, some words in the colours that clap has
//! for its own. Colours are written where the stream is a terminal that takes them, and where
//! `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` allow it.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::printable::printable;

/// An error's mark, and what failed.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What was rejected.
pub const POOR: Style = AnsiColor::Yellow.on_default();
/// What was kept, and a hint's mark: clap's tips have it.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A command to type.
pub const LITERAL: Style = Style::new().bold();

/// Text whose words may have styles.
#[derive(Debug, Default)]
pub struct Styled(String);

impl Styled {
    /// Adds text as it is.
    pub fn plain(&mut self, text: &str) -> &mut Self {
        self.0 += &printable(text);
        self
    }

    /// Adds text in a style.
    pub fn styled(&mut self, style: Style, text: &str) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{style}{}{style:#}", printable(text));
        self
    }

    /// Writes all of it to standard output. A reader that has seen enough (`| head`) is no error.
    pub fn print(&self) -> io::Result<()> {
        match anstream::stdout().write_all(self.0.as_bytes()) {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        }
    }

    /// Writes all of it to standard error.
    pub fn print_to_stderr(&self) -> io::Result<()> {
        anstream::stderr().write_all(self.0.as_bytes())
    }
}

/// Prints text or JSON to standard output, without control characters but newline and tab.
pub fn print(text: &str) -> io::Result<()> {
    Styled::default().plain(text).print()
}

/// Tells what went wrong, as clap tells it. Names in it come from outside.
pub fn tell_error(error: &dyn std::fmt::Display) {
    let mut text = Styled::default();
    let told = error.to_string();
    let (what, hints) = told.split_once(HINT).unwrap_or((&told, ""));
    text.styled(BAD, "error:").plain(&format!(" {what}\n"));
    if !hints.is_empty() {
        text.plain("\n  ")
            .styled(GOOD, "hint:")
            .plain(&format!(" {}\n", hints.replace('\n', "\n        ")));
    }
    // There is nowhere else to tell it.
    let _ = text.print_to_stderr();
}

/// What stands between an error and what may help.
pub const HINT: &str = "\nhint: ";
