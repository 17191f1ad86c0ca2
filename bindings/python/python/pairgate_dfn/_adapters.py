"""Methods of a gate that lead to other people's libraries. None of these is imported before it is used."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pairgate_dfn._native import Gate

if TYPE_CHECKING:
    from pairgate_dfn.datasets import GatedBatches
    from pairgate_dfn.webdataset import GatedSamples


def _webdataset(
    self: Gate,
    image: str | Sequence[str] | None = None,
    caption: str | Sequence[str] | None = None,
    metadata: str = "json",
) -> "GatedSamples":
    """For webdataset's `.select`, `.map` and writers: see `pairgate_dfn.webdataset.GatedSamples`.

    >>> gated = Gate().webdataset(image=("jpg", "png"), caption="txt")
    >>> gated({"jpg": b"no image", "txt": b"a dog on a beach"})
    False
    """
    from pairgate_dfn.webdataset import CAPTION, IMAGE, GatedSamples

    return GatedSamples(self, IMAGE if image is None else image, CAPTION if caption is None else caption, metadata)


def _datasets(self: Gate, image: str = "image", caption: str = "caption", **settings: Any) -> "GatedBatches":
    """For the `map` and `filter` of Hugging Face datasets: see `pairgate_dfn.datasets.GatedBatches`.

    >>> Gate().datasets().kept({"image": [None], "caption": ["a dog on a beach"]})
    [False]
    """
    from pairgate_dfn.datasets import GatedBatches

    return GatedBatches(self, image, caption, **settings)


def attach() -> None:
    """Makes them methods of `Gate`, which is native and knows of no library."""
    for name, method in (("webdataset", _webdataset), ("datasets", _datasets)):
        method.__name__ = name
        method.__qualname__ = f"Gate.{name}"
        setattr(Gate, name, method)
