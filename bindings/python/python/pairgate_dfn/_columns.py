"""Columns of images and captions as libraries hold them, judged, and the columns that are added."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pairgate_dfn._native import Gate

# What is told of each pair, in this order.
NAMES = ("kept", "verdict", "reason", "score", "threshold", "uid")


def picture(value: Any) -> Any:
    """What a gate takes: `{"bytes", "path"}`, as Hugging Face holds undecoded images, is one or the other."""
    if isinstance(value, Mapping):
        data = value.get("bytes")
        return value.get("path") if data is None else data
    return value


def columns(
    gate: Gate,
    images: Iterable[Any],
    captions: Iterable[Any],
    metadata: Iterable[Any] | None = None,
    threads: int | None = None,
    shard: Any = None,
) -> dict[str, Any]:
    """`NAMES` of N pairs: NumPy arrays [N] and lists of text."""
    pictures = [picture(image) for image in images]
    told = gate.judge(pictures, list(captions), metadata=metadata, shard=shard, threads=threads, columns=True)
    return {name: told[name] for name in NAMES}  # type: ignore[literal-required]


def named(there: Iterable[str], prefix: str) -> dict[str, str]:
    """The added columns' names, by `NAMES`.

    Raises:
        ValueError: Columns of these names are there already.
    """
    names = {name: prefix + name for name in NAMES}
    taken = sorted(set(names.values()) & set(there))
    if taken:
        raise ValueError(f"prefix = {prefix!r}: there are columns {', '.join(taken)} already: choose another")
    return names


def without_nan(values: Iterable[float]) -> list[float | None]:
    """Numbers, None for NaN."""
    return [None if value != value else float(value) for value in values]


def refuse_moving(gate: Gate, who: str, why: str) -> None:
    """Refuses a gate whose state's decisions depend on the pairs before, where these come in no one order.

    Raises:
        ValueError: It is one; the text names the method and says what else there is.
    """
    moving = gate.state and gate.state.moving
    if moving:
        raise ValueError(
            f"select: {who}: the state's {moving} depend on the pairs before, and {why}: select in one stream "
            "(Gate.judge, `pairgate filter --select`), or apply the state to the scored pool "
            "(pairgate_dfn.select.apply)"
        )


def judged(
    gate: Gate,
    batch: Any,
    image: str,
    caption: str,
    prefix: str,
    drop: bool,
    metadata: str | None = None,
    shard: str | None = None,
) -> Any:
    """A batch with columns added: a dict of columns, or a table as `Gate.judge_table` takes it.

    `drop` leaves out the rows that are not kept.
    """
    if isinstance(batch, Mapping):
        names = named(batch, prefix)
        further = None if metadata is None else [_text(value) for value in batch[metadata]]
        told = columns(gate, batch[image], batch[caption], further, shard=None if shard is None else batch[shard])
        all_of_it = {**batch, **{names[name]: column for name, column in told.items()}}
        return {name: chosen(column, told["kept"]) for name, column in all_of_it.items()} if drop else all_of_it
    table = gate.judge_table(batch, image=image, caption=caption, metadata=metadata, prefix=prefix, shard=shard)
    if not drop:
        return table
    kept = table[prefix + "kept"]
    return table.filter(kept) if hasattr(table, "column_names") else table[kept]


def _text(value: Any) -> Any:
    """Metadata as a gate takes them: NumPy's texts are Python's."""
    return str(value) if isinstance(value, str) else value


def chosen(column: Sequence[Any], kept: Sequence[bool]) -> Any:
    """The values of a column that are kept."""
    if hasattr(column, "dtype"):
        return column[kept]  # type: ignore[call-overload]
    return [value for value, is_kept in zip(column, kept, strict=True) if is_kept]
