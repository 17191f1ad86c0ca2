"""PyTorch: a gate in front of training.

    loader = DataLoader(dataset, batch_size=64, num_workers=4, collate_fn=Collate(gate, image="jpg", caption="txt"))
    stream = FilteredDataset(samples, gate, image="jpg", caption="txt")    # an IterableDataset
    subset = torch.utils.data.Subset(dataset, kept_indices(dataset, gate))

All of them can be pickled and work in workers, forked or spawned. torch is imported when it is needed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from pairgate_dfn._columns import picture
from pairgate_dfn._native import Decision, Gate

__all__ = ["Collate", "FilteredDataset", "kept_indices"]


class Collate:
    """A `collate_fn` that leaves out what is not kept; None for a batch of which nothing is.

    Args:
        gate: The gate.
        image, caption: Where they are in an item: keys of a dict or places in a tuple.
        collate: What makes a batch of the items that are kept. Default: torch's `default_collate`.
        threads: Threads of each call: one, as there are workers.
    """

    def __init__(
        self,
        gate: Gate,
        image: Any = 0,
        caption: Any = 1,
        *,
        collate: Callable[[list[Any]], Any] | None = None,
        threads: int = 1,
    ) -> None:
        self._gate, self._image, self._caption = gate, image, caption
        self._collate = collate
        self._threads = threads

    def __call__(self, items: Sequence[Any]) -> Any:
        decisions = _decisions(self._gate, items, self._image, self._caption, self._threads)
        kept = [item for item, decision in zip(items, decisions, strict=True) if decision.kept]
        if not kept:
            return None
        return (self._collate or _default_collate())(kept)


def kept_indices(
    dataset: Any, gate: Gate, image: Any = 0, caption: Any = 1, *, batch: int = 256, threads: int | None = None
) -> list[int]:
    """Indices of the items of a map-style dataset that are kept, for `torch.utils.data.Subset`."""
    found: list[int] = []
    for first in range(0, len(dataset), batch):
        items = [dataset[index] for index in range(first, min(first + batch, len(dataset)))]
        decisions = _decisions(gate, items, image, caption, threads)
        found += [first + place for place, decision in enumerate(decisions) if decision.kept]
    return found


def _decisions(
    gate: Gate, items: Sequence[Any], image: Any, caption: Any, threads: int | None
) -> list[Decision]:
    images = [picture(item[image]) for item in items]
    return gate.judge(images, [item[caption] for item in items], threads=threads)


def _default_collate() -> Callable[[list[Any]], Any]:
    from torch.utils.data import default_collate

    return default_collate


def _filtered_dataset() -> type:
    from torch.utils.data import IterableDataset

    class FilteredDataset(IterableDataset):  # type: ignore[misc,type-arg]
        """The items of a stream that are kept.

        Args:
            items: What gives items in each worker; it is its own affair that workers get different ones.
            gate: The gate.
            image, caption: Where they are in an item: keys of a dict or places in a tuple.
            batch: Items that are judged at once, and held in memory.
            threads: Threads of each call: one, as there are workers.
        """

        def __init__(
            self,
            items: Iterable[Any],
            gate: Gate,
            image: Any = 0,
            caption: Any = 1,
            *,
            batch: int = 16,
            threads: int = 1,
        ) -> None:
            self._items, self._gate, self._image, self._caption = items, gate, image, caption
            self._batch, self._threads = batch, threads

        def __iter__(self) -> Iterator[Any]:
            stream = iter(self._items)
            while some := list(islice(stream, self._batch)):
                decisions = _decisions(self._gate, some, self._image, self._caption, self._threads)
                yield from (item for item, decision in zip(some, decisions, strict=True) if decision.kept)

    # Found by this name where it is unpickled: see `__getattr__`.
    FilteredDataset.__module__ = __name__
    FilteredDataset.__qualname__ = "FilteredDataset"
    return FilteredDataset


def __getattr__(name: str) -> Any:
    """`FilteredDataset` is a class of torch's kind: it is made when it is asked for."""
    if name == "FilteredDataset":
        globals()[name] = _filtered_dataset()
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
