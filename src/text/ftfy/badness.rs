//! Whether text looks like mojibake: it has characters side by side that people do not write so,
//! but that the bytes of UTF-8 make when they are read in another encoding.

use std::sync::LazyLock;

// Sets of characters; `a-z` is a range.
const COMMON: &str = "\u{a0}\u{ad}·´–—―…’";
const C1: &str = "\u{80}-\u{9f}";
/// Hardly seen outside of mojibake.
const BAD: &str = "¦¤¨¬¯¸ƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}ªº";
const LAW: &str = "¶§";
const CURRENCY: &str = "¢£¥₧€";
const START: &str = "¡«¿©΄΅‘‚“„•‹\u{f8ff}";
const END: &str = "®»˝”›™";
const NUMERIC: &str = "²³¹±¼½¾×µ÷⁄∂∆∏∑√∞∩∫≈≠≡≤≥№";
/// Letters and signs that faces are made of, so they may stand beside anything.
const FACES: &str = "Ò-ÖÙ-Üò-öø-üŐŌŪŲ°";
const UPPER: &str = "À-ÑØÜÝĂĀĄĆČĎĐĘĚĒĖĞĢİĪĶĹĽŁĻŃŇŅŒŘŚŞŠŢŤŮŰŸŹŻŽҐ";
const LOWER: &str = "ßà-ñăąāćčďđęěēėğģįīķĺľłļœŕśşšťüźżžґﬁﬂ";
/// Greek and Cyrillic letters, which often end a word.
const UPPER_COMMON: &str = "ÞΑ-ΩΆΈΉΊΌΎΏΪΫЁ-Я";
const LOWER_COMMON: &str = "α-ωάέήίΰа-џ";
const BOX: &str = "│┌┐┘├┤┬┼═-╬▀▄█▌▐░▒▓";
const ASCII_UPPER: &str = "A-Z";
const ASCII_LOWER: &str = "a-z";
const NOT_ASCII_LETTER: &str = "\0-@[-`{-\u{10ffff}";
const ANY_IN_LINE: &str = "\0-\t\u{b}-\u{10ffff}";
const ANY: &str = "\0-\u{10ffff}";
/// Python's white space.
const SPACE: &str =
    "\t-\r\u{1c}- \u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

/// The characters that may stand at a place: the union of sets.
type Place = &'static [&'static str];

/// What does not stand side by side in good text.
#[rustfmt::skip]
static RULES: [&[Place]; 37] = [
    &[&[LOWER, UPPER], &[START, END], &[ANY]], // ANY is narrowed by WORD_RULE
    &[&[C1]],
    &[&[BAD, LOWER, UPPER, BOX, START, END, CURRENCY, NUMERIC, LAW], &[BAD]],
    &[&[ASCII_LOWER, ASCII_UPPER], &[LOWER_COMMON, UPPER_COMMON], &[BAD]],
    &[&[BAD], &[LOWER, UPPER, BOX, START, END, CURRENCY, NUMERIC, LAW]],
    &[&[LOWER, LOWER_COMMON, BOX, END, CURRENCY, NUMERIC], &[UPPER]],
    &[&[BOX, END, CURRENCY, NUMERIC], &[LOWER]],
    &[&[LOWER, BOX, END], &[CURRENCY]],
    &[&[SPACE], &[UPPER], &[CURRENCY]],
    &[&[UPPER, BOX], &[NUMERIC, LAW]],
    &[&[LOWER, UPPER, BOX, CURRENCY, END], &[START], &[NUMERIC]],
    &[&[LOWER, UPPER, CURRENCY, NUMERIC, BOX, LAW], &[END], &[START]],
    &[&[CURRENCY, NUMERIC, BOX], &[START]],
    &[&[ASCII_LOWER], &[UPPER], &[START, CURRENCY]],
    &[&[BOX], &[FACES]],
    &[&[LOWER, UPPER, CURRENCY, NUMERIC, START, END, LAW], &[BOX]],
    &[&[BOX], &[END]],
    &[&["Œœ"], &[NOT_ASCII_LETTER]],
    &[&[UPPER], &["°"]],
    // Windows-1252: Latin-1, Greek and Cyrillic.
    &[&["ÂÃÎÐ"], &["€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´", START, END]],
    &[&["×"], &["²³"]],
    // Windows-1252: Arabic. The second place is common, so two of its characters have to follow.
    &[&["ØÙ"], &[COMMON, CURRENCY, BAD, NUMERIC, START, "ŸŠ®°µ»"],
      &["ØÙ"], &[COMMON, CURRENCY, BAD, NUMERIC, START, "ŸŠ®°µ»"]],
    // Windows-1252: scripts of India.
    &[&["à"], &["²µ¹¼½¾"]],
    // MacRoman.
    &[&["√"], &["±∂†≠®™´≤≥¥µø"]],
    &[&["≈"], &["°¢"]],
    &[&["‚"], &["Ä"], &["ìîïòôúùû†°¢π"]],
    &[&["‚"], &["âó"], &["àä°ê"]],
    // Windows-1251: punctuation, Cyrillic, and what was misread before as Windows-1252. All the
    // letters on the left are Cyrillic.
    &[&["в"], &["Ђ"]],
    &[&["ВГРС"], &[C1, BAD, START, END, CURRENCY, "°µ"], &["ВГРС"]],
    &[&["Г"], &["ў"], &["В"], &["Ђ"], &["В"], &[ANY_IN_LINE], &[ASCII_UPPER, ASCII_LOWER, " "]],
    // Windows-1252: letters before a space that was a no-break space.
    &[&["Ã"], &["\u{a0}¡"]],
    &[&[ASCII_LOWER], &["ÃÂ"], &[" "]],
    &[&[ASCII_LOWER], &[SPACE], &["ÃÂ"], &[" "]],
    &[&[ASCII_LOWER, ".,?!", END], &["Â"], &[" ", START, END]],
    // Windows-1253: punctuation, Greek. All the letters on the left are Greek.
    &[&["β"], &["€"], &["™\u{a0}Ά\u{ad}®°"]],
    &[&["ΒΓΞΟ"], &[C1, BAD, START, END, CURRENCY, "°"], &["ΒΓΞΟ"]],
    // Windows-1257: punctuation.
    &[&["ā"], &["€"]],
];

/// Bit of the rule whose last character has to be a letter, a digit or `_`.
const WORD_RULE: u64 = 1;

/// Places of the longest rule.
const PLACES: usize = 7;

/// Bit `r` of number `p`: a character fits place `p` of rule `r`.
type Fits = [u64; PLACES];

/// Whether `text` looks like mojibake.
pub fn is_bad(text: &str) -> bool {
    let table = &*TABLE;
    // Bit `r` of number `p`: the last characters fit places 0 to `p` of rule `r`.
    let mut matched = Fits::default();
    let found = text.chars().any(|c| {
        let fits = table.fits(c);
        let whole = (0..PLACES).rev().fold(0, |whole, place| {
            let before = if place == 0 { u64::MAX } else { matched[place - 1] };
            matched[place] = before & fits[place];
            whole | matched[place] & table.last[place]
        });
        whole & !WORD_RULE != 0 || whole == WORD_RULE && is_word(c)
    });
    found || text.starts_with("Ã ") || text.starts_with("Â ")
}

/// A character that Python's `\w` matches.
fn is_word(c: char) -> bool {
    // Rust's alphabetic characters, unlike Python's, include marks and letters in circles.
    let is_circled = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f149}'
        | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    let is_letter = c.is_alphanumeric() && !is_circled;
    c == '_' || is_letter && !unicode_normalization::char::is_combining_mark(c)
}

/// [`RULES`] by character.
struct Table {
    /// Where an interval of characters with the same [`Fits`] starts, ascending from 0.
    starts: Vec<u32>,
    /// Theirs.
    fits: Vec<Fits>,
    /// Bit `r` of number `p`: `p` is the last place of rule `r`.
    last: Fits,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let places = || RULES.iter().flat_map(|rule| rule.iter().flat_map(|place| place.iter()));
    let bounds = places().flat_map(|set| ranges(set)).flat_map(|(first, last)| [first, last + 1]);
    let mut starts: Vec<u32> = bounds.chain([0]).collect();
    starts.sort_unstable();
    starts.dedup();
    let fits = starts.iter().map(|code| fits_of(*code)).collect();
    let mut last = Fits::default();
    for (rule, places) in RULES.iter().enumerate() {
        last[places.len() - 1] |= 1 << rule;
    }
    Table { starts, fits, last }
});

impl Table {
    fn fits(&self, c: char) -> &Fits {
        let above = self.starts.partition_point(|start| *start <= u32::from(c));
        &self.fits[above - 1]
    }
}

fn fits_of(code: u32) -> Fits {
    let mut fits = Fits::default();
    for (rule, places) in RULES.iter().enumerate() {
        for (place, sets) in places.iter().enumerate() {
            let mut all = sets.iter().flat_map(|set| ranges(set));
            let holds = all.any(|(first, last)| (first..=last).contains(&code));
            fits[place] |= u64::from(holds) << rule;
        }
    }
    fits
}

/// First and last code points of the ranges in a set.
fn ranges(set: &str) -> impl Iterator<Item = (u32, u32)> {
    let mut rest = set.chars();
    std::iter::from_fn(move || {
        let first = rest.next()?;
        let mut ahead = rest.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                rest = ahead;
                last
            }
            _ => first,
        };
        Some((first.into(), last.into()))
    })
}
