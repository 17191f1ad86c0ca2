"""Dev figures while training: AUC and recall of the towers in PyTorch. For looking only."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import data
import text

sys.path.append(str(Path(__file__).resolve().parent.parent / "quality"))
import measures  # noqa: E402


class Dev:
    """One dev folder: pixels `[N, 3, S, S]`, ids `[N, L]`, which are photos `[N]`."""

    def __init__(self, folder, tokenizer, resize="shortest"):
        rows = [r for shard in data.shards(folder) for r in data.records(shard)]
        pixels = np.stack([data.prepare(data.decode(j), resize=resize) for _, j, _ in rows])
        self.pixels = data.normalise(torch.from_numpy(pixels))
        captions = [text.encode(tokenizer, text.clean(m["caption"])) for _, _, m in rows]
        self.ids = torch.from_numpy(text.pad(captions))
        self.photo = np.array([bool(m["photo"]) for _, _, m in rows])


@torch.no_grad()
def embed(tower, inputs, batch=128):
    """Unit embeddings `[N, D]`."""
    return F.normalize(torch.cat([tower(part) for part in inputs.split(batch)]))


def measure(images, texts):
    """AUC of the diagonal against everything else, and recall both ways."""
    return measures.of_matrix((images @ texts.t()).numpy())


def figures(image, text_tower, devs):
    """`{name: measures}`; for mixed folders also of their photos alone."""
    out = {}
    for name, dev in devs.items():
        images, texts = embed(image, dev.pixels), embed(text_tower, dev.ids)
        out[name] = measure(images, texts)
        if 20 < dev.photo.sum() < len(dev.photo):
            out[name + " photos"] = measure(images[dev.photo], texts[dev.photo])
    return out


def load_devs(data_folder, tokenizer, names=("flickr8k", "openstax", "alt"), resize="shortest"):
    return {n: Dev(data_folder / "dev" / n, tokenizer, resize) for n in names}


def line(found):
    """One line for the log."""
    return "; ".join(f"{n} auc {m['auc']:.4f} R@10 {m['i2t@10']:.3f}/{m['t2i@10']:.3f}"
                     for n, m in found.items())
