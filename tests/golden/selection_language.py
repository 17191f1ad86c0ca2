"""Golden values of the caption language model: modified Kneser-Ney by counting in dictionaries.

    python tests/golden/selection_language.py tests/data/selection/language.json

Written from Chen and Goodman's formulas and from how KenLM's `lmplz` treats `<s>`, `</s>`, `<unk>`
and what is left out, as plainly as they can be: every n-gram is a tuple in a dictionary, every
probability a recursive function. Captions are token ids, made up here. Needs Python alone.
"""

import json
import math
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

VOCABULARY, START, END = 40, 38, 39
S, E, UNKNOWN = "<s>", "</s>", "<unk>"


class Model:
    def __init__(self, captions, order, pruned):
        self.order, self.pruned = order, pruned
        raw = Counter()
        for caption in captions:
            words = [S, *caption, E]
            for n in range(1, order + 1):
                raw.update(tuple(words[i:i + n]) for i in range(len(words) - n + 1))
        del raw[(S,)]
        self.raw = raw
        before = defaultdict(set)
        for gram in raw:
            if len(gram) > 1:
                before[gram[1:]].add(gram[0])
        self.count = {g: c if len(g) == order or g[0] == S else len(before[g]) for g, c in raw.items()}
        self.vocabulary = {g[0] for g in raw if len(g) == 1} | {UNKNOWN}
        self.discounts = [None] + [self.discount(n) for n in range(1, order + 1)]
        self.behind = defaultdict(list)
        for gram in self.count:
            self.behind[gram[:-1]].append(gram)

    def discount(self, n):
        t = Counter(c for g, c in self.count.items() if len(g) == n)
        try:
            y = t[1] / (t[1] + 2 * t[2])
            d = [0] + [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
            if all(0 <= d[k] <= k for k in range(4)):
                return d
        except ZeroDivisionError:
            pass
        return [0, 0.5, 1, 1.5]

    def kept(self, gram):
        return self.raw[gram] > self.pruned[len(gram) - 1]

    def taken(self, gram):
        return self.discounts[len(gram)][min(self.count[gram], 3)]

    def left(self, history):
        """The share that a history leaves to the shorter one."""
        grams = self.behind[history]
        given = sum(self.taken(g) if self.kept(g) else self.count[g] for g in grams)
        return given / sum(self.count[g] for g in grams)

    def interpolated(self, gram):
        if not gram:
            return 1 / len(self.vocabulary)
        total = sum(self.count[g] for g in self.behind[gram[:-1]])
        own = (self.count[gram] - self.taken(gram)) / total if gram in self.count else 0
        return own + self.left(gram[:-1]) * self.interpolated(gram[1:])

    def probability(self, history, word):
        """As an ARPA file of what is kept gives it."""
        history = history[-(self.order - 1):] if self.order > 1 else ()
        gram = (*history, word)
        if len(gram) == 1 or (gram in self.count and self.kept(gram)):
            return self.interpolated(gram)
        is_there = len(history) == 1 and history[0] == S or history in self.count and self.kept(history)
        backoff = self.left(history) if is_there and self.behind[history] else 1
        return backoff * self.probability(history[1:], word)

    def caption(self, tokens):
        words = [S, *(t if t in self.vocabulary else UNKNOWN for t in tokens), E]
        return [self.probability(tuple(words[:i]), words[i]) for i in range(1, len(words))]


def make_captions(draw, count):
    """Token ids with habits, so that long n-grams come again."""
    for _ in range(count):
        words, length = [draw.randrange(12)], draw.randrange(1, 12)
        while len(words) < length:
            habit = (words[-1] * 7 + len(words) % 2 * 3) % 30
            words.append(habit if draw.random() < 0.7 else draw.randrange(30))
        yield words


def main(path):
    draw = random.Random(31)
    learnt = [*make_captions(draw, 150), []]
    asked = [*make_captions(draw, 12), [], [35], [3, 35, 36, 1], learnt[0], learnt[1] + learnt[2]]
    models = []
    for order, pruned in [(1, [0]), (2, [0, 0]), (3, [0, 0, 0]), (5, [0, 0, 0, 0, 0]), (5, [0, 0, 1, 1, 1]), (3, [0, 1, 2])]:
        model = Model(learnt, order, pruned)
        for history in [(), (1,), (S,), (S, 3), (2, 14), (35, 1)]:
            total = sum(model.probability(history, word) for word in model.vocabulary)
            assert abs(total - 1) < 1e-9, (order, pruned, history, total)
        counts = [sum(len(g) == n and model.kept(g) for g in model.count) for n in range(1, order + 1)]
        log10 = [sum(math.log10(p) for p in model.caption(tokens)) for tokens in asked]
        models.append({"order": order, "pruned": pruned, "counts": counts, "log10": log10})
    golden = {"vocabulary": VOCABULARY, "start": START, "end": END, "learnt": learnt, "asked": asked, "models": models}
    Path(path).write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
