//! The page: one file that holds everything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::comparison::Comparison;
use super::gallery::Card;
use super::head::Head;
use super::sums::Shown;
use crate::digest::sha256;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// One script, so that one digest allows it: helpers first, what begins it last.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("common.js"),
    include_str!("plots.js"),
    include_str!("marks.js"),
    include_str!("cards.js"),
    include_str!("report.js"),
    include_str!("compare.js"),
    include_str!("start.js"),
);

/// A page, and what is in it.
#[derive(Debug)]
pub struct Page {
    /// The HTML.
    pub html: String,
    /// Pairs that it shows.
    pub shown: usize,
    /// Of these, with a picture.
    pub with_picture: usize,
}

/// What the page shows of a run.
#[derive(Debug, Serialize)]
pub(super) struct Data {
    pub head: Head,
    #[serde(flatten)]
    pub sums: Shown,
    pub cards: Vec<Card>,
}

impl Page {
    /// The page of a run, of a comparison, or of both.
    pub(super) fn of(data: Option<&Data>, comparison: Option<&Comparison>) -> Self {
        let empty: &[Card] = &[];
        let of_run = data.map_or(empty, |data| &data.cards);
        let of_both = comparison.map_or(empty, |comparison| &comparison.cards);
        let pictures = of_run.iter().chain(of_both).filter(|card| card.thumbnail.is_some());
        Self {
            shown: of_run.len() + of_both.len(),
            with_picture: pictures.count(),
            html: filled(&[
                ("/*POLICY*/", &policy()),
                ("/*STYLE*/", STYLE),
                ("/*SCRIPT*/", SCRIPT),
                ("/*DATA*/null", &json(&data)),
                ("/*COMPARISON*/null", &json(&comparison)),
            ]),
        }
    }
}

/// The page with each mark replaced; what is put in is not looked at again.
fn filled(parts: &[(&str, &str)]) -> String {
    let mut html =
        String::with_capacity(PAGE.len() + parts.iter().map(|p| p.1.len()).sum::<usize>());
    let mut rest = PAGE;
    while let Some((at, mark, text)) =
        parts.iter().filter_map(|(mark, text)| Some((rest.find(mark)?, *mark, *text))).min()
    {
        html += &rest[..at];
        html += text;
        rest = &rest[at + mark.len()..];
    }
    html + rest
}

/// Numbers and texts as they may stand in a script element.
fn json(value: &impl Serialize) -> String {
    // `<` could end the script that they are in.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into()).replace('<', "\\u003c")
}

/// Nothing but the page's own style and script, by their digests, and pictures within its data.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(sha256(text.as_bytes()).0);
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; \
         base-uri 'none'; form-action 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}
