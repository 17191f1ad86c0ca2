"""Golden values from fastText, pandas and NumPy: DataComp's filters over metadata of our own.

    pip install -r tests/golden/requirements-datacomp.txt
    python tests/golden/datacomp.py tests/data/golden/datacomp          writes the golden files
    python tests/golden/datacomp.py --check target/release/pairgate     compares 100,000 rows
    python tests/golden/datacomp.py --agreement target/release/pairgate ENGLISH.txt OTHER.txt ...

The rules are those of `baselines/apply_filter.py` in mlfoundations/datacomp, in its own terms: fastText
predicts a caption whose line breaks are blanks, `len(text.split())`, `len(text)`, NumPy's minimum,
maximum, division, sort and comparison, argmax of a product. Where its script would end in an exception
(a null caption, one of no known word), the row is not kept. Languages are told by a small model trained
here; gcld3, which the script asks for laion2b, is that model too.

--agreement trains a larger model on half of ENGLISH.txt and our captions in other languages, and counts
on the other half, on held-back captions and on the files behind it how often the identifier built into
pairgate says the same of a caption: English or not.
"""

import argparse
import json
import random
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

import fasttext
import languages
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

PINNED = {"fasttext-wheel": "0.9.2", "numpy": "1.26.4", "pandas": "2.3.3", "pyarrow": "19.0.1"}
SIZE, CENTROIDS = 16, 40
fasttext.FastText.eprint = lambda x: None

NASTY = ["", " ", "a", "ab", "abcdef", "abcde", "a b", "a b c", "a b c d", "a\nb", "abcdef\n", "abcdefg\n", "\nabcdefg", "a b\nc d e f",
         "a dog on\nthe beach with a ball", "a\u00a0brown\u3000dog sitting", "the\x1cblack\x1dcat\x1esleeping\x1fby the window", "the\u200bblack\u200bcat", "\ufeffa brown dog running",
         "two children\u2028eating\u2029an apple", "a\x85brown\x85dog", "🐕🐕🐕 🐕 🐕🐕", "a dog 🐕 on the beach 🏖️", "👩‍👩‍👧‍👦 at home now", "é", "ééé éé é", "e\u0301e\u0301e\u0301 a b",
         "\x00nul\x00 in\x00 here", "tab\there\tand there", "\v\f\r\n", "   a brown    dog  ", "a " * 400, "word" * 2000, "https://example.com/a?b=c&d=e", "IMG_0001.JPG", "12345 67890 111",
         "__label__en a brown dog", "</s> a brown dog running", "a brown dog </s> en la playa", "__label__xx __label__de", "<p>a brown dog</p>", "A BROWN DOG RUNNING ON THE BEACH",
         "黑猫坐在椅子上", "海辺を走る犬", "Собака бежит", "שלום עולם טוב", "สวัสดี ชาว โลก", "नमस्ते दुनिया अच्छी", "mixed 犬 and собака words here", "\U0001f3f4\U000e0067\U000e0062 x y z"]


def texts(count: int, dice: random.Random) -> list[str]:
    """Captions in all languages, nasty ones, and pieces of both."""
    sets = {language: languages.captions(language) for language in languages.PHRASES}
    made = []
    while len(made) < count:
        kind = dice.random()
        if kind < 0.1:
            made.append(dice.choice(NASTY))
        elif kind < 0.2:
            words = " ".join(dice.choice(sets[dice.choice(list(sets))]) for _ in range(2)).split()
            made.append(dice.choice([" ", "\n", "\t", "\u2003"]).join(dice.sample(words, dice.randint(1, len(words)))))
        else:
            language = "en" if dice.random() < 0.6 else dice.choice(list(sets))
            made.append(dice.choice(sets[language]))
    return made


# ------------------------------------------------------------------------------- models

MODELS = {
    "softmax.bin": ({"loss": "softmax", "minn": 2, "maxn": 4, "bucket": 1500, "dim": 8}, None),
    "tree.bin": ({"loss": "hs", "minn": 1, "maxn": 3, "bucket": 1000, "dim": 6}, None),
    "words.bin": ({"loss": "hs", "minn": 0, "maxn": 0, "wordNgrams": 3, "bucket": 1500, "dim": 5}, None),
    "pruned.ftz": ({"loss": "hs", "minn": 2, "maxn": 4, "bucket": 20000, "dim": 16}, {"cutoff": 2500, "qnorm": True, "dsub": 2}),
    "codes.ftz": ({"loss": "softmax", "minn": 2, "maxn": 3, "bucket": 1500, "dim": 8}, {"dsub": 3}),
    # An output matrix is quantized where it has 256 labels: captions of one language get 20 here.
    "labels.ftz": ({"loss": "softmax", "minn": 2, "maxn": 3, "bucket": 1500, "dim": 8}, {"qout": True, "qnorm": True, "dsub": 3}),
}


def training_file(path: Path, rows: list[tuple[str, str]], dice: random.Random) -> None:
    dice.shuffle(rows)
    path.write_text("".join(f"__label__{label} {caption}\n" for label, caption in rows))


def train(folder: Path, scratch: Path) -> None:
    dice = random.Random(20260101)
    rows = [(language, caption) for language in languages.PHRASES for caption in dice.sample(languages.captions(language), 300)]
    path, fine = scratch / "captions.txt", scratch / "fine.txt"
    training_file(path, rows, dice)
    training_file(fine, [(f"{language}{sum(caption.encode()) % 20}", caption) for language, caption in rows], dice)
    for name, (settings, quantize) in MODELS.items():
        path = str(fine if name == "labels.ftz" else scratch / "captions.txt")
        model = fasttext.train_supervised(path, epoch=15, lr=0.5, thread=1, verbose=0, minCount=2, seed=1, **settings)
        if quantize is not None:
            model.quantize(input=path, verbose=0, **quantize)
        model.save_model(str(folder / name))


def predict(model: "fasttext.FastText", text: str) -> tuple[str | None, float]:
    labels, chances = model.predict(text.replace("\n", " "))
    return (labels[0], float(chances[0])) if labels else (None, 0.0)


# ------------------------------------------------------------------------------- metadata

def table(rows: int, seed: int) -> pd.DataFrame:
    """Rows with all that is awkward, but uids that DataComp's script can read."""
    dice, rng = random.Random(seed), np.random.default_rng(seed)
    uids = [f"{dice.getrandbits(128):032x}" for _ in range(rows)]
    uids[:4] = ["0" * 32, "f" * 32, "0" * 16 + "f" * 16, "f" * 16 + "0" * 16]
    for _ in range(rows // 100):
        uids[dice.randrange(rows)] = uids[dice.randrange(rows)]
    text = pd.Series(texts(rows, dice), dtype=object)
    text[rng.random(rows) < 0.02] = None
    sides = np.array([0, 1, 66, 67, 199, 200, 201, 399, 400, 599, 600, 601, 603, 1024, 4000, 2**31, 2**33])
    likely = lambda: np.where(rng.random(rows) < 0.5, rng.choice(sides, rows), rng.integers(150, 900, rows))
    score = lambda: np.round(rng.normal(0.22, 0.06, rows), 3).astype("f4")
    made = pd.DataFrame({"uid": uids, "url": "https://example.com/x.jpg", "text": text,
                         "original_width": likely(), "original_height": likely(),
                         "clip_b32_similarity_score": score(), "clip_l14_similarity_score": score()})
    made["clip_b32_similarity_score"] = np.where(rng.random(rows) < 0.02, np.float32("nan"), made.clip_b32_similarity_score)
    made.loc[rng.random(rows) < 0.001, "clip_l14_similarity_score"] = np.float32("inf")
    made.loc[rng.random(rows) < 0.001, "clip_l14_similarity_score"] = np.float32("-inf")
    made["half"] = made.clip_b32_similarity_score.astype("f2")
    made["double"] = rng.normal(0.2, 0.1, rows).round(4)
    made["whole"] = rng.integers(-3, 4, rows)
    return made


FORMS = [{"compression": "snappy"}, {"compression": "zstd", "use_dictionary": False}, {"compression": "gzip", "data_page_version": "2.0"},
         {"compression": "lz4"}, {"compression": "none", "column_encoding": {"uid": "DELTA_BYTE_ARRAY", "text": "DELTA_LENGTH_BYTE_ARRAY"}, "use_dictionary": False}]


def write_pool(folder: Path, rows: int, files: int, seed: int) -> None:
    """Tables of every compression; some with nulls among sizes and scores, which are floats then."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    centroids = rng.normal(size=(CENTROIDS, SIZE)).astype("f4")
    centroids[11] = centroids[7]  # of equal products the first counts
    for k in range(files):
        count = rows * (k + 1) // files - rows * k // files
        made = table(count, seed * 1000 + k)
        nulls = {"original_width": rng.random(count) < 0.02, "clip_l14_similarity_score": rng.random(count) < 0.03} if k % 2 else {}
        columns = {name: pa.array(column, mask=nulls.get(name)) if name in nulls else pa.array(column) for name, column in made.items()}
        boxes = pa.array([[[0.1, 0.2, 0.3, 0.4]]] * count, type=pa.list_(pa.list_(pa.float64())))
        pq.write_table(pa.table({**columns, "face_bboxes": boxes}), folder / f"{k:08}.parquet",
                       row_group_size=max(count // 3, 1), **FORMS[k % len(FORMS)])
        near = rng.integers(0, CENTROIDS, count)
        images = (centroids[near] + rng.normal(scale=0.7, size=(count, SIZE))).astype("f2")
        images[0], images[1] = 0, np.nan
        save = np.savez_compressed if k % 2 else np.savez
        save(folder / f"{k:08}.npz", b32_img=images[:, :3], l14_img=images, l14_txt=images[::-1])
    np.save(folder / "centroids.npy", centroids)
    np.save(folder / "targets.npy", np.array([0, 3, 7, 8, 9, 21, 22, 30, 38]))


# ------------------------------------------------------------------------------- DataComp's rules

class Pool:
    """The tables, as DataComp's script reads them."""

    def __init__(self, folder: Path, model: Path):
        self.paths = sorted(folder.glob("*.parquet"))
        self.tables = [pd.read_parquet(path) for path in self.paths]
        self.centroids, self.targets = np.load(folder / "centroids.npy"), np.load(folder / "targets.npy")
        language = fasttext.load_model(str(model))
        self.english = [np.array([t is not None and predict(language, t)[0] == "__label__en" for t in table.text]) for table in self.tables]

    def basic(self, k: int) -> np.ndarray:
        df = self.tables[k]
        words = np.array([len(t.split()) if t is not None else 0 for t in df.text])
        characters = np.array([len(t) if t is not None else 0 for t in df.text])
        short, long = np.minimum(df.original_width, df.original_height), np.maximum(df.original_width, df.original_height)
        with np.errstate(divide="ignore", invalid="ignore"):
            aspect = long / short
        return (self.english[k] & (words > 2) & (characters > 5) & (short >= 200) & (aspect <= 3.0)).to_numpy()

    def threshold(self, column: str, fraction: float):
        values = pd.concat([table[[column]] for table in self.tables])[column].values
        return -np.sort(-values)[int(len(values) * fraction)]

    def score(self, k: int, column: str, threshold) -> np.ndarray:
        return (self.tables[k][column] >= threshold).to_numpy()

    def image_based(self, k: int) -> np.ndarray:
        df = self.tables[k]
        caption = np.array([t is not None and len(fasttext.tokenize(t)) > 1 and len(t) > 5 for t in df.text])
        # In double precision: in single, BLAS makes the products with two equal centroids differ now and then.
        images = np.load(self.paths[k].with_suffix(".npz"))["l14_img"].astype("f8")
        products = (images @ self.centroids.T.astype("f8")).astype("f4")
        return self.english[k] & caption & np.isin(np.argmax(products, axis=1), self.targets)

    def uids(self, masks: list[np.ndarray]) -> np.ndarray:
        """The subset: sorted, and as often as rows have a uid."""
        kept = [uid for table, mask in zip(self.tables, masks) for uid in table.uid[mask]]
        uids = np.array([(int(uid[:16], 16), int(uid[16:32], 16)) for uid in kept], np.dtype("u8,u8"))
        uids.sort()
        return uids


B32, L14 = "clip_b32_similarity_score", "clip_l14_similarity_score"
IMAGE = ["--centroids", "{pool}/centroids.npy", "--targets", "{pool}/targets.npy"]


def cases(pool: Pool) -> dict:
    """Each case's arguments, and the mask of each table."""
    every = range(len(pool.tables))
    share = {(column, f): pool.threshold(column, f) for column, f in
             [(L14, 0.3), (B32, 0.3), (L14, 0.15), (B32, 0.985), ("double", 0.1), ("half", 0.25), ("whole", 0.4), (L14, 0.001)]}
    fraction = lambda column, f: [pool.score(k, column, share[column, f]) for k in every]
    both = lambda a, b: [x & y for x, y in zip(a, b)]
    basic, image = [pool.basic(k) for k in every], [pool.image_based(k) for k in every]
    laion = [pool.english[k] & pool.score(k, B32, 0.28) for k in every]
    clip = ["--filter", "clip_score"]
    return {
        "no_filter": (["--filter", "no_filter"], [np.ones(len(t), bool) for t in pool.tables]),
        "basic": (["--filter", "basic"], basic),
        "laion2b": (["--filter", "laion2b"], laion),
        "clip_l14_threshold": ([*clip, "--threshold", "0.22"], [pool.score(k, L14, 0.22) for k in every]),
        "clip_b32_threshold": ([*clip, "--arch", "b32", "--threshold", "0.28"], [pool.score(k, B32, 0.28) for k in every]),
        "clip_l14_30": ([*clip, "--fraction", "30%"], fraction(L14, 0.3)),
        "clip_b32_30": ([*clip, "--arch", "b32", "--fraction", "0.3"], fraction(B32, 0.3)),
        "clip_b32_past_numbers": ([*clip, "--arch", "b32", "--fraction", "0.985"], fraction(B32, 0.985)),
        "clip_l14_few": ([*clip, "--fraction", "0.001"], fraction(L14, 0.001)),
        "double_10": ([*clip, "--score-column", "double", "--fraction", "0.1"], fraction("double", 0.1)),
        "half_25": ([*clip, "--score-column", "half", "--fraction", "25%"], fraction("half", 0.25)),
        "half_threshold": ([*clip, "--score-column", "half", "--threshold", "0.22"], [pool.score(k, "half", np.float16(0.22)) for k in every]),
        "whole_40": ([*clip, "--score-column", "whole", "--fraction", "40%"], fraction("whole", 0.4)),
        "image_based": (["--filter", "image_based", *IMAGE], image),
        "basic_and_clip": (["--filter", "basic,clip_score", "--fraction", "15%"], both(basic, fraction(L14, 0.15))),
        "datacomp_1b": (["--filter", "image_based", *clip, *IMAGE, "--fraction", "30%"], both(image, fraction(L14, 0.3))),
        "all": (["--filter", "basic,laion2b,image_based,clip_score", *IMAGE, "--fraction", "30%"],
                both(both(basic, laion), both(image, fraction(L14, 0.3)))),
    }


# ------------------------------------------------------------------------------- the three jobs

def write(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        train(out, Path(scratch))
    dice = random.Random(7)
    asked = list(dict.fromkeys(NASTY + texts(400, dice)))
    told = {name: [predict(model, text) for text in asked] for name in MODELS for model in [fasttext.load_model(str(out / name))]}
    (out / "predictions.json").write_text(json.dumps({"texts": asked, "best": told}, ensure_ascii=True) + "\n")
    write_pool(out / "metadata", 1500, 5, 3)
    pool = Pool(out / "metadata", out / "softmax.bin")
    (out / "subsets").mkdir(exist_ok=True)
    arguments = {}
    for name, (given, masks) in cases(pool).items():
        np.save(out / "subsets" / f"{name}.npy", pool.uids(masks))
        arguments[name] = given
    (out / "cases.json").write_text(json.dumps(arguments, indent=1) + "\n")


def check(pairgate: str, rows: int, golden: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "metadata"
        write_pool(folder, rows, 7, 11)
        model = golden / "softmax.bin"
        pool = Pool(folder, model)
        wrong = 0
        for name, (given, masks) in cases(pool).items():
            expected, found = Path(scratch) / "expected.npy", Path(scratch) / "found.npy"
            np.save(expected, pool.uids(masks))
            given = [word.format(pool=folder) for word in given]
            subprocess.run([pairgate, "subset", str(folder), "-o", str(found), "--repeats", "--language-model", str(model), *given],
                           check=True, capture_output=True)
            same = expected.read_bytes() == found.read_bytes()
            wrong += not same
            kept = [set(np.load(path).tolist()) for path in (expected, found)]
            print(f"{name:24} {len(np.load(expected)):>7} uids {'equal' if same else f'DIFFER: {len(kept[0] - kept[1])} missing, {len(kept[1] - kept[0])} too many'}")
    print(f"{rows} rows, {wrong} subsets differ")
    raise SystemExit(wrong > 0)


def english_by_pairgate(pairgate: str, captions: list[str], scratch: Path, extra: list[str]) -> np.ndarray:
    """laion2b with a score that always passes is the language test alone."""
    table = pa.table({"uid": [f"{k:032x}" for k in range(len(captions))], "text": captions, B32: pa.array(np.ones(len(captions), "f4"))})
    pq.write_table(table, scratch / "captions.parquet")
    subprocess.run([pairgate, "subset", str(scratch / "captions.parquet"), "--filter", "laion2b", "-o", str(scratch / "en.npy"), *extra],
                   check=True, capture_output=True)
    mask = np.zeros(len(captions), bool)
    mask[np.load(scratch / "en.npy")["f1"].astype(int)] = True
    return mask


def agreement(pairgate: str, files: list[Path]) -> None:
    dice = random.Random(5)
    english = [line for line in files[0].read_text().split("\n") if line.strip()]
    dice.shuffle(english)
    half = min(len(english) // 2, 20000)
    others, held = [], {}
    for language in languages.PHRASES:
        captions = languages.captions(language)
        dice.shuffle(captions)
        if language != "en":
            others += [(language, caption) for caption in captions[:700]]
            held[language] = captions[700:]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        path = str(scratch / "captions.txt")
        training_file(scratch / "captions.txt", [("en", caption) for caption in english[:half]] + others, dice)
        model = fasttext.train_supervised(path, epoch=5, lr=0.2, dim=16, minn=2, maxn=4, bucket=200000, loss="hs", thread=1, verbose=0, seed=1)
        model.save_model(str(scratch / "model.bin"))
        sets = {files[0].name: english[half:half + 20000]}
        sets |= {file.name: [line for line in file.read_text().split("\n") if line.strip()] for file in files[1:]}
        sets |= {"other languages": [caption for captions in held.values() for caption in captions]}
        print(f"{'captions':>24} {'agree':>8} {'English: fastText':>18} {'built in':>9}   pairgate with the model, against fastText")
        for name, captions in sets.items():
            theirs = np.array([predict(model, caption)[0] == "__label__en" for caption in captions])
            ours = english_by_pairgate(pairgate, captions, scratch, [])
            read = english_by_pairgate(pairgate, captions, scratch, ["--language-model", str(scratch / "model.bin")])
            print(f"{name:>17} {len(captions):>6} {100 * np.mean(ours == theirs):>7.2f}% {100 * theirs.mean():>17.2f}% {100 * ours.mean():>8.2f}%   {100 * np.mean(read == theirs):.3f}%")


def main() -> None:
    for name, wanted in PINNED.items():
        assert version(name) == wanted, f"{name} {version(name)}, not {wanted}"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", help="the folder to write; with --agreement, text files")
    job = parser.add_mutually_exclusive_group()
    job.add_argument("--check", action="store_true", help="PATH is the binary")
    job.add_argument("--agreement", action="store_true", help="the first PATH is the binary")
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    if given.check:
        check(str(given.paths[0]), given.rows, Path(__file__).parents[1] / "data/golden/datacomp")
    elif given.agreement:
        agreement(str(given.paths[0]), given.paths[1:])
    else:
        write(given.paths[0])


if __name__ == "__main__":
    main()
