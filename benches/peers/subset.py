"""DataComp's basic filter and clip_score fraction on synthetic metadata: pandas, and `pairgate subset`.

    pip install -r tests/golden/requirements-datacomp.txt
    python benches/peers/subset.py [--rows 1000000] [--rounds 3]

pandas works as baselines/apply_filter.py does: one process a table is read in, fastText asked of every
caption, tests as columns, NumPy's sort for the fraction; of a pool it does with one process here, where
the original has one for each core, what --processes sets. Subsets are compared before anything is timed
where both ask the same model. Rounds alternate; ratios are of one round.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests/golden"))

import datacomp  # noqa: E402
import fasttext  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
from datacomp import L14  # noqa: E402

FRACTION = 0.3


def write_pool(folder: Path, rows: int, tables: int) -> None:
    """Metadata as DataComp's are: half of the captions English, sizes and scores as they come."""
    for k in range(tables):
        made = datacomp.table(rows // tables, 100 + k)
        made["text"] = made["text"].fillna("")
        made["uid"] = [f"{number:032x}" for number in map(random.Random(k).getrandbits, [128] * len(made))]
        rng = np.random.default_rng(k)
        for side in ("original_width", "original_height"):
            made[side] = rng.integers(80, 2000, len(made))
        pq.write_table(pa.Table.from_pandas(made, preserve_index=False), folder / f"{k:08}.parquet")


def basic(path: Path, model: Path) -> np.ndarray:
    df = pd.read_parquet(path, columns=["uid", "text", "original_width", "original_height"])
    language = fasttext.load_model(str(model))
    english = df.text.apply(lambda text: language.predict(text.replace("\n", " "))[0][0].split("__label__")[1]) == "en"
    words, characters = df.text.apply(lambda text: len(text.split())), df.text.apply(len)
    short, long = np.minimum(df.original_width, df.original_height), np.maximum(df.original_width, df.original_height)
    uid = df.uid.apply(int, base=16)
    upper, lower = (uid // 2**64).astype("uint64"), (uid % 2**64).astype("uint64")
    uids = np.array(list(zip(upper, lower)), "u8,u8")
    return uids[english & (words > 2) & (characters > 5) & (short >= 200) & (long / short <= 3.0)]


def clip_score(path: Path, threshold: float) -> np.ndarray:
    df = pd.read_parquet(path, columns=["uid", L14])
    kept = df[df[L14] >= threshold]["uid"].values
    return np.array([(int(uid[:16], 16), int(uid[16:32], 16)) for uid in kept], np.dtype("u8,u8"))


def by_pandas(paths: list[Path], model: Path, pool) -> np.ndarray:
    each = map if pool is None else pool.map
    scores = pd.concat(pd.read_parquet(path, columns=[L14]) for path in paths)[L14].values
    threshold = -np.sort(-scores)[int(len(scores) * FRACTION)]
    one = np.concatenate(list(each(Basic(model), paths)))
    two = np.concatenate(list(each(Clip(threshold), paths)))
    return np.intersect1d(one, two)


class Basic:
    def __init__(self, model: Path):
        self.model = model

    def __call__(self, path: Path) -> np.ndarray:
        return basic(path, self.model)


class Clip:
    def __init__(self, threshold: float):
        self.threshold = threshold

    def __call__(self, path: Path) -> np.ndarray:
        return clip_score(path, self.threshold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--tables", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1, help="of pandas")
    parser.add_argument("--model", type=Path, default=ROOT / "tests/data/golden/datacomp/tree.bin", help="a fastText model")
    parser.add_argument("--pairgate", default=str(ROOT / "target/release/pairgate"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "metadata", Path(scratch) / "subset.npy"
        folder.mkdir()
        write_pool(folder, given.rows, given.tables)
        paths = sorted(folder.glob("*.parquet"))
        pool = multiprocessing.Pool(given.processes) if given.processes > 1 else None

        def by_pairgate(*more: str) -> float:
            start = time.perf_counter()
            subprocess.run([given.pairgate, "subset", str(folder), "--filter", "basic,clip_score", "--fraction", str(FRACTION),
                            "-o", str(out), *more], check=True, capture_output=True)
            return time.perf_counter() - start

        def pandas_seconds() -> float:
            start = time.perf_counter()
            by_pandas(paths, given.model, pool)
            return time.perf_counter() - start

        model = ("--language-model", str(given.model))
        by_pairgate(*model)
        expected = by_pandas(paths, given.model, pool)
        assert np.array_equal(np.load(out), expected), "the subsets differ"
        print(f"{given.rows} rows, {len(expected)} uids, the same by both", flush=True)
        seconds = {"pandas": [], "pairgate, fastText model": [], "pairgate, built in": []}
        for _ in range(given.rounds):
            seconds["pandas"].append(pandas_seconds())
            seconds["pairgate, fastText model"].append(by_pairgate(*model))
            seconds["pairgate, built in"].append(by_pairgate())
        for name, taken in seconds.items():
            ratios = [other / own for other, own in zip(seconds["pandas"], taken)]
            print(json.dumps({"who": name, "seconds": [round(s, 3) for s in taken], "median_ratio": round(statistics.median(ratios), 1)}))


if __name__ == "__main__":
    main()
