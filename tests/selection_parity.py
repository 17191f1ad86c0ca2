"""How many pairs are decided otherwise by a frozen state than over the pool, method by method.

    python selection_parity.py PAIRGATE SHARDS... [--threshold X] [--fit-on SHARDS...]

The shards are scored once with their embeddings. Each method is fitted on all of them, or on those of --fit-on,
and decides on all: over the pool, where shares are exact, and pair by pair. Prints a table.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

METHODS = [
    "score keep 30%",
    "contrast keep 30%",
    "clusters k 50 keep 30%",
    "all(score keep 60%, clusters k 50 keep 50%)",
    "any(contrast keep 20%, clusters k 50 keep 20%)",
    "ranks(2*contrast + score) keep 30%",
    "perplexity order 3 within 10% 80%",
    "sources by source keep 30%",
    "sources by source power 0 keep 30%",
    "sources by source follow 1 keep 30%",
    "duplicates k 50 eps 0.05",
    "duplicates k 50 eps 0.2",
    "all(duplicates k 50 eps 0.1, clusters k 50 keep 40%)",
]


def main():
    """Scores, fits, applies, prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pairgate", type=Path)
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--threshold", default="0.1")
    parser.add_argument("--fit-on", nargs="*", help="shards that methods are fitted on; default: all")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def run(*words):
            subprocess.run([args.pairgate, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

        def score(name, shards):
            run("score", *shards, "--embeddings", "-o", folder / name)
            return folder / name

        run_of_all = score("all.parquet", args.shards)
        fit_on, fit_shards = run_of_all, args.shards
        if args.fit_on:
            fit_on, fit_shards = score("fit.parquet", args.fit_on), args.fit_on
        print(f"| {'method':<54} | offline | frozen | differ |")
        print(f"|{'-' * 56}|--------:|-------:|-------:|")
        for method in METHODS:
            state = folder / "a.pgsel"
            run("select", "fit", fit_on, "-m", method, "-t", args.threshold, "-o", state, "--source", *fit_shards)
            kept = []
            for name, more in [("offline", []), ("frozen", ["--frozen"])]:
                output = folder / f"{name}.npy"
                common = ["--state", state, "-t", args.threshold, "-o", output, "--source", *args.shards]
                run("select", "apply", run_of_all, *common, *more)
                # Past NumPy's header, whose length stands in it: a uid is 16 bytes.
                data = output.read_bytes()
                data = data[10 + int.from_bytes(data[8:10], "little") :]
                kept.append({data[at : at + 16] for at in range(0, len(data), 16)})
            everything = kept_of(args, run_of_all, folder, run)
            offline, frozen = (len(found) / everything for found in kept)
            differ = len(kept[0] ^ kept[1]) / everything
            print(f"| {'`' + method + '`':<54} | {offline:6.2%} | {frozen:5.2%} | {differ:5.2%} |")


def kept_of(args, scores, folder, run):
    """Pairs that pass the threshold."""
    state, output = folder / "pool.pgsel", folder / "pool.npy"
    if not output.exists():
        run("select", "fit", scores, "-m", "score >= -1", "-t", args.threshold, "-o", state)
        run("select", "apply", scores, "--state", state, "-t", args.threshold, "-o", output)
    data = output.read_bytes()
    return (len(data) - 10 - int.from_bytes(data[8:10], "little")) // 16


main()
