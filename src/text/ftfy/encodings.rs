//! The one-byte encodings that UTF-8 is mistaken for, and UTF-8 with its common flaws.

use std::sync::LazyLock;

/// What stands for bytes that were lost: `�`, and the byte that means it in the Windows encodings
/// here (in ASCII it is "substitute").
const REPLACEMENT: char = '\u{fffd}';
/// See [`REPLACEMENT`].
pub const SUBSTITUTE: u8 = 0x1a;

/// The characters of bytes 80 to FF, sixteen a row.
type Rows = [&'static str; 8];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latin1,
    /// Bytes that Windows leaves undefined are the control characters of the same number.
    Windows,
    MacRoman,
    Other,
}

/// In the order in which they are tried.
static TABLES: [(Kind, Rows); 10] = [
    (Kind::Latin1, LATIN_1),
    (Kind::Windows, WINDOWS_1252),
    (Kind::Windows, WINDOWS_1251),
    (Kind::Windows, WINDOWS_1250),
    (Kind::Windows, WINDOWS_1253),
    (Kind::Windows, WINDOWS_1254),
    (Kind::Windows, WINDOWS_1257),
    (Kind::Other, ISO_8859_2),
    (Kind::MacRoman, MACROMAN),
    (Kind::Other, CP437),
];

/// One of [`TABLES`], by its place there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(usize);

impl Encoding {
    /// Those that have every character of `text`.
    pub fn all_of(text: &str) -> impl Iterator<Item = Self> {
        let mut masks = text.chars().map(encodings_with);
        // Most other scripts are in none, which the first characters show.
        let common = masks.try_fold(u16::MAX, |common, mask| {
            let common = common & mask;
            (common != 0).then_some(common)
        });
        (0..TABLES.len()).filter(move |at| common.is_some_and(|mask| mask >> at & 1 == 1)).map(Self)
    }

    /// The bytes of `text`, all of whose characters the encoding has.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let byte = |c: char| match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => byte,
            _ => known(c).map_or(SUBSTITUTE, |known| known.bytes[self.0]),
        };
        text.chars().map(byte).collect()
    }

    /// Whether `�` is one of its characters.
    pub fn has_replacement(self) -> bool {
        TABLES[self.0].0 == Kind::Windows
    }

    /// Whether byte C2 to F4 before a space tells of a lost no-break space; in MacRoman a dash
    /// before a space would look the same.
    pub fn may_lose_no_break_space(self) -> bool {
        TABLES[self.0].0 != Kind::MacRoman
    }
}

/// Where a character may stand in UTF-8 that was read as Latin-1 or one of the Windows encodings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Role(u8);

impl Role {
    const FIRST_OF_2: u8 = 1;
    const FIRST_OF_3: u8 = 2;
    const FIRST_OF_4: u8 = 4;
    const CONTINUATION: u8 = 8;
    const PUNCTUATION: u8 = 16;

    /// The role of `c`.
    pub fn of(c: char) -> Self {
        match c {
            // It may have been a no-break space.
            ' ' => Self(Self::CONTINUATION | Self::PUNCTUATION),
            c if c.is_ascii() => Self(0),
            c => Self(known(c).map_or(0, |known| known.roles)),
        }
    }

    /// How many continuations it needs, if it can be the first of a sequence.
    pub fn continuations(self) -> Option<usize> {
        let firsts = [Self::FIRST_OF_2, Self::FIRST_OF_3, Self::FIRST_OF_4];
        firsts.iter().position(|first| self.0 & first != 0).map(|at| at + 1)
    }

    /// Whether it can stand behind the first.
    pub fn is_continuation(self) -> bool {
        self.0 & Self::CONTINUATION != 0
    }

    /// Whether it can, and is not punctuation that is common beside good text.
    pub fn is_strict_continuation(self) -> bool {
        self.is_continuation() && self.0 & Self::PUNCTUATION == 0
    }

    /// Those of `byte` in an encoding, where it is `c`.
    fn bits(byte: u8, c: char) -> u8 {
        let role = match byte {
            0x80..=0xbf => Self::CONTINUATION,
            0xc2..=0xdf => Self::FIRST_OF_2,
            0xe0..=0xef => Self::FIRST_OF_3,
            // The other firsts of four only lead to code points that nothing is assigned to.
            0xf0 | 0xf3 => Self::FIRST_OF_4,
            _ => 0,
        };
        let punctuation = "–—―‘’‚“”„•…".contains(c);
        role | if punctuation { Self::PUNCTUATION } else { 0 }
    }
}

/// What is known of a character that is not ASCII.
struct Known {
    c: char,
    /// Bit `n`: it is in encoding `n`.
    encodings: u16,
    /// Its byte there.
    bytes: [u8; TABLES.len()],
    /// See [`Role`].
    roles: u8,
}

/// All characters that an encoding has, ascending.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut all = Vec::<Known>::new();
    for (at, (kind, rows)) in TABLES.iter().enumerate() {
        let high = rows.iter().flat_map(|row| row.chars()).zip(0x80..=0xff);
        let replacement = (*kind == Kind::Windows).then_some((REPLACEMENT, SUBSTITUTE));
        for (c, byte) in high.chain(replacement) {
            let known = entry(&mut all, c);
            known.encodings |= 1 << at;
            known.bytes[at] = byte;
            if matches!(kind, Kind::Latin1 | Kind::Windows) {
                known.roles |= Role::bits(byte, c);
            }
        }
    }
    all
});

fn entry(all: &mut Vec<Known>, c: char) -> &mut Known {
    let at = match all.binary_search_by_key(&c, |known| known.c) {
        Ok(at) => at,
        Err(at) => {
            all.insert(at, Known { c, encodings: 0, bytes: [0; TABLES.len()], roles: 0 });
            at
        }
    };
    &mut all[at]
}

fn known(c: char) -> Option<&'static Known> {
    let all = &*KNOWN;
    all.binary_search_by_key(&c, |known| known.c).ok().map(|at| &all[at])
}

/// Bit `n`: `c` is in encoding `n`.
fn encodings_with(c: char) -> u16 {
    match u8::try_from(c) {
        Ok(SUBSTITUTE) => {
            let has = |at: &usize| !Encoding(*at).has_replacement();
            (0..TABLES.len()).filter(has).fold(0, |mask, at| mask | 1 << at)
        }
        Ok(byte) if byte.is_ascii() => u16::MAX,
        _ => known(c).map_or(0, |known| known.encodings),
    }
}

/// What Windows-1252 has in the place of a C1 control character; other characters stay.
pub fn c1_as_windows_1252(c: char) -> char {
    let at = match c {
        '\u{80}'..='\u{9f}' => u32::from(c) as usize - 0x80,
        _ => return c,
    };
    WINDOWS_1252[at / 16].chars().nth(at % 16).unwrap_or(c)
}

/// Text from UTF-8, also from what is not quite: six bytes for a character above U+FFFF (CESU-8)
/// and two bytes for U+0000, as Java writes them. `None` if it is not even that.
pub fn decode_utf8(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        rest = &rest[chunk.valid().len()..];
        if rest.is_empty() {
            break;
        }
        let (c, length) = flawed(rest)?;
        text.push(c);
        rest = &rest[length..];
    }
    Some(text)
}

/// The character at the front of `bytes` in a flawed form, and its length. At the very end a line
/// break passes for the last byte, since ftfy's own decoder takes it there.
fn flawed(bytes: &[u8]) -> Option<(char, usize)> {
    match *bytes {
        [0xc0, 0x80, ..] | [0xc0, b'\n'] => Some(('\0', 2)),
        [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ 0x80..=0xbf, ..]
        | [0xed, a @ 0xa0..=0xaf, b @ 0x80..=0xbf, 0xed, c @ 0xb0..=0xbf, d @ b'\n'] => {
            let bits = |byte: u8, mask: u8, shift: u32| u32::from(byte & mask) << shift;
            let low = bits(b, 0x3f, 10) + bits(c, 0x0f, 6) + bits(d, 0x3f, 0);
            char::from_u32(0x10000 + bits(a, 0x0f, 16) + low).map(|c| (c, 6))
        }
        _ => None,
    }
}

#[rustfmt::skip]
const LATIN_1: Rows = [
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\u{8e}\u{8f}",
    "\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\u{9c}\u{9d}\u{9e}\u{9f}",
    "\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯",
    "°±²³´µ¶·¸¹º»¼½¾¿",
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ",
    "ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß",
    "àáâãäåæçèéêëìíîï",
    "ðñòóôõö÷øùúûüýþÿ",
];
#[rustfmt::skip]
const WINDOWS_1252: Rows = [
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}",
    "\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ",
    "\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯",
    "°±²³´µ¶·¸¹º»¼½¾¿",
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ",
    "ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß",
    "àáâãäåæçèéêëìíîï",
    "ðñòóôõö÷øùúûüýþÿ",
];
#[rustfmt::skip]
const WINDOWS_1251: Rows = [
    "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏ",
    "ђ‘’“”•–—\u{98}™љ›њќћџ",
    "\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї",
    "°±Ііґµ¶·ё№є»јЅѕї",
    "АБВГДЕЖЗИЙКЛМНОП",
    "РСТУФХЦЧШЩЪЫЬЭЮЯ",
    "абвгдежзийклмноп",
    "рстуфхцчшщъыьэюя",
];
#[rustfmt::skip]
const WINDOWS_1250: Rows = [
    "€\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ",
    "\u{90}‘’“”•–—\u{98}™š›śťžź",
    "\u{a0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{ad}®Ż",
    "°±˛ł´µ¶·¸ąş»Ľ˝ľż",
    "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ",
    "ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß",
    "ŕáâăäĺćçčéęëěíîď",
    "đńňóôőö÷řůúűüýţ˙",
];
#[rustfmt::skip]
const WINDOWS_1253: Rows = [
    "€\u{81}‚ƒ„…†‡\u{88}‰\u{8a}‹\u{8c}\u{8d}\u{8e}\u{8f}",
    "\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}\u{9d}\u{9e}\u{9f}",
    "\u{a0}΅Ά£¤¥¦§¨©ª«¬\u{ad}®―",
    "°±²³΄µ¶·ΈΉΊ»Ό½ΎΏ",
    "ΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟ",
    "ΠΡÒΣΤΥΦΧΨΩΪΫάέήί",
    "ΰαβγδεζηθικλμνξο",
    "πρςστυφχψωϊϋόύώÿ",
];
#[rustfmt::skip]
const WINDOWS_1254: Rows = [
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}\u{8e}\u{8f}",
    "\u{90}‘’“”•–—˜™š›œ\u{9d}\u{9e}Ÿ",
    "\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯",
    "°±²³´µ¶·¸¹º»¼½¾¿",
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ",
    "ĞÑÒÓÔÕÖ×ØÙÚÛÜİŞß",
    "àáâãäåæçèéêëìíîï",
    "ğñòóôõö÷øùúûüışÿ",
];
#[rustfmt::skip]
const WINDOWS_1257: Rows = [
    "€\u{81}‚\u{83}„…†‡\u{88}‰\u{8a}‹\u{8c}¨ˇ¸",
    "\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}¯˛\u{9f}",
    "\u{a0}¡¢£¤¥¦§Ø©Ŗ«¬\u{ad}®Æ",
    "°±²³´µ¶·ø¹ŗ»¼½¾æ",
    "ĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻ",
    "ŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽß",
    "ąįāćäåęēčéźėģķīļ",
    "šńņóōõö÷ųłśūüżž˙",
];
#[rustfmt::skip]
const ISO_8859_2: Rows = [
    "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\u{8e}\u{8f}",
    "\u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\u{9c}\u{9d}\u{9e}\u{9f}",
    "\u{a0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{ad}ŽŻ",
    "°ą˛ł´ľśˇ¸šşťź˝žż",
    "ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ",
    "ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß",
    "ŕáâăäĺćçčéęëěíîď",
    "đńňóôőö÷řůúűüýţ˙",
];
#[rustfmt::skip]
const MACROMAN: Rows = [
    "ÄÅÇÉÑÖÜáàâäãåçéè",
    "êëíìîïñóòôöõúùûü",
    "†°¢£§•¶ß®©™´¨≠ÆØ",
    "∞±≤≥¥µ∂∑∏π∫ªºΩæø",
    "¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ",
    "–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ",
    "‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ",
    "\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ",
];
#[rustfmt::skip]
const CP437: Rows = [
    "ÇüéâäàåçêëèïîìÄÅ",
    "ÉæÆôöòûùÿÖÜ¢£¥₧ƒ",
    "áíóúñÑªº¿⌐¬½¼¡«»",
    "░▒▓│┤╡╢╖╕╣║╗╝╜╛┐",
    "└┴┬├─┼╞╟╚╔╩╦╠═╬╧",
    "╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀",
    "αßΓπΣσµτΦΘΩδ∞φε∩",
    "≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
];
