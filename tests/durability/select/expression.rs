use pairgate::select::Expression;
use pairgate::select::expression::METHODS;
use proptest::prelude::*;

#[test]
fn what_is_read_is_written_as_it_means() {
    for (text, same) in [
        ("score keep 20%", "score keep 0.2"),
        ("  clusters k 500   temperature .5 keep 20%", "clusters k 500 temperature 0.5 keep 0.2"),
        ("duplicates eps 0.05", "duplicates eps 0.05"),
        ("linear <= 0.5 flag", "linear <= 0.5 flag"),
        ("score >= -0.1", "score >= -0.1"),
        ("perplexity within 5% 95%", "perplexity within 0.05 0.95"),
        (
            "all(duplicates, any(contrast keep 30%, sources by url:host keep 1%))",
            "all(duplicates, any(contrast keep 0.3, sources by url:host keep 0.01))",
        ),
        ("ranks(2*contrast + score) keep 15%", "ranks(2 * contrast + 1 * score) keep 0.15"),
    ] {
        let found = Expression::parse(text).unwrap();
        assert_eq!(found.to_string(), same);
        assert_eq!(Expression::parse(same).unwrap(), found);
    }
}

#[test]
fn what_is_wrong_is_pointed_at() {
    for (text, at, why) in [
        ("", 0, "here comes a method"),
        ("nothing keep 1%", 0, "nothing is no method"),
        ("clusters", 0, "needs its share"),
        ("score", 0, "needs a cut"),
        ("clusters >= 0.5", 9, "takes a share alone"),
        ("duplicates keep 5%", 11, "takes no cut"),
        ("duplicates eps 2", 15, "from 0 to 1"),
        ("clusters k 1.5 keep 5%", 11, "whole number"),
        ("clusters k 5 k 6 keep 5%", 13, "twice"),
        ("clusters colour 5 keep 5%", 9, "takes no parameter colour"),
        ("score keep 0%", 11, "no share"),
        ("score keep 120%", 11, "no share"),
        ("score within 9% 5%", 13, "no band"),
        ("all(score keep 5%", 17, "here comes a `)`"),
        ("all(score keep 5%))", 18, "has ended"),
        ("ranks(clusters) keep 5%", 6, "gives no number"),
        ("score keep 5% & 3", 14, "neither a word"),
        ("score keep 5%%", 11, "neither a word"),
        ("duplicates eps éps", 15, "here comes a number"),
    ] {
        let error = Expression::parse(text).expect_err(text);
        assert_eq!(error.at(), at, "{text}: {}", error.why());
        assert!(error.why().contains(why), "{text}: {}", error.why());
        assert!(error.to_string().ends_with('^'));
    }
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = "all(".repeat(100_000);
    assert!(Expression::parse(&deep).is_err());
    let deep = "all(".repeat(50) + "duplicates" + &")".repeat(50);
    assert!(Expression::parse(&deep).unwrap_err().why().contains("deeper"));
    let many = format!("all({})", ["duplicates"; 100].join(","));
    assert!(Expression::parse(&many).unwrap_err().why().contains("more than"));
}

#[test]
fn every_method_can_be_said_by_its_defaults() {
    for spec in METHODS {
        let cut =
            ["", " keep 5%"].map(|cut| Expression::parse(&format!("{}{cut}", spec.name)).is_ok());
        assert_eq!(cut.iter().filter(|is_read| **is_read).count(), 1, "{}", spec.name);
    }
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,80}") {
        if let Err(error) = Expression::parse(&text) {
            let _ = error.to_string();
        }
    }

    #[test]
    fn no_words_are_a_panic(words in prop::collection::vec("all|any|ranks|\\(|\\)|,|keep|5%|score|clusters|k|3|flag|\\+|\\*|>=", 0..30)) {
        if let Ok(expression) = Expression::parse(&words.join(" ")) {
            prop_assert_eq!(Expression::parse(&expression.to_string()).unwrap(), expression);
        }
    }
}
