"""Many shards, an output for each: what `pairgate filter --one-to-one` does, by many processes.

The unit of work is one input shard. Its output is named by it and gets a marker when it is whole, so any process
may do any shard at any time, twice even: a rerun leaves out what has its marker. docs/scale.md has the contract.

    from pairgate_dfn.shards import filter_shards

    report = filter_shards("shards/", "kept", keep=0.15)
    report.kept, report.errors

Engines that spread work over machines run the same: see `Job` and `filter_shards(engine=...)`; `pairgate_dfn.ray`
is one.
"""

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypedDict

from pairgate_dfn._children import CHECK, PROGRAM, Children

__all__ = ["Engine", "Job", "Report", "Row", "SettingsError", "filter_shards", "list_shards"]

_Path: TypeAlias = str | os.PathLike[str]

# What names a shard, packed or not.
_SHARD = re.compile(r"\.(tar(\.(gz|zst|bz2|xz))?|tgz|tzst|tbz2|tbz|txz)$", re.IGNORECASE)
_INTERRUPTED = 130
# Shards of one child process.
_MOST_AT_ONCE = 8
# Times that a check is begun which somebody kills.
_MOST_CHECKS = 5


class Row(TypedDict):
    """What one shard came to; docs/outputs.md has the keys. Without an output, `error` says why."""

    input: str
    output: str | None
    read: int
    kept: int
    rejected: int
    failed: int
    reasons: dict[str, int]
    bytes: int
    sha256: str
    skipped: bool
    error: str | None


class SettingsError(ValueError):
    """Model, config or threshold cannot be had: no shard could be done."""


@dataclass(frozen=True)
class Job:
    """What is done to each shard. Can be pickled: an engine sends it to its workers.

    Args:
        verb: `"filter"`, or `"score"`: scores are recorded and nothing is stored.
        out: The output folder.
        options: Further options of the program, as a shell would pass them.
        gate: Settings that `check` tries.
    """

    verb: Literal["filter", "score"]
    out: str
    options: tuple[str, ...] = ()
    gate: dict[str, Any] = field(default_factory=dict)

    def check(self, children: Children | None = None) -> None:
        """Loads model and config once, in a child process, to see that they can be.

        Raises:
            SettingsError: They cannot; the text says why.
        """
        children = children or Children()
        for _ in range(_MOST_CHECKS):
            ended = children.run(CHECK, [json.dumps(self.gate)])
            if ended.code == 0:
                return
            if ended.code > 0:
                break
            # Killed: that says nothing of the settings, but often enough it says that there is no memory.
        raise SettingsError(ended.reason)

    def run(self, shards: Sequence[str], children: Children | None = None) -> list[Row]:
        """Does these shards in a child process, one after the other; a row for each, in their order.

        A shard whose turn another one spoiled gets a process of its own. What then fails is a row with its
        `error`. Nothing is raised for a shard.
        """
        children = children or Children()
        rows: dict[str, Row] = {}
        reason = self._attempt(shards, rows, children)
        for shard in shards:
            if shard not in rows and len(shards) > 1 and not children.stopping:
                reason = self._attempt([shard], rows, children)
            rows.setdefault(shard, failed_row(shard, reason))
        return [rows[shard] for shard in shards]

    def _attempt(self, shards: Sequence[str], rows: dict[str, Row], children: Children) -> str:
        """Notes the rows of what is done; says why it is not all of them."""

        def note(line: str) -> None:
            row: Row = {**json.loads(line), "error": None}  # type: ignore[typeddict-item]
            rows[row["input"]] = row

        arguments = [self.verb, "--one-to-one", "--json", "-o", self.out, *self.options, "--", *shards]
        try:
            ended = children.run(PROGRAM, arguments, note)
        except InterruptedError as stopped:
            return str(stopped)
        return "stopped" if ended.code == _INTERRUPTED else ended.reason


# Takes a job and lists of shards that one call of `Job.run` is for; gives the rows as they come, in any order.
Engine: TypeAlias = Callable[[Job, list[list[str]]], Iterable[Row]]


@dataclass
class Report:
    """What all shards came to.

    `rows` has one for each shard, in the inputs' order; `threshold` is that of the share that was asked for.
    """

    rows: list[Row]
    threshold: float | None = None

    def _sum(self, key: Literal["read", "kept", "rejected", "failed"]) -> int:
        return sum(row[key] for row in self.rows)

    @property
    def read(self) -> int:
        """Pairs in."""
        return self._sum("read")

    @property
    def kept(self) -> int:
        """Pairs that are stored."""
        return self._sum("kept")

    @property
    def rejected(self) -> int:
        """Pairs that were judged, and not found good enough."""
        return self._sum("rejected")

    @property
    def failed(self) -> int:
        """Pairs that could not be judged."""
        return self._sum("failed")

    @property
    def skipped(self) -> int:
        """Shards that were done before."""
        return sum(row["skipped"] for row in self.rows)

    @property
    def errors(self) -> dict[str, str]:
        """Why shards have no output, by their paths."""
        return {row["input"]: row["error"] for row in self.rows if row["error"] is not None}

    def __repr__(self) -> str:
        return (
            f"Report({len(self.rows)} shards, {self.skipped} done before, {len(self.errors)} errors: "
            f"{self.read} pairs, {self.kept} kept, {self.rejected} rejected, {self.failed} failed)"
        )


def list_shards(paths: _Path | Iterable[_Path]) -> list[str]:
    """The inputs that paths name: a folder of shards stands for its shards, in the order of their names.

    Raises:
        ValueError: There are none, a path is not there, or two outputs would have one name.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    shards = [shard for path in given for shard in _shards_of(os.fspath(path))]
    if not shards:
        raise ValueError("paths: no shards")
    seen: dict[str, str] = {}
    for shard in shards:
        other = seen.setdefault(_SHARD.sub("", os.path.basename(shard)), shard)
        if other is not shard:
            raise ValueError(f"paths: the outputs of {other} and {shard} would have one name")
    return shards


def filter_shards(
    paths: _Path | Iterable[_Path],
    out: _Path,
    *,
    keep: float | None = None,
    scores: _Path | None = None,
    threshold: float | None = None,
    config: _Path | None = None,
    model: _Path | None = None,
    select: _Path | None = None,
    annotate: bool = False,
    overwrite: bool = False,
    options: Sequence[str] = (),
    workers: int | None = None,
    threads: int = 1,
    engine: Engine | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> Report:
    """Filters each shard into an output of its own, `out/NAME.tar`, by processes side by side.

    The same call again leaves out what is done. The bytes of the outputs depend on inputs and settings alone.

    Args:
        paths: Shards, or folders of shards. Any other input of the program's is one shard.
        out: The output folder.
        keep: Share of all scored pairs to keep, above 0, at most 1: exactly those that `pairgate filter --keep`
            keeps on one machine. All shards are scored first, then filtered by these scores.
        scores: The folder of recorded scores, with `keep`. Default: `out` with `.scores` behind it.
        threshold: Lowest score that passes, -1 to 1. Not beside `keep`. Default: the config's, else the model's.
        config: Path of a TOML file.
        model: Path of a bundle. Default: the config's, else the model in the package.
        select: Path of a state that selects among what threshold and rules let pass (`--select`). Not one whose
            decisions depend on the pairs before, as each shard is decided by itself, and not beside `keep`.
        annotate: Whether kept samples' `.json` members are told of the decision.
        overwrite: Whether all is done again.
        options: Further options of the program for every shard, such as `["--rules", "none"]`.
        workers: Processes side by side. Default: cores that this process may use, divided by `threads`.
        threads: Workers of each process (`--workers`).
        engine: What runs the work instead of local processes.
        on_row: Called with each shard's row as it is there; of `keep`, in the second round.

    Returns:
        A Report. Shards that failed are rows with their `error`; with `keep`, nothing is filtered while there
        are shards that could not be scored, and these rows are returned.

    Raises:
        SettingsError: Model, config, threshold or state cannot be had.
        ValueError: An argument is out of range; there are no shards.
        KeyboardInterrupt: Ctrl-C; shards that were being done are left without a marker.

    >>> filter_shards([], "kept")
    Traceback (most recent call last):
    ...
    ValueError: paths: no shards
    """
    if keep is not None and threshold is not None:
        raise ValueError("keep and threshold: only one of them can be given")
    if keep is not None and select is not None:
        why = "recorded scores tell scores alone; let the state keep a share ('score keep 15%')"
        raise ValueError(f"keep and select: {why}")
    if keep is not None and not 0 < keep <= 1:
        raise ValueError(f"keep = {keep}: must be above 0, at most 1")
    if threads < 1 or (workers is not None and workers < 1):
        raise ValueError(f"workers = {workers}, threads = {threads}: must be 1 or more")
    shards = list_shards(paths)
    said = _options(config, model, select, threads, overwrite, options)
    job = Job("filter", os.fspath(out), said, _gate(config, model, select))
    run = engine or _Local(workers or max(1, _cores() // threads))
    width = getattr(run, "workers", None) or 1

    found = None
    if keep is not None:
        recorded = os.fspath(scores) if scores is not None else os.fspath(out).rstrip("/") + ".scores"
        rows = _round(run, replace(job, verb="score", out=recorded), shards, width, None)
        if any(row["error"] is not None for row in rows):
            return Report(rows)
        found = threshold_of_share(recorded, shards, keep)
        job = replace(job, options=(*job.options, "--scores", recorded))
    least = found if found is not None else threshold
    if least is not None:
        job = replace(job, options=(*job.options, f"--threshold={least!r}"), gate={**job.gate, "threshold": least})
    if annotate:
        job = replace(job, options=(*job.options, "--annotate"))
    return Report(_round(run, job, shards, width, on_row), found)


def threshold_of_share(scores: _Path, shards: Sequence[str], keep: float) -> float:
    """The threshold that keeps a share of all pairs whose scores are recorded in a folder: `pairgate merge`.

    Raises:
        SettingsError: Scores are missing or wrong; the text names the first.
    """
    told: list[str] = []
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as inputs:
        inputs.writelines(f"{shard}\n" for shard in shards)
        inputs.flush()
        arguments = ["merge", os.fspath(scores), "--keep", repr(keep), "--quick", "--json", "--list", inputs.name]
        ended = Children().run(PROGRAM, arguments, told.append)
    if ended.code != 0:
        raise SettingsError(f"{os.fspath(scores)}: {ended.reason}")
    return float(json.loads("".join(told))["threshold"])


@dataclass
class _Local:
    """Processes of this machine."""

    workers: int

    def __call__(self, job: Job, lists: list[list[str]]) -> Iterator[Row]:
        children = Children()
        job.check(children)
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for done in as_completed([pool.submit(job.run, shards, children) for shards in lists]):
                    yield from done.result()
            except BaseException:
                children.stop()
                pool.shutdown(cancel_futures=True)
                raise


def _round(
    run: Engine, job: Job, shards: list[str], width: int, on_row: Callable[[Row], None] | None
) -> list[Row]:
    # Several a process, as each loads the model, but so few that no worker waits long for the last one.
    count = max(1, min(_MOST_AT_ONCE, len(shards) // (4 * width)))
    rows = {}
    for row in run(job, [shards[first : first + count] for first in range(0, len(shards), count)]):
        rows[row["input"]] = row
        if on_row is not None:
            on_row(row)
    return [rows.get(shard) or failed_row(shard, "the engine gave no row") for shard in shards]


def failed_row(shard: str, error: str) -> Row:
    """The row of a shard that has no output, and why."""
    return {
        "input": shard,
        "output": None,
        "read": 0,
        "kept": 0,
        "rejected": 0,
        "failed": 0,
        "reasons": {},
        "bytes": 0,
        "sha256": "",
        "skipped": False,
        "error": error,
    }


def _shards_of(path: str) -> list[str]:
    if not os.path.exists(path):
        raise ValueError(f"paths: {path} is not there")
    if not os.path.isdir(path):
        return [path]
    shards = sorted(name for name in os.listdir(path) if _SHARD.search(name) and not name.startswith("."))
    # What else may lie in it is the program's to judge: it refuses a folder of shards and of pictures.
    return [os.path.join(path, name) for name in shards] or [path]


def _options(
    config: _Path | None,
    model: _Path | None,
    select: _Path | None,
    threads: int,
    overwrite: bool,
    options: Sequence[str],
) -> tuple[str, ...]:
    said = ["--workers", str(threads)]
    said += ["--config", os.fspath(config)] if config is not None else []
    said += ["--model", os.fspath(model)] if model is not None else []
    said += ["--select", os.fspath(select)] if select is not None else []
    said += ["--overwrite"] if overwrite else []
    return (*said, *options)


def _gate(config: _Path | None, model: _Path | None, select: _Path | None) -> dict[str, Any]:
    named = {"config": config, "model": model, "select": select}
    return {name: os.fspath(path) for name, path in named.items() if path is not None}


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
