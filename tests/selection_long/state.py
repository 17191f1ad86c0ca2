"""What a state of `pairgate select fit` holds, read as docs/formats.md has it, by NumPy alone."""

import hashlib
import struct

import numpy as np

KINDS = {0: np.dtype("i1"), 1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<u8")}
TEXTS = 4


class Postcard:
    """Reads postcard: numbers are varints, strings and lists have their length before them."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self):
        return self.take(self.varint()).decode()

    def list(self, each):
        return [each() for _ in range(self.varint())]


def frames(data):
    """Payloads, one after the other; their checksums are the program's business."""
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += length + 8


def read(path):
    """The expression, and for each part its arrays by name."""
    data = path.read_bytes()
    assert data[:8] == b"PAIRSLCT" and hashlib.sha256(data[:-32]).digest() == data[-32:], path
    pieces = frames(data[8:-32])
    header = Postcard(next(pieces))
    assert header.varint() == 1
    header.text(), header.text(), header.take(32), header.varint(), header.varint(), header.take(32), header.varint()
    if header.take(1) == b"\x01":
        header.take(4)
    expression = header.text()
    entry = lambda: (header.text(), header.take(1)[0], header.list(header.varint), header.varint())
    parts = header.list(lambda: header.list(entry))
    return expression, [{name: values(kind, shape, size, pieces) for name, kind, shape, size in part} for part in parts]


def values(kind, shape, size, pieces):
    """An array from as many frames as it takes."""
    data = b""
    while len(data) < size:
        data += next(pieces)
    assert len(data) == size
    if kind != TEXTS:
        return np.frombuffer(data, KINDS[kind]).reshape(shape)
    texts, at = [], 0
    while at < size:
        (length,) = struct.unpack_from("<I", data, at)
        texts.append(data[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return texts
