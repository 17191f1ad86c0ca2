"""Golden values of the selectors: quotas, clusters, duplicates, sources, entries, ranks, each computed by NumPy in f64.

    python selection_selectors.py ../data/selection/selectors.json

Nothing here is taken from the Rust code: quotas are found by walking the breakpoints, kept pairs by sorting.
"""

import json
import sys

import numpy as np

SEED = 20


def quotas(shares, least, most, total):
    """The one level at which the clipped sum is right: the sum is piecewise linear between breakpoints."""
    shares, least, most = map(np.asarray, (shares, least, most))
    wanted = shares * total

    def sum_at(level):
        return np.clip(wanted + level, least, most).sum()

    breaks = np.sort(np.concatenate([least - wanted, most - wanted]))
    for low, high in zip(breaks, breaks[1:]):
        if sum_at(low) <= total <= sum_at(high):
            slope = (sum_at(high) - sum_at(low)) / (high - low) if high > low else 0
            level = low + ((total - sum_at(low)) / slope if slope else 0)
            return np.clip(wanted + level, least, most)
    return np.clip(wanted + (breaks[0] if total <= sum_at(breaks[0]) else breaks[-1]), least, most)


def largest_remainders(exact, most, total):
    """Whole numbers that come to the total."""
    whole = np.floor(exact + 1e-9).astype(int)
    for place in np.argsort(-(exact - whole), kind="stable"):
        if whole.sum() < total and whole[place] < most[place]:
            whole[place] += 1
    return whole


def unit(rows):
    """Rows of unit length."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def clusters(random):
    """Density-based pruning of 400 points in 7 clusters."""
    centroids = unit(random.normal(size=(7, 12)))
    wide = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    cluster = np.sort(random.integers(0, 7, 400))
    random.shuffle(cluster)
    points = unit(centroids[cluster] + wide[cluster][:, None] * random.normal(size=(400, 12)))
    distance = (1 - (points * centroids[cluster]).sum(1)).astype(np.float32)
    similarity = centroids @ centroids.T
    case = {"cluster": cluster, "distance": distance, "similarity": similarity, "cases": []}
    for keep, temperature, balance, neighbours in [(0.2, 0.1, 0.5, 20), (0.5, 0.5, 0.5, 3), (0.8, 0.1, 0, 2), (0.33, 0.02, 1, 6)]:
        intra = np.array([distance[cluster == j].astype(float).mean() for j in range(7)])
        inter = np.array([np.sort(np.delete(1 - similarity[j], j))[:neighbours].mean() for j in range(7)])
        power = np.exp(intra * inter / temperature - (intra * inter / temperature).max())
        shares = power / power.sum()
        members = np.bincount(cluster, minlength=7)
        total = int(keep * 400)
        even = int(total / 7 * balance) if balance else 1
        least = np.minimum(even, members - 1)
        whole = largest_remainders(quotas(shares, least, members, total), members, total)
        kept = []
        for j in range(7):
            own = np.flatnonzero(cluster == j)
            order = own[np.lexsort((own, -distance[own].astype(float)))]
            kept += order[: whole[j]].tolist()
        case["cases"].append(
            {
                "keep": keep,
                "temperature": temperature,
                "balance": balance,
                "neighbours": neighbours,
                "shares": shares,
                "quotas": whole,
                "kept": sorted(kept),
            }
        )
    return case


def duplicates(random):
    """SemDeDup of 120 points, a third of them nearly others."""
    points = random.normal(size=(120, 10))
    points[80:] = points[random.integers(0, 80, 40)] + 0.1 * random.normal(size=(40, 10))
    points = unit(points)
    centre = unit(points.mean(0))
    order = np.argsort(points @ centre, kind="stable")
    points = points[order]
    similarity = points @ points.T
    stay = [bool((similarity[j, :j] <= 1 - 0.02).all()) for j in range(120)]
    return {"similarity": np.round(similarity, 9), "eps": 0.02, "stay": stay}


def entries(random):
    """MetaCLIP's balancing over 300 captions."""
    words = ["dog", "cat", "red car", "tree", "New York", "a", "the sea", "car"]
    weights = np.array([40, 20, 10, 8, 4, 60, 2, 12]) / 156
    captions = []
    for _ in range(300):
        own = random.choice(words, size=random.integers(1, 4), p=weights)
        captions.append(random.choice([" and ", ", ", " on "]).join(own) + random.choice(["", ".", "!", " dogs"]))

    def spaced(caption):
        for sign in ",.;:?!`":
            caption = caption.replace(sign, f" {sign} ")
        for sign in "\t\n\r":
            caption = caption.replace(sign, " ")
        return f" {caption} "

    matched = [[i for i, word in enumerate(words) if f" {word} " in spaced(caption)] for caption in captions]
    counts = np.bincount([i for found in matched for i in found], minlength=len(words))
    order = np.sort(counts)
    cumulative = np.cumsum(order) / order.sum()
    threshold = int(order[np.abs(cumulative - 0.3).argmin()])
    share = threshold / np.maximum(counts, threshold)
    probability = [1 - np.prod(1 - share[found]) if found else 0.0 for found in matched]
    return {
        "entries": words,
        "captions": captions,
        "counts": counts,
        "tail": 0.3,
        "threshold": threshold,
        "probability": probability,
    }


def sources(random):
    """Quotas of sources, and the best of each."""
    source = random.choice(5, 250, p=[0.5, 0.2, 0.15, 0.1, 0.05])
    score = random.normal(size=250).astype(np.float32)
    members = np.bincount(source, minlength=5)
    case = {"source": source, "score": score, "cases": []}
    for keep, power, least, most in [(0.3, 1, 0, 1), (0.3, 0, 0, 1), (0.4, 0.5, 10, 0.6)]:
        weights = members.astype(float) ** power
        bound = np.minimum(np.ceil(most * members).astype(int), members)
        total = int(keep * 250)
        low = np.minimum(least, bound)
        whole = largest_remainders(quotas(weights / weights.sum(), low, bound, total), bound, total)
        kept = []
        for j in range(5):
            own = np.flatnonzero(source == j)
            kept += own[np.lexsort((own, -score[own].astype(float)))][: whole[j]].tolist()
        case["cases"].append({"keep": keep, "power": power, "least": least, "most": most, "quotas": whole, "kept": sorted(kept)})
    return case


def ranks(random):
    """The share of values below each, and half of those that are equal."""
    values = np.round(random.normal(size=200), 1).astype(np.float32)
    rank = [((values < value).sum() + (values == value).sum() / 2) / 200 for value in values]
    return {"values": values, "ranks": rank}


def solved(random):
    """Quotas by themselves."""
    cases = []
    for _ in range(40):
        count = random.integers(1, 9)
        shares = random.dirichlet(np.ones(count))
        least = random.integers(0, 20, count)
        most = least + random.integers(0, 60, count)
        total = int(random.integers(least.sum(), most.sum() + 1))
        exact = quotas(shares, least, most, total)
        cases.append({"shares": shares, "least": least, "most": most, "total": total, "exact": exact})
    return cases


def plain(value):
    """NumPy's values as JSON has them."""
    if isinstance(value, np.ndarray):
        return value.astype(float).tolist() if value.dtype.kind == "f" else value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value))


def main():
    """Writes all of them."""
    random = np.random.default_rng(SEED)
    golden = {
        "quotas": solved(random),
        "clusters": clusters(random),
        "duplicates": duplicates(random),
        "entries": entries(random),
        "sources": sources(random),
        "ranks": ranks(random),
    }
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(golden, file, default=plain, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
