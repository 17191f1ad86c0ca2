"""webdataset: a shard of loose pairs, then only those that a gate keeps, read and written."""

from pathlib import Path

import webdataset as wds
from pairgate_dfn import Gate
from pairgate_dfn.webdataset import FilteredWriter

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"

gated = Gate().webdataset(image=("jpg", "png"), caption="txt")

# On the way to a shard.
with FilteredWriter(wds.ShardWriter("kept-%05d.tar", verbose=0), gated, annotate=True) as sink:
    for image in sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png")):
        extension = image.suffix[1:]
        caption = image.with_suffix(".txt").read_bytes()
        sink.write({"__key__": image.stem, extension: image.read_bytes(), "txt": caption})
print("written:", sink.counts)

# On the way from a shard, one by one or many at once.
with wds.TarWriter("all.tar") as everything:
    for image in sorted(PAIRS.glob("*.jpg")):
        everything.write(
            {"__key__": image.stem, "jpg": image.read_bytes(), "txt": image.with_suffix(".txt").read_bytes()}
        )
dataset = wds.WebDataset("all.tar", shardshuffle=False)
print("kept:", [sample["__key__"] for sample in dataset.select(gated)])
print("the same:", [sample["__key__"] for sample in dataset.compose(gated.kept)])
