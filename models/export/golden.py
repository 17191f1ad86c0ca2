"""Golden files: what a model says in Python, for `pairgate model verify` and a bundle's self-check.

A golden file is JSON: `{"format": 1, "made_by": "...", "pairs": [...]}`; each pair holds
`picture` ({"width", "height", "seed"} of a made picture, or {"file"} beside the golden file),
`caption`, `ids` (token ids at the caption's own length, no padding), and `image` and `text`, the
unit-length embeddings.
"""

import json
from pathlib import Path

import numpy as np

FORMAT = 1


def picture(width, height, seed):
    """A picture that any program can make again: `[height, width, 3]` u8 by integer arithmetic.

    Soft triangle waves, with blocks that are inverted so that resizing meets hard edges.
    """
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.int64)
    wave = (x * (3 + seed % 5) + y * (5 + seed % 3) + c * 85 + seed * 29) & 255
    level = np.where(wave < 128, 2 * wave, 511 - 2 * wave)
    inverted = (x // 32 + y // 24 + seed) % 3 == 0
    return np.where(inverted, 255 - level, level).astype(np.uint8)


def pictures(size):
    """Sources of eight made pictures for a model whose input has sides of `size`.

    Two are of just that size: they reach the network as they are, so that what differs there is the
    network. The second pair, which a bundle's self-check runs too, is resized.
    """
    sizes = [(size, size), (320, 240), (240, 320), (size, size), (97, 61), (640, 427), (31, 200),
             (1200, 300)]
    return [{"width": w, "height": h, "seed": seed} for seed, (w, h) in enumerate(sizes)]


def unit(embedding):
    """An embedding of length one, as a list of rounded numbers."""
    values = np.asarray(embedding, np.float64).reshape(-1)
    return [round(float(v), 7) for v in values / np.linalg.norm(values)]


def pair(image_source, caption, ids, image, text):
    """One row of a golden file."""
    return {"picture": image_source, "caption": caption, "ids": [int(i) for i in ids],
            "image": unit(image), "text": unit(text)}


def write(path, made_by, pairs):
    """Write a golden file; `made_by` names the libraries and their versions."""
    rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in pairs)
    head = f'{{"format": {FORMAT}, "made_by": {json.dumps(made_by)}, "pairs": [\n'
    Path(path).write_text(head + rows + "\n]}\n")
