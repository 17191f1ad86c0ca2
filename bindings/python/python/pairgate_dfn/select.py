"""Frozen selections: methods that look at more than one pair's score, fitted once on recorded runs.

    from pairgate_dfn import Gate, cli, select

    cli(["score", "shards/", "--embeddings", "-o", "scores.parquet"])
    fitted = select.fit("scores.parquet", "clusters k 500 keep 20%", "a.pgsel")
    kept = select.apply("scores.parquet", fitted.state).uids        # over the pool, shares exactly
    gate = Gate(select="a.pgsel")                                   # or pair by pair, in a stream

docs/selection.md says what each method does. They run in this process; Ctrl-C ends them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pairgate_dfn._native import Model, State, StateError, reason_names, select_apply, select_fit

__all__ = ["Applied", "Fitted", "State", "StateError", "Step", "apply", "fit", "inspect"]

_Path: TypeAlias = str | os.PathLike[str]
_Paths: TypeAlias = _Path | Iterable[_Path]


@dataclass(frozen=True, slots=True)
class Step:
    """What one method of an expression did, in the order of evaluation."""

    method: str
    """Its name; `ranks` is the cut of a sum of ranks."""
    came: int
    """Pairs that came to it."""
    kept: int
    """Pairs that it kept, or did not flag."""
    flags: bool
    """Whether it only flags."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A state, and what its methods do to the pool that they were fitted on."""

    state: State
    """The state. It lies where it was to be written."""
    pairs: int
    """Pairs of the pool: what threshold and rules let pass."""
    kept: int
    """Pairs of the pool that the methods keep."""
    steps: list[Step]
    """The methods."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a state keeps of a pool."""

    uid_bytes: NDArray[np.uint8]
    """Uids of the pool's pairs, in its order: [N, 16]."""
    kept: NDArray[np.bool_]
    """Which are kept: [N]."""
    steps: list[Step]
    """The methods; empty where it was applied pair by pair."""
    reason_codes: NDArray[np.uint8] | None
    """Why each pair is kept or not, as a place in `reason_names`: [N]; None where a pool was looked at whole."""

    @property
    def uids(self) -> list[str]:
        """Uids of what is kept, 32 hex digits each, in the pool's order."""
        return [row.tobytes().hex() for row in self.uid_bytes[self.kept]]

    @property
    def all_uids(self) -> list[str]:
        """Uids of all pairs of the pool, in its order."""
        return [row.tobytes().hex() for row in self.uid_bytes]

    @property
    def reasons(self) -> list[str] | None:
        """The reason of each pair by its name; None where a pool was looked at whole."""
        if self.reason_codes is None:
            return None
        names = reason_names()
        return [names[code] for code in self.reason_codes]

    def __repr__(self) -> str:
        return f"Applied({int(self.kept.sum())} of {len(self.kept)} pairs kept)"


def fit(
    runs: _Paths,
    method: str,
    out: _Path,
    *,
    threshold: float | None = None,
    source: _Paths = (),
    seed: int = 1234,
    entries: _Path | None = None,
    targets: _Path | None = None,
    labels: _Path | None = None,
    base_labels: _Path | None = None,
    phrases: _Path | None = None,
    prior: _Path | None = None,
    cond: _Path | None = None,
    model: _Path | Model | None = None,
    threads: int | None = None,
    **reading: Any,
) -> Fitted:
    """Fits methods on a recorded pool, as `pairgate select fit` does: the state is the same, byte for byte.

    Args:
        runs: Recorded runs with embeddings, one or several: what `score --embeddings` and `filter --embeddings
            all` have written, or DataComp's metadata.
        method: The methods, as an expression: `"clusters k 500 keep 20%"`.
        out: The state's file, `NAME.pgsel`; it appears whole or not at all.
        threshold: Lowest score of the pool, -1 to 1. Default: what the model recommends.
        source: The pairs' own shards, in the runs' order: captions and metadata are read there, where the runs
            do not hold them.
        seed: What all that is drawn is drawn by.
        entries: Entries for `entries`, a line each.
        targets: Pictures' embeddings for `targets`: rows of a .npy, or a recorded run.
        labels: Marked pairs for `linear`, `prototypes`, `color`: JSON lines with uid and mark.
        base_labels: Examples of base classes for `prototypes`, lines as of `labels` (TEEN).
        phrases: Phrases for `unsafe`, a line each.
        prior, cond: Language models of all, and of wanted captions (ARPA).
        model: The model that scored the runs. Default: the model in the package.
        threads: 1 to 1024. Default: the cores that this process may use. No state depends on it.
        reading: How runs and sources are read: `embedding_names` (a pair of names), `score_column`,
            `image_root`, `image_key`, `caption_key` (lists), `captions` ("first" or "all"), as the program's
            options of these names.

    Raises:
        ValueError: The expression, the runs or a file are not what they should be, or of another model.
        OSError: A run cannot be read, or the state not be written.
        ModelError: The bundle cannot be loaded.
        KeyboardInterrupt: Ctrl-C; nothing is written.

    >>> fit("scores.parquet", "clusters keep 20%", "no/such/folder/a.pgsel")
    Traceback (most recent call last):
    FileNotFoundError: out: there is no folder no/such/folder
    """
    # Before what may take hours.
    _check_file(Path(out))
    fitting = {
        "method": method,
        "seed": seed,
        "entries": entries,
        "targets": targets,
        "labels": labels,
        "base_labels": base_labels,
        "phrases": phrases,
        "prior": prior,
        "cond": cond,
    }
    read = _read(runs, source, threshold, threads, reading)
    state, kept, steps = select_fit(read, fitting, model, os.fspath(out))
    return Fitted(state, state.pairs, kept, [Step(*step) for step in steps])


def apply(
    runs: _Paths,
    state: _Path | State,
    *,
    frozen: bool = False,
    threshold: float | None = None,
    source: _Paths = (),
    model: _Path | Model | None = None,
    threads: int | None = None,
    **reading: Any,
) -> Applied:
    """What a state keeps of a recorded pool, as `pairgate select apply` does.

    Args:
        runs: Recorded runs with embeddings, as of `fit`.
        state: The state, or its path.
        frozen: Whether to decide pair by pair, as a stream does. Default: shares are shares of this pool, exactly.
        threshold: Lowest score of the pool, -1 to 1. Default: the state's.
        source: As of `fit`.
        model: The state's model, where a method looks at captions' tokens. Default: the model in the package.
        threads: As of `fit`.
        reading: As of `fit`.

    Raises:
        StateError: The state cannot be read, or is of another model than the runs.
        ValueError, OSError, ModelError, KeyboardInterrupt: As of `fit`.
    """
    read = _read(runs, source, threshold, threads, reading)
    loaded = state if isinstance(state, State) else State.read(state)
    uids, kept, steps, reasons = select_apply(read, loaded, model, frozen)
    return Applied(uids, kept, [Step(*step) for step in steps], reasons)


def inspect(state: _Path | State) -> dict[str, Any]:
    """What a state holds, as `pairgate select inspect --json` tells it: its methods with the shapes of their arrays,
    the model, the seed, digests.

    Raises:
        StateError: The state cannot be read.
    """
    return (state if isinstance(state, State) else State.read(state)).to_dict()


_Reading: TypeAlias = dict[
    Literal["embedding_names", "score_column", "image_root", "image_key", "caption_key", "captions"], Any
]


def _read(
    runs: _Paths, source: _Paths, threshold: float | None, threads: int | None, reading: dict[str, Any]
) -> dict[str, Any]:
    usual: _Reading = {
        "embedding_names": None,
        "score_column": None,
        "image_root": None,
        "image_key": [],
        "caption_key": [],
        "captions": "first",
    }
    unknown = sorted(set(reading) - set(usual))
    if unknown:
        raise TypeError(f"{', '.join(unknown)}: no such option; there are {', '.join(usual)}")
    named = {"runs": _paths(runs), "source": _paths(source), "threshold": threshold, "threads": threads}
    if not named["runs"]:
        raise ValueError("runs: give one at least")
    return {**usual, **reading, **named}


def _paths(given: _Paths) -> list[str]:
    paths = [given] if isinstance(given, (str, os.PathLike)) else given
    return [os.fspath(path) for path in paths]


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"out: {path} is a folder: name a file in it")
    if not path.parent.exists():
        raise FileNotFoundError(f"out: there is no folder {path.parent}")
