//! The values of a JSON text, one after the other, without holding more than one of them.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

/// The bytes of the byte order mark.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Depth of lists and objects that is followed.
const MAX_DEPTH: u32 = 512;

/// Reads a JSON text from front to back.
#[derive(Debug)]
pub(super) struct Scanner<R> {
    reader: BufReader<R>,
    /// Whether nothing was read yet: there a byte order mark may stand.
    is_fresh: bool,
}

/// A value's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Text {
    Whole(Vec<u8>),
    /// It has more bytes than were asked for.
    TooLong,
}

/// Where in a value's text the reading is.
#[derive(Debug, Default)]
struct Place {
    depth: u32,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

/// What a byte is to the value that is being read.
enum Step {
    Inside,
    /// The value ends with this byte.
    Last,
    /// The value has ended before this byte.
    Behind,
}

impl<R: Read> Scanner<R> {
    pub fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), is_fresh: true }
    }

    /// The next byte that is no white space, which stays unread; `None` at the end.
    pub fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = fill(&mut self.reader)?;
            if bytes.is_empty() {
                return Ok(None);
            }
            // A mark may come in parts.
            let is_passed = |byte: u8| is_blank(byte) || (self.is_fresh && MARK.contains(&byte));
            let blank = bytes.iter().take_while(|byte| is_passed(**byte)).count();
            let found = bytes.get(blank).copied();
            self.reader.consume(blank);
            if found.is_some() {
                self.is_fresh = false;
                return Ok(found);
            }
        }
    }

    /// Takes the next byte that is no white space where it is `wanted`.
    pub fn take(&mut self, wanted: u8) -> io::Result<bool> {
        let is_wanted = self.peek()? == Some(wanted);
        self.reader.consume(usize::from(is_wanted));
        Ok(is_wanted)
    }

    /// The next value's text, of at most `max_bytes`.
    ///
    /// # Errors
    /// The system's, and one where the text ends within the value.
    pub fn value(&mut self, max_bytes: u64) -> io::Result<Text> {
        self.peek()?;
        let (mut text, mut place, mut length) = (Vec::new(), Place::default(), 0_u64);
        loop {
            let bytes = fill(&mut self.reader)?;
            if bytes.is_empty() {
                return Err(ends_early());
            }
            let mut used = 0;
            let mut has_ended = false;
            for &byte in bytes {
                match place.step(byte)? {
                    Step::Inside => used += 1,
                    Step::Last => (used, has_ended) = (used + 1, true),
                    Step::Behind => has_ended = true,
                }
                if has_ended {
                    break;
                }
            }
            length = length.saturating_add(used as u64);
            if length <= max_bytes {
                text.extend_from_slice(bytes.get(..used).unwrap_or_default());
            } else {
                text = Vec::new();
            }
            self.reader.consume(used);
            if has_ended {
                return Ok(if length <= max_bytes { Text::Whole(text) } else { Text::TooLong });
            }
        }
    }
}

impl Place {
    fn step(&mut self, byte: u8) -> io::Result<Step> {
        if self.in_string {
            let closes = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.in_string = !closes;
            return Ok(if closes && self.depth == 0 { Step::Last } else { Step::Inside });
        }
        let is_first = !self.begun;
        self.begun = true;
        match byte {
            b'"' if self.depth > 0 || is_first => self.in_string = true,
            b'{' | b'[' if self.depth > 0 || is_first => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(damaged("its lists lie too deep in one another"));
                }
            }
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    return Ok(Step::Last);
                }
            }
            // A number or a word ends before what follows it.
            b',' | b'}' | b']' | b':' | b'"' | b'{' | b'[' if self.depth == 0 => {
                return Ok(Step::Behind);
            }
            _ if self.depth == 0 && is_blank(byte) => return Ok(Step::Behind),
            _ => {}
        }
        Ok(Step::Inside)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The bytes that are there; none at the end.
fn fill<R: BufRead>(reader: &mut R) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
            Ok(_) => break,
        }
    }
    // What is there stays there.
    reader.fill_buf()
}

fn ends_early() -> io::Error {
    damaged("it ends within its JSON text")
}

pub(super) fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}
