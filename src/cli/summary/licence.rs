//! A model's licence, where it is not free for any use.

/// Licences that permit any use, by the names that SPDX gives them.
const FREE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unlicense",
    "Zlib",
];

/// Columns of the licence in the summary.
const WIDTH: usize = 64;

/// The licence in one short line; `None` where it permits any use.
pub fn told(licence: &str) -> Option<String> {
    let is_free = |name: &str| FREE.iter().any(|free| free.eq_ignore_ascii_case(name.trim()));
    if licence.split(" OR ").any(is_free) {
        return None;
    }
    let terms = licence.strip_prefix("Weights: ").unwrap_or(licence);
    if terms.chars().count() <= WIDTH {
        return Some(terms.to_owned());
    }
    // What it permits stands first; where that is from, and where more is said, behind it.
    let first = terms.split([',', ';', '(']).next().unwrap_or(terms).trim_end();
    let cut: String = first.chars().take(WIDTH - 3).collect();
    Some(if cut == first { cut } else { format!("{cut}...") })
}
