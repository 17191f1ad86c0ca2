"""Do selection methods help? `python selection.py --pairgate PROGRAM --teacher FILE SHARDS... -o OUT`.

Noisy pools of matched pairs and known noise are scored with their embeddings; every method is fitted on
each pool by `pairgate select fit` and applied to it, alone and behind the score. What each keeps is judged
by how many of it match, and by what a fixed probe learns from it (`probe.py`), against the score alone at
the same number of pairs: paired by seed and test pair, with the smallest difference that the pools can show.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import noise
import pairs as reading
from gate import members, write_tar
from probe import Eyes, Probe

TEST_SHARE, TARGET_SHARE = 0.3, 0.15  # of clean pairs: the probe's test, and what methods are shown as good
FIRST = 1.5  # behind the score: so many times what is kept in the end goes on to the method
# In 95 of 100 means of so many differences the true one is not further off, in standard errors (Student's t).
STUDENT = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}
POWER = 0.84  # standard errors more, to see a difference four times in five

# How each method is written, before the share that it keeps, and what it is shown.
METHODS = {
    "contrast": ("contrast", ()),
    "targets, nearest": ("targets p 100", ("targets",)),
    "targets, p 2": ("targets p 2", ("targets",)),
    "prototypes": ("prototypes", ("labels",)),
    "linear": ("linear", ("labels",)),
    "perplexity": ("perplexity order 3", ("source",)),
    "color": ("color", ("source", "labels")),
    "clusters": ("clusters k 20", ()),
}
# Those that decide by themselves how many they keep.
WHOLE = {
    "duplicates": ("duplicates k 20 eps 0.1", ()),
    "entries": ("entries tail 0.1", ("source", "entries")),
}
# Never without a score filter.
OUTLIERS = ("clusters",)


def say(message):
    print(time.strftime("%H:%M:%S"), message, file=sys.stderr, flush=True)


class Program:
    """The pairgate program in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = str(program), folder

    def run(self, *arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"pairgate {' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def score(self, name, some):
        """Write NAME.tar and its recorded run; `{key number: (uid, score)}`."""
        shard, run = self.folder / f"{name}.tar", self.folder / f"{name}.jsonl"
        write_tar(shard, (file for number, pair in enumerate(some) for file in members(number, pair)))
        self.run("score", shard, "--embeddings", "-o", run)
        lines = [json.loads(line) for line in run.read_text().splitlines()]
        return {int(line["key"]): (line["uid"], line["score"], line["reason"]) for line in lines}

    def select(self, method, shown, threshold=-1.0):
        """Numbers of the pairs that METHOD, fitted on the pool's pairs above a threshold, keeps of these."""
        pool, state, out = (self.folder / name for name in ("pool.jsonl", "state.pgsel", "kept.jsonl"))
        more = [part for name in ("labels", "targets", "entries") if name in shown
                for part in (f"--{name}", self.folder / f"{name}.jsonl")]
        # Marked pairs are part of what is fitted on, not of what is kept.
        runs = ["pool"] + ["marked"] * ("labels" in shown)
        fitted = [self.folder / f"{name}.jsonl" for name in runs]
        source = lambda names: ["--source", *(self.folder / f"{n}.tar" for n in names)] * ("source" in shown)
        everything = ["--threshold", f"{threshold:.6f}"]
        self.run("select", "fit", *fitted, "-m", method, "-o", state, *more, *source(runs), *everything)
        self.run("select", "apply", pool, "--state", state, "-o", out, *source(["pool"]), *everything)
        return np.array(sorted(int(json.loads(line)["key"]) for line in out.read_text().splitlines()), int)


def labels(path, some, found, matched):
    """Marks of pairs whose kind is known, as the report's page writes them."""
    with path.open("w") as out:
        for number, (uid, score, reason) in found.items():
            if reason is None:
                mark = "good" if matched[number] else "bad"
                out.write(json.dumps({"uid": uid, "key": f"{number:08d}", "mark": mark, "score": score}) + "\n")


def choices(program, pool, matched, count, rng):
    """`{method: numbers kept}` of a pool that is written and scored, and its pairs by falling score."""
    found = program.pool
    scores = np.array([-1.0 if found[i][1] is None or found[i][2] else found[i][1] for i in range(len(pool))])
    order, scored = np.argsort(-scores, kind="stable"), int((scores > -1).sum())
    share, first = 100 * count / scored, 100 * FIRST * count / scored
    out = {"score": order[:count],
           "random": rng.choice(np.flatnonzero(scores > -1), count, replace=False),
           "oracle": rng.permutation(np.flatnonzero(matched))[:count]}

    def add(name, method, shown, threshold=-1.0):
        try:
            out[name] = program.select(method, shown, threshold)
        except RuntimeError as why:
            say(f"{name}: {why}")

    for name, (method, shown) in METHODS.items():
        behind = f"{name}, behind the score"
        if name in OUTLIERS:
            add(behind, f"{method} keep {100 / FIRST:.2f}%", shown, scores[order[round(FIRST * count) - 1]])
            continue
        add(f"{name}, alone", f"{method} keep {share:.2f}%", shown)
        add(behind, f"all(score keep {first:.2f}%, {method} keep {100 / FIRST:.2f}%)", shown)
    for name, (method, shown) in WHOLE.items():
        add(f"{name}, alone", method, shown)
        add(f"{name}, behind the score", f"all(score keep {share:.2f}%, {method})", shown)
    return out, order


def one_seed(given, every, eyes, seed):
    """`{method: (kept, share that matches, AUC of the probe, AUC of the score's own choice of as many)}`."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(every))
    cut, shown = round(TEST_SHARE * len(every)), round((TEST_SHARE + TARGET_SHARE) * len(every))
    test, good, train = ([every[i] for i in part] for part in np.split(order, [cut, shown]))
    mixed = noise.pool(train, given.noise, seed)
    pool, matched = [pair for pair, _ in mixed], np.array([kind == "matched" for _, kind in mixed])
    marked = noise.pool(good, given.noise, seed + 1000)
    with tempfile.TemporaryDirectory() as folder:
        program = Program(given.pairgate, Path(folder))
        program.pool = program.score("pool", pool)
        program.score("targets", good)
        found = program.score("marked", [pair for pair, _ in marked])
        labels(Path(folder) / "labels.jsonl", marked, found, [kind == "matched" for _, kind in marked])
        # What captions may speak of: the words of the good pairs, each an entry.
        words = sorted({word for pair in good for word in noise.words(pair.caption)})
        (Path(folder) / "entries.jsonl").write_text("\n".join(words) + "\n")
        count = round((1 - given.noise) * len(pool))
        chosen, order = choices(program, pool, matched, count, rng)

    def ranks(kept):
        matrix = Probe([pool[i] for i in kept], eyes).scores(test, eyes)
        return (matrix < np.diag(matrix)[:, None]).sum(1).mean() / (len(test) - 1)

    bases = {}
    out = {}
    for name, kept in chosen.items():
        if len(kept) < 50:
            say(f"{name}: {len(kept)} pairs are too few")
            continue
        base = bases.setdefault(len(kept), ranks(order[: len(kept)]))
        out[name] = len(kept), float(matched[kept].mean()), float(ranks(kept)), float(base)
    say(f"seed {seed}: {len(out)} choices judged")
    return out


def against(rows, name):
    """Mean difference to the score's own choice of as many pairs over seeds, half of its 95 % interval, and
    the least that would show."""
    differences = np.array([row[name][2] - row[name][3] for row in rows])
    error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else np.inf
    student = STUDENT.get(len(differences), 1.96)
    return float(differences.mean()), float(student * error), float((student + POWER) * error)


def table(rows):
    names = [name for name in rows[0] if all(name in row for row in rows)]
    lines = ["| kept by | pairs | of them matched, % | AUC of the probe | against the score, paired | least that would show |",
             "|---|---|---|---|---|---|"]
    for name in names:
        kept, good, auc = (np.mean([row[name][i] for row in rows]) for i in range(3))
        mean, half, least = against(rows, name)
        other = "" if name == "score" else f"{mean:+.4f} ± {half:.4f}"
        lines.append(f"| {name} | {kept:.0f} | {100 * good:.1f} | {auc:.4f} | {other} | {'' if name == 'score' else f'{least:.4f}'} |")
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path, help="tars, or folders of them")
    parser.add_argument("--pairgate", required=True, type=Path, help="the program")
    parser.add_argument("--teacher", required=True, type=Path, help="an ImageNet MobileNetV2 as .tflite: the probe")
    parser.add_argument("--noise", type=float, default=0.7, help="share of a pool [default: 0.7]")
    parser.add_argument("--seeds", type=int, default=5, help="pools [default: 5]")
    parser.add_argument("--sources", nargs="+", metavar="NAME", default=["flickr8k", "openstax", "alt"])
    parser.add_argument("-o", "--out", type=Path, help="OUT.md")
    return parser.parse_args()


def main():
    given = arguments()
    every = [pair for pair in reading.load(given.shards) if pair.source in given.sources]
    eyes = Eyes(given.teacher)
    rows = [one_seed(given, every, eyes, seed) for seed in range(1, given.seeds + 1)]
    told = f"{len(every)} matched pairs; noise is {100 * given.noise:.0f} % of each pool; {given.seeds} seeds.\n\n" + table(rows)
    print(told)
    if given.out:
        given.out.with_suffix(".md").write_text(told)


if __name__ == "__main__":
    main()
