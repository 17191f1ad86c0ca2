//! Names that any reader of a tar or a folder can take, from names that a stranger chose.

use sha2::{Digest, Sha256};

use crate::journal::cut;

/// Longest key in bytes, before a number is added to it.
pub const MAX_KEY: usize = 1024;
/// Longest part of a key between two slashes, in bytes: with a number and an extension it stays
/// within the 255 that file systems allow.
const MAX_COMPONENT: usize = 176;
/// Longest extension in bytes.
const MAX_EXTENSION: usize = 64;
/// Bytes of the mark that stands for what was cut away: a dash and 16 hex digits.
const MARK: usize = 17;

/// `key` as the name of a sample in a shard. A key that is already safe is not changed.
///
/// The result is relative, has no empty, `.` or `..` components, no control characters and no
/// backslashes, no component that starts and ends with two underscores (WebDataset's readers skip
/// those), no dot in its base name (they end the key there), at most 176 bytes in a component and
/// [`MAX_KEY`] in all. An empty key becomes `sample`. Different keys may become equal.
pub fn safe_key(key: &str) -> String {
    let mut parts: Vec<&str> =
        key.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let base =
        parts.pop().map_or_else(|| "sample".to_owned(), |base| component(&base.replace('.', "_")));
    let mut components: Vec<String> = parts.into_iter().map(component).collect();
    let bytes = components.iter().map(|part| part.len() + 1).sum::<usize>() + base.len();
    if bytes <= MAX_KEY {
        components.push(base);
        return components.join("/");
    }
    // The innermost folders go, and a digest of the whole key tells it from its like.
    let base = cut(&base, MAX_COMPONENT - MARK).to_owned() + &mark(key);
    let mut room = MAX_KEY - base.len();
    let fits = |part: &String| room.checked_sub(part.len() + 1).map(|left| room = left).is_some();
    let mut kept: Vec<String> = components.into_iter().take_while(fits).collect();
    kept.push(base);
    kept.join("/")
}

/// `key` as the name of a file: [`safe_key`] with its slashes made underscores, at most 176 bytes.
pub fn flat_key(key: &str) -> String {
    shorten(safe_key(key).replace(['/', '.'], "_"), MAX_COMPONENT)
}

/// `extension` as what follows a sample's key and a dot: in lower case, not empty, without slashes,
/// control characters and backslashes, at most 64 bytes. Different extensions may become equal.
pub fn safe_extension(extension: &str) -> String {
    let safe = visible(extension).replace('/', "_").to_lowercase();
    // `__x.y__` would be skipped by WebDataset's readers.
    let safe = shorten(if safe.ends_with("__") { safe + "x" } else { safe }, MAX_EXTENSION);
    if safe.is_empty() { "bin".to_owned() } else { safe }
}

/// [`safe_extension`] of each of `extensions`, made different from each other and from `taken` by
/// a number where they are not: readers refuse a sample that has two members of one name.
pub(crate) fn distinct_extensions<'a>(
    extensions: impl Iterator<Item = &'a str>,
    taken: &[&str],
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for extension in extensions {
        let safe = safe_extension(extension);
        let is_free = |name: &String| !names.contains(name) && !taken.contains(&name.as_str());
        let numbered = (2..).map(|number| format!("{safe}_{number}"));
        names.extend(std::iter::once(safe.clone()).chain(numbered).find(is_free));
    }
    names
}

fn component(part: &str) -> String {
    let safe = visible(part);
    let skipped = safe.len() >= 4 && safe.starts_with("__") && safe.ends_with("__");
    let safe = if skipped { format!("_{}", safe.trim_matches('_')) } else { safe };
    shorten(safe, MAX_COMPONENT)
}

fn visible(text: &str) -> String {
    text.replace(|c: char| c.is_control() || c == '\\', "_")
}

fn shorten(text: String, bytes: usize) -> String {
    if text.len() <= bytes { text } else { cut(&text, bytes - MARK).to_owned() + &mark(&text) }
}

fn mark(whole: &str) -> String {
    let digest = Sha256::digest(whole.as_bytes());
    digest[..8].iter().fold("-".to_owned(), |mark, byte| mark + &format!("{byte:02x}"))
}
