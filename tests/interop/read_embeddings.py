"""Recorded embeddings in NumPy: the arrays of `score --embeddings` against the scores beside them.

    pairgate score tests/data/pairs -o s/scores.jsonl --embeddings
    pairgate filter tests/data/pairs -o kept --threshold 0 --embeddings kept
    python tests/interop/read_embeddings.py s/scores.jsonl kept

Each row has its line's uid, its product in f64 is the line's score but for the rounding to 16 bits, it is NaN where
the line has no score, and each shard's rows are those of the scores. Values begin at a multiple of 64 bytes.
"""

import argparse
import json
import zipfile
from pathlib import Path

import numpy as np


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path)
    parser.add_argument("kept", type=Path)
    args = parser.parse_args()
    lines, beside = lines_of(args.scores), args.scores.with_suffix(".npz")
    with np.load(beside, allow_pickle=False) as file:
        image, text, uid = file["image"], file["text"], file["uid"].astype(str)
        assert file.files == ["image", "text", "uid", "model", "covers"], file.files
        assert (file["covers"][()], len(file["model"][()])) == (b"all", 64)
    assert image.dtype == text.dtype == np.float16 and image.shape == text.shape
    assert uid.tolist() == [line["uid"] for line in lines]
    products = (image.astype("f8") * text.astype("f8")).sum(axis=1)
    scored = np.array([line["score"] is not None for line in lines])
    assert (np.isnan(products) == ~scored).all() and scored.any()
    scores = np.array([line["score"] for line in lines], dtype="f8")
    furthest = np.abs(products - scores)[scored].max()
    assert furthest < 2e-3, furthest
    with zipfile.ZipFile(beside) as archive:
        assert archive.testzip() is None
        for member in archive.infolist():
            assert member.compress_type == zipfile.ZIP_STORED and member.date_time == (1980, 1, 1, 0, 0, 0)
    place = {name: row for row, name in enumerate(uid)}
    rows = 0
    for shard in sorted(args.kept.glob("*.npz")):
        with np.load(shard, allow_pickle=False) as file:
            assert file["covers"][()] == b"kept"
            found = [place[name] for name in file["uid"].astype(str)]
            assert np.array_equal(file["image"], image[found]) and np.array_equal(file["text"], text[found])
            rows += len(found)
    print(f"{len(lines)} rows, {rows} of them kept; products differ from scores by at most {furthest:.1e}")


if __name__ == "__main__":
    main()
