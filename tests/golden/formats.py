"""Odd but legal pictures, and broken ones that need not be lost, with what Pillow decodes of them.

    pip install -r requirements.txt
    python tests/golden/formats.py tests/data/golden

All pictures are made by formula, so no one's rights are in them. Pillow must be 12.1. Writes

    formats.bin    the encoded files, one after the other
    formats.csv    one file a line: name, bytes, width, height, the start of SHA-256 of its RGB bytes
                   with orientation applied and transparency over white (of JPEG as TIFF
                   had it at first `-`: only the size is compared), or name, bytes and the reason why it is refused

With a second argument, a folder, each file is written there too, under its name.

Where Pillow refuses or misreads a file that others read, the expected pixels are those of the same
picture in a plain file; such lines are marked in this script by `like=`.
"""

import hashlib
import io
import lzma
import struct
import sys
import warnings
import zlib
from pathlib import Path

from PIL import Image, PngImagePlugin

from pil import ADAM7, chunk, decoded, noise, orientation, picture, save

W, H = 23, 17
PLAIN = picture("gradient", W, H)
GREY = PLAIN.convert("L")
RINGS = picture("rings", W, H)
OPACITY = Image.frombytes("L", (W, H), bytes((x * 9 + y * 5) & 255 for y in range(H) for x in range(W)))
BILEVEL = RINGS.convert("L").point(lambda v: 255 * (v > 90)).convert("1")
SIGNATURE = b"\x89PNG\r\n\x1a\n"


# -------------------------------------------------------------------------------------- TIFF

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
SIZES = {BYTE: 1, ASCII: 1, SHORT: 2, LONG: 4, RATIONAL: 8, UNDEFINED: 1, 8: 2, 9: 4, 11: 4, 12: 8, LONG8: 8, 13: 4, 10: 8, 6: 1}
LETTERS = {BYTE: "B", SHORT: "H", LONG: "L", LONG8: "Q", 6: "b", 8: "h", 9: "l", 11: "f", 12: "d", 13: "L"}


def packed_values(order, kind, values):
    if isinstance(values, bytes):
        return values, len(values) // SIZES[kind]
    if kind in (RATIONAL, 10):
        letter = "l" if kind == 10 else "L"
        return b"".join(struct.pack(order + 2 * letter, *v) for v in values), len(values)
    return struct.pack(f"{order}{len(values)}{LETTERS[kind]}", *values), len(values)


def directory(order, big, tags, at):
    """A directory that begins at `at`, and what its values need behind it."""
    count, offset, room = ("Q", "Q", 8) if big else ("H", "L", 4)
    length = struct.calcsize(order + count) + len(tags) * (20 if big else 12) + struct.calcsize(order + offset)
    body, behind = struct.pack(order + count, len(tags)), b""
    for tag, (kind, values) in sorted(tags.items()):
        data, number = packed_values(order, kind, values)
        if len(data) > room:
            place = at + length + len(behind)
            behind += data + b"\0" * (len(data) % 2)
            data = struct.pack(order + offset, place)
        body += struct.pack(order + "HH" + ("Q" if big else "L"), tag, kind, number) + data.ljust(room, b"\0")
    return body + struct.pack(order + offset, 0) + behind


def tiff(tags, segments, order="<", big=False, size=(W, H), tiled=False):
    """A file of one page whose strips or tiles are `segments`."""
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42))
    start = len(head) + (8 if big else 4)
    offsets, data = [], b""
    for segment in segments:
        offsets.append(start + len(data))
        data += segment + b"\0" * (len(segment) % 2)
    page = {256: (SHORT, [size[0]]), 257: (SHORT, [size[1]])}
    page[324 if tiled else 273] = (LONG, offsets)
    page[325 if tiled else 279] = (LONG, [len(segment) for segment in segments])
    page.update({tag: value for tag, value in tags.items() if value is not None})
    page = {tag: value for tag, value in page.items() if tags.get(tag, value) is not None}
    at = start + len(data)
    return head + struct.pack(order + ("Q" if big else "L"), at) + data + directory(order, big, page, at)


def tags(photometric, bits, compression=1, **more):
    bits = bits if isinstance(bits, list) else [bits]
    page = {258: (SHORT, bits), 259: (SHORT, [compression]), 262: (SHORT, [photometric]), 277: (SHORT, [len(bits)])}
    page.update({int(tag[1:]): value for tag, value in more.items()})
    return page


def bits_of(levels, bits, width=W):
    """Rows of samples of less than 8 bits, each from a whole byte on."""
    rows = b""
    for y in range(len(levels) // width):
        row = "".join(f"{v >> (8 - bits):0{bits}b}" for v in levels[y * width : (y + 1) * width])
        row += "0" * (-len(row) % 8)
        rows += bytes(int(row[i : i + 8], 2) for i in range(0, len(row), 8))
    return rows


def mirrored(data):
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


def deep(levels, order, seed=0):
    """16-bit samples whose low byte is noise."""
    return b"".join(struct.pack(order + "H", v << 8 | noise(i, seed, 0, W, H)) for i, v in enumerate(levels))


def differences(row, step, bits=8, order="<"):
    letter = {8: "B", 16: "H", 32: "L"}[bits]
    values = list(struct.unpack(f"{order}{len(row) * 8 // bits}{letter}", row))
    for i in range(len(values) - 1, step - 1, -1):
        values[i] = (values[i] - values[i - step]) % (1 << bits)
    return struct.pack(f"{order}{len(values)}{letter}", *values)


def strips(data, row, rows):
    return [data[at : at + row * rows] for at in range(0, len(data), row * rows)]


def tiles(data, bytes_each, tw, th, width=W, height=H):
    parts = []
    for top in range(0, height, th):
        for left in range(0, width, tw):
            tile = b""
            for y in range(top, top + th):
                row = data[y * width * bytes_each : (y + 1) * width * bytes_each]
                tile += row[left * bytes_each : (left + tw) * bytes_each].ljust(tw * bytes_each, b"\x55")
            parts.append(tile)
    return parts


def interleaved(*bands):
    return bytes(v for pixel in zip(*(band.tobytes() for band in bands)) for v in pixel)


def greys():
    levels = GREY.tobytes()
    for order, name in (("<", "le"), (">", "be")):
        for bits in (1, 2, 4):
            for photometric in (0, 1):
                for fill in (1, 2):
                    data = bits_of(levels, bits)
                    data = mirrored(data) if fill == 2 else data
                    page = tags(photometric, bits, t266=(SHORT, [fill]))
                    yield f"grey-{bits}-photo{photometric}-fill{fill}-{name}.tif", tiff(page, [data], order)
        yield f"grey-8-inverted-{name}.tif", tiff(tags(0, 8), [levels], order)
        yield f"grey-8-fill2-{name}.tif", tiff(tags(1, 8, t266=(SHORT, [2])), [mirrored(levels)], order)
        yield f"grey-16-{name}.tif", tiff(tags(1, 16), [deep(levels, order)], order)
        signed = struct.pack(f"{order}{W * H}h", *(v * 3 - 200 for v in levels))
        yield f"grey-16-signed-{name}.tif", tiff(tags(1, 16, t339=(SHORT, [2])), [signed], order)
        signed = struct.pack(f"{order}{W * H}l", *(v * 3 - 200 for v in levels))
        yield f"grey-32-signed-{name}.tif", tiff(tags(1, 32, t339=(SHORT, [2])), [signed], order)
        floats = struct.pack(f"{order}{W * H}f", *(v * 1.7 - 60.3 for v in levels))
        yield f"grey-float-{name}.tif", tiff(tags(1, 32, t339=(SHORT, [3])), [floats], order)
        yield f"grey-alpha-{name}.tif", tiff(tags(1, [8, 8], t338=(SHORT, [2])), [interleaved(GREY, OPACITY)], order)
    yield "grey-8-signed.tif", tiff(tags(1, 8, t339=(SHORT, [2])), [levels])
    yield "grey-16-inverted.tif", tiff(tags(0, 16), [deep(levels, "<")])
    yield "grey-16-fill2.tif", tiff(tags(1, 16, t266=(SHORT, [2])), [mirrored(deep(levels, "<"))])
    twelve = b""
    for y in range(H):
        row = "".join(f"{v << 4 | 5:012b}" for v in levels[y * W : (y + 1) * W])
        row += "0" * (-len(row) % 8)
        twelve += bytes(int(row[i : i + 8], 2) for i in range(0, len(row), 8))
    yield "grey-12.tif", tiff(tags(1, 12), [twelve]), GREY.convert("RGB")
    yield "no-photometric.tif", tiff({**tags(0, 8), 262: None}, [levels])


def palettes():
    for bits in (1, 2, 4, 8):
        colours = [(i * 37 * 257 + c * 9001) & 65535 for c in range(3) for i in range(1 << bits)]
        indices = bytes(v >> (8 - bits) << (8 - bits) for v in RINGS.convert("L").tobytes())
        page = tags(3, bits, t320=(SHORT, colours))
        for order, name in (("<", "le"), (">", "be")):
            yield f"palette-{bits}-{name}.tif", tiff(page, [bits_of(indices, bits)], order)
        like = decoded(tiff(page, [bits_of(indices, bits)]))
        yield f"palette-{bits}-fill2.tif", tiff({**page, 266: (SHORT, [2])}, [mirrored(bits_of(indices, bits))]), like
    page = {**page, 258: (SHORT, [8, 8]), 277: (SHORT, [2])}
    both = [interleaved(RINGS.convert("L"), OPACITY)]
    yield "palette-alpha.tif", tiff({**page, 338: (SHORT, [2])}, both)
    yield "palette-unused.tif", tiff({**page, 338: (SHORT, [0])}, both)


def colours():
    r, g, b = RINGS.split()
    pad = GREY
    for order, name in (("<", "le"), (">", "be")):
        yield f"rgb-{name}.tif", tiff(tags(2, [8] * 3), [interleaved(r, g, b)], order)
        wide = deep(interleaved(r, g, b), order)
        yield f"rgb-16-{name}.tif", tiff(tags(2, [16] * 3), [wide], order)
        inks = interleaved(r, g, b, pad)
        yield f"cmyk-{name}.tif", tiff(tags(5, [8] * 4), [inks], order)
        yield f"cmyk-16-{name}.tif", tiff(tags(5, [16] * 4), [deep(inks, order)], order)
        four = interleaved(r, g, b, OPACITY)
        for extra in (None, 0, 1, 2):
            more = {} if extra is None else {338: (SHORT, [extra])}
            yield f"rgba-extra{extra}-{name}.tif", tiff({**tags(2, [8] * 4), **more}, [four], order)
            yield f"rgba-16-extra{extra}-{name}.tif", tiff({**tags(2, [16] * 4), **more}, [deep(four, order)], order)
    yield "rgba-extra999.tif", tiff({**tags(2, [8] * 4), 338: (SHORT, [999])}, [four])
    yield "rgb-fill2.tif", tiff({**tags(2, [8] * 3), 266: (SHORT, [2])}, [mirrored(interleaved(r, g, b))])
    five, six = interleaved(r, g, b, OPACITY, pad), interleaved(r, g, b, OPACITY, pad, r)
    for extra in (0, 1, 2):
        yield f"rgb-5-extra{extra}.tif", tiff({**tags(2, [8] * 5), 338: (SHORT, [extra, 0])}, [five])
        yield f"rgb-6-extra{extra}.tif", tiff({**tags(2, [8] * 6), 338: (SHORT, [extra, 0, 0])}, [six])
    yield "cmyk-5.tif", tiff({**tags(5, [8] * 5), 338: (SHORT, [0])}, [interleaved(r, g, b, pad, OPACITY)])
    yield "one-size-for-all.tif", tiff({**tags(2, [8] * 3), 258: (SHORT, [8])}, [interleaved(r, g, b)])


def layouts():
    r, g, b = RINGS.split()
    rgb = interleaved(r, g, b)
    yield "strips.tif", tiff({**tags(2, [8] * 3), 278: (SHORT, [5])}, strips(rgb, 3 * W, 5))
    yield "strips-be.tif", tiff({**tags(2, [8] * 3), 278: (LONG, [4])}, strips(rgb, 3 * W, 4), ">")
    yield "offsets-short.tif", tiff({**tags(2, [8] * 3), 273: (SHORT, [8])}, [rgb])
    yield "no-counts.tif", tiff({**tags(2, [8] * 3), 279: None}, [rgb])
    planes = [part for band in (r, g, b) for part in strips(band.tobytes(), W, 5)]
    yield "planar-strips.tif", tiff({**tags(2, [8] * 3), 278: (SHORT, [5]), 284: (SHORT, [2])}, planes)
    for name, code, pack in (("deflate", 8, zlib.compress), ("old-deflate", 32946, zlib.compress), ("lzma", 34925, lzma.compress)):
        page = tags(2, [8] * 3, code, t278=(SHORT, [5]))
        yield f"{name}.tif", tiff(page, [pack(s) for s in strips(rgb, 3 * W, 5)])
        yield f"{name}-fill2.tif", tiff({**page, 266: (SHORT, [2])}, [mirrored(pack(s)) for s in strips(rgb, 3 * W, 5)])
        yield f"{name}-planar.tif", tiff({**page, 284: (SHORT, [2])}, [pack(s) for s in planes])
        summed = [pack(b"".join(differences(row, 3) for row in strips(s, 3 * W, 1))) for s in strips(rgb, 3 * W, 5)]
        yield f"{name}-predictor.tif", tiff({**page, 317: (SHORT, [2])}, summed)
        summed = [pack(b"".join(differences(row, 1) for row in strips(s, W, 1))) for s in planes]
        yield f"{name}-predictor-planar.tif", tiff({**page, 317: (SHORT, [2]), 284: (SHORT, [2])}, summed)
    for order, name in (("<", "le"), (">", "be")):
        wide = deep(rgb, order)
        page = tags(2, [16] * 3, 8, t317=(SHORT, [2]))
        summed = b"".join(differences(row, 3, 16, order) for row in strips(wide, 6 * W, 1))
        yield f"predictor-16-{name}.tif", tiff(page, [zlib.compress(summed)], order)
        wide = struct.pack(f"{order}{W * H}l", *(v * 3 - 200 for v in GREY.tobytes()))
        page = tags(1, 32, 8, t317=(SHORT, [2]), t339=(SHORT, [2]))
        summed = b"".join(differences(row, 1, 32, order) for row in strips(wide, 4 * W, 1))
        # Pillow reads compressed 32-bit samples of the other byte order wrongly.
        yield f"predictor-32-{name}.tif", tiff(page, [zlib.compress(summed)], order), decoded(tiff({**page, 259: (SHORT, [1])}, [wide], order))
        floats = [struct.pack(f">{W}f", *(v * 1.7 - 60.3 for v in row)) for row in strips(GREY.tobytes(), W, 1)]
        like = decoded(tiff(tags(1, 32, t339=(SHORT, [3])), [b"".join(floats)], ">"))
        floats = [b"".join(row[i::4] for i in range(4)) for row in floats]
        page = tags(1, 32, 8, t317=(SHORT, [3]), t339=(SHORT, [3]))
        yield f"predictor-float-{name}.tif", tiff(page, [zlib.compress(b"".join(differences(r, 1) for r in floats))], order), like
    sides = {322: (SHORT, [16]), 323: (SHORT, [16])}
    yield "tiles.tif", tiff({**tags(2, [8] * 3), **sides}, tiles(rgb, 3, 16, 16), tiled=True)
    yield "tiles-deflate.tif", tiff({**tags(2, [8] * 3, 8), **sides}, [zlib.compress(t) for t in tiles(rgb, 3, 16, 16)], tiled=True)
    planes = [t for band in (r, g, b) for t in tiles(band.tobytes(), 1, 16, 16)]
    yield "tiles-planar.tif", tiff({**tags(2, [8] * 3, 8), **sides, 284: (SHORT, [2])}, [zlib.compress(t) for t in planes], tiled=True)
    for extra in (1, 2):
        planes = [zlib.compress(band.tobytes()) for band in (r, g, b, OPACITY)]
        page = {**tags(2, [8] * 4, 8), 284: (SHORT, [2]), 338: (SHORT, [extra])}
        yield f"planar-alpha{extra}.tif", tiff(page, planes)
    planes = [zlib.compress(deep(band.tobytes(), "<")) for band in (r, g, b)]
    yield "planar-16.tif", tiff({**tags(2, [16] * 3, 8), 284: (SHORT, [2])}, planes)
    for compression in ("tiff_lzw", "packbits", "zstd", "tiff_deflate", "lzma"):
        for mode in ("RGB", "L", "RGBA", "CMYK"):
            im = RINGS.convert(mode)
            yield f"pillow-{compression}-{mode.lower()}.tif", save(im, "TIFF", compression=compression)
    yield "lzw-predictor.tif", save(RINGS, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "big.tif", save(RINGS, "TIFF", big_tiff=True)
    yield "big-by-hand.tif", tiff(tags(2, [8] * 3), [rgb], "<", True)
    yield "big-be.tif", tiff(tags(2, [8] * 3), [rgb], ">", True), RINGS
    large = picture("noise", 129, 65)
    yield "lzw-long.tif", save(large, "TIFF", compression="tiff_lzw")
    yield "pages.tif", save(RINGS, "TIFF", save_all=True, append_images=[GREY], compression="tiff_lzw")
    broken = {270: (ASCII, b"a" * 40), 34675: (UNDEFINED, b"b" * 40), 33432: (ASCII, b"c" * 40), 34665: (LONG, [0xFFFFFF00])}
    data = tiff({**tags(2, [8] * 3), **broken}, [rgb])
    for mark in (b"a" * 40, b"b" * 40, b"c" * 40):
        place = struct.pack("<L", data.index(mark))
        data = data.replace(place, struct.pack("<L", 0xFFFFFFF0))
    yield "broken-tags.tif", data, RINGS
    yield "mixed-order.tif", b"II\0*" + tiff(tags(2, [8] * 3), [rgb])[4:]


def faxes():
    for name in ("group3", "group4", "tiff_ccitt"):
        for photometric in (0, 1):
            for rows in (H, 5):
                info = {262: photometric, 278: rows}
                yield f"{name}-photo{photometric}-rows{rows}.tif", save(BILEVEL, "TIFF", compression=name, tiffinfo=info)
    yield "group3-2d.tif", save(BILEVEL, "TIFF", compression="group3", tiffinfo={292: 1})
    yield "group3-2d-rows5.tif", save(BILEVEL, "TIFF", compression="group3", tiffinfo={292: 1, 278: 5})
    yield "group3-fill.tif", save(BILEVEL, "TIFF", compression="group3", tiffinfo={292: 4})
    yield "group3-2d-fill.tif", save(BILEVEL, "TIFF", compression="group3", tiffinfo={292: 5})
    wide = picture("checks", 700, 40).convert("1")
    for name in ("group3", "group4", "tiff_ccitt"):
        yield f"{name}-wide.tif", save(wide, "TIFF", compression=name)
        yield f"{name}-white.tif", save(Image.new("1", (2600, 9), 1), "TIFF", compression=name)
        yield f"{name}-black.tif", save(Image.new("1", (2600, 9), 0), "TIFF", compression=name)
        dots = picture("noise", 131, 33).convert("L").point(lambda v: 255 * (v > 127)).convert("1")
        data = save(dots, "TIFF", compression=name)
        yield f"{name}-noise.tif", data
        yield f"{name}-fill2.tif", fill_order_2(data)


def fill_order_2(data):
    """The file with the bits of its one strip the other way round."""
    im = Image.open(io.BytesIO(data))
    offset, length = im.tag_v2[273][0], im.tag_v2[279][0]
    page = {tag: (SHORT, [im.tag_v2[tag]]) for tag in (259, 262, 278) if tag in im.tag_v2}
    page.update({258: (SHORT, [1]), 277: (SHORT, [1]), 266: (SHORT, [2])})
    if 292 in im.tag_v2:
        page[292] = (LONG, [im.tag_v2[292]])
    return tiff(page, [mirrored(data[offset : offset + length])], size=im.size)


def chroma():
    """Luma and chroma that are not JPEG: blocks of luma, then one sample of each chroma."""
    y, cb, cr = RINGS.convert("YCbCr").split()
    for across, down in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)):
        blocks = b""
        for top in range(0, H, down):
            for left in range(0, W, across):
                near = lambda band, x, row: band.getpixel((min(x, W - 1), min(row, H - 1)))
                blocks += bytes(near(y, left + dx, top + dy) for dy in range(down) for dx in range(across))
                blocks += bytes((near(cb, left, top), near(cr, left, top)))
        page = tags(6, [8] * 3, 8, t530=(SHORT, [across, down]), t284=(SHORT, [1]))
        yield f"ycbcr-{across}{down}.tif", tiff(page, [zlib.compress(blocks)])
        raw = tiff({**page, 259: (SHORT, [1])}, [blocks])
        yield f"ycbcr-{across}{down}-raw.tif", raw, decoded(tiff(page, [zlib.compress(blocks)]))
    plain = zlib.compress(interleaved(y, cb, cr))
    page = tags(6, [8] * 3, 8, t530=(SHORT, [1, 1]))
    reference = (RATIONAL, [(16, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)])
    yield "ycbcr-reference.tif", tiff({**page, 532: reference}, [plain])
    yield "ycbcr-709.tif", tiff({**page, 529: (RATIONAL, [(2125, 10000), (7154, 10000), (721, 10000)])}, [plain])
    yield "ycbcr-predictor.tif", tiff({**page, 317: (SHORT, [2])}, [zlib.compress(b"".join(differences(r, 3) for r in strips(interleaved(y, cb, cr), 3 * W, 1)))])
    yield "ycbcr-planar.tif", tiff({**page, 284: (SHORT, [2])}, [zlib.compress(band.tobytes()) for band in (y, cb, cr)])


def refused_tiffs():
    rgb = interleaved(*RINGS.split())
    yield "jbig.tif", tiff(tags(2, [8] * 3, 34661), [rgb])
    yield "jpeg2000.tif", tiff(tags(2, [8] * 3, 34712), [rgb])
    yield "lab.tif", tiff(tags(8, [8] * 3), [rgb])
    yield "float-64.tif", tiff(tags(1, 64, t339=(SHORT, [3])), [bytes(8 * W * H)])
    yield "raw-camera.tif", tiff(tags(32803, 8), [GREY.tobytes()])


# ------------------------------------------------------------------------------- orientation


def exif_of(value, order="<", kind=SHORT, before=None, count=1):
    values = [(value, 1)] * count if kind in (RATIONAL, 10) else [value] * count
    page = {274: (kind, values)}
    if before:
        page.update(before)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "L", 8) + directory(order, False, page, 8)


def xmp_of(value, form="attribute"):
    inner = f'tiff:Orientation="{value}"/>' if form == "attribute" else f"><tiff:Orientation>{value}</tiff:Orientation></rdf:Description>"
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {inner}</rdf:RDF></x:xmpmeta>'.encode()


PREFIX = b"Exif\0\0"


def exifs():
    """EXIF of all kinds, and what it says."""
    for value in range(0, 10):
        yield f"value{value}", exif_of(value)
    yield "be", exif_of(6, ">")
    for kind, name in ((LONG, "long"), (BYTE, "byte"), (RATIONAL, "rational"), (8, "sshort"), (9, "slong"), (11, "float"), (12, "double"), (6, "sbyte"), (13, "ifd"), (10, "srational")):
        for order, end in (("<", "le"), (">", "be")):
            yield f"{name}-{end}", exif_of(6, order, kind)
    yield "text", struct.pack("<2sHLHHHLL", b"II", 42, 8, 1, 274, ASCII, 2, ord("6")) + b"\0" * 4
    yield "two-values", exif_of(6, count=2)
    yield "many-values", exif_of(6, count=9)
    yield "no-values", struct.pack("<2sHLHHHLL", b"II", 42, 8, 1, 274, SHORT, 0, 6) + b"\0" * 4
    yield "prefix-twice", PREFIX + PREFIX + exif_of(6)
    yield "mixed", b"II\0*" + exif_of(6)[4:]
    yield "mixed-be", b"MM*\0" + exif_of(6, ">")[4:]
    yield "cut-behind", exif_of(6)[:-4]
    yield "cut-within", exif_of(6)[:-8]
    broken = exif_of(6, before={271: (ASCII, b"camera maker")})
    yield "maker", broken
    yield "maker-lost", broken[:-12]
    yield "later-lost", exif_of(6, before={305: (ASCII, b"software")})[:-8]
    yield "twice", struct.pack("<2sHLH", b"II", 42, 8, 2) + 1 * struct.pack("<HHLL", 274, SHORT, 1, 3) + struct.pack("<HHLL", 274, SHORT, 1, 6) + b"\0" * 4
    yield "unknown-kind", struct.pack("<2sHLH", b"II", 42, 8, 2) + struct.pack("<HHLL", 271, 99, 9, 0xFFFFFF) + struct.pack("<HHLL", 274, SHORT, 1, 6) + b"\0" * 4
    yield "empty", b""
    yield "no-tags", struct.pack("<2sHLHL", b"II", 42, 8, 0, 0)
    yield "not-there", exif_of(6)[:4] + struct.pack("<L", 4000) + exif_of(6)[8:]


def raw_profile(exif, name=b"exif"):
    digits = exif.hex().encode()
    lines = b"\n".join(digits[i : i + 72] for i in range(0, len(digits), 72))
    return b"\n%s\n%8d\n%s\n" % (name, len(exif), lines)


def png_file(before=(), after=(), colour=2, depth=8, data=None, interlaced=0, end=True, size=(W, H)):
    data = data if data is not None else zlib.compress(b"".join(b"\0" + PLAIN.tobytes()[y * W * 3 :][: W * 3] for y in range(H)))
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced))]
    parts += [c if isinstance(c, bytes) else chunk(*c) for c in before]
    parts += [chunk(b"IDAT", data)]
    parts += [c if isinstance(c, bytes) else chunk(*c) for c in after]
    return SIGNATURE + b"".join(parts) + (chunk(b"IEND", b"") if end else b"")


def itxt(key, text, packed=False):
    return (b"iTXt", key + b"\0" + (b"\1\0" if packed else b"\0\0") + b"\0\0" + (zlib.compress(text) if packed else text))


def png_orientations():
    for name, exif in exifs():
        yield f"exif-{name}.png", png_file([(b"eXIf", exif)])
    yield "exif-prefix.png", png_file([(b"eXIf", PREFIX + exif_of(6))])
    yield "exif-after.png", png_file(after=[(b"eXIf", exif_of(6))])
    yield "exif-both.png", png_file([(b"eXIf", exif_of(3))], [(b"eXIf", exif_of(6))])
    raw = raw_profile(PREFIX + exif_of(6))
    key = b"Raw profile type exif"
    for place in ("before", "after"):
        yield f"profile-text-{place}.png", png_file(**{place: [(b"tEXt", key + b"\0" + raw)]})
        yield f"profile-ztxt-{place}.png", png_file(**{place: [(b"zTXt", key + b"\0\0" + zlib.compress(raw))]})
        yield f"profile-itxt-{place}.png", png_file(**{place: [itxt(key, raw)]})
        yield f"profile-itxt-packed-{place}.png", png_file(**{place: [itxt(key, raw, True)]})
    yield "profile-no-prefix.png", png_file([(b"zTXt", key + b"\0\0" + zlib.compress(raw_profile(exif_of(8))))])
    yield "profile-and-exif.png", png_file([(b"zTXt", key + b"\0\0" + zlib.compress(raw))], [(b"eXIf", exif_of(3))])
    yield "profile-and-empty-exif.png", png_file([(b"zTXt", key + b"\0\0" + zlib.compress(raw)), (b"eXIf", b"")])
    yield "profile-app1.png", png_file([(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(raw))])
    yield "profile-bad-hex.png", png_file([(b"tEXt", key + b"\0" + raw.replace(b"49", b"4x", 1))]), PLAIN
    yield "text-exif.png", png_file([(b"tEXt", b"exif\0" + exif_of(6))])
    key = b"XML:com.adobe.xmp"
    for form in ("attribute", "element"):
        for packed in (False, True):
            yield f"xmp-{form}-{int(packed)}.png", png_file([itxt(key, xmp_of(6, form), packed)])
    yield "xmp-text.png", png_file([(b"tEXt", key + b"\0" + xmp_of(6))])
    yield "xmp-ztxt.png", png_file([(b"zTXt", key + b"\0\0" + zlib.compress(xmp_of(6)))])
    yield "xmp-after.png", png_file(after=[itxt(key, xmp_of(6))])
    yield "xmp-12.png", png_file([itxt(key, xmp_of(62))])
    yield "xmp-single-quotes.png", png_file([itxt(key, xmp_of(6).replace(b'"6"', b"'6'"))])
    yield "xmp-second.png", png_file([itxt(key, b'tiff:Orientation="x" ' + xmp_of(6))])
    yield "xmp-and-exif.png", png_file([itxt(key, xmp_of(6)), (b"eXIf", exif_of(3))])
    yield "xmp-and-exif-0.png", png_file([itxt(key, xmp_of(6)), (b"eXIf", exif_of(0))])
    yield "xmp-and-exif-without.png", png_file([itxt(key, xmp_of(6)), (b"eXIf", struct.pack("<2sHLHL", b"II", 42, 8, 0, 0))])
    bomb = zlib.compress(b"tiff:Orientation=\"6\"" + bytes(3 << 20))
    yield "xmp-bomb.png", png_file([(b"iTXt", key + b"\0\1\0\0\0" + bomb)]), PLAIN


def webp_file(chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<L", len(body)) + body


def webp_orientations():
    plain = save(PLAIN, "WEBP", lossless=True)
    stream = (b"VP8L", plain[20 : 20 + struct.unpack("<L", plain[16:20])[0]])

    def extended(flags, *after, before=()):
        canvas = struct.pack("<L", flags) + struct.pack("<L", W - 1)[:3] + struct.pack("<L", H - 1)[:3]
        return webp_file([(b"VP8X", canvas), *before, stream, *after])

    for name, exif in exifs():
        yield f"exif-{name}.webp", extended(8, (b"EXIF", exif))
    yield "exif-prefix.webp", extended(8, (b"EXIF", PREFIX + exif_of(6)))
    yield "exif-no-flag.webp", extended(0, (b"EXIF", exif_of(6)))
    yield "exif-flag-alone.webp", extended(8)
    yield "exif-first.webp", extended(8, before=[(b"EXIF", exif_of(6))])
    yield "exif-twice.webp", extended(8, (b"EXIF", exif_of(6)), (b"EXIF", exif_of(3)))
    yield "xmp.webp", extended(4, (b"XMP ", xmp_of(6)))
    yield "xmp-element.webp", extended(4, (b"XMP ", xmp_of(8, "element")))
    yield "xmp-and-exif.webp", extended(12, (b"EXIF", exif_of(3)), (b"XMP ", xmp_of(6)))
    yield "profile-flag-alone.webp", extended(32)
    yield "unknown-chunks.webp", extended(0, (b"JUNK", b"abc"), before=[(b"what", b"12345")])
    yield "not-extended-exif.webp", webp_file([stream, (b"EXIF", exif_of(6))])


def app1(data):
    return b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data


def jpeg_orientations():
    plain = save(PLAIN, "JPEG", quality=95)

    def with_segments(*segments):
        return plain[:20] + b"".join(app1(s) for s in segments) + plain[20:]

    for name, exif in exifs():
        yield f"exif-{name}.jpg", with_segments(PREFIX + exif)
    xmp = b"http://ns.adobe.com/xap/1.0/\0"
    yield "exif-empty-first.jpg", with_segments(PREFIX, PREFIX + exif_of(6))
    yield "exif-two.jpg", with_segments(PREFIX + exif_of(6), PREFIX + exif_of(3))
    long = exif_of(6, before={271: (ASCII, b"m" * 90)})
    yield "exif-in-two.jpg", with_segments(PREFIX + long[:60], PREFIX + long[60:])
    yield "xmp.jpg", with_segments(xmp + xmp_of(6))
    yield "xmp-element.jpg", with_segments(xmp + xmp_of(8, "element"))
    yield "xmp-two.jpg", with_segments(xmp + xmp_of(6), xmp + xmp_of(3))
    yield "xmp-then-exif.jpg", with_segments(xmp + xmp_of(6), PREFIX + exif_of(3))
    yield "exif-without-then-xmp.jpg", with_segments(PREFIX + struct.pack("<2sHLHL", b"II", 42, 8, 0, 0), xmp + xmp_of(6))
    scan = plain.index(b"\xff\xda")
    yield "exif-behind-the-scan.jpg", plain[:-2] + app1(PREFIX + exif_of(6)) + plain[-2:]
    yield "exif-last.jpg", plain[:scan] + app1(PREFIX + exif_of(6)) + plain[scan:]


def tiff_orientations():
    rgb = interleaved(*PLAIN.split())
    for value in range(0, 10):
        yield f"tag-{value}.tif", tiff({**tags(2, [8] * 3), 274: (SHORT, [value])}, [rgb])
    yield "tag-long-be.tif", tiff({**tags(2, [8] * 3), 274: (LONG, [6])}, [rgb], ">")
    yield "tag-big.tif", tiff({**tags(2, [8] * 3), 274: (SHORT, [6])}, [rgb], "<", True)
    yield "tag-deflate.tif", tiff({**tags(2, [8] * 3, 8), 274: (SHORT, [5])}, [zlib.compress(rgb)])
    yield "xmp-tag.tif", tiff({**tags(2, [8] * 3), 700: (BYTE, xmp_of(6))}, [rgb])
    yield "xmp-tag-undefined.tif", tiff({**tags(2, [8] * 3), 700: (UNDEFINED, xmp_of(7))}, [rgb])
    yield "xmp-tag-and-tag.tif", tiff({**tags(2, [8] * 3), 274: (SHORT, [3]), 700: (BYTE, xmp_of(6))}, [rgb])


# --------------------------------------------------------------------------------------- PNG


def rows_of(samples, depth, channels, interlaced):
    """Filtered rows of `samples(x, y, c)`."""
    data = b""
    for left, top, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        for y in range(top, H, dy):
            row = [samples(x, y, c) for x in range(left, W, dx) for c in range(channels)]
            if row:
                text = "".join(f"{v & ((1 << depth) - 1):0{depth}b}" for v in row)
                text += "0" * (-len(text) % 8)
                data += b"\0" + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    return zlib.compress(data, 9)


def clear_pngs():
    """A transparent colour, in each kind that can have one."""
    for depth in (1, 2, 4, 8, 16):
        level = lambda x, y, c: (x + y) * (257 if depth == 16 else 1)
        for interlaced in (0, 1):
            data = rows_of(level, depth, 1, interlaced)
            value = level(3, 4, 0) & ((1 << depth) - 1)
            most = (1 << depth) - 1
            levels = [level(x, y, 0) & most for y in range(H) for x in range(W)]
            # As the PNG specification and browsers have it; Pillow compares other levels.
            like = Image.frombytes("L", (W, H), bytes(255 if v == value else v * 255 // most for v in levels))
            yield f"clear-grey-{depth}-{interlaced}.png", png_file([(b"tRNS", struct.pack(">H", value))], colour=0, depth=depth, data=data, interlaced=interlaced), like.convert("RGB")
    for depth in (8, 16):
        level = lambda x, y, c: (x * (c + 1) + y) * (257 if depth == 16 else 1)
        data = rows_of(level, depth, 3, 0)
        value = struct.pack(">HHH", *(level(3, 4, c) for c in range(3)))
        yield f"clear-rgb-{depth}.png", png_file([(b"tRNS", value)], depth=depth, data=data)
    palette = bytes((i * 37 + c * 91) & 255 for i in range(256) for c in range(3))
    for depth in (1, 2, 4, 8):
        data = rows_of(lambda x, y, c: x * 5 + y * 3, depth, 1, 0)
        plte = (b"PLTE", palette[: 3 << depth])
        yield f"clear-palette-{depth}.png", png_file([plte, (b"tRNS", b"\xff\0")], colour=3, depth=depth, data=data)
        yield f"clear-palette-first-{depth}.png", png_file([plte, (b"tRNS", b"\0")], colour=3, depth=depth, data=data)


def broken_crc(kind, data):
    return chunk(kind, data)[:-4] + b"\1\2\3\4"


def odd_pngs():
    yield from clear_pngs()
    pixels = zlib.compress(b"".join(b"\0" + PLAIN.tobytes()[y * W * 3 :][: W * 3] for y in range(H)))
    for kind, data in ((b"tEXt", b"a\0b"), (b"gAMA", struct.pack(">L", 45455)), (b"pHYs", b"\0" * 9), (b"iCCP", b"x\0\0" + zlib.compress(b"profile")), (b"abCd", b"private")):
        name = kind.decode().lower()
        yield f"crc-{name}.png", png_file([broken_crc(kind, data)]), PLAIN
        yield f"crc-{name}-after.png", png_file(after=[broken_crc(kind, data)]), PLAIN
    for kind, data in ((b"tEXt", b"no zero"), (b"tEXt", b""), (b"zTXt", b"a\0\7bad"), (b"zTXt", b"a\0\0bad"), (b"iTXt", b"a"), (b"gAMA", b""), (b"gAMA", b"1234567"), (b"pHYs", b"1"), (b"cHRM", b"1"), (b"sRGB", b""), (b"sRGB", b"\xff"), (b"iCCP", b"bad"), (b"iCCP", b"x\0\0bad"), (b"iCCP", b"x\0\7"), (b"bKGD", b"1"), (b"sBIT", b"12345678"), (b"hIST", b"1"), (b"tIME", b"1"), (b"acTL", b"1"), (b"fcTL", b"1"), (b"sPLT", b""), (b"oFFs", b""), (b"cICP", b""), (b"mDCV", b""), (b"tRNS", b""), (b"tRNS", b"1"), (b"PLTE", b"12")):
        yield f"bad-{kind.decode().lower()}-{len(data)}.png", png_file([(kind, data)]), PLAIN
    yield "crc-idat.png", png_file(data=b"").replace(chunk(b"IDAT", b""), broken_crc(b"IDAT", pixels)), PLAIN
    whole = png_file()
    yield "crc-ihdr.png", whole[:29] + b"\0\0\0\0" + whole[33:], PLAIN
    yield "no-end.png", png_file(end=False)
    yield "bytes-after.png", whole + b"more" * 30
    yield "end-twice.png", whole + chunk(b"IEND", b"")
    yield "adler.png", png_file(data=pixels[:-4] + b"\1\2\3\4"), PLAIN
    yield "no-adler.png", png_file(data=pixels[:-4]), PLAIN
    yield "zlib-more.png", png_file(data=pixels + b"more"), PLAIN
    rows = b"".join(b"\0" + PLAIN.tobytes()[y * W * 3 :][: W * 3] for y in range(H))
    yield "rows-more.png", png_file(data=zlib.compress(rows + rows[: 3 * W])), PLAIN
    parts = [chunk(b"IDAT", pixels[i : i + 7]) for i in range(0, len(pixels), 7)]
    yield "many-idat.png", SIGNATURE + whole[8:33] + b"".join(parts) + chunk(b"IEND", b"")
    empty = [chunk(b"IDAT", b"")] + [chunk(b"IDAT", pixels[i : i + 90]) + chunk(b"IDAT", b"") for i in range(0, len(pixels), 90)]
    yield "empty-idat.png", SIGNATURE + whole[8:33] + b"".join(empty) + chunk(b"IEND", b""), PLAIN
    palette = bytes((i * 37 + c * 91) & 255 for i in range(256) for c in range(3))
    data = rows_of(lambda x, y, c: (x + y) % 9, 8, 1, 0)
    yield "palette-short.png", png_file([(b"PLTE", palette[:30])], colour=3, data=data)
    yield "palette-in-rgb.png", png_file([(b"PLTE", palette)])
    yield "palette-in-grey.png", png_file([(b"PLTE", palette)], colour=0, data=rows_of(lambda x, y, c: x * y, 8, 1, 0))
    few = rows_of(lambda x, y, c: x + y, 2, 1, 0)
    yield "palette-long.png", png_file([(b"PLTE", palette[:60])], colour=3, depth=2, data=few)
    frame = struct.pack(">LLLLLHHBB", 0, W, H, 0, 0, 1, 10, 0, 0)
    other = struct.pack(">L", 2) + zlib.compress(b"".join(b"\0" + bytes(3 * W) for _ in range(H)))
    control = (b"acTL", struct.pack(">LL", 2, 0))
    yield "animated-first.png", png_file([control, (b"fcTL", frame)], [(b"fcTL", struct.pack(">L", 1) + frame[4:]), (b"fdAT", other)])
    yield "animated-default.png", png_file([control], [(b"fcTL", frame), (b"fdAT", struct.pack(">L", 1) + other[4:]), (b"fcTL", struct.pack(">L", 2) + frame[4:]), (b"fdAT", struct.pack(">L", 3) + other[4:])])
    yield "animated-broken.png", png_file([control, (b"fcTL", frame)], [(b"fcTL", frame), (b"fdAT", b"\0\0\0\2bad")])
    yield "animated-exif-late.png", png_file([control, (b"fcTL", frame)], [(b"fcTL", struct.pack(">L", 1) + frame[4:]), (b"fdAT", other), (b"eXIf", exif_of(6))])


# --------------------------------------------------------------------------------------- GIF


def lzw(indices, bits):
    """Codes without a table: each index by itself, cleared before they could grow."""
    clear, text, count = 1 << bits, "", 0
    codes = [clear]
    for index in indices:
        codes.append(index)
        count += 1
        if count == (1 << bits) - 2:
            codes.append(clear)
            count = 0
    codes.append(clear + 1)
    for code in codes:
        text = f"{code:0{bits + 1}b}" + text
    text = "0" * (-len(text) % 8) + text
    data = int(text, 2).to_bytes(len(text) // 8, "little")
    return bytes([bits]) + b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"


def colour_table(size, seed=0):
    return bytes((i * 53 + c * 91 + seed) & 255 for i in range(size) for c in range(3))


def gif(frames, size=(W, H), table=colour_table(16), background=0, version=b"89a", end=b";"):
    flags = 0 if table is None else 0xF0 | (len(table) // 3).bit_length() - 2
    return b"GIF" + version + struct.pack("<HHBBB", *size, flags, background, 0) + (table or b"") + b"".join(frames) + end


def frame(left=0, top=0, w=W, h=H, table=None, interlaced=False, clear=None, disposal=0, seed=0, bits=4, before=b""):
    control = b""
    if clear is not None or disposal:
        control = b"!\xf9\x04" + struct.pack("<BHB", disposal << 2 | (clear is not None), 5, clear or 0) + b"\0"
    flags = (0 if table is None else 0x80 | (len(table) // 3).bit_length() - 2) | (0x40 if interlaced else 0)
    rows = list(range(h))
    if interlaced:
        rows = rows[0::8] + rows[4::8] + rows[2::4] + rows[1::2]
    indices = [(x * 3 + y * 5 + seed) % (1 << bits) for y in rows for x in range(w)]
    return control + before + b"," + struct.pack("<HHHHB", left, top, w, h, flags) + (table or b"") + lzw(indices, bits)


def on_white(data, at, size=(W, H)):
    """A frame that is smaller than the canvas: browsers leave the rest clear, Pillow fills it."""
    canvas = Image.new("RGB", size, "white")
    canvas.paste(decoded(data), at)
    return canvas


def gifs():
    yield "gif-plain.gif", gif([frame()])
    yield "gif-87a.gif", gif([frame()], version=b"87a")
    yield "gif-interlaced.gif", gif([frame(interlaced=True)])
    yield "gif-local.gif", gif([frame(table=colour_table(16, 7))])
    yield "gif-local-alone.gif", gif([frame(table=colour_table(16, 7))], table=None)
    yield "gif-local-large.gif", gif([frame(table=colour_table(256, 7), bits=8)])
    yield "gif-clear.gif", gif([frame(clear=5)])
    yield "gif-clear-background.gif", gif([frame(clear=5)], background=5)
    yield "gif-clear-outside.gif", gif([frame(clear=200)])
    yield "gif-small-clear.gif", gif([frame(5, 4, 9, 7, clear=3)])
    yield "gif-small-clear-background.gif", gif([frame(5, 4, 9, 7, clear=3)], background=3)
    yield "gif-short-table.gif", gif([frame()], table=colour_table(4))
    yield "gif-no-table.gif", gif([frame()], table=None)
    yield "gif-no-table-small.gif", gif([frame(4, 4, 9, 9)], table=None), on_white(gif([frame(0, 0, 9, 9)], (9, 9), table=None), (4, 4))
    yield "gif-small.gif", gif([frame(5, 4, 9, 7)]), on_white(gif([frame(0, 0, 9, 7)], (9, 7)), (5, 4))
    yield "gif-small-background.gif", gif([frame(5, 4, 9, 7)], background=7), on_white(gif([frame(0, 0, 9, 7)], (9, 7)), (5, 4))
    larger = gif([frame(5, 4, W, H)], (W + 5, H + 4))
    yield "gif-outside.gif", gif([frame(5, 4, W, H)]), on_white(gif([frame()]), (5, 4), (W + 5, H + 4))
    yield "gif-outside-as-said.gif", larger, on_white(gif([frame()]), (5, 4), (W + 5, H + 4))
    yield "gif-canvas-zero.gif", gif([frame()], size=(0, 0))
    yield "gif-two-colours.gif", gif([frame(bits=2)], table=colour_table(4))
    yield "gif-comment.gif", gif([b"!\xfe\x05hello\0", frame(before=b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0!\x01\x02ab\0")])
    yield "gif-no-end.gif", gif([frame()], end=b"")
    yield "gif-bytes-after.gif", gif([frame()]) + b"more" * 20
    yield "gif-bytes-before-end.gif", gif([frame(), b"\0\0\0"])
    yield "gif-animated.gif", gif([frame(clear=1), frame(3, 3, 8, 8, seed=4, clear=2)])
    for disposal in (1, 2, 3):
        yield f"gif-disposal{disposal}.gif", gif([frame(disposal=disposal), frame(3, 3, 8, 8, seed=4)])
    yield "gif-second-broken.gif", gif([frame(), b",\0\0\0\0\xff\xff\xff\xff\0\x04\x01"])


# ------------------------------------------------------------------------------------ others


def jpeg_tiffs():
    """JPEG in strips and tiles; of the form that TIFF had at first, the sizes alone are compared."""
    for mode in ("RGB", "L"):
        for rows in (H, 8):
            yield f"jpeg-{mode.lower()}-rows{rows}.tif", save(RINGS.convert(mode), "TIFF", compression="jpeg", quality=95, tiffinfo={278: rows})


def avifs():
    """AVIF by Pillow's own encoder: its pictures, compared within a few levels."""
    alpha = RINGS.copy()
    alpha.putalpha(OPACITY)
    for subsampling in ("4:2:0", "4:2:2", "4:4:4", "4:0:0"):
        for span in ("full", "limited"):
            name = f"avif-{subsampling.replace(':', '')}-{span}.avif"
            yield name, save(RINGS, "AVIF", subsampling=subsampling, range=span, quality=80)
    yield "avif-lossless.avif", save(RINGS, "AVIF", subsampling="4:4:4", quality=100)
    yield "avif-alpha.avif", save(alpha, "AVIF", quality=80)
    yield "avif-alpha-444.avif", save(alpha, "AVIF", quality=80, subsampling="4:4:4")
    for value in range(1, 9):
        yield f"avif-turned{value}.avif", save(RINGS, "AVIF", quality=60, exif=orientation(value))
    yield "avif-xmp.avif", save(RINGS, "AVIF", quality=60, xmp=xmp_of(6))
    # Pillow's encoder makes boxes of EXIF; EXIF alone turns nothing.
    turned = save(RINGS, "AVIF", quality=60, exif=orientation(1))
    yield "avif-exif-alone.avif", turned.replace(orientation(1).tobytes()[6:], orientation(6).tobytes()[6:])
    yield "avif-two-frames.avif", save(RINGS, "AVIF", quality=60, save_all=True, append_images=[RINGS.rotate(180)])
    yield "avif-bytes-after.avif", save(RINGS, "AVIF", quality=60) + b"more" * 9


def tiles_of_jpeg():
    """Tiles of JPEG that share their tables, and both forms of the first kind of JPEG."""
    im = picture("gradient", 48, 32)
    for name, options, photometric in (("ycbcr", {}, 6), ("rgb", {"keep_rgb": True}, 2)):
        parts, tables = [], b""
        for top in range(0, 32, 16):
            for left in range(0, 48, 16):
                stream = save(im.crop((left, top, left + 16, top + 16)), "JPEG", quality=95, subsampling="4:4:4", **options)
                tables, scan = abbreviated(stream)
                parts.append(scan)
        page = tags(photometric, [8] * 3, 7, t322=(SHORT, [16]), t323=(SHORT, [16]), t347=(UNDEFINED, tables), t530=(SHORT, [1, 1]))
        yield f"jpeg-tiles-{name}.tif", tiff(page, parts, size=(48, 32), tiled=True)
    for subsampling, factors in (("4:4:4", [1, 1]), ("4:2:0", [2, 2])):
        stream = save(im, "JPEG", quality=95, subsampling=subsampling)
        page = tags(6, [8] * 3, 6, t530=(SHORT, factors), t278=(SHORT, [32]))
        # The stream lies behind the header of 8 bytes.
        whole = {**page, 513: (LONG, [8]), 514: (LONG, [len(stream)])}
        yield f"jpeg-old-stream-{factors[0]}.tif", tiff(whole, [stream], size=(48, 32))
        yield f"jpeg-old-tables-{factors[0]}.tif", old_tables(stream, page, (48, 32))


def segments(stream):
    """Markers before the scan, with what they hold, and the scan's own segment and data."""
    at = 2
    while True:
        marker, length = stream[at + 1], struct.unpack(">H", stream[at + 2 : at + 4])[0]
        data = stream[at + 4 : at + 2 + length]
        at += 2 + length
        yield marker, data, stream[at:]
        if marker == 0xDA:
            return


def abbreviated(stream):
    """The tables of a JPEG as a stream of their own, and the rest without them."""
    tables, rest = b"\xff\xd8", b"\xff\xd8"
    for marker, data, after in segments(stream):
        segment = b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
        if marker in (0xDB, 0xC4):
            tables += segment
        elif marker < 0xE0:
            rest += segment + (after if marker == 0xDA else b"")
    return tables + b"\xff\xd9", rest


def old_tables(stream, page, size):
    """Tables that tags point to, one after the other behind the file's header, and the bare scan."""
    quantisation, huffman, scan = {}, {}, b""
    for marker, data, after in segments(stream):
        while marker == 0xDB and data:
            quantisation[data[0]], data = data[1:65], data[65:]
        while marker == 0xC4 and data:
            length = 17 + sum(data[1:17])
            huffman[data[0]], data = data[1:length], data[length:]
        if marker == 0xDA:
            scan = after[:-2]
    place, behind = {}, b""
    for kind, tables in ((519, [quantisation[i] for i in (0, 1, 1)]), (520, [huffman[i] for i in (0, 1, 1)]), (521, [huffman[i | 16] for i in (0, 1, 1)])):
        place[kind] = []
        for table in tables:
            place[kind].append(8 + len(behind))
            behind += table + b"\0" * (len(table) % 2)
    more = {kind: (LONG, offsets) for kind, offsets in place.items()}
    # One segment for all, whose strip begins behind the tables.
    more[273], more[279] = (LONG, [8 + len(behind)]), (LONG, [len(scan)])
    return tiff({**page, **more, 512: (SHORT, [1])}, [behind + scan], size=size)


def box(kind, data, version=None):
    data = (b"" if version is None else struct.pack(">L", version << 24)) + data
    return struct.pack(">L4s", len(data) + 8, kind) + data


def inside(data, *path):
    """The contents of a box in boxes; those of `meta` and such begin behind a version."""
    for kind in path:
        at = data.index(kind) - 4
        length = struct.unpack(">L", data[at : at + 4])[0]
        data = data[at + 8 : at + length]
    return data


def avif_grids():
    """Four pictures of 64 by 64, side by side, of which the last are cut off."""
    size = (120, 100)
    cells = [picture("rings", 128, 128).crop((x, y, x + 64, y + 64)) for y in (0, 64) for x in (0, 64)]
    files = [save(cell, "AVIF", quality=80, subsampling="4:2:0") for cell in cells]
    streams = [inside(data, b"mdat") for data in files]
    properties = inside(files[0], b"ipco")
    config, colour = box(b"av1C", inside(properties, b"av1C")), box(b"colr", inside(properties, b"colr"))
    grid = struct.pack(">BBBBHH", 0, 0, 1, 1, *size)
    sizes = [box(b"ispe", struct.pack(">LL", *side), 0) for side in (size, (64, 64))]
    kinds = [b"grid"] + [b"av01"] * 4
    infos = b"".join(box(b"infe", struct.pack(">HH4s", i + 1, 0, kind) + b"\0", 2) for i, kind in enumerate(kinds))
    linked = struct.pack(">L", 5) + struct.pack(">HBBB", 1, 2, 1, 4) + b"".join(struct.pack(">HBBBB", i, 3, 2, 3, 4) for i in range(2, 6))
    parts = [grid] + streams

    def meta(start):
        places, at = b"", start
        for index, part in enumerate(parts):
            places += struct.pack(">HHHLL", index + 1, 0, 1, at, len(part))
            at += len(part)
        iloc = box(b"iloc", struct.pack(">BBH", 0x44, 0, len(parts)) + places, 0)
        iref = box(b"iref", box(b"dimg", struct.pack(">HH4H", 1, 4, 2, 3, 4, 5)), 0)
        iprp = box(b"iprp", box(b"ipco", sizes[0] + sizes[1] + config + colour) + box(b"ipma", linked, 0))
        pitm, iinf = box(b"pitm", struct.pack(">H", 1), 0), box(b"iinf", struct.pack(">H", 5) + infos, 0)
        hdlr = box(b"hdlr", struct.pack(">L4s12xB", 0, b"pict", 0), 0)
        return box(b"meta", hdlr + pitm + iloc + iinf + iref + iprp, 0)

    head = box(b"ftyp", b"avif\0\0\0\0avifmif1miaf")
    start = len(head) + len(meta(0)) + 8
    yield "avif-grid.avif", head + meta(start) + box(b"mdat", b"".join(parts))


def known_but_refused():
    yield "photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
    yield "photo.heif", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix" + bytes(40)
    yield "drawing.svg", b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "drawing-bom.svg", b'\xef\xbb\xbf\n <svg width="4"/>'
    yield "drawing.svgz", gzipped(b'<svg xmlns="http://www.w3.org/2000/svg"/>')
    yield "photo.jxl", b"\xff\x0a" + bytes(30)
    yield "photo-boxed.jxl", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30)
    yield "photo.jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30)
    yield "photo.j2k", b"\xff\x4f\xff\x51" + bytes(30)
    yield "photo.psd", b"8BPS\0\1" + bytes(30)
    yield "icon.ico", b"\0\0\1\0\1\0" + bytes(30)
    yield "photo.ppm", b"P6\n2 2\n255\n" + bytes(12)


def gzipped(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def expected(name, data, like):
    """Width, height and digest of what is decoded of the file."""
    im = decoded(data) if like is None else like
    lossy = name.startswith("jpeg-old-")
    digest = "-" if lossy else hashlib.sha256(im.tobytes()).hexdigest()[:16]
    return f"{im.width},{im.height},{digest}"


MAKERS = (
    greys, palettes, colours, layouts, faxes, chroma, jpeg_tiffs, tiff_orientations,
    png_orientations, webp_orientations, jpeg_orientations, odd_pngs, gifs, avifs, avif_grids, tiles_of_jpeg,
)


def write(out, folder=None):
    lines, contents = [], b""
    made = [(item, None) for maker in MAKERS for item in maker()]
    made += [(item, "unsupported_format") for maker in (refused_tiffs, known_but_refused) for item in maker()]
    for (name, data, *like), reason in made:
        if folder:
            (folder / name).write_bytes(data)
        try:
            told = reason or expected(name, data, like[0] if like else None)
        except Exception as error:
            print(f"left out: {name}: {error!r}", file=sys.stderr)
            continue
        lines.append(f"{name},{len(data)},{told}\n")
        contents += data
    (out / "formats.csv").write_text("".join(lines))
    (out / "formats.bin").write_bytes(contents)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "tests/data/golden"), *map(Path, sys.argv[2:]))
