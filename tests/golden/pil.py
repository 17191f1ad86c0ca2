"""Golden values from Pillow: what it decodes and how it resizes.

    pip install -r requirements.txt
    python tests/golden/pil.py tests/data/golden

All pictures are made by formula, so no one's rights are in them, and the resize inputs need not
be stored: tests/suite/prepare.rs makes them again. Pillow must be 12.1 or older: later versions
resize rows first where the height shrinks much more than the width, which moves pixels at hard
edges by up to 12 levels; networks were trained before that. Writes

    resize.csv   one case a line: picture, width, height, size, mode, interpolation
    resize.bin   the resized and cropped squares, [size, size, 3] u8, in the order of the lines
    decode.csv   one file a line: name, width, height
    decode.bin   the files as RGB, orientation applied, transparency over white, in that order
    files/       the encoded files
"""

import io
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

# ---------------------------------------------------------------------------------- pictures


def noise(x, y, c, w, h):
    v = (x * 374761393 + y * 668265263 + c * 2246822519) & 0xFFFFFFFF
    v = ((v ^ (v >> 13)) * 1274126177) & 0xFFFFFFFF
    return (v ^ (v >> 16)) & 255


def grey(x, y, c, w, h):
    return noise(x, y, 0, w, h)


def gradient(x, y, c, w, h):
    return (x * 255 // max(w - 1, 1), y * 255 // max(h - 1, 1), (x + y) & 255)[c]


def checks(x, y, c, w, h):
    return 255 * ((x // (3 + c) + y // (5 - c)) & 1)


def rings(x, y, c, w, h):
    dx, dy = 2 * x - w, 2 * y - h
    return ((dx * dx + dy * dy) // (w + h) * (c + 1) // 2) & 255


PICTURES = {f.__name__: f for f in (noise, grey, gradient, checks, rings)}


def picture(name, w, h):
    f = PICTURES[name]
    pixels = bytes(f(x, y, c, w, h) for y in range(h) for x in range(w) for c in range(3))
    return Image.frombytes("RGB", (w, h), pixels)


# ------------------------------------------------------------------------------------ resize

KERNELS = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR}


def square(im, size, mode, interpolation):
    """Resize and CenterCrop as torchvision applies them to a PIL image."""
    kernel = KERNELS[interpolation]
    if mode == "squash":
        return im.resize((size, size), kernel)
    w, h = im.size
    if w <= h:
        w, h = size, int(size * h / w)
    else:
        w, h = int(size * w / h), size
    left, top = int(round((w - size) / 2.0)), int(round((h - size) / 2.0))
    return im.resize((w, h), kernel).crop((left, top, left + size, top + size))


def resize_cases():
    yield ("noise", 353, 241, 112, "shortest", "bicubic")
    yield ("rings", 97, 61, 112, "shortest", "bicubic")
    for name in PICTURES:
        for w, h in ((131, 87), (640, 479), (33, 32), (20, 31)):
            yield (name, w, h, 24, "shortest", "bicubic")
        yield (name, 201, 77, 24, "squash", "bicubic")
        yield (name, 77, 201, 24, "shortest", "bilinear")
        yield (name, 19, 23, 24, "squash", "bilinear")
    for name in ("noise", "checks"):
        for w, h in ((2000, 3), (3, 2000), (1, 1), (1, 50), (50, 1), (2, 2), (1024, 32)):
            yield (name, w, h, 24, "shortest", "bicubic")
        yield (name, 2000, 3, 24, "squash", "bicubic")
        yield (name, 1500, 1100, 24, "shortest", "bicubic")


def write_resize(out):
    cases = list(dict.fromkeys(resize_cases()))
    with open(out / "resize.bin", "wb") as squares:
        for name, w, h, *how in cases:
            squares.write(square(picture(name, w, h), *how).tobytes())
    lines = "".join(",".join(map(str, case)) + "\n" for case in cases)
    (out / "resize.csv").write_text(lines)


# ------------------------------------------------------------------------------------ decode


def save(im, kind, **options):
    data = io.BytesIO()
    im.save(data, kind, **options)
    return data.getvalue()


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def jpegs(im):
    def jpeg(im=im, **options):
        return save(im, "JPEG", **{"quality": 90, **options})

    yield "baseline-444.jpg", jpeg(subsampling="4:4:4")
    yield "baseline-422.jpg", jpeg(subsampling="4:2:2")
    yield "baseline-420.jpg", jpeg(subsampling="4:2:0")
    yield "progressive-444.jpg", jpeg(progressive=True, subsampling="4:4:4")
    yield "progressive-420.jpg", jpeg(progressive=True, subsampling="4:2:0")
    yield "restarts.jpg", jpeg(restart_marker_blocks=1)
    yield "rgb.jpg", jpeg(keep_rgb=True)
    yield "grey.jpg", jpeg(im.convert("L"))
    yield "grey-progressive.jpg", jpeg(im.convert("L"), progressive=True)
    cmyk = jpeg(cmyk_of(im), subsampling="4:4:4")
    adobe = cmyk.index(b"Adobe")
    assert cmyk[adobe + 11] == 0
    yield "cmyk.jpg", cmyk
    yield "cmyk-without-adobe.jpg", cmyk[: adobe - 4] + cmyk[adobe + 12 :]
    yield "ycck.jpg", cmyk[: adobe + 11] + b"\x02" + cmyk[adobe + 12 :]
    baseline = jpeg()
    yield "bytes-after-the-end.jpg", baseline + b"more" * 20
    yield "two-pictures.jpg", baseline + jpeg(im.transpose(Image.FLIP_LEFT_RIGHT))
    yield "bytes-between-segments.jpg", baseline[:20] + b"\0junk\0" + baseline[20:]
    yield "fill-bytes.jpg", baseline[:20] + b"\xff\xff" + baseline[20:]
    yield "no-jfif.jpg", baseline[:2] + baseline[20:]
    for value in range(0, 10):
        yield f"orientation-{value}.jpg", jpeg(exif=orientation(value))
    thumbnail = b"Exif\0\0" + orientation(6).tobytes().removeprefix(b"Exif\0\0") + baseline
    yield "thumbnail.jpg", jpeg(exif=thumbnail)


def cmyk_of(im):
    """Four inks that are not just the complement, so that a swapped or inverted one shows."""
    c, m, y = (ImageOps.invert(band) for band in im.split())
    k = im.convert("L").point(lambda v: (255 - v) // 3)
    return Image.merge("CMYK", (c, m, y, k))


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(w, h, colour, depth, interlaced=False, before=()):
    """PNG of a formula, for what Pillow cannot write."""

    def packed(row):
        bits = "".join(f"{v:0{depth}b}" for v in row)
        bits += "0" * (-len(bits) % 8)
        return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))

    data = b""
    for left, top, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        for y in range(top, h, dy):
            samples = [sample(x, y, c, w, h, depth) for x in range(left, w, dx) for c in range(CHANNELS[colour])]
            if samples:
                data += b"\0" + packed(samples)
    header = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlaced)
    middle = b"".join(chunk(*c) for c in before)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def sample(x, y, c, w, h, depth):
    high = gradient(x, y, c % 3, w, h) if c < 3 else (x * 11 + y * 7) & 255
    return high << 8 | noise(x, y, c, w, h) if depth == 16 else high >> (8 - depth)


def pngs(w, h):
    palette = bytes((i * 37 + c * 91) & 255 for i in range(256) for c in range(3))
    for colour, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            yield f"colour{colour}-{depth}.png", png(w, h, colour, depth)
    for depth in (1, 2, 4, 8):
        plte = (b"PLTE", palette[: 3 << depth])
        yield f"palette-{depth}.png", png(w, h, 3, depth, before=[plte])
        alpha = bytes((i * 53) & 255 for i in range(min(1 << depth, 9)))
        yield f"palette-alpha-{depth}.png", png(w, h, 3, depth, before=[plte, (b"tRNS", alpha)])
    yield "transparent-grey.png", png(w, h, 0, 8, before=[(b"tRNS", struct.pack(">H", 120))])
    clear = [gradient(5, 4, c, w, h) for c in range(3)]
    yield "transparent-rgb.png", png(w, h, 2, 8, before=[(b"tRNS", struct.pack(">HHH", *clear))])
    for colour, depth in ((0, 1), (0, 16), (2, 8), (6, 8), (6, 16)):
        yield f"interlaced-colour{colour}-{depth}.png", png(w, h, colour, depth, True)
    yield "interlaced-3x2.png", png(3, 2, 2, 8, True)
    exif = orientation(6).tobytes().removeprefix(b"Exif\0\0")
    yield "orientation.png", png(w, h, 2, 8, before=[(b"eXIf", exif)])
    text = zlib.compress(b"x" * 1000)
    yield "text.png", png(w, h, 2, 8, before=[(b"tEXt", b"Title\0a"), (b"zTXt", b"Long\0\0" + text)])
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # the time it was made
    yield "profile.png", png(w, h, 2, 8, before=[(b"iCCP", b"sRGB\0\0" + zlib.compress(profile))])
    frame = picture("gradient", w, h)
    yield "animated.png", save(frame, "PNG", save_all=True, append_images=[frame.rotate(180)])


def webps(im, clear):
    yield "lossy.webp", save(im, "WEBP", quality=80)
    yield "lossy-alpha.webp", save(clear, "WEBP", quality=80)
    yield "lossless.webp", save(im, "WEBP", lossless=True)
    yield "lossless-alpha.webp", save(clear, "WEBP", lossless=True, exact=True)
    yield "orientation.webp", save(im, "WEBP", lossless=True, exif=orientation(8))
    more = [im.rotate(180), im.transpose(Image.FLIP_TOP_BOTTOM)]
    yield "animated.webp", save(im, "WEBP", save_all=True, append_images=more, lossless=True)
    yield "animated-lossy.webp", save(im, "WEBP", save_all=True, append_images=more, quality=80)
    yield "animated-alpha.webp", save(
        clear, "WEBP", save_all=True, append_images=[clear.rotate(180)], lossless=True, exact=True
    )
    yield "bytes-after-the-end.webp", save(im, "WEBP", lossless=True) + b"more" * 9


def gifs(im):
    few = im.quantize(32)
    yield "still.gif", save(few, "GIF")
    yield "flat.gif", save(few, "GIF", interlace=0)
    yield "transparent.gif", save(few, "GIF", transparency=few.getpixel((4, 4)))
    more = [im.rotate(180).quantize(32), im.transpose(Image.FLIP_TOP_BOTTOM).quantize(32)]
    yield "animated.gif", save(few, "GIF", save_all=True, append_images=more, loop=0)
    yield "animated-transparent.gif", save(
        few, "GIF", save_all=True, append_images=more, transparency=few.getpixel((4, 4)), disposal=2
    )
    yield "bytes-after-the-end.gif", save(few, "GIF") + b"more" * 9


def bmps(im):
    whole = save(im, "BMP")
    yield "rgb.bmp", whole
    yield "grey.bmp", save(im.convert("L"), "BMP")
    yield "palette.bmp", save(im.quantize(16), "BMP")
    yield "bilevel.bmp", save(im.convert("1"), "BMP")
    yield "rgbx.bmp", save(im.convert("RGBA"), "BMP")
    stride = (im.width * 3 + 3) & ~3
    rows = [whole[54 + i * stride :][:stride] for i in range(im.height)]
    height = struct.pack("<i", -im.height)
    yield "top-down.bmp", whole[:22] + height + whole[26:54] + b"".join(reversed(rows))


def tiffs(im, clear):
    yield "raw.tif", save(im, "TIFF")
    for kind in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"{kind.removeprefix('tiff_')}.tif", save(im, "TIFF", compression=kind)
    yield "alpha.tif", save(clear, "TIFF")
    yield "grey.tif", save(im.convert("L"), "TIFF")
    yield "bilevel.tif", save(im.convert("1"), "TIFF")
    yield "cmyk.tif", save(cmyk_of(im), "TIFF")
    deep = b"".join(struct.pack("<H", gradient(x, y, 0, *im.size) << 8 | x) for y in range(im.height) for x in range(im.width))
    yield "grey-16.tif", save(Image.frombytes("I;16", im.size, deep), "TIFF")
    for value in (3, 6):
        yield f"orientation-{value}.tif", save(im, "TIFF", tiffinfo={274: value})
    yield "pages.tif", save(im, "TIFF", save_all=True, append_images=[im.rotate(180)])
    yield "big-endian.tif", big_endian(im.convert("L"))


def big_endian(im):
    tags = [(256, im.width), (257, im.height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, im.height), (279, im.width * im.height)]
    data = im.tobytes() + b"\0" * (im.width * im.height % 2)
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0)
    return b"MM\0*" + struct.pack(">I", 8 + len(data)) + data + directory


def decoded(data):
    """The file as pairgate should decode it."""
    im = Image.open(io.BytesIO(data))
    im.load()
    im = ImageOps.exif_transpose(im)
    if im.mode.startswith("I;16"):
        im = high_byte(im)
    if im.has_transparency_data:
        im = im.convert("RGBA")
        white = Image.new("RGB", im.size, "white")
        white.paste(im, mask=im.getchannel("A"))
        return white
    return im.convert("RGB")


def high_byte(im):
    values = im.tobytes()
    return Image.frombytes("L", im.size, values[0::2] if im.mode == "I;16B" else values[1::2])


def write_decode(out):
    w, h = 23, 17
    im = picture("rings", w, h)
    clear = im.copy()
    clear.putalpha(Image.frombytes("L", (w, h), bytes((x * 9 + y * 5) & 255 for y in range(h) for x in range(w))))
    makers = (jpegs(im), pngs(w, h), webps(im, clear), gifs(im), bmps(im), tiffs(im, clear))
    files = out / "files"
    files.mkdir(parents=True, exist_ok=True)
    lines = []
    with open(out / "decode.bin", "wb") as pixels:
        for name, data in (item for maker in makers for item in maker):
            (files / name).write_bytes(data)
            rgb = decoded(data)
            pixels.write(rgb.tobytes())
            lines.append(f"{name},{rgb.width},{rgb.height}\n")
    (out / "decode.csv").write_text("".join(lines))


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/golden")
    write_decode(target)
    write_resize(target)
