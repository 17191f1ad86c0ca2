//! ARPA files: whoever wrote them.

use pairgate::score::language::arpa::{ArpaError, ArpaLimits, NameError, read, write};

use super::assert_rounds_to;
use super::language::{LETTERS, from_text, letter, letters};

const GOOD: &str = "a comment\n\n\\data\\\r\nngram 1=5\nngram 2=3\n\n\\1-grams:\n-1.2\t<unk>\t0\n\
                    0\t<s>\t-0.30103\n-0.5\t</s>\n-0.7\ta\t-0.1\n-0.9 b -0.2\n\n\\2-grams:\n-0.2\t<s> a\n\
                    -0.3\ta b\n-0.4\tb </s>\n\n\\end\\\n";

fn why(text: &str) -> String {
    let limits = ArpaLimits { most_ngrams: 1000 };
    read(text.as_bytes(), LETTERS, &letters(), limits).unwrap_err().to_string()
}

#[test]
fn spaces_tabs_and_carriage_returns_are_all_taken() {
    let model = from_text(GOOD);
    assert_eq!(model.counts(), [5, 3]);
    assert_rounds_to(model.likelihood(&[0, 1]).log10, -0.9, 6);
}

#[test]
fn what_is_damaged_is_told_with_its_line() {
    let cases = [
        ("", "ends before"),
        ("\\data\\", "ends before"),
        ("\\data\\\n\\1-grams:\n", "line 2: no n-grams"),
        ("\\data\\\nngram 2=1\n", "line 2: it does not say"),
        ("\\data\\\nngram 1=x\n", "line 2: it does not say"),
        ("\\data\\\nngram 1=-1\n", "line 2: it does not say"),
        ("\\data\\\nngram 1=18446744073709551615\n", "too many"),
        ("\\data\\\nngram 1=999\nngram 2=18446744073709551615\n", "too many"),
        ("\\data\\\nngram 1=1001\n", "too many, the most is 1000"),
        ("\\data\\\nngram 1=1\n\\1-grams:\n0.5 a\n", "line 4: 0.5 is no logarithm"),
        ("\\data\\\nngram 1=1\n\\1-grams:\nnan a\n", "line 4: \"nan\""),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-inf a\n", "line 4: \"-inf\""),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-1e30 a\n", "line 4: \"-1e30\""),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-1\n", "line 4: 1 words"),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-1 a -2 b\n", "longest n-grams"),
        ("\\data\\\nngram 1=1\nngram 2=1\n\\1-grams:\n-1 a -2 b\n", "one field too many"),
        ("\\data\\\nngram 1=1\n\\1-grams:\n-1 a\n-1 b\n\\end\\\n", "more n-grams, or fewer"),
        ("\\data\\\nngram 1=2\n\\1-grams:\n-1 a\n\\end\\\n", "line 5"),
        ("\\data\\\nngram 1=2\n\\1-grams:\n-1 a\n-2 a\n\\end\\\n", "1 words stands there twice"),
        (
            "\\data\\\nngram 1=1\nngram 2=1\n\\1-grams:\n-1 a\n\\2-grams:\n-1 a b\n\\end\\\n",
            "no 1-gram",
        ),
    ];
    for (text, wanted) in cases {
        let why = why(text);
        assert!(why.contains(wanted), "{text:?}: {why}");
    }
    let seven: String = (1..=7).map(|n| format!("ngram {n}=1\n")).collect();
    assert!(why(&format!("\\data\\\n{seven}")).contains("more than 6 words"));
    assert!(why(&"x".repeat(100_000)).contains("longer than"));
    let bytes = b"\\data\\\nngram 1=1\n\\1-grams:\n-1 \xff\n";
    let wrong = read(&bytes[..], LETTERS, &letters(), ArpaLimits::default());
    assert!(matches!(wrong, Err(ArpaError::Line { line: 4, .. })), "{wrong:?}");
}

/// Every part of a good file, and a good file with any byte changed, gives a model or an error.
#[test]
fn damage_anywhere_harms_nobody() {
    for end in 0..GOOD.len() {
        let _ = read(&GOOD.as_bytes()[..end], LETTERS, &letters(), ArpaLimits::default());
        for byte in [0, b' ', b'\n', b'9', b'-', 0xff] {
            let mut text = GOOD.as_bytes().to_vec();
            text[end] = byte;
            let read = read(text.as_slice(), LETTERS, &letters(), ArpaLimits::default());
            if let Ok(read) = read {
                assert!(!read.model.likelihood(&[0, 1, 2]).perplexity().is_nan());
            }
        }
    }
}

#[test]
fn words_that_are_no_tokens_are_left_out_and_counted() {
    let text = GOOD
        .replace("-0.9 b", "-0.9 bird")
        .replace("a b\n", "a bird\n")
        .replace("b </s>", "bird </s>");
    let model = read(text.as_bytes(), LETTERS, &letters(), ArpaLimits::default()).unwrap();
    assert_eq!((model.foreign, model.model.counts()), (3, vec![4, 1]));
}

/// SRILM leaves out n-grams whose longer ones it keeps.
#[test]
fn a_longer_n_gram_may_be_there_without_the_shorter_one() {
    let model = from_text(
        "\\data\\\nngram 1=5\nngram 2=1\nngram 3=1\n\\1-grams:\n-1.2 <unk>\n-99 <s> -0.1\n-0.5 </s>\n-0.7 a -0.25\n\
         -0.9 b\n\\2-grams:\n-0.2 <s> a -0.5\n\\3-grams:\n-0.125 <s> a b\n\\end\\\n",
    );
    assert_eq!(model.counts(), [5, 1, 1]);
    assert_rounds_to(model.likelihood(&[0, 1]).log10, -0.2 - 0.125 - 0.5, 6);
    // (a, b) itself has no probability: back-off of a, and that of (b, a) is none.
    assert_rounds_to(
        model.likelihood(&[1, 0, 1]).log10,
        (-0.1 - 0.9) - 0.7 + (-0.25 - 0.9) - 0.5,
        6,
    );
    let mut file = Vec::new();
    write(&model, letter, &mut file).unwrap();
    assert_eq!(from_text(std::str::from_utf8(&file).unwrap()), model);
}

#[test]
fn names_that_a_file_cannot_hold_are_refused() {
    let model = from_text(GOOD);
    let with = |name: &'static str| {
        let name = move |id| if id == 1 { Some(name.to_owned()) } else { letter(id) };
        write(&model, name, &mut Vec::new())
    };
    for name in ["", "b c", "b\n", "b\tc"] {
        assert!(matches!(with(name), Err(NameError::Unfit { token: 1, .. })), "{name:?}");
    }
    for name in ["a", "<s>", "<unk>"] {
        assert!(matches!(with(name), Err(NameError::Twice { .. })), "{name:?}");
    }
    assert!(with("\u{a0}▁Ġ</w>").is_ok());
    let none = |_| None;
    assert!(matches!(write(&model, none, &mut Vec::new()), Err(NameError::Unfit { .. })));
}
