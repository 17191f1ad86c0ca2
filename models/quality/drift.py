"""How far two runs over the same pairs differ in their scores.

    pairgate score SHARDS -o exact.jsonl
    pairgate score SHARDS --decode scaled -o scaled.jsonl
    python models/quality/drift.py exact.jsonl scaled.jsonl

Prints the mean and the largest difference, the rank correlation, and how many of the best 15 % are others.
Needs Python alone.
"""

import json
import sys
from pathlib import Path
from statistics import correlation, fmean

KEEP = 0.15


def scores(path):
    lines = map(json.loads, Path(path).read_text().splitlines())
    return {(line["shard"], line["key"]): line["score"] for line in lines if line["score"] is not None}


def ranks(values):
    order = sorted(range(len(values)), key=values.__getitem__)
    places = [0] * len(values)
    for place, index in enumerate(order):
        places[index] = place
    return places


def best(values):
    count = max(1, int(len(values) * KEEP))
    return set(sorted(range(len(values)), key=values.__getitem__, reverse=True)[:count])


def main():
    first, second = map(scores, sys.argv[1:])
    pairs = sorted(first.keys() & second.keys())
    a, b = [first[pair] for pair in pairs], [second[pair] for pair in pairs]
    differences = [abs(x - y) for x, y in zip(a, b)]
    changed = len(best(a) - best(b))
    print(f"{len(pairs)} pairs of {len(first)} and {len(second)}")
    print(f"difference: mean {fmean(differences):.4f}, largest {max(differences):.4f}")
    print(f"rank correlation {correlation(ranks(a), ranks(b)):.4f}")
    print(f"of the best {KEEP:.0%}, {changed} of {len(best(a))} are others")


main()
