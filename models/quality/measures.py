"""What is made of scores."""

import numpy as np


def auc(matched, others):
    """The chance that a matched score lies above another one; a tie counts one half."""
    others = np.sort(others)
    below = np.searchsorted(others, matched, "left").mean()
    upto = np.searchsorted(others, matched, "right").mean()
    return float((below + upto) / 2 / len(others))


def precision(matched, noise, keep, share):
    """Matched pairs among the best `keep` of a pool whose noise is `share` of it, whatever the
    numbers here: each matched pair and each noisy one has the same weight."""
    weights = np.concatenate([np.full(len(matched), (1 - share) / len(matched)),
                              np.full(len(noise), share / len(noise))])
    good = np.arange(len(weights)) < len(matched)
    # Of equal scores, noise goes first: a filter gains nothing by ties.
    order = np.lexsort((good, -np.concatenate([matched, noise])))
    taken = np.cumsum(weights[order]) <= keep + 1e-9
    return float((weights * good)[order][taken].sum() / weights[order][taken].sum())


def rejected_at_loss(matched, noise, loss):
    """Noise below the threshold that loses `loss` of the matched pairs."""
    return float((noise < np.quantile(matched, loss)).mean())


def recall(scores, k):
    """Rows of `[N, N]` whose own column is among the best `k`."""
    own = np.diag(scores)[:, None]
    return float(((scores > own).sum(1) < k).mean())


def of_matrix(scores):
    """AUC of the diagonal of `[N, N]` against all else, and recall both ways."""
    out = {"auc": auc(np.diag(scores), scores[~np.eye(len(scores), dtype=bool)])}
    for way, matrix in (("i2t", scores), ("t2i", scores.T)):
        out |= {f"{way}@{k}": recall(matrix, k) for k in (1, 5, 10)}
    return out


def interval(values, rng, rounds=1000):
    """Mean of values, and the 95 % bootstrap interval of it."""
    values = np.asarray(values)
    means = values[rng.integers(len(values), size=(rounds, len(values)))].mean(1)
    return float(values.mean()), *map(float, np.quantile(means, (0.025, 0.975)))
