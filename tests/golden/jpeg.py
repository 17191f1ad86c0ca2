"""Golden digests of what Pillow decodes the generated JPEGs to.

    pip install -r requirements.txt
    python tests/golden/jpeg.py tests/data/golden

The files are made by tests/suite/jpeg.rs, the same on every machine. Writes jpeg.bin: of each file the
first 8 bytes of SHA-256 over width and height (u32, little-endian) and the RGB pixels; zeros of a
damaged one that Pillow does not decode.
"""

import hashlib
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, features


def digest(path):
    try:
        image = Image.open(path).convert("RGB")
    except (OSError, SyntaxError):
        return bytes(8)
    size = struct.pack("<II", *image.size)
    return hashlib.sha256(size + image.tobytes()).digest()[:8]


def main():
    print("Pillow", Image.__version__, "libjpeg-turbo", features.version("libjpeg_turbo"))
    with tempfile.TemporaryDirectory() as folder:
        test = ["cargo", "test", "--release", "--test", "suite", "write_generated_files"]
        env = os.environ | {"PAIRGATE_JPEGS": folder}
        subprocess.run([*test, "--", "--ignored"], check=True, env=env)
        digests = [digest(path) for path in sorted(Path(folder).iterdir())]
    Path(sys.argv[1], "jpeg.bin").write_bytes(b"".join(digests))


main()
