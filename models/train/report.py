"""The figures of the model card: `python report.py --data DIR --work DIR`, by the reference towers."""

import argparse
from pathlib import Path

import torch

import evaluate
import parity
import text

NAMES = ("flickr8k", "openstax", "alt", "ikea", "drinks", "fashion")


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
        both = [" / ".join(f"{100 * m[f'{way}@{k}']:.1f}" for k in (1, 5, 10))
                for way in ("i2t", "t2i")]
        print(f"| {name} | {pairs} | {m['auc']:.4f} | {both[0]} | {both[1]} |")
    for name, module in (("image", image), ("text", text_tower)):
        print(f"{name}: {sum(p.numel() for p in module.parameters()):,} parameters")


if __name__ == "__main__":
    main()
