"""What Pillow decodes pictures to, in the lines of examples/pixels.rs, for `diff`.

    pip install -r requirements.txt
    python tests/golden/pixels.py SHARD|PICTURE...

Orientation is applied, and transparency lies over white.
"""

import hashlib
import io
import sys
import tarfile
from pathlib import Path

from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")


def rgb(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def line(name, data):
    try:
        image = rgb(data)
        digest = hashlib.sha256(image.tobytes()).hexdigest()
        print(name, image.width, image.height, digest)
    except Exception as why:
        print(name, "not decoded:", why)


def main():
    for path in map(Path, sys.argv[1:]):
        if path.suffix != ".tar":
            line(path.name, path.read_bytes())
            continue
        with tarfile.open(path) as shard:
            for member in shard:
                name = Path(member.name)
                if name.suffix.lower() in SUFFIXES:
                    line(member.name.split(".")[0], shard.extractfile(member).read())


main()
