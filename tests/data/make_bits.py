"""Draws the pairs whose scores are pinned to the bit: `python tests/data/make_bits.py tests/data`.

The scenes are those of make_pairs.py, so the project owns these too (CC0). They show what decoders and
resizes do differently from machine to machine, if anything: every way to store colour in a JPEG,
sides that leave rests of blocks and of vectors, large and small pictures, lossy and lossless files.
Needs numpy and Pillow (tests/golden/requirements.txt).
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from make_pairs import ball, beach, city, meadow, mountain, sunset


def grain(image, size, seed, strength):
    """The scene at another size, with noise that no resize keeps."""
    image = np.asarray(image.resize(size, Image.BICUBIC), np.float32)
    noise = np.random.default_rng(seed).normal(0, strength, image.shape)
    return Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8))


def file(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def rings(size):
    """All levels, and opacity that runs from corner to corner."""
    y, x = np.mgrid[: size[1], : size[0]]
    level = (np.hypot(x - size[0] / 3, y - size[1] / 2) * 9) % 256
    return np.stack([level, 255 - level, (level * 3) % 256, (x + y) % 256], -1).astype(np.uint8)


def pairs():
    """(name, extension, file, caption) of every pair."""
    jpeg = lambda image, **options: file(image, "JPEG", **options)
    yield "420", "jpg", jpeg(grain(meadow(), (511, 383), 1, 12), quality=40), "A green field under a blue sky."
    yield "422", "jpg", jpeg(grain(sunset(), (333, 251), 2, 9), quality=70, subsampling="4:2:2"), "The sun sets over the ocean, and the sky turns orange!"
    yield "444", "jpg", jpeg(grain(city(), (259, 389), 3, 9), quality=60, subsampling="4:4:4"), "skyline of a city at night"
    yield "progressive", "jpg", jpeg(grain(mountain(), (401, 299), 4, 9), quality=50, progressive=True), "A snow covered mountain in front of a blue sky."
    yield "coarse", "jpg", jpeg(grain(ball(), (640, 200), 5, 40), quality=5), "A red ball lies on the green grass, which is long and has not been cut for many weeks."
    yield "fine", "jpg", jpeg(grain(beach(), (117, 225), 6, 20), quality=98), "beach"
    yield "restarts", "jpg", jpeg(grain(meadow(), (225, 225), 7, 5), quality=60, restart_marker_blocks=3), "Ein grünes Feld unter blauem Himmel."
    yield "grey", "jpg", jpeg(grain(mountain(), (257, 193), 8, 9).convert("L"), quality=60), "a black and white photograph of a mountain"
    yield "cmyk", "jpg", jpeg(grain(sunset(), (161, 241), 9, 9).convert("CMYK"), quality=60), "a sunset, printed"
    yield "tiny", "jpg", jpeg(ball().resize((9, 7)), quality=60), "A red ball &amp; its shadow"
    yield "long", "jpg", jpeg(grain(city(), (1600, 48), 10, 5), quality=30), "panorama of a city"
    yield "lossy", "webp", file(grain(beach(), (391, 287), 11, 9), "WEBP", quality=40), "A sandy beach with blue water."
    yield "opaque", "webp", file(Image.fromarray(rings((187, 131))), "WEBP", quality=60), "coloured rings on white"
    yield "lossless", "webp", file(Image.fromarray(rings((95, 61))[..., :3]), "WEBP", lossless=True), "rings of all colours"
    yield "rings", "png", file(Image.fromarray(rings((127, 253))), "PNG", optimize=True), "rings that fade away"
    yield "palette", "png", file(grain(city(), (149, 113), 12, 5).quantize(32), "PNG", optimize=True), "city lights"
    yield "few", "gif", file(grain(ball(), (137, 151), 13, 5).quantize(16), "GIF"), "a ball, in sixteen colours"


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    for name, extension, contents, caption in pairs():
        (out / f"{name}.{extension}").write_bytes(contents)
        (out / f"{name}.txt").write_text(caption + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "bits")
