//! The cheap rules.

use pairgate_core::decision::Reason;
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
