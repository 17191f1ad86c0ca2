//! Repairs of broken text: what `ftfy.fix_text` of Python's ftfy 6.3 does by default, which the
//! CLIP families ran over their captions before training.
//!
//! | file | does |
//! |---|---|
//! | mod | lines, and passes over a line until nothing changes |
//! | mojibake | text that was read in the wrong encoding is read again in the right one |
//! | badness | says whether text looks like mojibake |
//! | encodings | the one-byte encodings, and UTF-8 with its common flaws |
//! | damage | repairs of UTF-8 that lost bytes while it was mojibake |
//! | fixes | everything else: entities, characters, escapes, NFC |

mod badness;
mod damage;
mod encodings;
mod fixes;
mod mojibake;

use std::borrow::Cow;

/// Most characters that are repaired as one; ftfy's own. A longer line is cut there, since what a
/// character is taken for depends on its whole segment.
const SEGMENT_CHARS: usize = 1_000_000;

/// Bytes that may be read while a caption is repaired: so many, or so many times its length if
/// that is more.
const WORK: usize = 1 << 18;
const WORK_PER_BYTE: usize = 16;

/// The text repaired.
///
/// It differs from ftfy only where that would go over a long text without end: references to `&`
/// or mojibake nested in themselves hundreds of times are left half open.
pub fn fix_text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut work = Work(WORK.max(text.len().saturating_mul(WORK_PER_BYTE)));
    let mut fixed = String::with_capacity(text.len());
    // A `<` says that the text is HTML, whose references have to stay, from its line on.
    let mut entities = true;
    let mut rest = text;
    while !rest.is_empty() {
        let (segment, after) = rest.split_at(segment_end(rest));
        entities &= !segment.contains('<');
        fixed.push_str(&fix_segment(segment, entities, &mut work));
        rest = after;
    }
    Cow::Owned(fixed)
}

/// What no repair touches, whatever stands beside it.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b' '..=b'~') && byte != b'&'
}

/// Bytes of the first line with its end, or of as much of it as is repaired as one.
fn segment_end(text: &str) -> usize {
    let end = text.find('\n').map_or(text.len(), |at| at + 1);
    if end <= SEGMENT_CHARS {
        return end;
    }
    text[..end].char_indices().nth(SEGMENT_CHARS).map_or(end, |(at, _)| at)
}

/// Passes over a segment until one changes nothing: a repair can uncover work for another.
fn fix_segment<'a>(segment: &'a str, entities: bool, work: &mut Work) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(segment);
    while work.spend(text.len()) {
        let changed = match pass(&text, entities, work) {
            Cow::Owned(fixed) if fixed != *text => fixed,
            _ => break,
        };
        text = Cow::Owned(changed);
    }
    text
}

fn pass<'a>(text: &'a str, entities: bool, work: &mut Work) -> Cow<'a, str> {
    let text = Cow::Borrowed(text);
    let text = if entities { then(text, fixes::unescape_entities) } else { text };
    let text = then(text, |text| mojibake::fix_encoding(text, work));
    let text = then(text, fixes::fix_characters);
    let text = then(text, fixes::remove_terminal_escapes);
    let text = then(text, fixes::remove_control_characters);
    then(text, fixes::compose)
}

/// `fix` of `text`, which is not copied where `fix` changes nothing.
fn then<'a>(text: Cow<'a, str>, fix: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => fix(text),
        Cow::Owned(text) => match fix(&text) {
            Cow::Borrowed(_) => Cow::Owned(text),
            Cow::Owned(fixed) => Cow::Owned(fixed),
        },
    }
}

/// Bytes that may still be read. Without a bound, `&amp;amp;amp;...` would take time that grows
/// with the square of its length.
struct Work(usize);

impl Work {
    /// Whether there is enough left to read `bytes`, which are then spent.
    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}
