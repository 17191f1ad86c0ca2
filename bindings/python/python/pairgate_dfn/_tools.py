"""What the program does with runs that are over: calibrate, replay, subset.

Where it reads files, the program itself does it, in a process of its own: its threads, its memory and its
way with signals stay out of the caller's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from pairgate_dfn._native import Sketch

_Path: TypeAlias = str | os.PathLike[str]
_SKETCH = b"PAIRSKCH"


def cli(arguments: Iterable[_Path]) -> int:
    """Runs the program `pairgate` with these arguments, in a process of its own.

    It writes to the standard output and error of this one.

    Args:
        arguments: What would follow `pairgate` in a shell.

    Returns:
        The exit code: 0 done, 1 some pairs could not be judged, 2 could not run, 130 interrupted.

    >>> cli(["filter", "shards/", "-o", "kept", "--keep", "15%"])  # doctest: +SKIP
    0
    """
    return subprocess.run(_command(arguments), stdin=subprocess.DEVNULL).returncode


def _command(arguments: Iterable[_Path]) -> list[str]:
    return [sys.executable, "-m", "pairgate_dfn", *[os.fspath(argument) for argument in arguments]]


def _asked(arguments: Sequence[_Path], fine: tuple[int, ...] = (0,)) -> Any:
    """What the program prints as JSON; a RuntimeError with its words where it fails."""
    command = _command([*arguments, "--json"])
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if ended.returncode not in fine:
        words = ended.stderr.decode(errors="replace").strip()
        raise RuntimeError(words or f"pairgate {arguments[0]} ended with exit code {ended.returncode}")
    return json.loads(ended.stdout)


def _paths(given: _Path | Iterable[_Path]) -> list[str]:
    """Paths, none of which is taken for an option."""
    paths = [given] if isinstance(given, (str, os.PathLike)) else list(given)
    named = [os.fspath(path) for path in paths]
    return ["./" + path if path.startswith("-") else path for path in named]


def _exact(score: float) -> float:
    """The 32-bit float whose digits the program printed."""
    return float(np.float32(score))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The threshold that keeps a share of some scores, and how sure it is."""

    scored: int
    """Scores that it was found from."""
    keep: float
    """The share, above 0, at most 1."""
    threshold: float
    """Lowest score that passes, -1 to 1: a 32-bit float, exactly."""
    interval: tuple[float, float]
    """Where the threshold lies with the probability `confidence`, if the scores are a random sample."""
    confidence: float
    """The interval's probability, above 0, at most 1."""
    kept_share_known_to: float
    """How far the share that is kept elsewhere may be from `keep`, both ways, with that probability."""
    precision: float
    """The wanted precision of that share, both ways."""
    pairs_needed: int
    """Pairs that give it."""
    score_quantiles: list[float]
    """101 scores: the least, the hundredths, the greatest."""


def calibrate(
    source: _Path | Sequence[_Path] | Sketch | ArrayLike,
    *,
    keep: float = 0.15,
    precision: float = 0.005,
    confidence: float = 0.95,
) -> Calibration:
    """Finds the threshold that keeps a share of the pairs, as `pairgate calibrate` does.

    Args:
        source: Scores (a list or an array of any shape; what is no finite number says nothing), a Sketch, or
            one or more paths: of sketches, of the output of `pairgate score` (.jsonl), or of what
            `pairgate calibrate` reads: journals, whose scores are taken, and pairs, which are scored by the
            model in the package.
        keep: Share to keep, above 0, at most 1.
        precision: Wanted precision of that share, both ways.
        confidence: Probability that the interval holds.

    Raises:
        ValueError: There is no score, or a share is out of range.
        RuntimeError: A path cannot be read; the text is the program's.

    >>> calibrate([0.1, 0.2, 0.3, 0.4], keep=0.5).scored
    4
    """
    shares = keep, precision, confidence
    if isinstance(source, Sketch):
        return _calibration(source.calibration(*shares))
    paths = _paths_in(source)
    if paths is None:
        return _calibration(Sketch(source).calibration(*shares))  # type: ignore[arg-type]
    if paths and all(path.endswith(".jsonl") for path in paths):
        scores = np.fromiter((score for path in paths for score in _scores_of(path)), np.float32)
        return _calibration(Sketch(scores).calibration(*shares))
    options = ["--keep", str(keep), "--precision", str(precision), "--confidence", str(confidence)]
    options += ["--merge"] if paths and all(map(_is_sketch, paths)) else []
    return _calibration(_asked(["calibrate", *options, *paths], fine=(0, 1)))


def _paths_in(source: Any) -> list[str] | None:
    if isinstance(source, (str, os.PathLike)):
        return _paths(source)
    is_list = isinstance(source, (list, tuple)) and len(source) > 0
    if is_list and all(isinstance(path, (str, os.PathLike)) for path in source):
        return _paths(source)
    return None


def _is_sketch(path: str) -> bool:
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(len(_SKETCH)) == _SKETCH


def _scores_of(path: str) -> Iterator[float]:
    """Scores of pairs that nothing but a score speaks against, from the output of `pairgate score`."""
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                pair = json.loads(line)
                reason, score = pair["reason"], pair["score"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}: line {number}: not a score of a pair: {error!r}") from error
            if reason in (None, "low_similarity") and score is not None:
                yield score


def _calibration(found: dict[str, Any]) -> Calibration:
    low, high = found["interval"]
    quantiles = [_exact(score) for score in found.pop("score_quantiles")]
    found |= {"threshold": _exact(found["threshold"]), "interval": (_exact(low), _exact(high))}
    return Calibration(**found, score_quantiles=quantiles)


@dataclass(frozen=True, slots=True)
class Replay:
    """What another threshold would decide on the pairs of journals."""

    threshold: float
    """The threshold: a 32-bit float, exactly."""
    kept: int
    """Pairs that would be kept."""
    rejected: int
    """Pairs that would be rejected."""
    failed: int
    """Pairs that could not be judged, and still cannot."""
    changed: int
    """Pairs whose verdict would change."""
    old_to_new: dict[str, dict[str, int]]
    """Pairs by the verdict that they have and the one that they would have."""
    examples: list[dict[str, Any]]
    """Some of those that change: key, uid, shard, score, old, new."""


def replay(
    journals: _Path | Sequence[_Path],
    *,
    threshold: float | None = None,
    keep: float | None = None,
    examples: int = 5,
    output: _Path | None = None,
) -> Replay:
    """Decides again on the pairs of journals, as `pairgate replay` does: no image is read.

    Args:
        journals: Journals, or folders that hold one.
        threshold: Lowest score that passes, -1 to 1.
        keep: Share of the scored pairs to keep, above 0, at most 1. One of the two is given.
        examples: Pairs to name for each change of verdict.
        output: File to write what would be kept to, as JSON lines.

    Raises:
        ValueError: Neither threshold nor share is given, or both.
        RuntimeError: A journal cannot be read; the text is the program's.
    """
    if (threshold is None) == (keep is None):
        raise ValueError(f"threshold = {threshold} and keep = {keep}: give one of them")
    by = ["--keep", str(keep)] if threshold is None else [f"--threshold={threshold}"]
    written = [] if output is None else ["--output", os.path.abspath(output)]
    found = _asked(["replay", *by, "--examples", str(examples), *written, *_paths(journals)])
    for example in found["examples"]:
        example["score"] = None if example["score"] is None else _exact(example["score"])
    return Replay(**found | {"threshold": _exact(found["threshold"])})


def subset(inputs: _Path | Sequence[_Path], output: _Path, **options: Any) -> dict[str, Any]:
    """Writes a subset file of DataComp, as `pairgate subset` does.

    >>> subset("metadata/", "subset.npy", filter="basic,clip_score", fraction=0.3)  # doctest: +SKIP

    Args:
        inputs: Metadata (.parquet, or folders of them), or journals, whose kept pairs are taken.
        output: The file: .npy, .bin, .raw or .memmap. `numpy.load` reads the first: sorted uids, u8,u8.
        options: What `pairgate subset --help` has, with `_` for `-`: `filter`, `threshold`, `fraction`,
            `arch`, `scores`, ...; a bool is an option without a value.

    Returns:
        What the program prints as JSON: `in`, `kept`, `rejected`, `failed`, `written`, `thresholds`, ...

    Raises:
        RuntimeError: It could not be done; the text is the program's.
    """
    said: list[str] = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is None or value is False:
            continue
        if isinstance(value, (list, tuple)):
            value = ",".join(map(str, value))
        said.append(option if value is True else f"{option}={os.fspath(value) if isinstance(value, Path) else value}")
    written = ["--output", os.path.abspath(output)]
    found: dict[str, Any] = _asked(["subset", *said, *written, *_paths(inputs)], fine=(0, 1))
    return found
