"""Numbers that the gate's tests compare with: `python parity.py --data DIR --work DIR --out DIR`.

towers.json: embeddings by the PyTorch reference, of inputs any program can make and of dev
pairs (named, never copied). tokenizer.json: made-up and hostile captions, cleaned, and their ids.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch

import data
import evaluate
import text
import towers

SAMPLES = 64
SHARDS = ("flickr8k", "openstax", "alt", "drinks")  # dev pairs are taken from these in turn


def reference(work):
    """The towers with exactly the weights of the bundle."""
    held = torch.load(work / "reference.pt")
    image, text_tower = towers.ImageTower(), towers.TextTower()
    image = towers.fold_batch_norm(image.eval())
    image.load_state_dict(held["image"])
    text_tower.load_state_dict(held["text"])
    return image, text_tower.eval()


def synthetic_pixels(k):
    """Sample `k`: `[3, S, S]` f32 in -2..2, by integer arithmetic and one f64 division."""
    size = towers.IMAGE_SIZE
    i = np.arange(3 * size * size, dtype=np.uint64)
    value = (i * np.uint64(2654435761) + np.uint64(k * 40503)) % np.uint64(2**32)
    return (value.astype(np.float64) / 2**32 * 4 - 2).astype(np.float32).reshape(3, size, size)


def synthetic_ids(k):
    """Sample `k`: SOT, some ids, EOT."""
    count = 1 + k * 5 % 40
    middle = [3 + (j * 7919 + k * 104729) % (towers.VOCABULARY_SIZE - 3) for j in range(count)]
    return [towers.SOT_ID] + middle + [towers.EOT_ID]


def rounded(embedding):
    return [round(float(v), 6) for v in embedding]


def synthetic(image, text_tower):
    """Rows of synthetic inputs; both embeddings are unit vectors."""
    pixels = torch.from_numpy(np.stack([synthetic_pixels(k) for k in range(SAMPLES)]))
    ids = [synthetic_ids(k) for k in range(SAMPLES)]
    a = evaluate.embed(image, pixels)
    b = evaluate.embed(text_tower, torch.from_numpy(text.pad(ids)))
    return [{"k": k, "ids": ids[k], "image": rounded(a[k]), "text": rounded(b[k])}
            for k in range(SAMPLES)]


def dev_pairs(data_folder, tokenizer, image, text_tower):
    """Rows of dev pairs: where to find them and what the towers say; and their prepared pixels,
    `[N, S, S, 3]` u8, which tell towers from decoders but are not to be committed."""
    rows, squares = [], []
    for name in SHARDS:
        shard = data.shards(data_folder / "dev" / name)[0]
        for key, jpeg, meta in list(data.records(shard))[: SAMPLES // len(SHARDS)]:
            ids = text.encode(tokenizer, text.clean(meta["caption"]))
            squares.append(data.prepare(data.decode(jpeg)))
            pixels = torch.from_numpy(squares[-1][None].copy())
            a = evaluate.embed(image, data.normalise(pixels))[0]
            b = evaluate.embed(text_tower, torch.tensor([ids]))[0]
            rows.append({"shard": f"dev/{name}/{shard.name}", "key": key,
                         "jpg_sha256": hashlib.sha256(jpeg).hexdigest(),
                         "image": rounded(a), "text": rounded(b), "score": round(float(a @ b), 6)})
    return rows, np.stack(squares)


ADJECTIVES = ["small", "bright green", "rusty", "striped", "old", "wooden", "very tall", "half-eaten"]
NOUNS = ["kettle", "bicycle", "lighthouse", "cat", "tram", "umbrella", "violin", "waterfall",
         "traffic cone", "notebook"]
PLACES = ["on a kitchen table", "in the snow", "under a bridge", "beside 3 chairs", "at 5:30 pm",
          "near the river's edge", "behind a fence, at dusk", "in a shop window (closed)"]
HOSTILE = [
    "", " ", "   \t\n  ", "\u00a0", "\u2003\u2009", "\u3000", "a\u00a0b\u2003c\u3000d\u2028e\u2029f",
    "tab\tnew\nline\r\nreturn", "a\u0085b", "a\x1cb\x1dc\x1ed\x1fe", "a\x0bb\x0cc",
    "\u1680ogham\u202fnarrow\u205fmath", "zero\u200bwidth", "joined\u200dhere", "a\u200cb", "\ufeffbom",
    "soft\u00adhyphen", "word\u2060joiner", "null\x00inside", "bell\x07 escape\x1b[31m", "\x7f", "a\x80b",
    "\u202eright to left override\u202c", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "mixed \u05d0\u05d1 and latin",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f44d\U0001f3fd thumbs", "\U0001f1eb\U0001f1ee\U0001f1f8\U0001f1ea", "\u2764\ufe0f", "1\ufe0f\u20e3",
    "e\u0301 is \u00e9", "n\u0303", "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324a\u0300l\u0321g\u0362o",
    "\u1112\u1161\u11ab \ud55c", "\u0e01\u0e33\u0e25\u0e31\u0e07", "\u0928\u092e\u0938\u094d\u0924\u0947",
    "\u65e5\u672c\u8a9e\u306e\u5b57\u5e55", "\u4e2d\u6587 \u6807\u9898", "\uff26\uff35\uff2c\uff2c \uff37\uff29\uff24\uff34\uff28 \uff11\uff12\uff13",
    "\ufb01ne \ufb02our \ufb03", "\u00c6on \u0152uvre \u01c4", "\u210c\U0001d526 \U0001d504\U0001d505", "\u2460\u2461",
    "\u0130stanbul \u0131\u015f\u0131k I i", "TITLE I\u0307", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3",
    "\u039f\u0394\u039f\u03a3 \u039f\u0394\u039f\u03a3.", "\u03a3", "A\u03a3", "A\u03a3\u00adB", "A\u03a3'", "\u03a3a", "a.\u03a3", "\u1e9e \u00df STRASSE",
    "\u01c5 titlecase", "\u10a0 \u10d0 \u1c90 georgian", "\u13a0 \uab70 cherokee", "\u2c00 glagolitic", "\U00010400 deseret",
    "\ua7ba", "\u212a kelvin \u212b angstrom", "cafÃ© mojibake â€œquotesâ€\u009d", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "\ufffd\ufffd",
    "tom &amp; jerry", "tom &amp;amp; jerry", "tom &amp;amp;amp; jerry", "a &lt;b&gt; c", "&lt b &gt d", "&amp b", "&ampb",
    "&notit; &not it", "&notin;", "&copy 2020 &copy; &COPY", "&eacute; &eacute &Eacute;", "&nbsp;x&nbsp;y&nbsp", "&hellip;&mdash;",
    "&#65;&#66 &#x43;&#x44 &#X45;", "&#0; nul", "&#128; &#x80; euro", "&#150; dash", "&#xD800; surrogate", "&#x110000; big",
    "&#99999999999999999999;", "&#xFFFE; &#xFFFF;", "&#1; &#11; &#31;", "&#13; &#10; &#9;", "&#x1F600;", "&#; &#x; &; &", "&#a", "&#xg",
    "&bogus; &bogus", "&NotEqualTilde;", "&acE;", "&fjlig;", "&CounterClockwiseContourIntegral;", "&CounterClockwiseContourIntegralx;",
    "&amp;#65; &amp;eacute; &amp;lt;", "&#38;#38;#65;", "&#38;amp;amp;", "&lt;3 &quot;q&quot; &apos;", "AT&T R&D Q&A", "x&y=z&lang=en&reg=1",
    "&AMP;&LT;&GT;&QUOT;", "&Aacute&aacute", "&sup2;&sup2", "&frac12; &frac12x", "a&zwj;b&zwnj;c", "&ensp;&emsp;&thinsp;",
    "<|PAD|> <|SOT|> <|EOT|>", "<|pad|> <|sot|> <|eot|>", "&lt;|EOT|&gt;", "<img src='x' alt=\"y\">", "[CLS] </s> <unk>",
    "https://example.org/a%20b?c=d&e=f#g", "C:\\new\\table", "a/b\\c|d", "don't can't it's we'll I'M THEY'RE O'CLOCK", "\u2018single\u2019 \u201cdouble\u201d",
    "1234567890", "3.14159 1,000,000 -42 1e-9", "\u0661\u0662\u0663 \u0967\u0968", "x\u00b2 + y\u00b2 \u2264 \u221a\u03c0", "!!!???...", "---___---", "....", "'", "\"", "''s 'll",
    "  leading", "trailing  ", "in   the    middle", "supercalifragilistic" * 12, "a" * 2000, "ab " * 700, "\u00e9" * 1000, "\U0001f600" * 500,
    "x " * 46, "x " * 45, "x " * 44, "no" * 100, "\u0301" * 60, "\u200d" * 50, "&amp;" * 400, "&" * 300, "\U000e0041\U000e007f tags", "\ue000 private", "\U0010ffff last",
    "\uffff\ufdd0 nonchars", "\u0600\u06dd", "\u034f", "\u115f\u3164", "\u2800 braille blank", "\u180e mongolian", "ﷺ", "꧅", "\u0130", "I\u0328\u0307", "\u00cc \u1fb3 \u1fbc \u03f4",
]


def captions():
    """500 captions: the hostile ones, then plain made-up ones."""
    plain = [f"A {a} {n} {p}{end}" for p in PLACES for n in NOUNS for a, end in
             zip(ADJECTIVES, (".", "", "!", ", seen from above", " - photo", "?", "...", ""))]
    return (HOSTILE + plain)[:500]


def tokens(tokenizer):
    """Rows of raw caption, cleaned caption and final ids."""
    rows = []
    for raw in captions():
        cleaned = text.clean(raw)
        rows.append({"raw": raw, "cleaned": cleaned, "ids": text.encode(tokenizer, cleaned)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="needed for towers.json only")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tokenizer = text.load_tokenizer(given.work / "tokenizer.json")
    (given.out / "tokenizer.json").write_text(json.dumps({"captions": tokens(tokenizer)}))
    if given.data is None:
        return
    torch.set_num_threads(1)
    pair = reference(given.work)
    dev, squares = dev_pairs(given.data, tokenizer, *pair)
    (given.work / "dev_pixels.bin").write_bytes(squares.tobytes())
    rows = {"image_size": towers.IMAGE_SIZE, "vocabulary_size": towers.VOCABULARY_SIZE,
            "synthetic": synthetic(*pair), "dev": dev}
    (given.out / "towers.json").write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
