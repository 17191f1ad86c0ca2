//! Rules on words and languages, and the identifier that is built in.

use pairgate::gate::{Examine, Gate, GateSettings};
use pairgate::language;
use pairgate_core::decision::Reason;
use pairgate_core::language::{Language, Languages};
use pairgate_core::pair::PairRef;
use pairgate_core::rules::Rules;

use crate::support::default_model;

fn german() -> Languages {
    Languages::ANY.with(Language::German)
}

#[test]
fn rules_of_words_and_languages_answer_before_the_picture_is_read() {
    let image = b"no picture";
    let found = |rules: Rules, caption: &str| {
        let mut gate =
            Gate::new(default_model(), GateSettings { rules, ..GateSettings::default() });
        let caption = Some(caption.as_bytes());
        let pair = PairRef { image: Some(image), caption, ..PairRef::default() };
        let evidence = gate.examine(&[pair]).unwrap().remove(0);
        (evidence.found, evidence.broken.iter().collect::<Vec<_>>())
    };
    let many = Reason::CaptionTooManyWords;
    let rules = Rules { max_words: 5, ..Rules::BASIC };
    assert_eq!(found(rules, "a dog runs along the beach"), (many, vec![many]));
    assert_eq!(found(rules, "a dog on a beach"), (Reason::UnknownFormat, vec![]));
    let rules = Rules { languages: german(), ..Rules::BASIC };
    let other = Reason::Language;
    assert_eq!(found(rules, "a dog runs along the beach at dawn"), (other, vec![other]));
    let caption = "ein Hund läuft am Morgen über den Strand";
    assert_eq!(found(rules, caption), (Reason::UnknownFormat, vec![]));
    // The codes say which answers first, where several do.
    let rules = Rules { languages: german(), max_words: 1, ..Rules::NONE };
    assert_eq!(found(rules, "a dog on the beach"), (other, vec![other, many]));
}

#[test]
fn languages_are_told_apart_and_others_are_none() {
    for (code, caption) in [
        ("en", "A brown dog runs along the beach in the morning light."),
        ("de", "Ein brauner Hund läuft im Morgenlicht am Strand entlang."),
        ("fr", "Un chien brun court le long de la plage dans la lumière du matin."),
        ("es", "Un perro marrón corre por la playa con la luz de la mañana."),
        ("ru", "Коричневая собака бежит по пляжу в утреннем свете."),
        ("ja", "茶色い犬が朝の光の中で浜辺を走っています。"),
        ("zh", "一只棕色的狗在晨光中沿着海滩奔跑。"),
        ("ko", "갈색 개가 아침 햇살 속에서 해변을 달리고 있다."),
        ("ar", "كلب بني يركض على طول الشاطئ في ضوء الصباح."),
        ("hi", "एक भूरा कुत्ता सुबह की रोशनी में समुद्र तट पर दौड़ रहा है।"),
        ("vi", "Một con chó nâu chạy dọc theo bãi biển trong ánh nắng buổi sáng."),
    ] {
        assert_eq!(language::of(caption), Language::of_code(code), "{caption}");
    }
    // Letters of a script that none of them is written in, and no letters.
    for caption in
        ["Ένας σκύλος τρέχει στην παραλία.", "สุนัขวิ่งบนชายหาด", "כלב רץ על החוף", "12 : 34", ""]
    {
        assert_eq!(language::of(caption), None, "{caption}");
        assert!(language::is_in(caption, Languages::ANY) && !language::is_in(caption, german()));
    }
}
