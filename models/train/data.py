"""Shards to arrays: records, crop boxes, the cached crops, image preparation."""

import io
import json
import random
import tarfile
from multiprocessing import Process

import numpy as np
from PIL import Image, ImageOps

import teacher
import text
from towers import IMAGE_SIZE

CROP_SIZE = 120  # crops are cached a little larger than the tower's input, for jitter
# How many crops of each image are cached: the centre square, the whole image squashed, random.
CROPS = {"flickr8k": 5, "openstax": 4, "alt": 3, "coco_unlabelled": 4, "ikea": 2, "drinks": 2,
         "fashion": 1, "tinyimagenet": 1}
CALIBRATION_SHARE = 0.03  # of captioned pairs, kept out of training


def shards(folder):
    """The tars of a folder, plain or gzipped, in order."""
    return sorted(p for p in folder.rglob("*") if p.name.endswith((".tar", ".tar.gz")))


def records(shard):
    """`(key, jpeg bytes, meta)` of each complete sample of a shard."""
    held = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            key, _, extension = member.name.partition(".")
            if extension not in ("jpg", "json"):
                continue
            sample = held.setdefault(key, {})
            sample[extension] = tar.extractfile(member).read()
            if len(sample) == 2:
                yield key, sample["jpg"], json.loads(sample["json"])
                del held[key]


def decode(jpeg):
    """RGB image as the gate sees it: upright, alpha over white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def prepare(image, size=IMAGE_SIZE, resize="shortest"):
    """Inference view, `[size, size, 3]` u8: shortest side to `size`, centre crop; or squashed."""
    if resize == "squash":
        return np.asarray(image.resize((size, size), Image.BICUBIC))
    width, height = image.size
    short = min(width, height)
    image = image.resize((int(size * width / short), int(size * height / short)), Image.BICUBIC)
    left = int(round((image.width - size) / 2.0))
    top = int(round((image.height - size) / 2.0))
    return np.asarray(image.crop((left, top, left + size, top + size)))


def boxes(width, height, count, rng):
    """`count` crop boxes: the centre square, the whole, then random ones."""
    short = min(width, height)
    left, top = (width - short) / 2, (height - short) / 2
    out = [(left, top, left + short, top + short)]
    if width != height:
        out.append((0, 0, width, height))
    while len(out) < count:
        area = rng.uniform(0.4, 1.0) * short * short
        aspect = np.exp(rng.uniform(-0.25, 0.25))
        w, h = min(width, (area * aspect) ** 0.5), min(height, (area / aspect) ** 0.5)
        x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
        out.append((x, y, x + w, y + h))
    return out[:count]


def list_samples(data):
    """Every training sample: `[(source, shard, key, meta, jpeg)]`, in a fixed order."""
    out = []
    for source in CROPS:
        for shard in shards(data / "train" / source):
            out += [(source, shard.name, key, meta, jpeg) for key, jpeg, meta in records(shard)]
    return out


def write_crops(samples, starts, folder, network, part, parts):
    """Fill every `parts`-th sample's crops, and features where a teacher is named, into the mapped files."""
    crops = np.load(folder / "crops.npy", mmap_mode="r+")
    if network:
        features = np.load(folder / "features.npy", mmap_mode="r+")
        network = teacher.Teacher(network)
    for index in range(part, len(samples), parts):
        source, _, _, _, jpeg = samples[index]
        image, rng = decode(jpeg), random.Random(index)
        for offset, box in enumerate(boxes(*image.size, CROPS[source], rng)):
            row = starts[index] + offset
            crops[row] = np.asarray(image.resize((CROP_SIZE,) * 2, Image.BICUBIC, box=box))
            if network:
                seen = image.resize((teacher.SIZE,) * 2, Image.BICUBIC, box=box)
                features[row] = network.features(np.asarray(seen))
        if index // parts % 500 == 0:
            print(f"crops: part {part}, {index} of {len(samples)}", flush=True)


def build(data, work, parts=2, taught=True):
    """Cache crops `[M, 120, 120, 3]` u8, `samples.json` and, if `taught`, features `[M, 1280]` f16."""
    folder = work / "cache"
    listing = folder / "samples.json"
    if listing.exists() and ((folder / "features.npy").exists() or not taught):
        return
    folder.mkdir(parents=True, exist_ok=True)
    listing.unlink(missing_ok=True)
    network = str(next((data / "teacher").glob("*.tflite"))) if taught else None
    samples = list_samples(data)
    counts = [CROPS[s[0]] for s in samples]
    starts = np.concatenate([[0], np.cumsum(counts)])
    total = int(starts[-1])
    arrays = [("crops", (total, CROP_SIZE, CROP_SIZE, 3), np.uint8)]
    arrays += [("features", (total, teacher.WIDTH), np.float16)] * taught
    for name, shape, kind in arrays:
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, shape).flush()
    workers = [Process(target=write_crops, args=(samples, starts, folder, network, p, parts))
               for p in range(parts)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0, "a crop worker failed"
    rows = [describe(s, int(starts[i]), counts[i], i) for i, s in enumerate(samples)]
    listing.write_text(json.dumps(rows))


def describe(sample, start, count, index):
    """What training needs to know of a sample besides its crops."""
    source, shard, key, meta, _ = sample
    captions = [c for c in (text.clean(c) for c in meta["captions"]) if c]
    held = bool(captions) and random.Random(f"held {index}").random() < CALIBRATION_SHARE
    return {"source": source, "shard": shard, "key": key, "start": start, "count": count,
            "captions": captions, "photo": bool(meta["photo"]), "kind": meta["kind"],
            "held": held and source != "tinyimagenet"}


def normalise(pixels):
    """`[N, H, W, 3]` u8 to `[N, 3, H, W]` f32 in -1..1: mean and std of one half."""
    return pixels.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def load_samples(work):
    """The listing that `build` wrote."""
    return json.loads((work / "cache/samples.json").read_text())
