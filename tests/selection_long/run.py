"""Every selection method of the program against NumPy in f64, on recorded and generated pairs:

    pip install numpy tokenizers
    python tests/selection_long/run.py target/release/pairgate SHARD... [--pairs 20000] [--keep FOLDER]

The shards (tars with a `.txt` a pair) are scored by the program, which records embeddings; pairs are generated up to
the number, nearly equal and wholly equal ones among them. Then for each method, offline: `select fit`, `select apply` over
the pool and `--frozen`, and `cut --select`, whose journal tells what was measured of each pair.

What must hold, and is counted in the table that is printed:
- values: as the formulas give them on embeddings in int8, to within TOLERANCE; the difference from the formulas on the
  recorded embeddings is what int8 costs, and is told;
- decisions: those of NumPy, over the pool and frozen, but for pairs whose value lies within the tolerance of their cut;
- against the formulas on the recorded embeddings, a scorer decides otherwise only where a value lies within twice the
  largest difference of the cut.

Without the package `tokenizers` the two methods of captions' tokens are left out, and that is said.
"""

import argparse
import html
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

import formulas as f
import pool as pools
import selection_scorers
import state as states
from selection_scorers import int8, unit

try:
    from tokenizers import Tokenizer
except ImportError:
    Tokenizer = None

ROOT = Path(__file__).parents[2]
# Of values about 1: the program multiplies and sums cosines in 32-bit floats, the rest in 64.
TOLERANCE = 2e-6
THRESHOLD = -0.2
PHRASES = ["a naked person", "a gun", "blood on the floor", "a dead animal", "drugs and needles", "a bomb"]


def expect(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


class Check:
    """A pool that passes the threshold, and the program that selects among its pairs."""

    def __init__(self, program, pool, folder):
        self.program, self.folder = program, folder
        self.all, self.pool = pool, pool.where(pool.scores >= np.float32(THRESHOLD))
        self.place = {uid: at for at, uid in enumerate(self.pool.uids)}
        self.scores = self.pool.scores.astype(np.float64)
        self.levels = {}
        for name, of in [("int8", int8), ("exact", lambda rows: rows.astype(np.float64))]:
            self.levels[name] = (of(self.pool.images), of(self.pool.texts))
        self.rows, self.options = [], []
        self.draw = np.random.default_rng(7)

    def run(self, *words):
        words = [str(word) for word in words]
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        expect(done.returncode in (0, 1), f"{' '.join(words)}: {done.stderr}")
        return done.stdout

    def file(self, name, lines):
        path = self.folder / name
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def ask(self, method, *options):
        """What the program makes of a method: the state's parts, what it keeps over the pool and frozen, the values that
        it measured of each pair."""
        state, tar = self.folder / "state.pgsel", self.folder / "pool.tar"
        scores = self.folder / "pool.jsonl"
        common = [f"-t={THRESHOLD}", "--source", tar]
        self.run("select", "fit", scores, "-m", method, "-o", state, *common, *options)
        kept = []
        for more in ([], ["--frozen"]):
            self.run("select", "apply", scores, "--state", state, "-o", self.folder / "kept.npy", *common, *more)
            uids = np.load(self.folder / "kept.npy")
            uids = [f"{int(high):016x}{int(low):016x}" for high, low in uids.tolist()]
            kept.append(f.mask([self.place[uid] for uid in uids], len(self.pool)))
        cut = self.folder / "cut"
        self.run("cut", scores, "--source", tar, "--select", state, f"-t={THRESHOLD}", "--overwrite", "-o", cut)
        records = [json.loads(line) for line in self.run("journal", "cat", cut).splitlines()]
        chosen = [record for record in records if "selection" in record]
        expect([record["uid"] for record in chosen] == self.pool.uids, f"{method}: cut decides on other pairs")
        by_cut = np.array([record["verdict"] == "kept" for record in chosen])
        expect((by_cut == kept[1]).all(), f"{method}: cut --select and apply --frozen differ")
        measured = [record["selection"]["measures"] for record in chosen]
        return states.read(state)[1], kept, np.array(measured, np.float64)

    # ------------------------------------------------------------------------- what is compared

    def values(self, method, found, wanted, exact):
        """Values of the program, and how far they are from the formulas'."""
        scale = np.maximum(1, np.abs(wanted))
        off = (np.abs(found - wanted) / scale).max()
        expect(off <= TOLERANCE, f"{method}: a value is {off:.2e} from the formula")
        return off, np.abs(found - exact).max()

    def decisions(self, method, found, wanted, margin):
        """How many pairs are decided otherwise; all of them lie at their cut."""
        other = found != wanted
        expect((margin[other] <= 2 * TOLERANCE).all(), f"{method}: {other.sum()} pairs differ, {margin[other].max(initial=0):.2e} from the cut")
        return int(other.sum())

    def tell(self, method, offs, offline, frozen, formula):
        told = [f"{off:.1e}" if off is not None else "" for off in offs]
        self.rows.append([f"`{method}`", *told, str(offline), str(frozen), str(formula)])
        print(f"| {' | '.join(self.rows[-1])} |", flush=True)

    def scorer(self, method, value, share, high=True, options=(), measured=True):
        """A scorer's best share. `value(level, parts)` are the formula's values."""
        parts, (offline, frozen), found = self.ask(f"{method} keep {share:.0%}", *options)
        wanted, exact = value("int8", parts), value("exact", parts)
        found = found[:, 0] if measured else self.scores
        offs = self.values(method, found, wanted, exact)
        kept, cut = f.best(wanted, share, high)
        scale = max(1, abs(cut))
        counts = [self.decisions(method, offline, kept, np.abs(wanted - cut) / scale)]
        passes = wanted >= cut if high else wanted <= cut
        counts.append(self.decisions(f"{method}, frozen", frozen, passes, np.abs(wanted - cut) / scale))
        kept, cut = f.best(exact, share, high)
        other = offline != kept
        expect((np.abs(exact - cut)[other] <= 2 * offs[1] + TOLERANCE * scale).all(), f"{method}: a pair far from the cut differs from the formula")
        self.tell(f"{method} keep {share:.0%}", offs, *counts, other.sum())

    # ------------------------------------------------------------------------- scorers

    def score(self):
        self.scorer("score", lambda *_: self.scores, 0.3, measured=False)

    def contrast(self):
        manifest = (ROOT / "models/default/bundle.toml").read_text()
        scale = float(manifest.split("logit_scale = ")[1].split("\n")[0])
        for method, tau, size in [("contrast", 1 / float(np.float32(scale)), 4096), ("contrast tau 0.01 bank 512", 0.01, 512)]:
            bank, own = f.bank_of(self.pool, size)
            weight = (f.BATCH - 1) / len(bank)
            loss = lambda level, _: f.negcliploss(*self.levels[level], self.scores, bank, own, tau, weight)
            self.scorer(method, loss, 0.3)
            whole, places = np.arange(len(self.pool)), np.arange(len(self.pool))
            batch = f.negcliploss(*self.levels["exact"], self.scores, whole, places, tau, (f.BATCH - 1) / (len(whole) - 1))
            kept = [f.best(values, 0.3)[0] for values in (loss("exact", None), batch)]
            print(f"  ({method}: Spearman with the loss over the whole pool {f.spearman(loss('exact', None), batch):.4f}, "
                  f"{(kept[0] != kept[1]).mean():.2%} of the pairs decided otherwise)")

    def targets(self):
        # Not pairs of the pool: those would all be as near as can be.
        rows = self.levels["exact"][0][self.draw.choice(len(self.pool), 600, replace=False)]
        rows = unit(rows + 0.5 * unit(self.draw.normal(size=rows.shape))).astype(np.float16)
        np.save(self.folder / "targets.npy", rows)
        targets = {"int8": int8(rows), "exact": rows.astype(np.float64)}
        options = ["--targets", self.folder / "targets.npy"]
        norm = lambda p: lambda level, _: f.normsim(self.levels[level][0], targets[level], p)
        self.scorer("targets", norm("infinity"), 0.3, options=options)
        self.scorer("targets p 2", norm(2), 0.3, options=options)
        self.scorer("vas", lambda level, parts: norm(2)(level, parts) ** 2, 0.3, options=options)

    def marks(self):
        """Marked pairs, 1,500 at most: those with high scores are good, but for some noise; classes by source."""
        chosen = self.draw.choice(len(self.pool), min(1500, len(self.pool) // 3), replace=False)
        good = self.scores[chosen] + 0.05 * self.draw.normal(size=len(chosen)) > np.median(self.scores)
        kinds = [str(self.pool.sources[place]).split("-")[0] for place in chosen]
        line = lambda place, is_good, kind: json.dumps({"uid": self.pool.uids[place], "mark": "good" if is_good else "bad", "class": kind})
        options = ["--labels", self.file("marks.jsonl", map(line, chosen, good, kinds))]
        order = np.argsort(chosen)
        return chosen[order], good[order], [kinds[at] for at in order], options

    def labelled(self):
        chosen, good, kinds, options = self.marks()
        examples, classes = chosen[good], [kind for kind, is_good in zip(kinds, good) if is_good]

        def nearest(level, parts):
            rows = f.prototypes_of(self.levels[level][0][examples], classes)
            if level == "int8":
                held = parts[0]["prototypes.codes"]
                expect((f.codes(rows) == held).all(), "prototypes: other codes")
                rows = int8(rows)
            return (self.levels[level][0] @ rows.T).max(axis=1)

        self.scorer("prototypes", nearest, 0.3, options=options)
        selection_scorers.PENALTY = 0.01

        def head(joint):
            def probability(level, _):
                images, texts = self.levels[level]
                features = np.hstack([images, texts, images * texts]) if joint else images
                weights, bias = selection_scorers.newton(features[chosen], ~good)
                return 1 / (1 + np.exp(-(features @ weights + bias)))

            return probability

        self.scorer("linear", head(True), 0.3, high=False, options=options)
        self.scorer("linear features image", head(False), 0.3, high=False, options=options)

    def unsafe(self):
        """The basis is the state's, and spans what NumPy's projection does: phrases are no recorded pairs."""
        picture = ROOT / "tests/data/pairs/city.jpg"
        folder = self.folder / "phrases"
        folder.mkdir()
        for number, phrase in enumerate(PHRASES):
            (folder / f"{number}.jpg").write_bytes(picture.read_bytes())
            (folder / f"{number}.txt").write_text(phrase)
        self.run("score", folder, "--rules", "none", "--embeddings", "-o", self.folder / "phrases.jsonl")
        with np.load(self.folder / "phrases.npz") as file:
            phrases = file["text"].astype(np.float64)

        def part(level, parts):
            images, texts = self.levels[level]
            means = [images.mean(axis=0), texts.mean(axis=0)]
            columns = (phrases - means[1]).T
            basis = parts[0]["basis"].astype(np.float64)
            projection = columns @ np.linalg.pinv(columns)
            # The program's phrases are not rounded to 16 bits, and are to 8.
            expect(np.abs(basis.T @ basis - projection).max() < 0.05, "unsafe: another span")
            if level == "int8":
                projection = basis.T @ basis
                means = [parts[0][name].astype(np.float64) for name in ("image_mean", "text_mean")]
                expect(np.abs(means[0] - images.mean(axis=0)).max() < 1e-7, "unsafe: another mean")
            return np.maximum(*[np.linalg.norm((x - m) @ projection, axis=1) for x, m in zip((images, texts), means)])

        self.scorer("unsafe", part, 0.9, high=False, options=["--phrases", self.file("phrases.txt", PHRASES)])

    def tokens(self):
        tokenizer = Tokenizer.from_file(str(ROOT / "models/default/tokenizer.json"))
        clean = lambda caption: " ".join(html.unescape(html.unescape(caption)).split()).lower()
        return [tokenizer.encode(clean(caption), add_special_tokens=False).ids[:46] for caption in self.pool.captions]

    def language(self):
        tokens = self.tokens()
        prior = f.Language(tokens, 3)
        losses = np.array([prior.loss(each) for each in tokens])
        parts, (offline, frozen), found = self.ask("perplexity order 3 within 10% 80%")
        wanted = np.exp(losses)
        offs = self.values("perplexity", found[:, 0], wanted, wanted)
        kept, cuts = f.within(wanted, 0.1, 0.8)
        margin = np.minimum(*[np.abs(wanted - cut) / cut for cut in cuts])
        counts = [self.decisions("perplexity", mask, kept, margin) for mask in (offline, frozen)]
        self.tell("perplexity order 3 within 10% 80%", offs, *counts, (offline != kept).sum())
        chosen, good, _, options = self.marks()
        wanted_captions = f.Language([tokens[place] for place in chosen[good]], 3)
        reduction = losses - np.array([wanted_captions.loss(each) for each in tokens])
        self.scorer("color order 3", lambda *_: reduction, 0.3, options=options)

    # ------------------------------------------------------------------------- pools

    def centroids(self, part):
        return part["centroids.codes"] * part["centroids.scales"].astype(np.float64)[:, None]

    def near(self, level, part):
        return f.nearest(self.levels[level][0], self.centroids(part))

    def clusters(self):
        method = "clusters k 50 keep 30%"
        (part,), (offline, frozen), found = self.ask(method)
        (cluster, distance, _), (other, exact, _) = self.near("int8", part), self.near("exact", part)
        # Two centroids may be as near to within the tolerance; then both are right.
        moved = found[:, 0] != cluster
        expect(moved.sum() <= 3, f"{method}: {moved.sum()} pairs in another cluster")
        offs = self.values(method, found[:, 1], distance, exact)
        (kept, cuts), quotas = f.density(cluster, distance, self.centroids(part), 0.3)
        expect((part["quotas"] == quotas).all(), f"{method}: other quotas")
        margin = np.where(moved, 0, np.abs(distance - cuts[cluster]))
        counts = [self.decisions(method, offline, kept, margin)]
        counts.append(self.decisions(f"{method}, frozen", frozen, distance >= cuts[cluster], margin))
        (kept, _), _ = f.density(other, exact, self.centroids(part), 0.3)
        self.tell(method, offs, *counts, (offline != kept).sum())
        images = self.levels["exact"][0]
        ours = (1 - exact).mean()
        theirs = f.kmeans(images, self.draw.choice(len(images), 50, replace=False), 100)
        print(f"  (k-means: mean cosine to the nearest centroid {ours:.4f}, by NumPy in f64 from other pairs {theirs:.4f})")
        expect(ours > theirs - 0.01, "k-means: worse centroids than NumPy's")

    def duplicates(self):
        method = "duplicates k 50 eps 0.05 ring 16"
        (part,), (offline, frozen), found = self.ask(method)
        everything = np.ones(len(self.pool), bool)
        made = {}
        for level in self.levels:
            first, distance, second = self.near(level, part)
            images = self.levels[level][0]
            made[level] = (distance, f.semdedup(images, first, distance, 0.05, TOLERANCE), f.arriving(images, first, second, 0.05, 16, everything))
        offs = self.values(method, found[:, 1], made["int8"][0], made["exact"][0])
        _, (stay, margin), (kept, margin_there) = made["int8"]
        counts = [self.decisions(method, offline, stay, margin), self.decisions(f"{method}, frozen", frozen, kept, margin_there)]
        formula = made["exact"][1][0]
        self.tell(method, offs, *counts, (offline != formula).sum())
        print(f"  ({offline.sum()} stay, and {formula.sum()} by the recorded embeddings' formula)")

    def together(self):
        """Clusters behind duplicates: the second part is fitted on what the first lets through."""
        method = "all(duplicates k 50 eps 0.1 ring 16, clusters k 20 keep 40%)"
        parts, (offline, frozen), found = self.ask(method)
        kept = {}
        for level in self.levels:
            images = self.levels[level][0]
            first, distance, second = self.near(level, parts[0])
            stay, margin = f.semdedup(images, first, distance, 0.1, TOLERANCE)
            cluster, distance, _ = self.near(level, parts[1])
            (rest, cuts), _ = f.density(cluster[stay], distance[stay], self.centroids(parts[1]), 0.4)
            over_pool = f.mask(np.flatnonzero(stay)[rest], len(stay))
            margin = np.minimum(margin, np.abs(distance - cuts[cluster]))
            kept[level] = over_pool, margin, f.arriving(images, first, second, 0.1, 16, distance >= cuts[cluster])
        over_pool, margin, (arriving, margin_there) = kept["int8"]
        counts = [self.decisions(method, offline, over_pool, margin)]
        counts.append(self.decisions(f"{method}, frozen", frozen, arriving, np.minimum(margin, margin_there)))
        self.tell(method, (None, None), *counts, (offline != kept["exact"][0]).sum())

    def sources(self):
        for power in (1, 0.5):
            method = f"sources by source power {power} keep 30%"
            _, (offline, frozen), _ = self.ask(method)
            (kept, cuts), group = f.by_source(self.pool.sources, self.scores, 0.3, power)
            nowhere = np.full(len(kept), np.inf)
            counts = [self.decisions(method, offline, kept, nowhere)]
            counts.append(self.decisions(f"{method}, frozen", frozen, self.scores >= cuts[group], nowhere))
            self.tell(method, (None, None), *counts, (offline != kept).sum())

    def entries(self):
        words = [f.spaced(caption).split() for caption in self.pool.captions]
        every = {}
        for caption in words:
            for entry in [*caption, *map(" ".join, zip(caption, caption[1:]))]:
                every[entry] = every.get(entry, 0) + 1
        names = sorted(every, key=lambda entry: (-every[entry], entry))[:5000]
        (part,), (offline, frozen), found = self.ask("entries tail 0.2", "--entries", self.file("entries.txt", names))
        counts, threshold, probability = f.metaclip(self.pool.captions, names, 0.2)
        expect((part["counts"] == counts).all() and part["threshold"] == threshold, "entries: other counts, or threshold")
        offs = self.values("entries", found[:, 0], probability, probability)
        drawn = (f.draw(self.pool.uids) >> np.uint64(11)).astype(np.float64) / 2**53
        told = [self.decisions("entries", mask, drawn < probability, np.abs(drawn - probability)) for mask in (offline, frozen)]
        self.tell("entries tail 0.2", offs, *told, (offline != (drawn < probability)).sum())

    def ranks(self):
        method = "ranks(2*contrast bank 512 + score) keep 30%"
        tau = 1 / 22.7995
        parts, (offline, frozen), found = self.ask(method)
        bank, own = f.bank_of(self.pool, 512)
        kept = {}
        for level in self.levels:
            loss = f.negcliploss(*self.levels[level], self.scores, bank, own, tau, (f.BATCH - 1) / len(bank))
            total = 2 * f.ranks(loss) + f.ranks(self.scores)
            kept[level] = loss, total, f.best(total, 0.3)
        (loss, total, (wanted, cut)), (exact, _, (formula, _)) = kept["int8"], kept["exact"]
        offs = self.values(method, found[:, 0], loss, exact)
        # Values nearer to each other than the tolerance may change places: a rank then moves by their number.
        margin = np.abs(total - cut) - 10 / len(total)
        counts = [self.decisions(method, offline, wanted, margin)]
        # A stream has ranks between 1,025 quantiles.
        between = lambda values, frozen: np.interp(values, frozen.astype(np.float64), np.linspace(0, 1, len(frozen)))
        stream = 2 * between(loss, parts[0]["select.quantiles"]) + between(self.scores, parts[1]["select.quantiles"])
        wanted = stream >= parts[2]["select.band"][0]
        margin = np.abs(stream - parts[2]["select.band"][0]) - 1e-3
        counts.append(self.decisions(f"{method}, frozen", frozen, wanted, margin))
        self.tell(method, offs, *counts, (offline != formula).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("shards", nargs="+", type=lambda path: Path(path).resolve())
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="a folder for all files, which stays")
    parser.add_argument("--only", nargs="*", help="methods' names here, in place of all")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        begun = time.monotonic()
        pool = pools.make(args.program, args.shards, args.pairs, args.seed, folder)
        check = Check(args.program, pool, folder)
        print(f"{len(pool)} pairs, {pool.recorded} of them recorded; {len(check.pool)} with a score from {THRESHOLD} on")
        print("| method | value, from int8's formula | from the recorded embeddings' | decided otherwise, pool | frozen | by the recorded embeddings' formula |")
        print("|---|--:|--:|--:|--:|--:|")
        names = ["score", "contrast", "targets", "labelled", "unsafe", "language", "clusters", "duplicates", "together", "sources", "entries", "ranks"]
        for name in args.only or names:
            if name == "language" and not Tokenizer:
                print("(tokenizers is not installed: perplexity and color are left out)")
                continue
            getattr(check, name)()
        print(f"all as NumPy has it, {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
