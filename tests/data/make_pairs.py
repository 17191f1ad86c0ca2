"""Draws the sample pairs, OUT/pairs and OUT/damaged: `python tests/data/make_pairs.py tests/data`.

Every picture is computed here, so the project owns it (CC0). They show each kind of ending: pairs
that fit, pairs whose captions belong to another picture, pairs that break a rule, a damaged file.
Needs numpy and Pillow (tests/golden/requirements.txt).
"""

import io
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 240


def noise(seed, cells):
    """Smooth noise, [SIDE, SIDE] in 0..1, `cells` blobs a side."""
    coarse = np.random.default_rng(seed).random((cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.BICUBIC))


def blend(top, bottom, share):
    """Mixes two colours (or pictures) by `share` of the second; shares are [SIDE, SIDE]."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(top, np.float32) * (1 - share) + np.asarray(bottom, np.float32) * share


def height():
    """0 at the top row, 1 at the bottom row."""
    return np.repeat(np.linspace(0, 1, SIDE, dtype=np.float32)[:, None], SIDE, axis=1)


def picture(pixels):
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def sky(seed):
    clouds = np.clip((noise(seed, 5) + 0.5 * noise(seed + 1, 14) - 0.75) * 3, 0, 1)
    return blend(blend((70, 130, 220), (190, 215, 245), height() * 1.6), (250, 250, 252), clouds)


def grass(seed):
    blades = 0.6 * noise(seed, 90) + 0.4 * noise(seed + 1, 12)
    return blend((45, 95, 25), (130, 180, 60), blades)


def meadow():
    ground = (height() > 0.55 + 0.04 * (noise(7, 5) - 0.5)).astype(np.float32)
    return picture(blend(sky(1), grass(3), ground))


def sunset():
    sea = (height() > 0.6).astype(np.float32)
    glow = blend((90, 50, 110), (255, 150, 50), height() * 1.7)
    waves = blend((40, 40, 80), (240, 140, 70), noise(11, 40) * (1.3 - np.abs(np.linspace(-1, 1, SIDE))))
    image = picture(blend(glow, waves, sea))
    sun = Image.new("L", image.size, 0)
    ImageDraw.Draw(sun).pieslice((95, 110, 155, 176), 180, 360, fill=255)
    image.paste((255, 230, 150), mask=sun.filter(ImageFilter.GaussianBlur(2)))
    return image


def mountain():
    ridge = 0.35 + 0.35 * np.abs(np.linspace(-1, 1, SIDE)) + 0.12 * noise(21, 9)[0]
    rock = (height() > ridge[None, :]).astype(np.float32)
    snow = np.clip((0.75 - height() + 0.5 * (noise(22, 16) - 0.5)) * 5, 0, 1)
    return picture(blend(sky(23), blend((90, 90, 100), (245, 247, 252), snow), rock))


def beach():
    land = (height() > 0.7 + 0.05 * (noise(31, 4) - 0.5)).astype(np.float32)
    sea = (height() > 0.4).astype(np.float32)
    water = blend((20, 90, 150), (90, 190, 210), noise(32, 30) * height())
    sand = blend((210, 180, 130), (240, 215, 170), noise(33, 80))
    return picture(blend(blend(sky(34), water, sea), sand, land))


def ball():
    image = picture(grass(41)).filter(ImageFilter.GaussianBlur(1))
    draw = ImageDraw.Draw(image)
    draw.ellipse((70, 150, 190, 190), fill=(35, 70, 20))
    for step in range(60):
        shade = 120 + 2 * step
        draw.ellipse((70 + step // 2, 60 + step // 3, 185 - step, 175 - step), fill=(shade, 20 + step // 2, 20))
    return image


def city():
    rng = np.random.default_rng(51)
    image = picture(blend((8, 10, 30), (40, 35, 70), height()))
    draw = ImageDraw.Draw(image)
    for left in range(0, SIDE, 24):
        top = int(rng.integers(60, 160))
        draw.rectangle((left, top, left + 21, SIDE), fill=(18, 18, 26))
        for x in range(left + 3, left + 18, 5):
            for y in range(top + 4, SIDE, 8):
                if rng.random() < 0.5:
                    draw.rectangle((x, y, x + 2, y + 4), fill=(250, 220, 130))
    return image


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def pairs():
    """(folder and name, extension, file, caption) of every sample."""
    meadow_, sunset_, city_ = jpeg(meadow()), jpeg(sunset()), jpeg(city())
    yield "pairs/meadow", "jpg", meadow_, "A green grass field under a blue sky with white clouds."
    yield "pairs/sunset", "jpg", sunset_, "The sun sets over the ocean and the sky turns orange."
    yield "pairs/mountain", "jpg", jpeg(mountain()), "A snow covered mountain in front of a blue sky."
    yield "pairs/beach", "jpg", jpeg(beach()), "A sandy beach with blue water and a cloudy sky."
    yield "pairs/ball", "jpg", jpeg(ball()), "A red ball lies on the green grass."
    yield "pairs/city", "jpg", city_, "The skyline of a city at night with lit windows."
    yield "pairs/wrong-meadow", "jpg", meadow_, "Two men in suits sit at a table and shake hands."
    yield "pairs/wrong-sunset", "jpg", sunset_, "A plate of spaghetti with tomato sauce and cheese."
    yield "pairs/wrong-city", "jpg", city_, "A small brown dog runs after a tennis ball."
    yield "pairs/boilerplate", "jpg", meadow_, "image.jpg"
    yield "pairs/thumbnail", "png", png(ball().resize((64, 64))), "A red ball lies on the green grass."
    yield "pairs/banner", "png", png(beach().crop((0, 0, 240, 60)).resize((960, 240))), "A banner with a beach and the sea."
    yield "damaged/damaged", "jpg", sunset_[: len(sunset_) // 2], "The sun sets over the ocean and the sky turns orange."


def main(out):
    for name, extension, file, caption in pairs():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.{extension}").write_bytes(file)
        (out / f"{name}.txt").write_text(caption + "\n")
    about = {"caption": "The sun sets over the ocean and the sky turns orange.", "licence": "CC0-1.0"}
    (out / "pairs/sunset.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
