"""Reads kept shards with Python's `webdataset`: `python tests/interop/read_kept.py KEPT_FOLDER`.

Checks that every sample has an image that Pillow decodes and a caption, that no two samples of a
shard share a key, and that each shard holds as many samples as its stats file says.
"""

import json
import sys
from pathlib import Path

import webdataset as wds

IMAGES = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"}


def caption(sample):
    if "txt" in sample:
        return sample["txt"]
    about = json.loads(sample["json"]) if isinstance(sample.get("json"), (str, bytes)) else sample["json"]
    return about.get("caption") or about["text"]


def check(shard):
    stats = json.loads(shard.with_name(f"{shard.stem}_stats.json").read_text())
    keys = set()
    for sample in wds.WebDataset(str(shard), shardshuffle=False).decode("pil"):
        assert sample["__key__"] not in keys, f"{shard}: {sample['__key__']} twice"
        keys.add(sample["__key__"])
        image = next(value for name, value in sample.items() if name.split(".")[-1] in IMAGES)
        assert image.width > 0 and caption(sample), sample["__key__"]
    assert len(keys) == stats["successes"], f"{shard}: {len(keys)} read, {stats['successes']} said"
    return len(keys)


def main(folder):
    shards = sorted(Path(folder).glob("[0-9]*.tar"))
    assert shards, f"no shards in {folder}"
    for shard in shards:
        print(f"{shard.name}: {check(shard)} samples")
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
