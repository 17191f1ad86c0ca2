"""Hugging Face datasets: a gate for `map` and `filter`.

    gated = gate.datasets(image="image", caption="text")
    dataset = dataset.cast_column("image", datasets.Image(decode=False))  # bytes, not pixels
    dataset = dataset.map(gated, batched=True, batch_size=64)             # columns are added
    dataset = dataset.filter(gated.kept, batched=True, batch_size=64)     # those that are kept

With `Image(decode=False)` a gate sees the files' bytes, and decides as `pairgate filter` does; a file that cannot
be decoded is a reason. Decoded, it sees Pillow's images, and a broken one is an error of datasets' own. A gate is
pickled by its parameters, so datasets' cache knows a step again whose gate, columns and model are the same, and
whose state is, where one selects. A state whose decisions depend on the pairs before is refused: the cache and
`num_proc` know nothing of what a gate remembers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pairgate_dfn import _columns
from pairgate_dfn._native import Gate

__all__ = ["GatedBatches"]


class GatedBatches:
    """A gate for batches: dicts of columns.

    Args:
        gate: The gate.
        image, caption: Columns.
        metadata: Column of what a sample's `.json` says.
        shard: Column of the shards that rows come from, for a state that selects by them.
        prefix: Put before the names of the columns that are added.
        threads: Threads of each call. Default: the gate's; beside `num_proc`, give 1.

    Raises:
        ValueError: The gate's state depends on the pairs before.
    """

    def __init__(
        self,
        gate: Gate,
        image: str = "image",
        caption: str = "caption",
        *,
        metadata: str | None = None,
        prefix: str = "",
        threads: int | None = None,
        shard: str | None = None,
    ) -> None:
        _columns.refuse_moving(gate, "datasets", "a step may be cached, repeated or split over processes")
        self.gate = gate
        self._shard = shard
        self._names = (image, caption, metadata, prefix)
        self._threads = threads

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """The columns that are added: kept, verdict, reason, score, threshold and uid; None where no score is.

        Raises:
            ValueError: Columns of these names are there already.
        """
        names = _columns.named(batch, self._names[3])
        told = self._judged(batch)
        for name in ("score", "threshold"):
            told[name] = _columns.without_nan(told[name])
        return {names[name]: list(column) for name, column in told.items()}

    def kept(self, batch: Mapping[str, Sequence[Any]]) -> list[bool]:
        """Which rows are kept."""
        return [bool(kept) for kept in self._judged(batch)["kept"]]

    def _judged(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        image, caption, metadata, _ = self._names
        further = None if metadata is None else batch[metadata]
        shard = None if self._shard is None else batch[self._shard]
        return _columns.columns(self.gate, batch[image], batch[caption], further, self._threads, shard)
