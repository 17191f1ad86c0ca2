"""Figures of the model card: `python report.py --data DIR --work DIR`, by the reference towers, and what
the same text tower does with the teacher's own features: the ceiling of the recipe.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import data
import distil
import evaluate
import parity
import teacher
import text
import towers

NAMES = ("flickr8k", "openstax", "alt", "ikea", "drinks", "fashion")


@torch.no_grad()
def teacher_probe(given, dev):
    """Measures of the text tower of the words stage, with the bridge from the teacher's features."""
    tower = towers.TextTower()
    tower.load_state_dict(torch.load(given.work / "words.pt")["tower"])
    bridge = distil.read_bridge(given.work)
    basis = distil.basis(np.load(given.work / "cache/features.npy", mmap_mode="r"))
    network = teacher.Teacher(str(next((given.data / "teacher").glob("*.tflite"))))
    seen = []
    for shard in data.shards(given.data / "dev/flickr8k"):
        for _, jpeg, _ in data.records(shard):
            image = data.decode(jpeg)
            box = data.boxes(*image.size, 1, None)[0]
            image = image.resize((teacher.SIZE,) * 2, Image.BICUBIC, box=box)
            seen.append(network.features(np.asarray(image)))
    target = torch.from_numpy(distil.to_targets(np.stack(seen), *basis).astype(np.float32))
    return evaluate.measure(F.normalize(bridge(target)), evaluate.embed(tower.eval(), dev.ids))


def row(name, pairs, m):
    both = [" / ".join(f"{100 * m[f'{way}@{k}']:.1f}" for k in (1, 5, 10)) for way in ("i2t", "t2i")]
    return f"| {name} | {pairs} | {m['auc']:.4f} | {both[0]} | {both[1]} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--resize", default="shortest", choices=("shortest", "squash"))
    given = parser.parse_args()
    torch.set_num_threads(2)
    image, text_tower = parity.reference(given.work)
    tokenizer = text.load_tokenizer(given.work / "tokenizer.json")
    devs = evaluate.load_devs(given.data, tokenizer, NAMES, given.resize)
    print("| dev shard | pairs | AUC | image to text R@1 / 5 / 10 | text to image R@1 / 5 / 10 |")
    print("|---|---|---|---|---|")
    for name, m in evaluate.figures(image, text_tower, devs).items():
        dev = devs[name.split()[0]]
        pairs = int(dev.photo.sum()) if name.endswith("photos") else len(dev.photo)
        print(row(name, pairs, m))
    probe = teacher_probe(given, devs["flickr8k"])
    name = "flickr8k, the teacher's features in place of the image tower"
    print(row(name, len(devs["flickr8k"].photo), probe))
    for name, module in (("image", image), ("text", text_tower)):
        print(f"{name}: {sum(p.numel() for p in module.parameters()):,} parameters")


if __name__ == "__main__":
    main()
