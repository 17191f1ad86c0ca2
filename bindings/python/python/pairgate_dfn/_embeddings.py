"""Recorded embeddings: what `score --embeddings` and `filter --embeddings` write."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_OURS = ("uid", "ticket", "model", "covers")


@dataclass(frozen=True)
class Embeddings:
    """Embeddings of pairs, in the order of the table, shard or journal that they lie beside."""

    uid: NDArray[np.str_]
    """Whose each row is: 32 hex digits."""
    image: NDArray[np.float16]
    """The pictures', [rows, dimension]; NaN where a pair was not scored."""
    text: NDArray[np.float16]
    """The captions', [rows, dimension]."""
    model: str | None
    """Digest of the model, hex; None where the file does not tell it."""
    covers: str | None
    """`all` pairs that were scored, or `kept` ones alone; None where the file does not tell it."""
    ticket: NDArray[np.uint64] | None
    """Places of the pairs in their run, in files beside a journal."""


def read_embeddings(path: str | os.PathLike[str], *, names: tuple[str, str] | None = None) -> Embeddings:
    """Reads recorded embeddings: an `.npz`, or the files of an output folder's `embeddings/`, one after the other.

    >>> pairs = read_embeddings("kept/00000.npz")  # doctest: +SKIP
    >>> (pairs.image.astype("f4") * pairs.text.astype("f4")).sum(axis=1)  # doctest: +SKIP

    Args:
        path: The file or folder, also an output folder with `embeddings/` in it.
        names: What the arrays are called. Default: whatever they are called in pairgate's files.

    Raises:
        ValueError: There are no such arrays, or they do not belong together.
        OSError: It cannot be read.
    """
    parts = [_read(file, names) for file in _files(Path(path))]
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for part in parts[1:]:
        if (part.model, part.covers, part.image.shape[1]) != (first.model, first.covers, first.image.shape[1]):
            raise ValueError(f"{path}: its files are of different models")
    tickets = [part.ticket for part in parts if part.ticket is not None]
    return Embeddings(
        uid=np.concatenate([part.uid for part in parts]),
        image=np.concatenate([part.image for part in parts]),
        text=np.concatenate([part.text for part in parts]),
        model=first.model,
        covers=first.covers,
        ticket=np.concatenate(tickets) if len(tickets) == len(parts) else None,
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    within = path / "embeddings"
    files = sorted((within if within.is_dir() else path).glob("[0-9]*.npz"))
    if not files:
        raise ValueError(f"{path}: there are no recorded embeddings in it")
    return files


def _read(path: Path, names: tuple[str, str] | None) -> Embeddings:
    with np.load(path, allow_pickle=False) as file:
        found = names or [name for name in file.files if name not in _OURS][:2]
        missing = [name for name in found if name not in file.files]
        if missing or len(found) != 2:
            raise ValueError(f"{path}: it has the arrays {', '.join(file.files)}, not {names or 'two of embeddings'}")
        image, text = (file[name].astype(np.float16, copy=False) for name in found)
        if image.ndim != 2 or image.shape != text.shape:
            raise ValueError(f"{path}: its embeddings have the shapes {image.shape} and {text.shape}")
        uid = file["uid"].astype(str) if "uid" in file.files else np.full(len(image), "")
        ticket = file["ticket"] if "ticket" in file.files else None
        if len(uid) != len(image) or (ticket is not None and len(ticket) != len(image)):
            raise ValueError(f"{path}: its arrays have not one length")
        told = {name: bytes(file[name][()]).decode() if name in file.files else None for name in ("model", "covers")}
        return Embeddings(uid=uid, image=image, text=text, ticket=ticket, **told)
