"""pandas: a frame of images and captions, judged.

    frame = gate.pandas(frame, image="path", caption="text")
    frame[frame.kept]
"""

from typing import Any

from pairgate_dfn import _columns
from pairgate_dfn._native import Gate

__all__ = ["judge"]


def judge(
    gate: Gate,
    frame: Any,
    image: str = "image",
    caption: str = "caption",
    *,
    metadata: str | None = None,
    prefix: str = "",
    threads: int | None = None,
) -> Any:
    """A copy of a frame with columns added: kept, verdict, reason, score, threshold, uid; NaN where no score is.

    Args:
        gate: The gate.
        frame: A DataFrame of any index.
        image: Column of files' bytes, paths, pixels or images, as a gate takes them.
        caption: Column of text.
        metadata: Column of what a sample's `.json` says.
        prefix: Put before the names of the columns that are added.
        threads: Default: the gate's.

    Raises:
        ValueError: Columns of these names are there already.
        KeyError: A column is not there.
    """
    names = _columns.named(map(str, frame.columns), prefix)
    further = None if metadata is None else frame[metadata]
    told = _columns.columns(gate, frame[image], frame[caption], further, threads)
    return frame.assign(**{names[name]: column for name, column in told.items()})
