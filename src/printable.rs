//! Text from outside, made harmless for a terminal.
//!
//! Keys, file names and captions come from strangers. Control characters in them could move the
//! cursor, clear the screen or set the window's title of whoever looks at them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` with its control characters (U+0000 to U+001F, U+007F to U+009F) written as `\u001b`, but
/// for newline and tab. JSON stays JSON, of the same value: this is how its strings write them too.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

/// The same, newline and tab too: for what is to stay on one line.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, char::is_control)
}

fn escaped(text: &str, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if harmful(c) {
            // Writing to a string cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}
