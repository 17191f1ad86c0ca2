"""Odd tars and odd JSON, and what Python's tarfile, webdataset and json read in them.

    python tests/golden/tars.py

writes tests/data/odd: the tars, and expected.json, which tests/durability/odd.rs holds the sources
against; and what braceexpand makes of paths. Needs webdataset (1.0.2) and zstandard; the Rust tests need no Python.
"""

import base64
import bz2
import gzip
import io
import json
import lzma
import math
import re
import sys
import tarfile
from pathlib import Path

import braceexpand
import zstandard
from webdataset.tariterators import group_by_keys

OUT = Path(__file__).parents[1] / "data" / "odd"
TEXT = b"a red ball on a beach"


def block(name, data=b"", kind=b"0", size=None, magic=b"ustar\x0000", prefix=b"", signed=False, **fields):
    """A header by hand, and its data."""
    header = bytearray(512)
    header[: len(name)] = name
    header[100:108] = b"0000644\0"
    header[108:116] = header[116:124] = b"0000000\0"
    header[124:136] = size if size is not None else b"%011o\0" % len(data)
    header[136:148] = b"00000000000\0"
    header[156:157] = kind
    header[257 : 257 + len(magic)] = magic
    header[345 : 345 + len(prefix)] = prefix
    for at, value in fields.get("at", {}).items():
        header[at : at + len(value)] = value
    header[148:156] = b" " * 8
    total = sum(byte - 256 if signed and byte > 127 else byte for byte in header)
    header[148:156] = fields.get("sum", b"%06o\0 ") % total
    return bytes(header) + data + b"\0" * (-len(data) % 512)


END = b"\0" * 1024


def pair(key, **how):
    return block(key + b".jpg", b"picture " + key, **how) + block(key + b".txt", TEXT, **how)


def record(key, value):
    length = len(key) + len(value) + 3
    while length != len(str(length)) + len(key) + len(value) + 3:
        length = len(str(length)) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (length, key, value)


def pax(records, kind=b"x"):
    return block(b"PaxHeaders/x", records, kind=kind)


def long_name(name):
    return block(b"././@LongLink", name + b"\0", kind=b"L", magic=b"ustar  \0")


def tars():
    long = b"d" * 150 + b"/" + b"n" * 120
    yield "joined", pair(b"a") + END + pair(b"b") + END + END + pair(b"c") + END
    yield "zero-block-within", pair(b"a") + b"\0" * 512 + pair(b"b") + END
    yield "garbage-between", pair(b"a") + END + b"\x55" * 1536 + pair(b"b") + END
    yield "garbage-behind", pair(b"a") + END + b"\x55" * 700
    yield "no-end", pair(b"a")
    big = record(b"SCHILY.xattr.user.x", b"v" * 70_000) + record(b"comment", b"c" * 300_000)
    yield "pax-large", pax(big) + pair(b"a") + pax(big + record(b"path", b"b.jpg")) + pair(b"x") + END
    yield "pax-global-large", pax(big, b"g") + pair(b"a") + pair(b"b") + END
    yield "pax-solaris", pax(record(b"path", b"named.jpg"), b"X") + pair(b"a") + END
    yield "pax-path-ends-in-slash", pax(record(b"path", b"named.jpg/")) + pair(b"a") + END
    yield "pax-newline-in-value", pax(record(b"comment", b"x\n11 size=900\n")) + pair(b"a") + END
    yield "pax-twice", pax(record(b"path", b"1.jpg")) + pax(record(b"path", b"2.jpg")) + pair(b"a") + END
    yield "pax-repeated", pax(record(b"path", b"1.jpg") + record(b"path", b"2.jpg")) + pair(b"a") + END
    yield "pax-size", pax(record(b"size", b"9")) + block(b"a.jpg", b"", size=b"00000000000\0") + (
        b"picture a" + b"\0" * 503
    ) + block(b"a.txt", TEXT) + END
    yield "pax-broken-behind-path", pax(record(b"path", b"1.jpg") + b"nonsense") + pair(b"a") + END
    yield "pax-broken-in-front", pax(b"x" + record(b"path", b"1.jpg")) + pair(b"a") + END
    yield "pax-empty", pax(b"") + pair(b"a") + END
    yield "pax-not-utf8", pax(record(b"path", b"caf\xe9.jpg")) + block(b"x", b"1") + (
        pax(record(b"path", b"caf\xe8.jpg")) + block(b"x", b"22")
    ) + END
    yield "pax-then-long-name", pax(record(b"path", b"1.jpg")) + long_name(b"2.jpg") + pair(b"a") + END
    yield "long-name-then-pax", long_name(b"2.jpg") + pax(record(b"path", b"1.jpg")) + pair(b"a") + END
    yield "long-name", long_name(long + b".jpg") + block(b"d", b"1") + long_name(long + b".txt") + (
        block(b"d", TEXT)
    ) + END
    yield "long-link", block(b"././@LongLink", long, kind=b"K", magic=b"ustar  \0") + pair(b"a") + END
    yield "signed-sums", pair("grün".encode("latin-1"), signed=True) + pair("blüe".encode(), signed=True) + END
    yield "unsigned-sums", pair("grün".encode("latin-1")) + pair("blüe".encode()) + END
    for name, form in [("blanks", b"%6o \0"), ("seven", b"%07o\0"), ("eight", b"%08o"), ("nul", b"%06o\0\0")]:
        yield "sum-" + name, pair(b"a", sum=form) + END
    size = b"\x80" + len(TEXT).to_bytes(11, "big")
    yield "base-256-size", block(b"a.jpg", TEXT, size=size) + block(b"a.txt", TEXT, size=size) + END
    yield "base-256-negative-owner", pair(b"a", at={108: b"\xff" * 7 + b"\xfe", 136: b"\xff" * 12}) + END
    for name, form in [("blanks", b"%10o \0"), ("no-end", b"%012o"), ("in-front", b" %9o \0")]:
        form = (form % len(TEXT)).ljust(12, b"\0")
        yield "size-" + name, block(b"a.jpg", TEXT, size=form) + block(b"a.txt", TEXT) + END
    yield "size-empty", block(b"a.jpg", b"", size=b"\0" * 12) + block(b"a.txt", TEXT) + END
    v7 = {"magic": b"", "kind": b"\0"}
    yield "v7", block(b"d.x/", size=b"00000001000\0", **v7) + pair(b"d.x/a", **v7) + END
    yield "ustar-prefix", pair(b"a", prefix=b"d.x/e") + END
    yield "ustar-long-prefix", pair(b"a", prefix=b"p" * 155) + END
    yield "old-gnu", pair(b"a", magic=b"ustar  \0") + END
    yield "old-gnu-prefix", pair(b"a", magic=b"ustar  \0", prefix=b"d") + END
    star = {"prefix": b"d/e", "at": {476: b"00000000001 ", 488: b"00000000002 ", 508: b"tar\0"}}
    yield "star", pair(b"a", **star) + END
    yield "contiguous", pair(b"a", kind=b"7") + END
    yield "links", pair(b"a") + block(b"a.cls", size=b"00000000777\0", kind=b"1") + (
        block(b"l.jpg", size=b"00000000777\0", kind=b"2")
    ) + pair(b"b") + END
    yield "unknown-kinds", pair(b"a") + block(b"v.jpg", b"1" * 600, kind=b"V") + (
        block(b"z.jpg", b"1" * 600, kind=b"Z")
    ) + pair(b"b") + END
    yield "meta", pair(b"__meta__/a") + block(b"__x.y__", b"1") + pair(b"b") + END
    yield "dots", pair(b"photo.v2") + pair(b"./d.e/x.1") + block(b"y.seg.PNG", b"1") + END
    yield "names-not-utf8", pair(b"caf\xe9") + pair(b"caf\xe8") + END
    for form in [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
            for name in ["e" * 90 + "/" + "ä" * 40 + end for end in (".jpg", ".txt")]:
                entry = tarfile.TarInfo(name)
                entry.size = len(TEXT)
                entry.mtime = 1.5
                tar.addfile(entry, io.BytesIO(TEXT))
        yield f"by-tarfile-{form}", packed.getvalue()


def samples(tar):
    """What webdataset makes of a tar whose end marks are passed over."""

    def files():
        stream = tarfile.open(fileobj=io.BytesIO(tar), mode="r|", ignore_zeros=True, encoding="utf-8")
        for entry in stream:
            if entry.isreg() and not tarred_meta(entry.name):
                yield {"fname": entry.name, "data": stream.extractfile(entry).read(), "__url__": ""}

    def members(sample):
        return [[name, data.decode("latin-1")] for name, data in sample.items() if not name.startswith("__")]

    def shown(key):
        return key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    return [[shown(sample["__key__"]), members(sample)] for sample in group_by_keys(files())]


def tarred_meta(name):
    return re.match(r"__[^/]*__($|/)", name)


def packings(tar):
    half = len(tar) // 1024 * 512
    front, back = tar[:half], tar[half:]
    yield "gz", gzip.compress(front, mtime=0) + gzip.compress(back, mtime=0)
    yield "bz2", bz2.compress(front) + bz2.compress(back)
    yield "xz", lzma.compress(front) + b"\0" * 8 + lzma.compress(back, check=lzma.CHECK_SHA256)
    pack = zstandard.ZstdCompressor(write_checksum=True).compress
    skippable = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"hello"
    yield "zst", skippable + pack(front) + skippable + pack(back)


def texts():
    uid = '"uid": "000102030405060708090a0b0c0d0e0f"'
    size = '"original_width": 2000, "original_height": 1500'
    for caption in [
        r"\ud800", r"\udc00 a", r"\ud800\ud800\udc00", r"\ud83d\ude00", r"\ud83d \ude00", r"\uD83D\uDE00\udE00",
        r"a\/b\b\f\n\r\t\u0000", "tab\t", "nul\0", "\x7f", r"\x41", r"\u00zz", r"\u00e", "é", "NaN", r"\"NaN\\",
    ]:
        yield "{%s, %s, \"caption\": \"%s\"}" % (uid, size, caption)
    for value in [
        "NaN", "Infinity", "-Infinity", "-NaN", "+1", "01", "-0", "1.", ".5", "1e5", "1E+5", "1e999", "-1e999",
        "1e-999", "99999999999999999999", "-99999999999999999999", "9" * 400, "18446744073709551615", "0x10",
        "9007199254740993", "nan", "True", "null", "[1,]", "[,]", "{}", "[]", '{"a":}', '{"a":1,}', "[1 2]",
        "'a'", '"' + "x" * 300 + '"', "0.1234567890123456789012345", "[" * 900 + "]" * 900, "1_000",
        '{"a":' * 900 + "1" + "}" * 900, "[" * 1200 + "]" * 1200, "[" * 50, "]", "tru", "nul", "-", "1e", "1e+",
    ]:
        yield '{%s, "other": %s, %s, "text": "t"}' % (uid, value, size)
    yield '{"caption": "a", "caption": "b", %s, "uid": null, %s}' % (uid, uid)
    yield '{"original_width": 640.0, "original_height": 4.8e2, "caption": 5, "text": "t"}'
    yield '{"original_width": "640", "original_height": true, "caption": null}'
    yield ' \t\r\n{"caption" : "a"}\n '
    yield '\u00a0{"caption": "a"}'
    yield '{"caption": "a"} x'
    yield '{"caption": "a"}{}'
    yield "/* c */ {}"
    yield "{'caption': 'a'}"
    yield '{"caption": "a"'
    yield ""
    yield " "
    yield "[]"
    yield '"text"'
    yield "{}"


def bytes_of_texts():
    for text in texts():
        yield text.encode()
    text = '{"caption": "grün \U0001f600", "uid": "000102030405060708090a0b0c0d0e0f"}'
    for encoding in [
        "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    ]:
        yield text.encode(encoding)
    yield b"\xfe\xff" + text.encode("utf-16-be")
    yield b"\0\0\xfe\xff" + text.encode("utf-32-be")
    yield "{}".encode("utf-16-le")
    yield '{"caption": "\ud800"}'.encode("utf-8", "surrogatepass")
    yield '{"caption": "\ud800"}'.encode("utf-16-le", "surrogatepass")
    yield '{"caption": "\udc00x"}'.encode("utf-32-le", "surrogatepass")
    yield b'{"caption": "caf\xe9"}'
    yield b'{"caption": "\xed\xa0"}'
    yield text.encode("utf-16-le")[:-1]
    yield b"\xef\xbb\xbf\xef\xbb\xbf{}"


def shown(value):
    """A value as standard JSON can say it."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {shown(name): shown(item) for name, item in value.items()}
    return value


def read(data):
    """What Python reads; null where it does not, or not an object."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    # For what follows; what json reads depends on it.
    sys.setrecursionlimit(10_000)
    text = json.dumps(shown(value))
    sys.setrecursionlimit(1_000)
    captions = [value.get(name) for name in ["caption", "text"] if isinstance(value.get(name), str)]
    uid = value.get("uid")
    size = [value.get("original_width"), value.get("original_height")]
    whole = all(isinstance(n, (int, float)) and not isinstance(n, bool) and n == int(n) for n in size)
    return {
        "caption": shown(captions[0]) if captions else None,
        "uid": uid if isinstance(uid, str) else None,
        "size": [int(n) for n in size] if whole else None,
        "text": text,
    }


PATTERNS = [
    "{00000..00003}.tar", "a{1..3}b{x,y}.tar", "{a..e}.tar", "{e..a..2}", "{X..c}", "{3..-1}", "{-1..-3}",
    "{01..10..4}", "{1..10..-4}", "{1..5..0}", "{10..1..3}", "{a,b{1..2},{c,d}e}", "{,.x}", "{a,}", "x{a}y",
    "{a}{1..2}", "{{1..2}}", "{a,{b}}", r"\{1..2\}{3..4}", r"{a\,b,c}", "{1..2}{", "{1{2,3}", "}{1,2}",
    "{}", "{..}", "{1..}", "{a..1}", "{1..2..}", "{ab..cd}", "{0..0}", "{00..0}", "{-0..1}", "{a..a}", "é{1,2}ü",
    "{1..3}{1..3}", "{1,2}.{1..2}.tar", "{+1..2}", "{ 1..2}", "{1.5..2}", "{a..c..2}", "{c..A}", "{-01..1}",
]


def expanded(pattern):
    try:
        return list(braceexpand.braceexpand(pattern))
    except braceexpand.UnbalancedBracesError:
        return [pattern]


def main():
    OUT.mkdir(exist_ok=True)
    expected = {"tars": {}, "json": []}
    for name, tar in tars():
        # As a gzip of one level and no name, so that the file is the same everywhere.
        (OUT / f"{name}.tar.gz").write_bytes(gzip.compress(tar, mtime=0))
        expected["tars"][f"{name}.tar.gz"] = samples(tar)
    tar = b"".join(pair(b"%d" % i) for i in range(8)) + END
    for name, packed in packings(tar):
        (OUT / f"packed.tar.{name}").write_bytes(packed)
        expected["tars"][f"packed.tar.{name}"] = samples(tar)
    # One frame of many blocks, each of which can be damaged by itself.
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    blocks = [tar[at : at + 512] for at in range(0, len(tar), 512)]
    packed = b"".join(packer.compress(b) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for b in blocks)
    (OUT / "blocks.tar.zst").write_bytes(packed + packer.flush())
    expected["tars"]["blocks.tar.zst"] = samples(tar)
    for data in bytes_of_texts():
        expected["json"].append([base64.b64encode(data).decode(), read(data)])
    expected["braces"] = [[pattern, expanded(pattern)] for pattern in PATTERNS]
    (OUT / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")


if __name__ == "__main__":
    main()
