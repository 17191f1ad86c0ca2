"""img2dataset: what it has written, or is writing, goes through a gate.

    filter_output("laion", "laion-kept", keep=0.15)                  # after it has ended

    for row in follow("laion", "laion-kept", until=lambda: download.poll() is not None):
        print(row["input"], row["kept"], row["error"])               # while it downloads

A shard is complete when its `NNNNN_stats.json` is there: img2dataset writes that last. One without is passed over:
img2dataset, started again, makes it anew. Shards are tars, folders of files (`output_format="files"`) or tables
(`"parquet"`); each has its own output, so a rerun does what is left.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pairgate_dfn.shards import Report, Row, filter_shards

__all__ = ["complete_shards", "filter_output", "follow"]

_MARKER = "_stats.json"


def complete_shards(folder: str | os.PathLike[str]) -> list[str]:
    """The shards in an output folder of img2dataset's that are complete, in the order of their names."""
    markers = sorted(path for path in Path(folder).glob(f"*{_MARKER}") if _is_whole(path))
    found = (_shard_of(Path(folder, marker.name.removesuffix(_MARKER))) for marker in markers)
    return [os.fspath(shard) for shard in found if shard is not None]


def filter_output(folder: str | os.PathLike[str], out: str | os.PathLike[str], **settings: Any) -> Report:
    """Filters the complete shards of an output folder, each into an output of its own.

    `settings` and what is returned are those of `pairgate_dfn.shards.filter_shards`.

    Raises:
        ValueError: No shard is complete.
    """
    return filter_shards(complete_shards(folder), out, **settings)


def follow(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    until: Callable[[], bool],
    every: float = 2.0,
    **settings: Any,
) -> Iterator[Row]:
    """Filters shards as they become complete; a row for each, with its `error` if it failed.

    Args:
        folder: Where img2dataset writes. It need not be there yet.
        out: The output folder.
        until: Whether the download has ended; what is complete then is still done.
        every: Seconds between looks.
        settings: Those of `pairgate_dfn.shards.filter_shards`. No `keep`: a share rests on all shards.

    Raises:
        ValueError: `keep` was given.
    """
    if settings.get("keep") is not None:
        raise ValueError("keep: a share rests on all shards; give a threshold, or use filter_output at the end")
    done: set[str] = set()
    has_ended = False
    while not has_ended:
        # Asked first: what was completed before the end is seen after it.
        has_ended = until()
        if new := [shard for shard in complete_shards(folder) if shard not in done]:
            done.update(new)
            yield from filter_shards(new, out, **settings).rows
        elif not has_ended:
            time.sleep(every)


def _is_whole(marker: Path) -> bool:
    # It is written under its own name: it may be there in part.
    try:
        return "count" in json.loads(marker.read_bytes())
    except (OSError, ValueError):
        return False


def _shard_of(stem: Path) -> Path | None:
    # The `.parquet` beside a tar or a folder is its metadata.
    candidates = (stem.with_name(stem.name + ".tar"), stem, stem.with_name(stem.name + ".parquet"))
    return next((path for path in candidates if path.exists()), None)
