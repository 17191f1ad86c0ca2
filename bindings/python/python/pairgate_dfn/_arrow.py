"""Tables of each library: what is judged of them, and how the decisions come beside their columns.

A library is looked for only where somebody has imported it: else no table is one of its.
"""

import sys
from typing import Any, NamedTuple

from pairgate_dfn._columns import picture
from pairgate_dfn._native import Gate, judge_arrow, judged_names


class _Asked(NamedTuple):
    image: str
    caption: str
    metadata: str | None
    threads: int | None
    prefix: str
    shard: str | None


def judge_table(
    gate: Gate,
    table: Any,
    image: str,
    caption: str,
    metadata: str | None,
    threads: int | None,
    prefix: str,
    shard: str | None = None,
) -> Any:
    """The table with the decisions behind its columns; of the same library, where that is known."""
    asked = _Asked(image, caption, metadata, threads, prefix, shard)
    pyarrow, polars, pandas = (sys.modules.get(name) for name in ("pyarrow", "polars", "pandas"))
    if pyarrow is not None:
        if isinstance(table, pyarrow.Table):
            return _of_pyarrow_table(gate, table, asked, pyarrow)
        if isinstance(table, pyarrow.RecordBatch):
            return _of_pyarrow_batch(gate, table, asked, pyarrow)
        if isinstance(table, pyarrow.RecordBatchReader):
            return pyarrow.RecordBatchReader.from_stream(judge_arrow(gate, table, *asked))
    if polars is not None:
        if isinstance(table, polars.DataFrame):
            names = table.columns
            judged = judge_arrow(gate, _looked_at(table, names, asked), *asked, names)
            return table.hstack(polars.DataFrame(judged))
        if isinstance(table, polars.LazyFrame):
            raise TypeError("table: a LazyFrame has no rows yet: give lazy_frame.collect()")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return _of_pandas(gate, table, asked)
    return judge_arrow(gate, table, *asked)


def _looked_at(table: Any, names: list[str], asked: _Asked) -> Any:
    """The columns that are looked at, where there are such: what else there is need not be of Arrow."""
    looked_at = dict.fromkeys([asked.image, asked.caption, asked.metadata, asked.shard])
    wanted = [name for name in looked_at if name is not None]
    return table.select(wanted) if all(names.count(name) == 1 for name in wanted) else table


def _of_pyarrow_table(gate: Gate, table: Any, asked: _Asked, pyarrow: Any) -> Any:
    names = table.column_names
    judged = pyarrow.table(judge_arrow(gate, _looked_at(table, names, asked), *asked, names))
    for field, column in zip(judged.schema, judged.columns):
        table = table.append_column(field, column)
    return table


def _of_pyarrow_batch(gate: Gate, batch: Any, asked: _Asked, pyarrow: Any) -> Any:
    names = batch.schema.names
    judged = pyarrow.table(judge_arrow(gate, _looked_at(batch, names, asked), *asked, names))
    schema = batch.schema
    for field in judged.schema:
        schema = schema.append(field)
    columns = [column.combine_chunks() for column in judged.columns]
    return pyarrow.RecordBatch.from_arrays([*batch.columns, *columns], schema=schema)


def _of_pandas(gate: Gate, frame: Any, asked: _Asked) -> Any:
    names = list(frame.columns)
    roles = {"image": asked.image, "caption": asked.caption, "metadata": asked.metadata, "shard": asked.shard}
    for role, name in roles.items():
        if name is not None and names.count(name) != 1:
            why = "more than one such column" if name in names else f"no such column, but {names}"
            raise ValueError(f"{role}={name!r}: the table has {why}")
    ours = judged_names(asked.prefix, [name for name in names if isinstance(name, str)])
    images, captions = map(picture, frame[asked.image]), frame[asked.caption]
    metadata = None if asked.metadata is None else map(_said, frame[asked.metadata])
    shard = None if asked.shard is None else map(_said, frame[asked.shard])
    judged = gate.judge(images, captions, metadata=metadata, shard=shard, threads=asked.threads, columns=True)
    frame = frame.copy(deep=False)
    for name in ours:
        frame[name] = judged[name.removeprefix(asked.prefix)]  # type: ignore[literal-required]
    return frame


def _said(cell: Any) -> Any:
    """What a cell of metadata or shards has: floats are what pandas puts where there is none."""
    return None if isinstance(cell, float) or type(cell).__name__ == "NAType" else cell
