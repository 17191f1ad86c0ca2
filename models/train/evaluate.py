"""Dev figures while training: AUC and recall of the towers in PyTorch. For looking only."""

import numpy as np
import torch
import torch.nn.functional as F

import data
import text


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


def auc(matched, others):
    """The chance that a matched score is above an unmatched one."""
    ranks = np.searchsorted(np.sort(others), matched, "left").mean()
    ties = np.searchsorted(np.sort(others), matched, "right").mean()
    return float((ranks + ties) / 2 / len(others))


def recall(scores, k):
    """Share of rows whose own column is among the `k` best, `[N, N]` scores."""
    own = np.diag(scores)[:, None]
    return float(((scores > own).sum(1) < k).mean())


def measure(images, texts):
    """AUC of the diagonal against everything else, and recall both ways."""
    scores = (images @ texts.t()).numpy()
    off = scores[~np.eye(len(scores), dtype=bool)]
    out = {"auc": auc(np.diag(scores), off)}
    for k in (1, 5, 10):
        out[f"i2t@{k}"], out[f"t2i@{k}"] = recall(scores, k), recall(scores.T, k)
    return out


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


def line(measures):
    """One line for the log."""
    return "; ".join(f"{n} auc {m['auc']:.4f} R@10 {m['i2t@10']:.3f}/{m['t2i@10']:.3f}"
                     for n, m in measures.items())
