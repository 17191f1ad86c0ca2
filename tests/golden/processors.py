"""Golden values from the preprocessors that CLIP-like models are published with.

    pip install open_clip_torch==3.3.0 timm==1.0.31 transformers==5.23.0 torchvision==0.29.2
    pip install --no-deps pillow==12.1.1
    python tests/golden/processors.py tests/data/golden

Runs open_clip's and timm's evaluation transforms and the image processors of transformers, both
its default torchvision backend and its PIL backend, on pictures made by formula, which
tests/suite/prepare.rs makes again. The versions matter: Pillow after 12.1 resizes rows first where
the height shrinks much more than the width. Each output is turned back into levels from 0 to 255
with the processor's own mean, std and rescale factor, and must fall on whole levels. Writes

    processors.csv         one case a line: processor, width, height, seed, and the preparation:
                           size, resize, resize_to, interpolation, crop, fill
    processors.bin         the levels, [size, size, 3] u8, in the order of the lines
    processors_levels.csv  what the processors make of the levels 255, 128 and 3 as red, green and
                           blue: processor, rescale, mean, std, the three values
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from open_clip.transform import image_transform
from PIL import Image
from timm.data import create_transform
from transformers import CLIPImageProcessor, SiglipImageProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

WANTED = {
    "open_clip_torch": "3.3.0",
    "timm": "1.0.31",
    "transformers": "5.23.0",
    "torchvision": "0.29.2",
    "pillow": "12.1.1",
}
CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
NONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
PIL_NUMBERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}

# Odd and even margins, margins of 3 (where the two roundings part), shrinking and growing.
SHAPES = [(97, 61), (61, 97), (47, 43), (320, 391), (300, 290), (20, 31), (640, 480)]
EDGES = [(1, 1), (2, 2), (1, 40), (40, 1), (3000, 1), (1, 3000), (32, 32)]


def picture(width, height, seed):
    """A made picture of models/export/golden.py, by the same formula: `[height, width, 3]` u8."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.int64)
    wave = (x * (3 + seed % 5) + y * (5 + seed % 3) + c * 85 + seed * 29) & 255
    level = np.where(wave < 128, 2 * wave, 511 - 2 * wave)
    inverted = (x // 32 + y // 24 + seed) % 3 == 0
    return np.where(inverted, 255 - level, level).astype(np.uint8)


class Processor:
    """A preprocessor, and the preparation that says the same."""

    def __init__(self, name, apply, size, resize, interpolation, scale, rescale=1 / 255,
                 resize_to="", crop="even", fill=0):
        self.name, self.apply, self.size = name, apply, size
        self.rescale, (self.mean, self.std) = rescale, scale
        self.fields = f"{size},{resize},{resize_to},{interpolation},{crop},{fill}"

    def values(self, pixels):
        """The network's input, `[3, size, size]` f32."""
        values = np.asarray(self.apply(Image.fromarray(pixels)), np.float64)
        assert values.shape == (3, self.size, self.size), (self.fields, values.shape)
        return values

    def levels(self, pixels):
        """The same before rescale, mean and std, `[size, size, 3]` u8."""
        values = np.moveaxis(self.values(pixels), 0, -1)
        levels = (values * self.std + self.mean) / self.rescale
        whole = np.rint(levels)
        assert np.abs(levels - whole).max() < 1e-3 and 0 <= whole.min() and whole.max() <= 255
        return whole.astype(np.uint8)

    def scaled(self):
        """The line of processors_levels.csv."""
        pixels = np.broadcast_to(np.uint8([255, 128, 3]), (self.size, self.size, 3)).copy()
        made = self.values(pixels)[:, 0, 0]
        numbers = [self.rescale, *self.mean, *self.std, *made]
        return ",".join([self.name, *(repr(float(n)) for n in numbers)])


def open_clip(size, resize, interpolation, scale=CLIP, fill=0):
    mean, std = scale
    how = dict(mean=mean, std=std, resize_mode=resize, interpolation=interpolation, fill_color=fill)
    apply = image_transform(size, is_train=False, **how)
    kernel = "bicubic" if interpolation == "random" else interpolation
    return Processor("open_clip", apply, size, resize, kernel, scale, fill=fill)


def timm(size, mode, percent, interpolation):
    mean, std = HALF
    how = dict(crop_mode=mode, crop_pct=percent, interpolation=interpolation, mean=mean, std=std)
    apply = create_transform((3, size, size), is_training=False, **how)
    resize = {"center": "shortest", "squash": "squash", "border": "longest"}[mode]
    fill = round(255 * mean[0]) if mode == "border" else 0
    to = int(size / percent)
    return Processor("timm", apply, size, resize, interpolation, HALF, resize_to=to, fill=fill)


def transformers(classes, how, size, resize, interpolation, scale, resize_to="", rescale=1 / 255,
                 **more):
    """One processor for each backend; `how` and `more` are what the config says."""
    mean, std = scale
    more |= dict(how, resample=PIL_NUMBERS[interpolation], image_mean=mean, image_std=std)
    for name, make in zip(("transformers", "transformers-pil"), classes):
        processor = make(**more)

        def apply(image, processor=processor):
            return processor(image, return_tensors="np")["pixel_values"][0]

        fields = dict(resize_to=resize_to, crop="floor")
        yield Processor(name, apply, size, resize, interpolation, scale, rescale, **fields)


def clip(size, shortest, interpolation="bicubic", scale=CLIP, **more):
    classes = CLIPImageProcessor, CLIPImageProcessorPil
    how = {"size": {"shortest_edge": shortest}, "crop_size": {"height": size, "width": size}}
    to = "" if shortest == size else shortest
    return transformers(classes, how, size, "shortest", interpolation, scale, to, **more)


def siglip(size, interpolation="bicubic", **more):
    classes = SiglipImageProcessor, SiglipImageProcessorPil
    how = {"size": {"height": size, "width": size}}
    return transformers(classes, how, size, "squash", interpolation, HALF, **more)


def cases():
    """Processors and the shapes that they are run on."""
    for resize in ("shortest", "squash", "longest"):
        for interpolation in ("bicubic", "bilinear"):
            yield open_clip(32, resize, interpolation, fill=119), SHAPES
        yield open_clip(32, resize, "bicubic"), EDGES if resize != "longest" else EDGES[:4]
    yield open_clip(33, "longest", "bicubic", fill=255), SHAPES[:4]
    yield open_clip(32, "shortest", "random", scale=NONE), SHAPES[:2]
    for mode in ("center", "squash", "border"):
        yield timm(32, mode, 0.9, "bicubic"), SHAPES[:4]
    for processor in clip(32, 32):
        yield processor, SHAPES + EDGES
    for processor in clip(32, 36):
        yield processor, SHAPES[:5]
    for processor in clip(32, 32, "bilinear", do_normalize=False, scale=NONE):
        yield processor, SHAPES[:4]
    for processor in clip(32, 35, do_rescale=False, rescale=1, scale=((127.5,) * 3, (127.5,) * 3)):
        yield processor, SHAPES[:2]
    for interpolation in ("lanczos", "nearest"):
        for processor in clip(32, 32, interpolation):
            yield processor, SHAPES[:6]
    for processor in siglip(32):
        yield processor, SHAPES + EDGES[:2]
    for processor in siglip(32, "bilinear", rescale_factor=1 / 127.5, rescale=1 / 127.5):
        yield processor, SHAPES[:3]
    # The torchvision backend has no such kernels.
    for interpolation in ("box", "hamming"):
        yield [*clip(32, 32, interpolation)][1], SHAPES[:5]


def main(out):
    have = {name: version(name) for name in WANTED}
    assert have == WANTED, f"made with {WANTED}, not {have}"
    torch.set_num_threads(1)
    lines, scaled = [], {}
    with open(out / "processors.bin", "wb") as squares:
        for processor, shapes in cases():
            scaled[processor.scaled()] = None
            for width, height in shapes:
                seed = len(lines) % 7
                squares.write(processor.levels(picture(width, height, seed)).tobytes())
                lines.append(f"{processor.name},{width},{height},{seed},{processor.fields}\n")
    (out / "processors.csv").write_text("".join(lines))
    (out / "processors_levels.csv").write_text("".join(line + "\n" for line in scaled))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/golden"))
