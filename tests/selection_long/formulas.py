"""The methods' formulas over a pool in f64, by NumPy: what a pair's value is, and what is kept.

A value is computed at one of two levels: `exact`, of the embeddings as they are recorded (16 bits), and `int8`, of the
same rounded to 8 bits with a scale a row, as the program takes them.
"""

import hashlib
from functools import cache

import numpy as np
from selection_language import E, S, UNKNOWN, Model
from selection_scorers import int8, unit
from selection_selectors import largest_remainders, quotas

SEED, BATCH, BLOCK = 1234, 32768, 1024


def codes(rows):
    """The integers of `int8`."""
    values = rows.astype(np.float32)
    return np.rint(values * (np.float32(127) / np.abs(values).max(axis=1, keepdims=True))).astype(np.int8)


def draw(uids, seed=SEED):
    """The number that each pair draws."""
    numbers = [hashlib.sha256(seed.to_bytes(8, "little") + bytes.fromhex(uid)).digest()[:8] for uid in uids]
    return np.array([int.from_bytes(number, "little") for number in numbers], np.uint64)


# ------------------------------------------------------------------------------------ what is kept


def best(values, share, high=True):
    """The best share of the values as a mask, of equal ones the first, and the value of the last that is kept."""
    order = np.argsort(-values if high else values, kind="stable")[: int(share * len(values))]
    return mask(order, len(values)), values[order[-1]] if len(order) else (np.inf if high else -np.inf)


def mask(places, count):
    found = np.zeros(count, bool)
    found[places] = True
    return found


def within(values, low, high):
    """Values between two percentiles, and the values there."""
    ordered = np.sort(values)
    at = [ordered[int(share * (len(values) - 1) + 0.5)] for share in (low, high)]
    return (values >= at[0]) & (values <= at[1]), at


def ranks(values):
    """The share of values below each, and half of those that are equal."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2 / len(values)


def spearman(a, b):
    return np.corrcoef(ranks(a), ranks(b))[0, 1]


# ------------------------------------------------------------------------------------ scorers


def in_blocks(function, *rows):
    """A function of rows, of so many at a time as memory holds."""
    return np.concatenate([function(*(each[at : at + BLOCK] for each in rows)) for at in range(0, len(rows[0]), BLOCK)])


def negcliploss(images, texts, scores, bank, own, tau, weight):
    """s - (tau/2) [ln(e^(s/tau) + c sum e^(x.t_b/tau)) + the same of the captions]; `own` is a pair's place in the bank."""

    def loss(rows, others, similarity, place):
        logits = rows @ others.T / tau
        at = np.flatnonzero(place >= 0)
        logits[at, place[at]] = -np.inf
        shift = np.maximum(logits.max(axis=1), similarity / tau)
        sums = np.exp(similarity / tau - shift) + weight * np.exp(logits - shift[:, None]).sum(axis=1)
        return shift + np.log(sums)

    by_image = in_blocks(lambda rows, s, own: loss(rows, texts[bank], s, own), images, scores, own)
    by_text = in_blocks(lambda rows, s, own: loss(rows, images[bank], s, own), texts, scores, own)
    return scores - tau / 2 * (by_image + by_text)


def bank_of(pool, size):
    """The pairs of the bank, and each pair's place in it: that of the first with its very embeddings."""
    order = np.lexsort((-np.arange(len(pool)), draw(pool.uids)))[:size]
    keys = [image.tobytes() + text.tobytes() for image, text in zip(codes(pool.images), codes(pool.texts))]
    places = {}
    for place, pair in enumerate(order):
        places.setdefault(keys[pair], place)
    return order, np.array([places.get(key, -1) for key in keys])


def normsim(images, targets, p):
    products = in_blocks(lambda rows: rows @ targets.T, images)
    return np.abs(products).max(axis=1) if p == "infinity" else (np.abs(products) ** 2).sum(axis=1) ** (1 / 2)


def prototypes_of(images, classes):
    """Means of examples at unit length, in the order of the classes' names."""
    names = sorted(set(classes))
    return unit(np.stack([images[[name == found for found in classes]].sum(axis=0) for name in names]))


class Language(Model):
    """The golden script's model, which remembers what it has computed."""

    def __init__(self, captions, order):
        super().__init__(captions, order, [0, 0] + [1] * (order - 2) if order > 2 else [0] * order)
        self.total = cache(lambda history: sum(self.count[gram] for gram in self.behind[history]))
        self.left = cache(super().left)
        self.interpolated = cache(self.interpolate)
        self.probability = cache(super().probability)

    def interpolate(self, gram):
        if not gram:
            return 1 / len(self.vocabulary)
        own = (self.count[gram] - self.taken(gram)) / self.total(gram[:-1]) if gram in self.count else 0
        return own + self.left(gram[:-1]) * self.interpolated(gram[1:])

    def loss(self, tokens):
        """Nats a token, the end counted as one."""
        words = [S, *(token if token in self.vocabulary else UNKNOWN for token in tokens), E]
        chances = [self.probability(tuple(words[max(0, at - self.order + 1) : at]), words[at]) for at in range(1, len(words))]
        return -np.log(chances).sum() / (len(tokens) + 1)


# ------------------------------------------------------------------------------------ pools


def nearest(images, centroids):
    """The nearest centroid of each, of equal ones the first, its distance, and the second nearest."""
    cosines = in_blocks(lambda rows: rows @ centroids.T, images)
    first = cosines.argmax(axis=1)
    rows = np.arange(len(images))
    distance = np.maximum(0, 1 - cosines[rows, first])
    cosines[rows, first] = -np.inf
    return first, distance, cosines.argmax(axis=1)


def density(cluster, distance, centroids, keep, temperature=0.1, balance=0.5, neighbours=20):
    """Density-based pruning: what is kept, and for each cluster its quota and its cut."""
    k, members = len(centroids), np.bincount(cluster, minlength=len(centroids))
    intra = np.bincount(cluster, weights=distance, minlength=k) / np.maximum(members, 1)
    similarity = centroids @ centroids.T
    inter = np.array([np.sort(np.delete(1 - similarity[j], j))[:neighbours].mean() for j in range(k)])
    product = np.where(members > 0, intra * inter, (intra * inter)[members > 0].mean()) / temperature
    shares = np.exp(product - product.max())
    total = int(keep * len(cluster))
    least = np.minimum(int(total / k * balance) if balance else 1, np.maximum(members - 1, 0))
    whole = largest_remainders(quotas(shares / shares.sum(), least, members, total), members, total)
    return taken(cluster, distance, whole), whole


def taken(group, values, whole):
    """The highest values of each group, as many as its quota says, and the least of them that is kept."""
    kept, cuts = np.zeros(len(group), bool), np.full(len(whole), np.inf)
    for j, count in enumerate(whole):
        own = np.flatnonzero(group == j)
        order = own[np.argsort(-values[own], kind="stable")][:count]
        kept[order] = True
        if count:
            cuts[j] = values[order[-1]]
    return kept, cuts


def semdedup(images, cluster, distance, eps, tolerance):
    """Which stay of each cluster, and how near what decides is to the other decision: a cosine to the bound, or two that
    are alike to changing places."""
    stay, margin = np.ones(len(images), bool), np.full(len(images), np.inf)
    for j in np.unique(cluster):
        own = np.flatnonzero(cluster == j)
        own = own[np.lexsort((own, -distance[own]))]
        cosines = images[own] @ images[own].T
        likest = np.where(np.tri(len(own), k=-1, dtype=bool), cosines, -np.inf).max(axis=1)
        stay[own] = ~(likest > 1 - eps)
        np.fill_diagonal(cosines, -np.inf)
        near = np.abs(distance[own][:, None] - distance[own]) <= tolerance
        margin[own] = np.where((near & (cosines > 1 - eps)).any(axis=1), 0, np.abs(likest - (1 - eps)))
    return stay, margin


def arriving(images, first, second, eps, ring, others):
    """The same in the order of arrival: against the last that were kept in both nearest clusters. `others`: what the
    rest of the expression lets pass."""
    rings, kept, margin = {}, np.zeros(len(images), bool), np.full(len(images), np.inf)
    for place in range(len(images)):
        near = [at for j in {first[place], second[place]} for at in rings.get(j, [])]
        likest = (images[near] @ images[place]).max() if near else -np.inf
        margin[place] = abs(likest - (1 - eps))
        kept[place] = likest <= 1 - eps and others[place]
        if kept[place]:
            rings[first[place]] = (rings.get(first[place], []) + [place])[-ring:]
    return kept, margin


def by_source(sources, scores, keep, power):
    """Quotas of sources: what is kept, and each source's cut."""
    names = sorted({name for name in sources if name is not None})
    place = {name: at for at, name in enumerate(names)}
    group = np.array([place.get(name, len(names)) for name in sources])
    members = np.bincount(group, minlength=len(names) + 1)
    weights = np.where(members > 0, members.astype(float) ** power, 0)
    total = int(keep * len(sources))
    whole = largest_remainders(quotas(weights / weights.sum(), 0 * members, members, total), members, total)
    return taken(group, scores, whole), group


def spaced(caption):
    for sign in ",.;:?!`":
        caption = caption.replace(sign, f" {sign} ")
    for sign in "\t\n\r":
        caption = caption.replace(sign, " ")
    return f" {caption} "


def metaclip(captions, entries, tail):
    """Counts, the threshold, and the probability of each caption."""
    captions = [spaced(caption) for caption in captions]
    # Entries are looked for by their first word, of which a caption has few.
    by_word = {}
    for at, entry in enumerate(entries):
        by_word.setdefault(entry.split(" ")[0], []).append(at)
    found = lambda text: [at for word in set(text.split(" ")) for at in by_word.get(word, []) if f" {entries[at]} " in text]
    matched = [sorted(found(caption)) for caption in captions]
    counts = np.bincount([at for places in matched for at in places], minlength=len(entries))
    order = np.sort(counts)
    threshold = int(order[np.abs(np.cumsum(order) / order.sum() - tail).argmin()])
    share = threshold / np.maximum(np.maximum(counts, threshold), 1)
    return counts, threshold, np.array([1 - np.prod(1 - share[places]) if places else 0.0 for places in matched])


def kmeans(images, first, rounds):
    """Spherical k-means in f64 from given pairs: the mean cosine to the nearest centroid."""
    centroids = unit(images[first])
    for _ in range(rounds):
        cluster = nearest(images, centroids)[0]
        sums = np.zeros_like(centroids)
        np.add.at(sums, cluster, images)
        has = np.linalg.norm(sums, axis=1) > 0
        centroids[has] = unit(sums[has])
    return (1 - nearest(images, centroids)[1]).mean()
