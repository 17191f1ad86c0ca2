"""200 hostile files for a gate that must survive all of them.

    pip install -r tests/golden/requirements.txt
    python tests/hostile/make.py OUT
    pairgate filter OUT/files OUT/tars/*.tar* -o kept

Writes OUT/files (an image with its caption in a .txt and sometimes a .json, one of the three
hostile) and OUT/tars (broken shards). Everything is built here, from formulas; two runs write the
same bytes. A hostile sample counts once, a hostile shard counts once; OUT/list.txt names them.
"""

import gzip
import io
import shutil
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image

COUNT = 200
CAPTION = b"a small picture of coloured rings"


class Hostile:
    """The folder that is written, and the names of what counts."""

    def __init__(self, out):
        self.files, self.tars, self.names = out / "files", out / "tars", []
        for folder in (self.files, self.tars):
            folder.mkdir(parents=True)

    def sample(self, name, image=None, caption=CAPTION, meta=None, suffix=None):
        """`name` is stem.suffix of the image; a member that is None is not written."""
        stem, _, ending = name.rpartition(".")
        for end, data in ((ending, image), ("txt", caption), ("json", meta)):
            if data is not None:
                (self.files / f"{stem}.{end}").write_bytes(data)
        self.names.append(f"files/{name}")

    def tar(self, name, data):
        (self.tars / name).write_bytes(data)
        self.names.append(f"tars/{name}")


# ------------------------------------------------------------------------------ sound pictures


def picture(w=64, h=48):
    def value(x, y, c):
        dx, dy = 2 * x - w, 2 * y - h
        return ((dx * dx + dy * dy) // (w + h) * (c + 1) // 2) & 255

    return Image.frombytes("RGB", (w, h), bytes(value(x, y, c) for y in range(h) for x in range(w) for c in range(3)))


def save(im, kind, **options):
    data = io.BytesIO()
    im.save(data, kind, **options)
    return data.getvalue()


def sound(im):
    yield "jpg", save(im, "JPEG", quality=85)
    yield "progressive.jpg", save(im, "JPEG", quality=85, progressive=True)
    yield "png", save(im, "PNG")
    yield "webp", save(im, "WEBP", quality=80)
    yield "lossless.webp", save(im, "WEBP", lossless=True)
    yield "gif", save(im.quantize(64), "GIF")
    yield "bmp", save(im, "BMP")
    yield "tif", save(im, "TIFF", compression="tiff_lzw")


# ----------------------------------------------------------------------------------- truncated


def truncations(out, im):
    for kind, data in sound(im):
        for part in (10, 50, 90):
            stem, ending = f"cut-{part:02}", kind
            if "." in kind:
                prefix, ending = kind.split(".")
                stem += f"-{prefix}"
            out.sample(f"{stem}-{ending}.{ending}", data[: max(3, len(data) * part // 100)])


def wrong_content(out, im):
    jpeg, png, gif = save(im, "JPEG"), save(im, "PNG"), save(im.quantize(64), "GIF")
    html = b"<!DOCTYPE html><html><body>404 not found</body></html>"
    for name, data in {
        "empty.jpg": b"",
        "empty.png": b"",
        "one-byte.jpg": b"\xff",
        "magic-only.jpg": b"\xff\xd8\xff",
        "magic-only.png": png[:8],
        "magic-only.gif": b"GIF89a",
        "magic-only.webp": b"RIFF\x04\0\0\0WEBP",
        "magic-only.tif": b"II*\0",
        "text.jpg": b"this is no picture at all\n" * 40,
        "html.png": html,
        "zeros.jpg": bytes(5000),
        "ones.png": b"\xff" * 5000,
        "jpeg-named.png": jpeg,
        "png-named.jpg": png,
        "gif-named.webp": gif,
        "text-named-bm.bmp": b"BMW is a maker of cars and of motorcycles " * 9,
        "jpeg-after-text.jpg": b"\r\n\r\n" + jpeg,
        "swapped-halves.jpg": jpeg[len(jpeg) // 2 :] + jpeg[: len(jpeg) // 2],
        "line-ends.png": png.replace(b"\r\n", b"\n"),
        "utf8-mangled.jpg": jpeg.decode("latin-1").encode("utf-8"),
    }.items():
        out.sample(name, data)


# ----------------------------------------------------------------------------------------- PNG


def chunk(kind, data, crc=None):
    crc = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(w, h, depth=8, colour=2, data=b"", before=(), interlaced=0, end=True):
    header = struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlaced)
    middle = b"".join(chunk(kind, body) for kind, body in before)
    tail = chunk(b"IEND", b"") if end else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IDAT", data) + tail


def zeros(n):
    """`n` zero bytes as a zlib stream, without holding them."""
    packer, out = zlib.compressobj(9), []
    for start in range(0, n, 1 << 20):
        out.append(packer.compress(bytes(min(1 << 20, n - start))))
    return b"".join(out) + packer.flush()


def pngs(out):
    few = zlib.compress(bytes(100))
    good = zlib.compress(bytes((8 * 3 + 1) * 8))
    bomb = zeros(50 << 20)
    for name, data in {
        "png-20k": png(20_000, 20_000, 1, 0, zeros(2501 * 20_000)),
        "png-16k-within-the-sides": png(16_384, 16_384, 1, 0, zeros(2049 * 16_384)),
        "png-50k-no-data": png(50_000, 50_000, 16, 6, few),
        "png-2g": png(0x7FFFFFFF, 0x7FFFFFFF, 16, 6, few),
        "png-over-2g": png(0xFFFFFFFF, 0xFFFFFFFF, 8, 2, few),
        "png-wide": png(2_000_000, 1, 8, 2, zeros(6_000_001)),
        "png-high": png(1, 2_000_000, 8, 2, zeros(8_000_000)),
        "png-zero-height": png(8, 0, data=few),
        "png-depth-3": png(8, 8, 3, data=few),
        "png-colour-5": png(8, 8, 8, 5, data=few),
        "png-interlace-9": png(8, 8, data=good, interlaced=9),
        "png-too-little-data": png(64, 64, data=few),
        "png-too-much-data": png(8, 8, data=bomb),
        "png-no-zlib": png(8, 8, data=b"not a zlib stream at all"),
        "png-no-palette": png(8, 8, 8, 3, zlib.compress(bytes(72))),
        "png-palette-of-one-byte": png(8, 8, 8, 3, zlib.compress(bytes(72)), [(b"PLTE", b"\0")]),
        "png-short-palette": png(8, 8, 8, 3, zlib.compress(b"\0\xff\xff\xff\xff\xff\xff\xff\xff" * 8), [(b"PLTE", bytes(6))]),
        "png-ztxt-bomb": png(8, 8, data=good, before=[(b"zTXt", b"Comment\0\0" + bomb)]),
        "png-iccp-bomb": png(8, 8, data=good, before=[(b"iCCP", b"icc\0\0" + bomb)]),
        "png-itxt-bomb": png(8, 8, data=good, before=[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)]),
        "png-many-texts": png(8, 8, data=good, before=[(b"tEXt", b"k\0v")] * 20_000),
        "png-bad-crc": png(8, 8, data=good).replace(chunk(b"IDAT", good), chunk(b"IDAT", good, 1)),
        "png-chunk-of-2g": png(8, 8, data=good)[:33] + b"\x7f\xff\xff\xff" + b"tEXt",
        "png-two-headers": png(8, 8, data=good, before=[(b"IHDR", struct.pack(">IIBBBBB", 9999, 9999, 16, 6, 0, 0, 0))]),
        "png-no-end": png(8, 8, data=good, end=False),
        "png-apng-frame-bomb": png(8, 8, data=good, before=[(b"acTL", struct.pack(">II", 0xFFFFFFFF, 0))]),
        "png-exif-loop": png(8, 8, data=good, before=[(b"eXIf", exif_loop())]),
    }.items():
        out.sample(f"{name}.png", data)


# ---------------------------------------------------------------------------------------- EXIF


def exif(entries, first=8, following=0):
    """A little-endian directory; entries are (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", first, len(entries)) + body + struct.pack("<I", following)


def exif_loop():
    return exif([(0x8769, 4, 1, 8), (0x0112, 3, 1, 6)], following=8)


def exifs(out, im):
    def jpeg(block):
        return save(im, "JPEG", exif=b"Exif\0\0" + block)

    turned = {f"exif-orientation-{v}": exif([(0x0112, 3, 1, v)]) for v in (0, 9, 65535)}
    for name, block in {
        **turned,
        "exif-empty": b"",
        "exif-bad-order": b"XX*\0\x08\0\0\0",
        "exif-offset-past-end": exif([(0x0112, 3, 1, 6)], first=0xFFFFFFF0),
        "exif-loop": exif_loop(),
        "exif-huge-count": exif([(0x0112, 3, 0xFFFFFFFF, 6), (0x010E, 2, 0x7FFFFFFF, 26)]),
        "exif-65535-entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(20),
    }.items():
        out.sample(f"{name}.jpg", jpeg(block))


# ---------------------------------------------------------------------------------------- JPEG


def patched(data, marker, offset, value):
    """`data` with bytes replaced `offset` bytes after the first `marker`."""
    at = data.index(marker) + offset
    return data[:at] + value + data[at + len(value) :]


def jpegs(out, im):
    jpeg, progressive = save(im, "JPEG"), save(im, "JPEG", progressive=True)
    cmyk = save(Image.merge("CMYK", [*im.split(), im.convert("L")]), "JPEG")
    frame, scan = b"\xff\xc0", b"\xff\xda"
    middle = (jpeg.index(scan) + len(jpeg)) // 2
    for name, data in {
        "jpeg-65535": patched(jpeg, frame, 5, b"\xff\xff\xff\xff"),
        "jpeg-65535-progressive": patched(progressive, b"\xff\xc2", 5, b"\xff\xff\xff\xff"),
        "jpeg-16384-progressive": patched(progressive, b"\xff\xc2", 5, b"\x40\0\x40\0"),
        "jpeg-zero-height": patched(jpeg, frame, 5, b"\0\0"),
        "jpeg-no-components": patched(jpeg, frame, 9, b"\0"),
        "jpeg-255-components": patched(jpeg, frame, 9, b"\xff"),
        "jpeg-12-bit": patched(jpeg, frame, 4, b"\x0c"),
        "jpeg-arithmetic": patched(jpeg, frame, 1, b"\xc9"),
        "jpeg-sampling-zero": patched(jpeg, frame, 11, b"\0"),
        "jpeg-sampling-15": patched(jpeg, frame, 11, b"\xff"),
        "jpeg-no-tables": jpeg.replace(b"\xff\xc4", b"\xff\xe9"),
        "jpeg-no-quantisation": jpeg.replace(b"\xff\xdb", b"\xff\xe9"),
        "jpeg-segment-length-0": patched(jpeg, b"\xff\xe0", 2, b"\0\0"),
        "jpeg-segment-past-end": patched(jpeg, b"\xff\xdb", 2, b"\xff\xff"),
        "jpeg-scan-of-noise": jpeg[:middle] + bytes((i * 73 + i // 7) % 255 for i in range(900)) + b"\xff\xd9",
        "jpeg-early-end": jpeg[:middle] + b"\xff\xd9",
        "jpeg-restarts-out-of-order": jpeg[:middle] + b"\xff\xd5\xff\xd0" * 20 + jpeg[middle:],
        "jpeg-1000-scans": progressive[:-2] + progressive[progressive.index(scan) : -2] * 200 + b"\xff\xd9",
        "jpeg-ends-in-header": jpeg[: jpeg.index(scan) + 3],
        "jpeg-cmyk-corrupt": cmyk[: len(cmyk) // 2] + b"\xff\x02" * 50 + cmyk[len(cmyk) // 2 :],
        "jpeg-cmyk-transform-9": patched(cmyk, b"Adobe", 11, b"\x09"),
        "jpeg-only-end": b"\xff\xd8\xff\xd9",
    }.items():
        out.sample(f"{name}.jpg", data)


# ------------------------------------------------------------------------- GIF, BMP, WebP, TIFF


def gif_frame(left, top, w, h, data=b"\x02\x16\x8c\x2d\x99\x87\x2a\x1c\xdc\x33\xa0\x02\x75\xec\x95\xfa\xa8\xde\x60\x8c\x04\x91\x4c\x01\0"):
    return b"\x2c" + struct.pack("<HHHHB", left, top, w, h, 0) + data


def gif(w, h, *frames, end=b"\x3b"):
    palette = bytes(range(12))
    return b"GIF89a" + struct.pack("<HHBBB", w, h, 0x91, 0, 0) + palette + b"".join(frames) + end


def gifs(out, im):
    small = gif_frame(0, 0, 10, 10)
    for name, data in {
        "gif-65535": gif(65535, 65535, small),
        "gif-frame-65535": gif(10, 10, gif_frame(0, 0, 65535, 65535)),
        "gif-zero": gif(0, 0, small),
        "gif-frame-outside": gif(10, 10, gif_frame(5000, 5000, 10, 10)),
        "gif-frame-past-the-edge": gif(10, 10, gif_frame(5, 5, 10, 10)),
        "gif-no-frame": gif(10, 10),
        "gif-10k-frames": gif(10, 10, *[small] * 10_000),
        "gif-code-size-200": gif(10, 10, gif_frame(0, 0, 10, 10, b"\xc8\x02\0\0\0")),
        "gif-no-palette": b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + small + b"\x3b",
        "gif-endless-comment": gif(10, 10, b"\x21\xfe" + (b"\xff" + b"x" * 255) * 4000, end=b""),
    }.items():
        out.sample(f"{name}.gif", data)


def bmps(out, im):
    bmp = save(im, "BMP")

    def at(offset, form, *values):
        packed = struct.pack(form, *values)
        return bmp[:offset] + packed + bmp[offset + len(packed) :]

    for name, data in {
        "bmp-negative-height": at(22, "<i", -48),
        "bmp-most-negative-height": at(22, "<i", -(2**31)),
        "bmp-2g": at(18, "<ii", 2**31 - 1, 2**31 - 1),
        "bmp-50k": at(18, "<ii", 50_000, 50_000),
        "bmp-data-past-end": at(10, "<I", 0xFFFFFFF0),
        "bmp-depth-77": at(28, "<H", 77),
        "bmp-rle-of-nothing": at(28, "<HI", 8, 1),
        "bmp-palette-of-4g": at(46, "<I", 0xFFFFFFFF),
        "bmp-header-of-4g": at(14, "<I", 0xFFFFFFFF),
    }.items():
        out.sample(f"{name}.bmp", data)


def riff(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webps(out, im):
    lossy = save(im, "WEBP", quality=80)
    stream, size = lossy[20:], 20 + 6

    def canvas(w, h, flags=0):
        return b"VP8X", bytes([flags, 0, 0, 0]) + (w - 1).to_bytes(3, "little") + (h - 1).to_bytes(3, "little")

    huge = lossy[:size] + b"\xff\x3f\xff\x3f" + lossy[size + 4 :]
    nested = b""
    for _ in range(300):
        nested = b"ANMF" + struct.pack("<I", 16 + len(nested)) + bytes(16) + nested
    for name, data in {
        "webp-16383": huge,
        "webp-16m-canvas": riff(canvas(1 << 24, 1 << 24), (b"VP8 ", stream)),
        "webp-stream-above-canvas": riff(canvas(16, 16), (b"VP8 ", huge[20:])),
        "webp-exif-of-4g": riff(canvas(64, 48, 8), (b"VP8 ", stream))[:-2] + b"EXIF\xff\xff\xff\xff",
        "webp-riff-of-4g": lossy[:4] + b"\xff\xff\xff\xff" + lossy[8:],
        "webp-no-stream": riff(canvas(64, 48)),
        "webp-nested-frames": riff(canvas(64, 48, 2), (b"ANIM", bytes(6)), (b"ANMF", bytes(16) + nested)),
        "webp-10k-frames": riff(canvas(64, 48, 2), (b"ANIM", bytes(6)), *[(b"ANMF", bytes(24))] * 10_000),
    }.items():
        out.sample(f"{name}.webp", data)


def tiff(entries, following=0, body=b"\x80" * 64):
    """Little-endian, one directory after 64 bytes of data at offset 8."""
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + exif(entries, following=following)[8:]


def tiff_entries(w, h, **other):
    tags = {256: w, 257: h, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: h, 279: w * h & 0xFFFFFFFF}
    tags.update({int(tag[1:]): value for tag, value in other.items()})
    return [(tag, 4, 1, value) for tag, value in sorted(tags.items())]


def tiffs(out):
    def counted(tag, count):
        return [(t, k, count if t == tag else n, v) for t, k, n, v in tiff_entries(8, 8)]

    tiles = {"t322": 16, "t323": 16, "t324": 8, "t325": 256}
    for name, data in {
        "tiff-directory-loop": tiff(tiff_entries(8, 8), following=72),
        "tiff-50k": tiff(tiff_entries(50_000, 50_000)),
        "tiff-4g": tiff(tiff_entries(0xFFFFFFFF, 0xFFFFFFFF)),
        "tiff-tiles-of-4g": tiff(tiff_entries(8, 8, **{**tiles, "t322": 0xFFFFFFF0, "t323": 0xFFFFFFF0})),
        "tiff-tile-0": tiff(tiff_entries(8, 8, **{**tiles, "t322": 0})),
        "tiff-strips-of-1g": tiff(counted(273, 1 << 30)),
        "tiff-strip-past-end": tiff(tiff_entries(8, 8, t273=0xFFFFFF00)),
        "tiff-1000-samples": tiff(tiff_entries(8, 8, t277=1000)),
        "tiff-float": tiff(tiff_entries(4, 4, t258=32, t339=3)),
        "tiff-directory-past-end": b"II*\0\xf0\xff\xff\xff",
        "tiff-65535-entries": b"II*\0\x08\0\0\0\xff\xff" + bytes(100),
    }.items():
        out.sample(f"{name}.tif", data)


# --------------------------------------------------------------------------- captions, metadata


def captions(out, im):
    image = save(im, "JPEG")
    for name, caption in {
        "invalid-utf8": b"a picture \xff\xfe\xc3\x28 of rings",
        "surrogate": b"a picture \xed\xa0\x80 of rings",
        "cut-character": "a picture of a caf\u00e9".encode()[:-1],
        "empty": b"",
        "4-mib": (b"word " * 840_000)[: 4 << 20],
        "one-long-word": b"x" * 100_000,
        "nul": b"a\0picture\0of\0rings and more",
        "bom": b"\xef\xbb\xbf a picture of rings",
        "white-space": b" \t\r\n\x0b\x0c " * 50,
        "utf-16": "a picture of rings".encode("utf-16"),
        "right-to-left": "a \u202epicture\u202c of \u200b\u200b rings".encode(),
    }.items():
        out.sample(f"caption-{name}.jpg", image, caption)
    out.sample("caption-none.jpg", image, None)
    out.sample("image-none.jpg", None)


def metadata(out, im):
    image = save(im, "JPEG")
    for name, meta in {
        "invalid": b'{"width": 64, "height": ',
        "empty": b"",
        "nested-100k": b"[" * 100_000 + b"]" * 100_000,
        "nested-objects": b'{"a":' * 50_000,
        "huge-number": b'{"original_width": 1e999999, "original_height": ' + b"9" * 5000 + b"}",
        "negative": b'{"original_width": -5, "original_height": 0}',
        "wrong-types": b'{"original_width": "wide", "uid": 7, "caption": [1]}',
        "not-utf8": b'{"uid": "\xff\xff"}',
    }.items():
        out.sample(f"json-{name}.jpg", image, meta=meta)


# ---------------------------------------------------------------------------------------- tars


def header(name, size, kind=b"0", link=b"", checksum=None):
    """A ustar header; `size` is a number or the 12 bytes of the field."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:148] = field + b"00000000000\0"
    block[148:157] = b" " * 8 + kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = b"ustar\x0000"
    total = sum(block) if checksum is None else checksum
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def member(name, data, kind=b"0", link=b""):
    return header(name, len(data), kind, link) + data + bytes(-len(data) % 512)


def pax(records):
    """Pax lines: each starts with its own length."""
    lines = b""
    for key, value in records:
        line = b" " + key + b"=" + value + b"\n"
        length = len(line) + len(str(len(line)))
        length = len(line) + len(str(length))
        lines += str(length).encode() + line
    return lines


def tars(out, im):
    jpeg = save(im, "JPEG")
    end = bytes(1024)

    def pair(key, image=jpeg, caption=CAPTION):
        return member(key + b".jpg", image) + member(key + b".txt", caption)

    good = pair(b"000000000") + pair(b"000000001")
    long_name = b"deep/" * 200_000 + b"x.jpg"
    for name, data in {
        "cut-in-header": good + pair(b"000000002")[:200],
        "cut-in-data": good + pair(b"000000002")[:900],
        "cut-in-padding": good[:-9],
        "cut-before-end": good,
        "bad-checksum": good + header(b"000000002.jpg", len(jpeg), checksum=1) + jpeg,
        "zeros-in-the-middle": good + bytes(512) + pair(b"000000002") + end,
        "size-of-8g": good + header(b"000000002.jpg", 0o77777777777) + jpeg,
        "size-not-octal": good + header(b"000000002.jpg", b"99999999999\0") + jpeg,
        "size-negative": good + header(b"000000002.jpg", b"\xff" * 12) + jpeg,
        "size-base-256-huge": good + header(b"000000002.jpg", b"\x80" + b"\x7f" * 11) + jpeg,
        "links": good + member(b"000000002.jpg", b"", b"2", b"/etc/passwd") + member(b"000000002.txt", b"", b"1", b"000000000.txt") + end,
        "devices": good + member(b"000000002.jpg", b"", b"3") + member(b"000000002.txt", b"", b"6") + end,
        "directory-as-image": good + member(b"000000002.jpg/", b"", b"5") + member(b"000000002.txt", CAPTION) + end,
        "longname-bomb": good + member(b"././@LongLink", long_name + b"\0", b"L") + pair(b"000000002") + end,
        "longname-of-8g": good + header(b"././@LongLink", 0o77777777777, b"L") + b"x" * 512,
        "pax-bomb": good + member(b"pax", pax([(b"comment", b"x" * 2_000_000)]), b"x") + pair(b"000000002") + end,
        "pax-path-traversal": good + member(b"pax", pax([(b"path", b"../../../../tmp/pairgate-was-here.jpg")]), b"x") + pair(b"2") + end,
        "pax-size-negative": good + member(b"pax", pax([(b"size", b"-1")]), b"x") + pair(b"000000002") + end,
        "pax-broken": good + member(b"pax", b"999999 path=x\n", b"x") + pair(b"000000002") + end,
        "path-traversal": pair(b"../../../tmp/pairgate-was-here") + pair(b"/tmp/pairgate-was-here") + end,
        "names-not-utf8": pair(b"\xff\xfe\x80name") + good + end,
        "names-empty": member(b"", jpeg) + member(b".", jpeg) + member(b".jpg", jpeg) + good + end,
        "names-with-control-bytes": pair(b"a\nb\x1b[31mc") + good + end,
        "duplicate-members": pair(b"000000000") + pair(b"000000000") + member(b"000000001.jpg", jpeg) * 2 + end,
        "same-key-apart": pair(b"000000000") + pair(b"000000001") + pair(b"000000000") + end,
        "no-image-no-caption": member(b"000000000.txt", CAPTION) + member(b"000000001.jpg", jpeg) + member(b"000000002.json", b"{}") + end,
        "bombs-inside": pair(b"0", png(50_000, 50_000, 16, 6, zlib.compress(bytes(9)))) + pair(b"1", b"") + pair(b"2", jpeg[:400]) + pair(b"3", caption=b"\xff\xff\xff") + end,
        "5000-tiny-members": b"".join(member(b"%d.bin" % i, b"") for i in range(5000)) + end,
        "empty": end,
        "zero-length": b"",
        "text": b"this is no archive\n" * 100,
        "header-of-ones": good + b"\xff" * 1024,
    }.items():
        out.tar(f"{name}.tar", data)
    packed = gzip.compress(good + end, mtime=0)
    for name, data in {
        "gzip-garbage": b"\x1f\x8b" + bytes(range(256)) * 4,
        "gzip-cut": packed[: len(packed) // 2],
        "gzip-bad-checksum": packed[:-8] + bytes(8),
        "gzip-bomb": gzip.compress(header(b"000000000.jpg", 64 << 20) + bytes(64 << 20), mtime=0),
        "gzip-empty": b"",
        "not-gzip": good + end,
    }.items():
        out.tar(f"{name}.tar.gz", data)


def odd_files(out, im):
    (out.files / "directory.jpg").mkdir()
    (out.files / "directory.txt").write_bytes(CAPTION)
    out.names.append("files/directory.jpg")


def main(target):
    shutil.rmtree(target / "files", ignore_errors=True)
    shutil.rmtree(target / "tars", ignore_errors=True)
    out, im = Hostile(target), picture()
    for make in (truncations, wrong_content, exifs, jpegs, gifs, bmps, webps, captions, metadata, tars, odd_files):
        make(out, im)
    pngs(out)
    tiffs(out)
    assert len(out.names) == len(set(out.names)), "two files have one name"
    (target / "list.txt").write_text("".join(f"{name}\n" for name in sorted(out.names)))
    print(f"{len(out.names)} hostile files in {target}")
    assert len(out.names) == COUNT, f"{COUNT} were promised"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
