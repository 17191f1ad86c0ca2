"""Golden values of the scorers on embeddings: each formula in NumPy, in f64, on generated pairs.

    pip install numpy
    python tests/golden/selection_scorers.py tests/data/selection/scorers.json

Embeddings are written as they are recorded, in 16 bits. `exact` values are those of the formulas on
them; `int8` values are those on the same rounded to 8 bits with a scale a row, as the gate takes
them, so that both the formulas and what the rounding costs can be tested. Each formula is written
as its paper has it, in another way than the gate computes it: with projections by the
pseudo-inverse, sums without a shift, sigmoids by Newton's full matrix.
"""

import json
import sys
from pathlib import Path

import numpy as np

PAIRS, DIMENSION, TARGETS, PHRASES, CLASSES, BANK = 60, 24, 12, 5, 4, 20
TEMPERATURES, WEIGHT, PENALTY = [0.07, 0.01], 7.5, 0.05


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def recorded(rows):
    return unit(rows).astype(np.float16)


def int8(rows):
    """Rows of f16 as codes times scales: f32 arithmetic, as the gate's."""
    values = rows.astype(np.float32)
    greatest = np.abs(values).max(axis=1, keepdims=True)
    codes = np.rint(values * (np.float32(127) / greatest))
    return codes.astype(np.float64) * (greatest / np.float32(127)).astype(np.float64)


def negcliploss(images, texts, temperature):
    """Each pair against the bank of the first pairs; one of the bank is no rival of itself."""
    similarity = (images * texts).sum(axis=1)
    scores = []
    for i in range(len(images)):
        others = [b for b in range(BANK) if b != i]
        own = np.exp(similarity[i] / temperature)
        by_image = own + WEIGHT * np.exp(texts[others] @ images[i] / temperature).sum()
        by_text = own + WEIGHT * np.exp(images[others] @ texts[i] / temperature).sum()
        scores.append(similarity[i] - temperature / 2 * (np.log(by_image) + np.log(by_text)))
    return similarity, scores


def batch(images, texts, temperature):
    """All pairs as one batch."""
    powers = np.exp(images @ texts.T / temperature)
    loss = temperature / 2 * (np.log(powers.sum(axis=1)) + np.log(powers.sum(axis=0)))
    return (images * texts).sum(axis=1) - loss


def teen(own, base):
    """Prototypes of few examples moved towards well-known ones, at unit length."""
    powers = np.exp(16 * own @ base.T)
    towards = unit(powers / powers.sum(axis=1, keepdims=True) @ base)
    return unit(0.5 * own + 0.5 * towards)


def newton(features, labels):
    """Logistic regression, classes weighted n / (2 n_c), L2: the folded weights and bias."""
    n, mean, std = len(labels), features.mean(axis=0), features.std(axis=0)
    z = np.hstack([(features - mean) / std, np.ones((n, 1))])
    count = np.where(labels, n / (2 * labels.sum()), n / (2 * (~labels).sum())) / n
    ridge = np.diag([PENALTY] * features.shape[1] + [0.0])
    w = np.zeros(z.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-z @ w))
        gradient = z.T @ (count * (p - labels)) + ridge @ w
        w -= np.linalg.solve((z.T * (count * p * (1 - p))) @ z + ridge, gradient)
    assert np.abs(gradient).max() < 1e-12
    return w[:-1] / std, w[-1] - (w[:-1] * mean / std).sum()


def unsafe(images, texts, phrases):
    """The longer projection of picture and caption on the phrases' span, means subtracted."""
    image_mean, text_mean = images.mean(axis=0), texts.mean(axis=0)
    columns = (phrases - text_mean).T
    projection = columns @ np.linalg.pinv(columns)
    within = [np.linalg.norm((x - m) @ projection.T, axis=1) for x, m in [(images, image_mean), (texts, text_mean)]]
    return np.maximum(*within)


def values(images, texts, targets, phrases, examples, classes, labels):
    images, texts, targets, phrases, examples = (x.astype(np.float64) for x in (images, texts, targets, phrases, examples))
    products = images @ targets.T
    prototypes = unit(np.stack([examples[classes == c].mean(axis=0) for c in range(CLASSES)]))
    few, base = prototypes[:2], prototypes[2:]
    joint = np.hstack([images, texts, images * texts])
    heads = {}
    for name, features in [("image", images), ("joint", joint)]:
        w, b = newton(features, labels)
        heads[name] = {"weights": w, "bias": b, "probabilities": 1 / (1 + np.exp(-(features @ w + b)))}
    similarity, _ = negcliploss(images, texts, 0.07)
    return {
        "similarity": similarity,
        "negcliploss": [negcliploss(images, texts, t)[1] for t in TEMPERATURES],
        "batch": [batch(images, texts, t) for t in TEMPERATURES],
        "normsim_2": np.linalg.norm(products, axis=1),
        "normsim_infinity": np.abs(products).max(axis=1),
        "vas": (products**2).sum(axis=1),
        "nearest_mean": (images @ prototypes.T).max(axis=1),
        "teen": (images @ teen(few, base).T).max(axis=1),
        "unsafe": unsafe(images, texts, phrases),
        "heads": heads,
    }


def plain(value, digits=17):
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    array = np.asarray(value)
    if array.dtype == np.float64:
        return json.loads(json.dumps(array.tolist()), parse_float=lambda text: float(f"{float(text):.12g}"))
    return array.tolist()


def main(path):
    draw = np.random.default_rng(20240607)
    # A mean that all of one modality share, as CLIP's embeddings have; captions partly follow their pictures.
    image_mean, text_mean = (draw.normal(size=DIMENSION) * 0.7 for _ in range(2))
    content = draw.normal(size=(PAIRS, DIMENSION))
    images = recorded(content + image_mean)
    texts = recorded(content + draw.normal(size=(PAIRS, DIMENSION)) + text_mean)
    targets = recorded(draw.normal(size=(TARGETS, DIMENSION)) + image_mean)
    phrases = recorded(draw.normal(size=(PHRASES, DIMENSION)) + text_mean)
    examples = recorded(draw.normal(size=(3 * CLASSES, DIMENSION)) + image_mean)
    classes = np.arange(3 * CLASSES) % CLASSES
    labels = images[:, 0].astype(np.float64) - texts[:, 1] + 0.3 * draw.normal(size=PAIRS) > 0.2
    inputs = [images, texts, targets, phrases, examples]
    names = ["images", "texts", "targets", "phrases", "examples"]
    golden = {
        "dimension": DIMENSION, "bank": BANK, "weight": WEIGHT, "temperatures": TEMPERATURES, "penalty": PENALTY,
        "inputs": {name: plain(rows.astype(np.float32)) for name, rows in zip(names, inputs)},
        "classes": plain(classes), "labels": plain(labels),
        "exact": plain(values(*inputs, classes, labels)),
        "int8": plain(values(*map(int8, inputs), classes, labels)),
    }
    Path(path).write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
