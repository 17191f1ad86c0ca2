"""A fixed small model, to see what a filter's choice is worth as training data.

Pictures are features of an ImageNet network, captions are weighted words; a ridge regression, which has
no seed and no schedule, maps the one to the other. It knows nothing of any filter.
"""

import io
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from noise import words

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))
import teacher  # noqa: E402

RIDGE = 3.0
SIZE = 128  # principal components of the pictures


class Eyes:
    """Features of pictures, `[1280]`, each computed once."""

    def __init__(self, network):
        self.network, self.known = teacher.Teacher(str(network)), {}

    def see(self, image):
        if image not in self.known:
            picture = Image.open(io.BytesIO(image)).convert("RGB")
            picture = picture.resize((teacher.SIZE,) * 2, Image.BICUBIC)
            self.known[image] = self.network.features(np.asarray(picture))
        return self.known[image]

    def all(self, pairs):
        return np.stack([self.see(pair.image) for pair in pairs])


class Probe:
    """Learnt from some pairs."""

    def __init__(self, pairs, eyes):
        counts = Counter(word for pair in pairs for word in set(words(pair.caption)))
        common = sorted(word for word, n in counts.items() if n > 1)
        self.place = {word: i for i, word in enumerate(common)}
        self.weight = np.log(len(pairs) / np.array([counts[word] for word in common]))
        x, y = self.texts(pairs), eyes.all(pairs)
        self.mean = y.mean(0)
        y = y - self.mean
        self.axes = np.linalg.eigh(y.T @ y)[1][:, -SIZE:]
        y = unit(y @ self.axes)
        # The dual form: there are fewer pairs than words.
        gram = x @ x.T
        self.map = x.T @ np.linalg.solve(gram + RIDGE * np.eye(len(x)), y)

    def texts(self, pairs):
        out = np.zeros((len(pairs), len(self.place)))
        for row, pair in zip(out, pairs):
            for word in words(pair.caption):
                if word in self.place:
                    row[self.place[word]] = self.weight[self.place[word]]
        return unit(out)

    def scores(self, pairs, eyes):
        """Each picture with each caption, `[N, N]`."""
        images = unit((eyes.all(pairs) - self.mean) @ self.axes)
        return images @ unit(self.texts(pairs) @ self.map).T


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
