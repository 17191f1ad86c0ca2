"""Matched pairs out of WebDataset shards."""

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

IMAGES = ("jpg", "jpeg", "png", "webp")


@dataclass
class Pair:
    """One picture, as a file's bytes, with its caption."""

    key: str
    image: bytes
    extension: str
    caption: str
    source: str
    photo: bool
    size: tuple | None  # width and height before the picture was made smaller, where known


def shards(paths):
    """Every tar named or inside a folder named, in order."""
    out = []
    for path in map(Path, paths):
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        out += [p for p in inside if p.name.endswith((".tar", ".tar.gz", ".tgz"))]
    return out


def read(shard):
    """The pairs of a shard that have a picture and a caption."""
    held = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            if member.isfile():
                key, _, extension = member.name.partition(".")
                held.setdefault(key, {})[extension.lower()] = tar.extractfile(member).read()
    source = Path(shard).parent.name
    for key, parts in held.items():
        extension = next((e for e in IMAGES if e in parts), None)
        meta = json.loads(parts.get("json", b"{}"))
        caption = parts.get("txt", b"").decode(errors="replace") or meta.get("caption", "")
        caption = " ".join(caption.split())
        if extension and caption:
            size = (meta.get("original_width"), meta.get("original_height"))
            yield Pair(f"{source}/{key}", parts[extension], extension, caption, source,
                       bool(meta.get("photo", True)), size if all(size) else None)


def load(paths):
    """All pairs of some shards, in order."""
    return [pair for shard in shards(paths) for pair in read(shard)]
