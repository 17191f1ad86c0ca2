"""webdataset: samples in front of or behind a gate.

    gated = gate.webdataset()
    dataset = wds.WebDataset("shards/{00000..00009}.tar").select(gated)       # those that are kept
    dataset = wds.WebDataset("shards/{00000..00009}.tar").map(gated.annotate) # all, told in their json
    with FilteredWriter(wds.ShardWriter("kept-%06d.tar"), gated) as sink:     # on the way to a shard
        sink.write(sample)

In front of `.decode()` a gate sees the files' bytes, and decides as `pairgate filter` does. Behind it, it sees
pixels: scores are equal where Pillow decodes, uids differ.

Of a gate with a state, samples come in the order of the stream, `json` is their metadata and `__url__` their shard.
What the state remembers is each worker's own, and stays from one epoch to the next: `gate.forget()` begins anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pairgate_dfn._native import Decision, Gate

__all__ = ["FilteredWriter", "GatedSamples"]

# What is a picture, and where captions are, as the program takes them.
IMAGE = ("jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "avif", "gif", "bmp", "dib", "tif", "tiff")
CAPTION = ("txt", "text", "caption")
# The name of the member that is told in a sample's json.
_MEMBER = "pairgate"


class GatedSamples:
    """A gate for samples: dicts of files by their extensions. Can be pickled, as a gate can.

    Args:
        gate: The gate.
        image: Extensions, one or several: the picture is the sample's first file with one of them.
        caption: Extensions of the caption, the preferred one first. Without any, it is that of `json`.
        metadata: Extension of the metadata.
    """

    def __init__(
        self,
        gate: Gate,
        image: str | Sequence[str] = IMAGE,
        caption: str | Sequence[str] = CAPTION,
        metadata: str = "json",
    ) -> None:
        self.gate = gate
        self._image = (image,) if isinstance(image, str) else tuple(image)
        self._caption = (caption,) if isinstance(caption, str) else tuple(caption)
        self._metadata = metadata

    def __call__(self, sample: Mapping[str, Any]) -> bool:
        """Whether a sample is kept: what `.select` asks."""
        return self.judge(sample).kept

    def judge(self, sample: Mapping[str, Any]) -> Decision:
        """The decision on a sample."""
        image, caption, metadata, shard = self._pair(sample)
        return self.gate(image, caption, metadata=metadata, shard=shard)

    def annotate(self, sample: Mapping[str, Any]) -> dict[str, Any]:
        """The sample with its decision in its json, as a member `pairgate`: for `.map`.

        Bytes keep all that they say, to the byte; what is no JSON object stays as it is.
        """
        return self._annotated(sample, self.judge(sample))

    def kept(
        self, samples: Iterable[Mapping[str, Any]], batch: int = 64, threads: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The samples that are kept, judged `batch` at once on several threads: for `.compose`.

        `batch` samples are held in memory. Default of `threads`: the gate's.
        """
        stream = iter(samples)
        while some := list(islice(stream, batch)):
            pairs = [self._pair(sample) for sample in some]
            images, captions, metadata, shards = (list(column) for column in zip(*pairs, strict=True))
            told = None if None in shards else shards
            decisions = self.gate.judge(images, captions, metadata=metadata, shard=told, threads=threads)
            yield from (dict(sample) for sample, decision in zip(some, decisions, strict=True) if decision.kept)

    def _annotated(self, sample: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
        names = ("uid", "kept", "verdict", "reason")
        told = {name: getattr(decision, name) for name in names}
        for name in ("score", "threshold"):
            told[name] = _shortest(getattr(decision, name))
        return {**sample, self._metadata: with_member(sample.get(self._metadata), told)}

    def _pair(self, sample: Mapping[str, Any]) -> tuple[Any, Any, Any, str | None]:
        image = next((sample[name] for name in sample if name in self._image), None)
        caption = next((sample[name] for name in self._caption if name in sample), None)
        return image, caption, sample.get(self._metadata), sample.get("__url__")


class FilteredWriter:
    """A writer of samples that only those reach which are kept; a context manager, as writers are.

    Args:
        writer: What has `write(sample)` and `close()`: a ShardWriter or a TarWriter.
        gate: A gate, or what its `webdataset()` gives.
        annotate: Whether decisions are told in the samples' json.

    `counts` says how many samples were given for each reason.
    """

    def __init__(self, writer: Any, gate: "Gate | GatedSamples", *, annotate: bool = False) -> None:
        self.writer = writer
        self.counts: dict[str, int] = {}
        self._gated = GatedSamples(gate) if isinstance(gate, Gate) else gate
        self._annotate = annotate

    def write(self, sample: Mapping[str, Any]) -> Decision:
        """Writes a sample if it is kept; the decision."""
        decision = self._gated.judge(sample)
        self.counts[decision.reason] = self.counts.get(decision.reason, 0) + 1
        if decision.kept:
            self.writer.write(self._gated._annotated(sample, decision) if self._annotate else sample)
        return decision

    def close(self) -> None:
        """Closes the writer."""
        self.writer.close()

    def __enter__(self) -> "FilteredWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _shortest(number: float | None) -> float | None:
    """A 32-bit float by as few digits as name it."""
    return None if number is None else float(str(np.float32(number)))


def with_member(metadata: Any, told: dict[str, Any]) -> Any:
    """Metadata, a dict or JSON, with a member `pairgate` at its end; itself where it is no object."""
    if metadata is None:
        return json.dumps({_MEMBER: told}).encode()
    if isinstance(metadata, Mapping):
        return {**metadata, _MEMBER: told}
    text = metadata if isinstance(metadata, str) else None
    try:
        text = bytes(metadata).decode() if text is None else text
        is_object = isinstance(json.loads(text), dict)
    except (TypeError, ValueError):
        return metadata
    if not is_object:
        return metadata
    open_object = text.rstrip()[:-1].rstrip()
    comma = "" if open_object.endswith("{") else ", "
    spliced = f'{open_object}{comma}"{_MEMBER}": {json.dumps(told)}}}'
    return spliced if isinstance(metadata, str) else spliced.encode()
