//! The language of a caption: by `whichlang`, a linear model over n-grams for 16 languages, behind a
//! look at the script. The languages that it does not know would else be taken for some that it does.
//!
//! Of the languages in Latin letters it knows eight, and takes others (Polish, Danish) for one of them.
//! Captions of one or two words are often taken for a neighbour.

use pairgate_core::language::{Language, Languages};

/// Whether this build can tell languages apart.
pub const IS_BUILT_IN: bool = cfg!(feature = "language");

/// Whether the caption is in one of `languages`. Where no languages are told apart in this build, it
/// is in none, unless any will do.
pub fn is_in(caption: &str, languages: Languages) -> bool {
    languages.is_any() || of(caption).is_some_and(|language| languages.has(language))
}

/// The caption's language; `None` where it has no letters, or letters of another script than the
/// language that comes nearest is written in. Line breaks count as blanks.
#[cfg(feature = "language")]
pub fn of(caption: &str) -> Option<Language> {
    use whichlang::Lang;

    let language = match whichlang::detect_language(caption) {
        Lang::Ara => Language::Arabic,
        Lang::Cmn => Language::Chinese,
        Lang::Deu => Language::German,
        Lang::Eng => Language::English,
        Lang::Fra => Language::French,
        Lang::Hin => Language::Hindi,
        Lang::Ita => Language::Italian,
        Lang::Jpn => Language::Japanese,
        Lang::Kor => Language::Korean,
        Lang::Nld => Language::Dutch,
        Lang::Por => Language::Portuguese,
        Lang::Rus => Language::Russian,
        Lang::Spa => Language::Spanish,
        Lang::Swe => Language::Swedish,
        Lang::Tur => Language::Turkish,
        Lang::Vie => Language::Vietnamese,
    };
    is_written_in(caption, script(language)).then_some(language)
}

/// The caption's language: `None`, as this build tells none apart.
#[cfg(not(feature = "language"))]
pub fn of(_: &str) -> Option<Language> {
    None
}

/// Whether a letter is one that the language is written in, by Unicode's blocks.
#[cfg(feature = "language")]
fn script(language: Language) -> fn(char) -> bool {
    let han = |c: char| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}');
    match language {
        Language::Arabic => {
            |c| matches!(c, '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{fefc}')
        }
        Language::Chinese => han,
        Language::Hindi => |c| matches!(c, '\u{900}'..='\u{97f}'),
        Language::Japanese => {
            |c| matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ff66}'..='\u{ff9f}')
        }
        Language::Korean => {
            |c| matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{ac00}'..='\u{d7a3}')
        }
        Language::Russian => |c| matches!(c, '\u{400}'..='\u{4ff}'),
        // Latin, with what Vietnamese has beyond the usual accents.
        Language::Vietnamese => |c| c <= '\u{24f}' || matches!(c, '\u{1ea0}'..='\u{1eff}'),
        _ => |c| c <= '\u{24f}',
    }
}

/// Whether at least half of the letters are of the script, and there is one.
#[cfg(feature = "language")]
fn is_written_in(caption: &str, is_of_script: fn(char) -> bool) -> bool {
    let mut letters = [0_usize; 2];
    for c in caption.chars().filter(|c| c.is_alphabetic()) {
        letters[usize::from(is_of_script(c))] += 1;
    }
    letters[1] > 0 && letters[1] >= letters[0]
}
