"""How well a model filters: `python quality.py --pairgate PROGRAM [--model BUNDLE] SHARDS...`.

Matched pairs out of WebDataset shards are mixed with known noise; the pairgate program scores
the pool, and what it would keep is compared with what it should. With `--teacher` a small
probe is trained on what each filter keeps of a noisy pool and tested on clean pairs.

    python models/quality/quality.py --pairgate target/release/pairgate DIR/dev \\
        --teacher DIR/teacher/*.tflite -o quality
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

import measures
import noise
import pairs as reading
from gate import Gate

KEEPS = (0.15, 0.30)
SEEDS = (1, 2, 3)
TEST_SHARE = 0.3  # of clean pairs, for the probe's test


def say(message):
    print(time.strftime("%H:%M:%S"), message, file=sys.stderr, flush=True)


def by_kind(scores, kinds, share):
    """One row for each kind of noise, and for all of it."""
    matched = scores[kinds == "matched"]
    rows = {}
    for kind in [*noise.SHARES, "boilerplate", "all"]:
        wanted = {"boilerplate": np.isin(kinds, noise.BOILERPLATE), "all": kinds != "matched"}
        bad = scores[wanted.get(kind, kinds == kind)]
        rows[kind] = {"pairs": len(bad), "auc": measures.auc(matched, bad),
                      "rejected_at_10": measures.rejected_at_loss(matched, bad, 0.10)}
        rows[kind] |= {f"precision_{keep:.2f}": measures.precision(matched, bad, keep, share)
                       for keep in KEEPS}
    return rows


def filtering(gate, pairs, share):
    """The table of kinds, with and without the rules, over all seeds, and the scores."""
    scores, kinds, ruled = [], [], []
    for seed in SEEDS:
        mixed = noise.pool(pairs, share, seed)
        found, rule = gate.score([pair for pair, _ in mixed])
        scores.append(found), ruled.append(rule)
        kinds.append(np.array([kind for _, kind in mixed]))
        say(f"pool {seed} of {len(SEEDS)}: {len(mixed)} pairs")
    scores, kinds, ruled = map(np.concatenate, (scores, kinds, ruled))
    rejected = np.where(ruled, -1.0, scores)
    return {"model": by_kind(scores, kinds, share),
            "rules and model": by_kind(rejected, kinds, share)}, (scores, kinds)


def retrieval(gate, pairs, limit):
    """Recall both ways and AUC against all others, for each source and for its photos."""
    out = {}
    for source in dict.fromkeys(pair.source for pair in pairs):
        some = [pair for pair in pairs if pair.source == source][:limit]
        scores = gate.all_scores(some)
        photos = np.array([pair.photo for pair in some])
        out[source] = {"pairs": len(some)} | measures.of_matrix(scores)
        if 20 < photos.sum() < len(some):
            out[f"{source}, photos"] = {"pairs": int(photos.sum())} | measures.of_matrix(
                scores[photos][:, photos])
        say(f"every picture of {source} with every caption: {len(some)} x {len(some)}")
    return out


def induced(gate, pairs, share, network):
    """What a probe learns from each filter's choice: its AUC on clean pairs, with intervals."""
    from probe import Eyes, Probe
    eyes, found = Eyes(network), {}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(pairs))
        cut = round(TEST_SHARE * len(pairs))
        test, train = ([pairs[i] for i in part] for part in (order[:cut], order[cut:]))
        mixed = noise.pool(train, share, seed)
        pool, matched = [pair for pair, _ in mixed], np.array([k == "matched" for _, k in mixed])
        scores, ruled = gate.score(pool)
        count = round((1 - share) * len(pool))
        best = np.argsort(np.where(ruled, -1.0, scores))[::-1][:count]
        choices = {"no filter": np.arange(len(pool)),
                   "random": rng.permutation(len(pool))[:count],
                   "basic rules": np.flatnonzero(~ruled),
                   "pairgate": best, "oracle": np.flatnonzero(matched)}
        for name, chosen in choices.items():
            matrix = Probe([pool[i] for i in chosen], eyes).scores(test, eyes)
            # Of each test pair: how many of the other captions score lower.
            each = (matrix < np.diag(matrix)[:, None]).sum(1) / (len(test) - 1)
            row = found.setdefault(name, {"kept": [], "matched": [], "each": []})
            row["kept"].append(len(chosen))
            row["matched"].append(float(matched[chosen].mean()))
            row["each"] += each.tolist()
        say(f"probe, seed {seed} of {len(SEEDS)}")
    rng = np.random.default_rng(0)
    return {name: {"kept": float(np.mean(row["kept"])), "matched": float(np.mean(row["matched"])),
                   "auc": measures.interval(row["each"], rng)} for name, row in found.items()}


def percent(value):
    return f"{100 * value:.1f}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def markdown(report):
    out = [f"{report['pairs']} matched pairs of {', '.join(report['sources'])}; "
           f"noise is {percent(report['noise'])} % of each pool, {len(SEEDS)} pools."]
    for name, rows in report["filtering"].items():
        head = [name, "share of noise, %", "AUC", "precision at keep 15 %, %", "at keep 30 %, %",
                "rejected at 10 % loss, %"]
        out.append(table(head, [
            [kind, percent(noise.SHARES[kind]) if kind in noise.SHARES else "",
             f"{row['auc']:.3f}", percent(row["precision_0.15"]), percent(row["precision_0.30"]),
             percent(row["rejected_at_10"])] for kind, row in rows.items()]))
    if report["retrieval"]:
        head = ["source", "pairs", "AUC", "image to text R@1 / 5 / 10, %", "text to image, %"]
        both = lambda row, way: " / ".join(percent(row[f"{way}@{k}"]) for k in (1, 5, 10))
        out.append(table(head, [[name, row["pairs"], f"{row['auc']:.3f}", both(row, "i2t"),
                                 both(row, "t2i")] for name, row in report["retrieval"].items()]))
    if report["induced"]:
        head = ["filter", "kept", "of them matched, %", "AUC of the probe (95 % interval)"]
        out.append(table(head, [
            [name, f"{row['kept']:.0f}", percent(row["matched"]),
             "{:.3f} ({:.3f} to {:.3f})".format(*row["auc"])]
            for name, row in report["induced"].items()]))
    return "\n\n".join(out) + "\n"


def picture(scores, kinds, path):
    """Histograms of the scores of each kind, above those of matched pairs."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    names = list(noise.SHARES)
    figure, axes = plt.subplots(5, 2, figsize=(9, 10), sharex=True, layout="constrained")
    bins = np.linspace(scores.min(), scores.max(), 50)
    for axis, kind in zip(axes.flat, names):
        for name, colour in (("matched", "tab:blue"), (kind, "tab:red")):
            axis.hist(scores[kinds == name], bins, density=True, alpha=0.6, color=colour, label=name)
        axis.legend(frameon=False)
        axis.set_yticks([])
    for axis in axes[-1]:
        axis.set_xlabel("score")
    figure.savefig(path, dpi=110)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path, help="tars, or folders of them")
    parser.add_argument("--pairgate", required=True, type=Path, help="the program")
    parser.add_argument("--model", type=Path, help="a bundle in place of the one in the program")
    parser.add_argument("--noise", type=float, default=0.7, help="share of a pool [default: 0.7]")
    parser.add_argument("--sources", nargs="+", metavar="NAME", default=["flickr8k", "openstax", "alt"],
                        help="folders whose pairs make the pools [default: flickr8k openstax alt; "
                             "all, where none of them is there]")
    parser.add_argument("--retrieval", type=int, default=600, metavar="N",
                        help="most pairs of a source that are all scored with each other; 0 for "
                             "none [default: 600]")
    parser.add_argument("--teacher", type=Path, help="an ImageNet MobileNetV2 as .tflite: the probe")
    parser.add_argument("-o", "--out", type=Path, help="OUT.md, OUT.json and OUT.png")
    return parser.parse_args()


def main():
    given = arguments()
    every = reading.load(given.shards)
    pairs = [pair for pair in every if pair.source in given.sources] or every
    if len(pairs) < 50:
        sys.exit(f"{len(pairs)} pairs in {', '.join(map(str, given.shards))}: 50 are needed")
    gate = Gate(given.pairgate, given.model)
    filtered, (scores, kinds) = filtering(gate, pairs, given.noise)
    report = {"pairs": len(pairs), "sources": sorted({pair.source for pair in pairs}),
              "noise": given.noise, "filtering": filtered,
              "induced": induced(gate, pairs, given.noise, given.teacher) if given.teacher else {},
              "retrieval": retrieval(gate, every, given.retrieval) if given.retrieval else {}}
    print(markdown(report))
    if given.out:
        given.out.with_suffix(".md").write_text(markdown(report))
        given.out.with_suffix(".json").write_text(json.dumps(report, indent=1))
        picture(scores, kinds, given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
