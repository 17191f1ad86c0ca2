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


def correlation(a, b):
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    squares = [sum((x - mean) ** 2 for x in values) for values, mean in ((a, mean_a), (b, mean_b))]
    return product / (squares[0] * squares[1]) ** 0.5


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
    print(f"difference: mean {sum(differences) / len(pairs):.4f}, largest {max(differences):.4f}")
    print(f"rank correlation {correlation(ranks(a), ranks(b)):.4f}")
    print(f"of the best {KEEP:.0%}, {changed} of {len(best(a))} are others")


main()
