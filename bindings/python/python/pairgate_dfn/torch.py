"""PyTorch: a gate in front of training.

    loader = DataLoader(dataset, batch_size=64, num_workers=4, collate_fn=Collate(gate, image="jpg", caption="txt"))
    stream = FilteredDataset(samples, gate, image="jpg", caption="txt")    # an IterableDataset
    subset = torch.utils.data.Subset(dataset, kept_indices(dataset, gate))

All of them can be pickled and work in workers, forked or spawned. torch is imported when it is needed.

`metadata` and `shard` are for a gate whose state selects by them (`Gate(select=...)`): where they are in an item. What a
state remembers of the pairs before is each worker's own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from pairgate_dfn._columns import picture, refuse_moving
from pairgate_dfn._native import Decision, Gate

__all__ = ["Collate", "FilteredDataset", "kept_indices"]


class Collate:
    """A `collate_fn` that leaves out what is not kept; None for a batch of which nothing is.

    Args:
        gate: The gate.
        image, caption: Where they are in an item: keys of a dict or places in a tuple.
        collate: What makes a batch of the items that are kept. Default: torch's `default_collate`.
        threads: Threads of each call: one, as there are workers.
        metadata, shard: Where they are in an item.

    Raises:
        ValueError: The gate's state depends on the pairs before: of a loader they come anew in each epoch.
    """

    def __init__(
        self,
        gate: Gate,
        image: Any = 0,
        caption: Any = 1,
        *,
        collate: Callable[[list[Any]], Any] | None = None,
        threads: int = 1,
        metadata: Any = None,
        shard: Any = None,
    ) -> None:
        refuse_moving(gate, "Collate", "a loader gives the same pairs again in each epoch")
        self._gate, self._places = gate, (image, caption, metadata, shard)
        self._collate = collate
        self._threads = threads

    def __call__(self, items: Sequence[Any]) -> Any:
        decisions = _decisions(self._gate, items, self._places, self._threads)
        kept = [item for item, decision in zip(items, decisions, strict=True) if decision.kept]
        if not kept:
            return None
        return (self._collate or _default_collate())(kept)


def kept_indices(
    dataset: Any,
    gate: Gate,
    image: Any = 0,
    caption: Any = 1,
    *,
    batch: int = 256,
    threads: int | None = None,
    metadata: Any = None,
    shard: Any = None,
) -> list[int]:
    """Indices of the items of a map-style dataset that are kept, for `torch.utils.data.Subset`.

    Items are judged in their order. What a gate's state remembers stays: a second call finds the same pairs again.
    """
    found: list[int] = []
    for first in range(0, len(dataset), batch):
        items = [dataset[index] for index in range(first, min(first + batch, len(dataset)))]
        decisions = _decisions(gate, items, (image, caption, metadata, shard), threads)
        found += [first + place for place, decision in enumerate(decisions) if decision.kept]
    return found


def _decisions(
    gate: Gate, items: Sequence[Any], places: tuple[Any, Any, Any, Any], threads: int | None
) -> list[Decision]:
    image, caption, *beside = places
    images = [picture(item[image]) for item in items]
    metadata, shard = (None if place is None else [item[place] for item in items] for place in beside)
    captions = [item[caption] for item in items]
    return gate.judge(images, captions, metadata=metadata, shard=shard, threads=threads)


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
            metadata, shard: Where they are in an item.

        Each iteration is a stream of its own: what the gate's state remembers is forgotten at its start.
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
            metadata: Any = None,
            shard: Any = None,
        ) -> None:
            self._items, self._gate, self._places = items, gate, (image, caption, metadata, shard)
            self._batch, self._threads = batch, threads

        def __iter__(self) -> Iterator[Any]:
            self._gate.forget()
            stream = iter(self._items)
            while some := list(islice(stream, self._batch)):
                decisions = _decisions(self._gate, some, self._places, self._threads)
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
