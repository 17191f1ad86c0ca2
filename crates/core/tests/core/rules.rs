//! The cheap rules.

use pairgate_core::decision::Reason;
use pairgate_core::language::{Language, Languages};
use pairgate_core::pair::Size;
use pairgate_core::rules::Rules;

#[test]
fn basic_rules_hold_at_their_edges() {
    let rules = Rules::BASIC;
    assert_eq!(rules.caption_fault("a dog"), Some(Reason::CaptionTooFewWords));
    assert_eq!(rules.caption_fault("a b c"), Some(Reason::CaptionTooShort));
    assert_eq!(rules.caption_fault("a b cd"), None);
    assert_eq!(rules.caption_fault("a\u{1c}b\u{a0}cdé"), None);
    assert_eq!(rules.size_fault(Size::new(200, 600)), None);
    assert_eq!(rules.size_fault(Size::new(601, 200)), Some(Reason::AspectTooExtreme));
    assert_eq!(rules.size_fault(Size::new(199, 300)), Some(Reason::ImageTooSmall));
    assert_eq!(rules.size_fault(Size::new(0, 0)), Some(Reason::ImageTooSmall));
}

#[test]
fn no_rules_pass_everything() {
    assert_eq!(Rules::NONE.caption_fault(""), None);
    assert_eq!(Rules::NONE.size_fault(Size::new(1, 60_000)), None);
}

#[test]
fn most_words_hold_at_their_edge_and_answer_last() {
    let rules = Rules { max_words: 3, min_chars: 20, ..Rules::BASIC };
    let faults = |caption| rules.caption_faults(caption).collect::<Vec<_>>();
    assert_eq!(faults("one two threeeeeeeeee"), []);
    assert_eq!(faults("one two three four five"), [Reason::CaptionTooManyWords]);
    let both = [Reason::CaptionTooShort, Reason::CaptionTooManyWords];
    assert_eq!(faults("a b c d"), both);
    let without_least = Rules { max_words: 1, ..Rules::NONE };
    assert_eq!(without_least.caption_fault("a b"), Some(Reason::CaptionTooManyWords));
    assert_eq!(without_least.caption_fault(" a "), None);
}

#[test]
fn languages_are_a_set_of_codes() {
    assert!(Languages::ANY.is_any() && Languages::ANY.has(Language::Hindi));
    let both = Languages::ANY.with(Language::German).with(Language::Arabic);
    assert!(both.has(Language::German) && !both.has(Language::English));
    assert_eq!(both.codes().collect::<Vec<_>>(), ["ar", "de"]);
    assert_eq!(format!("{both:?}"), r#"["ar", "de"]"#);
    for (code, language) in Language::ALL {
        assert_eq!(Language::of_code(code), Some(language));
        assert_eq!(Languages::ANY.with(language).codes().collect::<Vec<_>>(), [code]);
        assert!(Language::EXPECTED.contains(code));
    }
    assert_eq!(Language::of_code("xx"), None);
}
