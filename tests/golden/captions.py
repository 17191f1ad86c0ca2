"""Golden values from ftfy and open_clip: what captions are before they are tokenized.

    pip install ftfy==6.3.1 open_clip_torch==3.3.0
    python tests/golden/captions.py tests/data/golden/captions.json

All captions are made up here or are the hostile ones of models/train/parity.py. Random ones have
characters of Unicode 14 only, on whose normal forms and cases all later versions agree. Writes
one object a caption: the raw text; `ftfy`, ftfy.fix_text of it; `basic`, open_clip's basic_clean;
and its three ways of cleaning, `lower` (CLIP), `whitespace` and `canonicalize` (SigLIP).
"""

import ast
import json
import random
import string
import sys
import unicodedata
from importlib.metadata import version
from pathlib import Path

import ftfy
from open_clip import tokenizer

PINNED = {"ftfy": "6.3.1", "open_clip_torch": "3.3.0"}
TRAINING = Path(__file__).parents[2] / "models/train/parity.py"

# ------------------------------------------------------------------------------- plain captions

LANGUAGES = {
    "English": ["A dog's tail wags by the sea", "Two cups of tea — “still hot” — on a tray", "Mr. O’Neill’s 3rd boat, £40"],
    "French": ["Un café à Paris, l'été dernier", "Ça coûte 5 € à l’entrée du musée", "Œuvre d'art : « Le chêne »", "Noël à la maison, très près d'ici"],
    "German": ["Schöne Grüße aus Köln", "Die Straße führt über eine Brücke", "„Äpfel“ und Öl für 3 €"],
    "Spanish": ["El niño juega en el jardín", "¿Dónde está la montaña?", "¡Qué día tan bonito, señor!"],
    "Portuguese": ["Às vezes o avião não chega", "Pão de açúcar à tarde", "Uma criança à janela, à espera"],
    "Italian": ["La città è più bella di notte", "Caffè e tè perché è lunedì"],
    "Dutch": ["Een ijskoude zee bij IJmuiden", "Cafeïne en crème brûlée in ’t café"],
    "Swedish": ["Älgen står på vägen", "Smörgås med räkor på en ö", "Å är en liten å"],
    "Danish": ["Rødgrød med fløde på æsken", "Blå bølger ved Ærø"],
    "Finnish": ["Järvi jäätyy yöllä", "Kissa istuu pöydällä Åbossa"],
    "Icelandic": ["Þórður á ísnum", "Eyjafjallajökull í maí"],
    "Polish": ["Żółta łódź płynie Wisłą", "Gęś i źrebię na łące"],
    "Czech": ["Žluťoučký kůň u řeky", "Dům s červenou střechou"],
    "Slovak": ["Vôňa kávy a ľalií", "Ďaleká cesta do hôr"],
    "Hungarian": ["Őszi fák a tó körül", "Két fűzfa és egy kék autó"],
    "Romanian": ["Fetița ține o floare", "Un pește în apă, lângă țărm"],
    "Turkish": ["İstanbul'da güneşli bir gün", "Kırmızı şapkalı çocuk, ığdır"],
    "Lithuanian": ["Ąžuolas prie ežero", "Šuo bėga per pievą"],
    "Latvian": ["Kaķis sēž uz žoga", "Ēka pie jūras ar zaļu jumtu"],
    "Vietnamese": ["Một con mèo đen ngồi trên ghế", "Phở bò và cà phê sữa đá"],
    "Greek": ["Ένας σκύλος στην παραλία", "ΟΔΟΣ ΜΕ ΔΕΝΤΡΑ", "Καφές και ψωμί στο τραπέζι"],
    "Russian": ["Собака бежит по пляжу", "ЁЛКА и ёж в лесу", "Чай «Утро» — 50 ₽"],
    "Ukrainian": ["Їжак під яблунею", "Ґанок старої хати є синій"],
    "Serbian": ["Мачка на крову куће", "Đak i čamac, džep, ljubav"],
    "Bulgarian": ["Ябълка върху масата"],
    "Hebrew": ["כלב רץ על החוף", "שָׁלוֹם לכולם"],
    "Arabic": ["قطة سوداء على الكرسي", "مقهى في القاهرة، ٢٠٢٠"],
    "Persian": ["می‌روم به کوه", "چای و نان"],
    "Hindi": ["एक कुत्ता समुद्र तट पर", "लाल क़िला, दिल्ली"],
    "Bengali": ["নদীর ধারে একটি গাছ"],
    "Tamil": ["கடற்கரையில் ஒரு நாய்"],
    "Thai": ["แมวดำนั่งบนเก้าอี้", "กำแพงสีน้ำเงิน"],
    "Korean": ["해변을 달리는 개", "서울의 밤 거리"],
    "Japanese": ["海辺を走る犬", "カフェのコーヒー、300円", "ﾃﾚﾋﾞとﾗｼﾞｵ"],
    "Chinese": ["黑猫坐在椅子上", "一杯咖啡，《晨报》和面包。", "２０２０年１月"],
    "Georgian": ["შავი კატა სკამზე"],
    "Armenian": ["Սև կատու աթոռին"],
    "Amharic": ["ጥቁር ድመት"],
}

SYMBOLS = ["🐕 on the beach 🏖️", "👩‍👩‍👧‍👦 at home", "👍🏽 nice", "🇫🇮🇸🇪 flags", "1️⃣ first", "❤️ ✔ ★ ♫", "¯\\_(ツ)_/¯", "(╯°□°)╯︵ ┻━┻",
           "25 °C ± 2 µm × 3 ≠ ½", "© 2020 Acme® Widget™", "x² + y³ ≤ ∞", "║ box ║ ═══ ▓▒░", "5 ₧, ₤3, ¥400", "№ 5 § 3 ¶", "‹ › « » ¿ ¡",
           "…and so on…", "10′ 5″", "ﷺ", "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f Wales"]

# ------------------------------------------------------------------------------- damaged captions

ONE_BYTE = ["latin-1", "sloppy-windows-1252", "sloppy-windows-1251", "sloppy-windows-1250", "sloppy-windows-1253",
            "sloppy-windows-1254", "sloppy-windows-1257", "iso-8859-2", "macroman", "cp437"]
# Not among those that are tried: nothing may be made of their mojibake, or the wrong thing.
OTHERS = ["cp850", "koi8-r", "sloppy-windows-1256", "sloppy-windows-1258", "iso-8859-15", "shift-jis", "gb18030", "cp866"]


def misread(text, encoding):
    """UTF-8 read in another encoding."""
    return text.encode().decode(encoding, errors="replace")


def cesu8(text):
    """Bytes with each half of a surrogate pair by itself, and Java's U+0000."""
    halves = text.encode("utf-16-le", "surrogatepass")
    units = [chr(int.from_bytes(halves[at:at + 2], "little")) for at in range(0, len(halves), 2)]
    return b"".join(b"\xc0\x80" if u == "\0" else u.encode("utf-8", "surrogatepass") for u in units)


def plain():
    """All that is good."""
    return [caption for captions in LANGUAGES.values() for caption in captions] + SYMBOLS


def mojibake():
    """Each kind of damage on a choice of good captions."""
    good = plain()
    made = []
    for at, caption in enumerate(good):
        made.append(misread(caption, ONE_BYTE[at % len(ONE_BYTE)]))
        made.append(misread(caption, "sloppy-windows-1252"))
    for at, encoding in enumerate(ONE_BYTE + OTHERS):
        made += [misread(caption, encoding) for caption in good[at::29]]
        made.append(misread("“" + good[at] + "” — it’s…", encoding))
    for at, caption in enumerate(good[::4]):
        first, second = ONE_BYTE[at % 7], ONE_BYTE[at * 3 % 10]
        made.append(misread(misread(caption, first), second))
    for caption in good[:12]:
        made.append(misread(misread(misread(caption, "latin-1"), "sloppy-windows-1252"), "latin-1"))
    return made


def lossy():
    """Mojibake that lost something, pieces of several kinds in one text, flawed UTF-8."""
    good = plain()
    quoted = ["“quoted”", "voilà le café", "à la mode", "às cinco", "Àà", "Šťastný", "Рим и Πάρος", "😀 ok", "日本 à", "don’t"]
    made = []
    for caption in quoted + good[::5]:
        made.append(misread(caption, "sloppy-windows-1252").replace("\xa0", " "))
        made.append(misread(caption, "windows-1252"))
        made.append(caption.encode().decode("windows-1252", errors="replace").replace("\ufffd", "?"))
        made.append(misread(caption, "windows-1251"))
    for at, caption in enumerate(good[::6]):
        other = misread(good[-at - 1], ONE_BYTE[at % len(ONE_BYTE)])
        made += [caption + " " + other, other + "\n" + caption, "日本 " + other]
    for encoding in ONE_BYTE[:2] + ONE_BYTE[3:6]:
        for text in ["a 😀 b", "nul\0here", "👍🏽"]:
            made.append(cesu8(text).decode(encoding))
        made += [bytes_.decode(encoding) for bytes_ in
                 (b"caf\xc3\xa9 \xc0\n", b"\xc0", b"\xed\xa0\x80 x", b"\xed", b"\xed\x9f\xbf\xc3\xa9", b"\xf0\x9f\x98 ",
                  b"\xf0 \x9f\x98\x80", b"\xe2 \x80\x99", b"\xe2\x80 ", b"\xc3 quele", b"\xc3  x", b"\xed\xa0\xbd\xed\xb8\n")]
    made += ["Ã ", "Â ", "a Ã b", "x. Â y", "l’Ã©tÃ© Â« bon Â»", "Ã\u0080Ã\u0081日", "Ãƒƒƒƒƒ", "ÃƒÆ’Ã†â€™", "â€œ like this â€\ufffd", "œ", "œuf", "Œ!",
             "\u0080 \u0085 \u0092 \u009d", "It\u0092s \u0093C1\u0094", "caf\u0083 日", "вЂ”", "ГўВЂВ™s", "ГўВЂВ\n", "β€™", "ā€œx", "‚Äôs", "√©", "≈°",
             "×²", "Ø§ÙŠ", "à²¨", "pâté ÂºC", "├⌐t├⌐", "Ї•", "é»’", "ÅÅÅ", "Ångström Å", "naïve ï»¿bom", "ÃÂ", "Ã\u00a0"]
    return made


ENTITIES = ["&amp;", "&AMP;", "&eacute;", "&EACUTE;", "&Eacute;", "&eAcute;", "&SZLIG;", "&NTILDE;", "&OELIG;", "&FRAC12;", "&HELLIP;", "&CHECK;",
            "&check;", "&fjlig;", "&FJLIG;", "&semi;", "&SEMI;", "&lt;", "&LT;", "&Lt;", "&copy", "&COPY;", "&notit;", "&NOTIT;", "&amp&semi;", "&amp;lt;",
            "&amp;amp;amp;amp;", "&#38;#38;#65;", "&#x26;amp;", "&#59;", "&#65;", "&#065", "&#x41;", "&#X41;", "&#xg;", "&#12a;", "&#0;", "&#1;", "&#11;",
            "&#27;[1mbold", "&#127;", "&#128;", "&#x9d;", "&#133;", "&#xd800;", "&#xfffe;", "&#x110000;", "&#99999999999999999999999;",
            "&#999999999999999999999999999;", "&CounterClockwiseContourIntegral;", "&LongRightArrow;", "&DoubleLongLeftRightArrow;", "&NotEqualTilde;",
            "&bogus;", "&BOGUS;", "&;", "&#;", "&&amp;&", "&a\x1b[0mmp;", "&ａｍｐ;", "＆amp;", "&Atilde;&copy;", "&acirc;&euro;&trade;", "&ZWJ;", "&NBSP;",
            "&ffilig;", "&FFILIG;", "&Ccaron;&ccaron;&CCARON;", "&angst;", "&ANGST;"]


def entities():
    """References, alone and in company."""
    made = [f"a {entity} b" for entity in ENTITIES] + ENTITIES[::3]
    made += [f"café {entity}<b>" for entity in ENTITIES[::6]]
    made += ["Tom &amp; Jerry\n<i>R&amp;D</i>\nQ&amp;A", "&lt;p&gt; &amp;eacute; &lt;/p&gt;", "if a<b &amp;&amp; c", "&amp;\n&amp;\n"]
    return made


def characters():
    """Control characters, escapes, breaks, widths, quotes, marks."""
    made = [f"a{chr(code)}b" for code in (*range(0x21), *range(0x7f, 0xa1), 0xad, 0x2bc, 0x34f, 0x61c, 0x180e, *range(0x2000, 0x2010),
                                        *range(0x2018, 0x2030), 0x205f, *range(0x2060, 0x2070), 0x3000, 0xfe0f, 0xfeff, *range(0xfff9, 0xfffe))]
    made.append("".join(f"{chr(code)}." for code in (0x132, 0x133, 0x149, *range(0x1c4, 0x1cd), *range(0x1f1, 0x1f4), *range(0xfb00, 0xfb07))))
    made += ["".join(map(chr, range(start, min(start + 40, 0xfff0)))) for start in range(0xff01, 0xfff0, 40)]
    made += ["\x1b[31mred\x1b[0m", "\x1b[1;31;4mx\x1b[m", "\x1b[", "\x1b[31", "\x1b[?25l", "\x1b[٣m x", "\x1b[\x1b[0m0m", "\x1b]0;t\x07"]
    made += ["a\r\nb\rc\n\rd\r\r\ne", "a\u2028b\u2029c\u0085d\u000be\u000cf", "\r\n", "é\r\n", "\n\n\n", "line one\nschÃ¶n\nline three"]
    made += ["“a” ‘b’ „c‟ ‚d‛ ʼe ′f″ «g» `h´", "rock ’n’ roll", "5’ 10”"]
    made += ["e\u0301 a\u030a o\u0308\u0304", "\u0344", "q\u0323\u0307 q\u0307\u0323", "\u212b \u2126 \u212a", "\u1100\u1161\u11a8", "\u0958 \u095c", "\u2adc \U0001d15e",
             "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dA\u036b\u0357\u0334\u0362", "x" + "\u0300\u0316" * 40]
    made += [string.punctuation, "_snake_case_ and __init__", " _ ", "a_b-c.d", "!?", "{x} [y] (z) <w>", "“¿smart?”", "semi；wide！", string.printable]
    made += [" lead", "trail ", "\x1c in \x1f", "\u00a0\u3000x\u2003", "\u200bzero\u200b", "\ufeffbom", "İI ıi ßẞ", "ΣΑΣ Σ", "ǅ", "\u1e9e", "Ⓐ é»Ⓐ"]
    return made


def strange(count):
    """Random strings, each over a few ranges of characters that are assigned in Unicode 14."""
    dice = random.Random(20260101)
    ranges = [(0x20, 0x7f), (0, 0x100), (0x80, 0x250), (0x250, 0x600), (0x600, 0x1000), (0x1000, 0x2000), (0x2000, 0x2c00), (0x2c00, 0xa000),
              (0xa000, 0xd800), (0xf900, 0x10000), (0x10000, 0x12000), (0x1d000, 0x1fb00)]
    known = [[chr(code) for code in range(*ends) if unicodedata.category(chr(code)) not in ("Cn", "Cs")] for ends in ranges]
    misreadings = "".join(sorted({c for encoding in ONE_BYTE for c in bytes(range(0x80, 0x100)).decode(encoding)}))
    known += [misreadings, misreadings, misreadings + string.printable]
    for _ in range(count):
        pools = dice.sample(known, dice.randint(1, 3))
        yield "".join(dice.choice(dice.choice(pools)) for _ in range(dice.randint(1, 24)))


def hostile():
    """The list of that name in the script that made tokenizer.json, which wants more to run."""
    tree = ast.parse(TRAINING.read_text())
    lists = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "HOSTILE"]
    return eval(compile(ast.Expression(lists[0]), TRAINING, "eval"))  # constants and repeats of them


def captions():
    """All captions, each once."""
    parts = [hostile(), plain(), mojibake(), lossy(), entities(), characters(), strange(120)]
    return list(dict.fromkeys(caption for part in parts for caption in part))


def row(raw):
    """A caption with what becomes of it."""
    cleaned = {name: tokenizer.get_clean_fn(name)(raw) for name in ("lower", "whitespace", "canonicalize")}
    return {"raw": raw, "ftfy": ftfy.fix_text(raw), "basic": tokenizer.basic_clean(raw), **cleaned}


def main():
    for package, pinned in PINNED.items():
        assert version(package) == pinned, f"{package} {version(package)} is not {pinned}"
    rows = [json.dumps(row(raw), ensure_ascii=False) for raw in captions()]
    Path(sys.argv[1]).write_text("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
