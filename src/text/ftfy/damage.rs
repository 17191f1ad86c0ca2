//! Repairs of UTF-8 bytes that were lost while they were read in another encoding.

use super::encodings::SUBSTITUTE;

/// The bytes that may stand at a place, as ranges.
type Place = &'static [(u8, u8)];
/// Sequences of places.
type Sequences = &'static [&'static [Place]];

const SPACE: Place = &[(b' ', b' ')];
const LOST: Place = &[(SUBSTITUTE, SUBSTITUTE)];
/// Some programs write `?` for what they cannot.
const LOST_OR_ASKED: Place = &[(SUBSTITUTE, SUBSTITUTE), (b'?', b'?')];
const CONTINUATION: Place = &[(0x80, 0xbf)];
/// Without A0, which may be the space beside it, and 85.
const PLAIN_CONTINUATION: Place = &[(0x80, 0x84), (0x86, 0x9f), (0xa1, 0xbf)];
const CONTINUATION_OR_LOST: Place = &[(SUBSTITUTE, SUBSTITUTE), (0x80, 0xbf)];
const FIRST_OF_3: Place = &[(0xe0, 0xef)];
const FIRST_OF_4: Place = &[(0xf0, 0xf4)];
const SURROGATES: Place = &[(0xed, 0xed)];
const HIGH: Place = &[(0xa0, 0xaf)];
const LOW: Place = &[(0xb0, 0xbf)];
const F0: Place = &[(0xf0, 0xf0)];

/// UTF-8 in which byte A0 became a space. Of the first bytes only those count that make a likely
/// character with A0.
const SPACED: Sequences = &[
    &[&[(0xc2, 0xc3), (0xc5, 0xc5), (0xce, 0xce), (0xd0, 0xd0), (0xd9, 0xd9)], SPACE],
    &[&[(0xe2, 0xe3)], SPACE, PLAIN_CONTINUATION],
    &[&[(0xe0, 0xe3)], PLAIN_CONTINUATION, SPACE],
    &[F0, SPACE, CONTINUATION, CONTINUATION],
    &[F0, CONTINUATION, SPACE, CONTINUATION],
    &[F0, CONTINUATION, CONTINUATION, SPACE],
];

/// UTF-8 and CESU-8 in which bytes are lost; only one of them may be a `?`.
const LOSSY: Sequences = &[
    &[&[(0xc2, 0xdf)], LOST],
    &[&[(0xc2, 0xc3)], &[(b'?', b'?')]],
    &[
        SURROGATES,
        HIGH,
        LOST_OR_ASKED,
        SURROGATES,
        LOW,
        &[(SUBSTITUTE, SUBSTITUTE), (b'?', b'?'), (0x80, 0xbf)],
    ],
    &[
        SURROGATES,
        HIGH,
        &[(SUBSTITUTE, SUBSTITUTE), (b'?', b'?'), (0x80, 0xbf)],
        SURROGATES,
        LOW,
        LOST_OR_ASKED,
    ],
    &[FIRST_OF_3, LOST_OR_ASKED, CONTINUATION_OR_LOST],
    &[FIRST_OF_3, CONTINUATION_OR_LOST, LOST_OR_ASKED],
    &[FIRST_OF_4, LOST_OR_ASKED, CONTINUATION_OR_LOST, CONTINUATION_OR_LOST],
    &[FIRST_OF_4, CONTINUATION_OR_LOST, LOST_OR_ASKED, CONTINUATION_OR_LOST],
    &[FIRST_OF_4, CONTINUATION_OR_LOST, CONTINUATION_OR_LOST, LOST_OR_ASKED],
    &[LOST],
];

/// Spaces that were byte A0 are it again. A `Ã` that stands as a word was `à` before a space, so
/// the space also stays, unless a Portuguese word such as "às" or "àquele" goes on behind it.
pub fn restore_no_break_spaces(bytes: &[u8]) -> Vec<u8> {
    let restored = replace(bytes, lone_a_grave, |_| b"\xc3\xa0 ".to_vec());
    replace(
        &restored,
        |rest| first_match(SPACED, rest),
        |sequence| sequence.iter().map(|byte| if *byte == b' ' { 0xa0 } else { *byte }).collect(),
    )
}

fn lone_a_grave(bytes: &[u8]) -> Option<usize> {
    const GOES_ON: [&[u8]; 5] = [b" ", b"quele", b"quela", b"quilo", b"s "];
    let after = bytes.strip_prefix(b"\xc3 ")?;
    (!GOES_ON.iter().any(|word| after.starts_with(word))).then_some(2)
}

/// Sequences with lost bytes become UTF-8's `�`.
pub fn replace_lossy(bytes: &[u8]) -> Vec<u8> {
    replace(bytes, |rest| first_match(LOSSY, rest), |_| "\u{fffd}".into())
}

/// Replaces, from left to right, what `found` gives a length for.
fn replace(
    bytes: &[u8],
    found: impl Fn(&[u8]) -> Option<usize>,
    replacement: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = match found(rest) {
            Some(length) => {
                replaced.extend(replacement(&rest[..length]));
                &rest[length..]
            }
            None => {
                replaced.push(*first);
                after
            }
        };
    }
    replaced
}

/// Length of the first of `sequences` that `bytes` starts with.
fn first_match(sequences: Sequences, bytes: &[u8]) -> Option<usize> {
    // All of them start so; most bytes of a caption do not.
    let may_start = bytes.first().is_some_and(|b| *b >= 0xc2 || *b == SUBSTITUTE);
    let fits =
        |place: &Place, byte: &u8| place.iter().any(|(low, high)| (low..=high).contains(&byte));
    let starts = |sequence: &&&[Place]| {
        bytes.len() >= sequence.len() && sequence.iter().zip(bytes).all(|(p, b)| fits(p, b))
    };
    if !may_start {
        return None;
    }
    sequences.iter().find(starts).map(|sequence| sequence.len())
}
