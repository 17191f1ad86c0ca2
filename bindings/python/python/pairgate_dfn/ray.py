"""Ray: shards filtered by many machines, and a judge for `map_batches`.

    from pairgate_dfn.ray import filter_shards

    report = filter_shards("/data/shards", "/data/kept", keep=0.15)

All machines see inputs and outputs by the same paths. Pictures do not pass through Ray: an actor's child process
reads a shard and writes its output, and counts come back.

Actors are Ray's own, not Ray Data's: there is no read stage to leave CPUs for, one that is killed is replaced and
its shards given to another, and what fails is a row. Ray is imported when it is used.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pairgate_dfn import _columns, shards
from pairgate_dfn._children import Children
from pairgate_dfn._native import Gate
from pairgate_dfn.shards import Job, Report, Row, SettingsError

__all__ = ["Judge", "filter_shards"]

# Actors that may die over the same shards before these count as failed.
_MOST_DEATHS = 10
# Seconds without an actor after which it is said why nothing goes on.
_PATIENCE = 60

_log = logging.getLogger(__name__)


def filter_shards(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    keep: float | None = None,
    scores: str | os.PathLike[str] | None = None,
    threshold: float | None = None,
    config: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    select: str | os.PathLike[str] | None = None,
    annotate: bool = False,
    overwrite: bool = False,
    options: Sequence[str] = (),
    workers: int | None = None,
    threads: int = 1,
    num_cpus: float | None = None,
    on_row: Callable[[Row], None] | None = None,
) -> Report:
    """Filters each shard into an output of its own, `out/NAME.tar`, by actors of Ray's.

    The same call again, after whatever has happened, leaves out what is done. Ray is started unless it runs.

    Args:
        workers: Actors. Default: the cluster's CPUs, divided by those of an actor.
        threads: Workers of each actor's process (`--workers`).
        num_cpus: CPUs of an actor. Default: `threads`.

    The other arguments, what is returned and what is raised are those of `pairgate_dfn.shards.filter_shards`.
    Paths are made absolute, and so are `out`, `scores`, `config`, `model` and `select`.
    """
    import ray

    if not ray.is_initialized():
        ray.init()
    cpus = num_cpus if num_cpus is not None else threads
    if cpus <= 0:
        raise ValueError(f"num_cpus = {num_cpus}: must be above 0")
    engine = _Actors(workers or max(1, int(ray.cluster_resources().get("CPU", 1) / cpus)), cpus)
    try:
        return shards.filter_shards(
            [os.path.abspath(shard) for shard in shards.list_shards(paths)],
            os.path.abspath(out),
            keep=keep,
            scores=scores and os.path.abspath(scores),
            threshold=threshold,
            config=config and os.path.abspath(config),
            model=model and os.path.abspath(model),
            select=select and os.path.abspath(select),
            annotate=annotate,
            overwrite=overwrite,
            options=options,
            workers=workers,
            threads=threads,
            engine=engine,
            on_row=on_row,
        )
    finally:
        engine.close()


class ShardFilter:
    """An actor that does shards, each in the program's own process."""

    def __init__(self) -> None:
        self._children = Children()

    def fault(self, job: Job) -> str | None:
        """Why no shard can be done on this machine; None where nothing is wrong."""
        try:
            job.check(self._children)
        except SettingsError as error:
            # An answer, not an exception: Ray would tell of it for each actor, with all lines of code on its way.
            return str(error)
        return None

    def run(self, job: Job, shards: list[str]) -> list[Row]:
        """Does shards, one after the other."""
        return job.run(shards, self._children)


class _Actors:
    """An engine: so many actors, each with so many CPUs. They stay for further calls, until `close`."""

    def __init__(self, workers: int, cpus: float) -> None:
        import ray

        self.workers = workers
        self._ray = ray
        # Ray would give one that it restarted its next shards unasked: dead ones are replaced here.
        self._class: Any = ray.remote(num_cpus=cpus, max_restarts=0, max_task_retries=0)(ShardFilter)
        self._idle: list[Any] = []

    def __call__(self, job: Job, lists: list[list[str]]) -> Iterator[Row]:
        work = _Work(self, job, lists)
        try:
            for _ in range(min(self.workers, len(lists))):
                work.start_actor()
            while work.is_left():
                yield from work.next_rows()
        finally:
            work.end()

    def take(self) -> Any:
        """An actor that has nothing to do, perhaps a new one."""
        return self._idle.pop() if self._idle else self._class.remote()

    def give_back(self, actor: Any) -> None:
        """Takes back one that has nothing to do any more."""
        self._idle.append(actor)

    def close(self) -> None:
        """Ends the actors that have nothing to do."""
        for actor in self._idle:
            self._ray.kill(actor)
        self._idle.clear()


class _Work:
    """Lists of shards, and actors that do them. An actor gets its next list when it has done one."""

    def __init__(self, actors: _Actors, job: Job, lists: list[list[str]]) -> None:
        import ray

        self._ray = ray
        self._actors = actors
        self._job = ray.put(job)
        self._waiting = deque(lists)
        # By the first of the shards that actors were at; of those that had none yet, by "".
        self._deaths: dict[str, int] = {}
        # What is asked of which actor: a list of shards, or None where it is being looked at.
        self._asked: dict[Any, tuple[Any, list[str] | None]] = {}
        self._is_told = False

    def start_actor(self) -> None:
        """Asks an actor whether it can work."""
        actor = self._actors.take()
        self._asked[actor.fault.remote(self._job)] = (actor, None)

    def is_left(self) -> bool:
        """Whether shards are waiting or being done."""
        return bool(self._waiting) or any(given is not None for _, given in self._asked.values())

    def next_rows(self) -> list[Row]:
        """Waits for an answer; the rows that it has, if any."""
        ready, _ = self._ray.wait(list(self._asked), num_returns=1, timeout=_PATIENCE)
        if not ready:
            self._tell_of_waiting()
            return []
        actor, given = self._asked.pop(ready[0])
        try:
            answer = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError as error:
            # A fault of this package: the actor lives.
            rows = self._failed(given, str(error))
            self._give(actor)
            return rows
        except self._ray.exceptions.RayError as error:
            # It may live where it cannot be reached: two at one shard are harmless, its CPUs are not.
            self._ray.kill(actor)
            return self._replaced(given, str(error))
        if given is None and answer is not None:
            raise SettingsError(answer)
        self._deaths.pop("", None)
        self._give(actor)
        return answer if given is not None else []

    def _give(self, actor: Any) -> None:
        if not self._waiting:
            return self._actors.give_back(actor)
        given = self._waiting.popleft()
        self._asked[actor.run.remote(self._job, given)] = (actor, given)

    def _replaced(self, given: list[str] | None, why: str) -> list[Row]:
        """An actor is gone: another one is to do what it was at."""
        first = given[0] if given else ""
        self._deaths[first] = self._deaths.get(first, 0) + 1
        has_died_often = self._deaths[first] > _MOST_DEATHS
        rows = self._failed(given, why) if has_died_often else []
        if given is not None and not has_died_often:
            self._waiting.appendleft(given)
        if self._waiting:
            self.start_actor()
        return rows

    def _failed(self, given: list[str] | None, why: str) -> list[Row]:
        if given is None:
            raise SettingsError(f"an actor cannot begin: {why}")
        return [shards.failed_row(shard, why) for shard in given]

    def _tell_of_waiting(self) -> None:
        if not self._is_told and all(given is None for _, given in self._asked.values()):
            _log.warning("no actor has started in %d s: are there CPUs for one? See `ray status`", _PATIENCE)
            self._is_told = True

    def end(self) -> None:
        """Ends the actors that are asked something; what they were at is left without a marker."""
        for actor, _ in self._asked.values():
            self._ray.kill(actor)
        self._asked.clear()


class Judge:
    """A class for `ray.data.Dataset.map_batches`: adds columns with the decisions to each batch.

        ds.map_batches(Judge, batch_format="pyarrow", batch_size=64, num_cpus=0.5,
                       compute=ActorPoolStrategy(size=2), fn_constructor_kwargs={"image": "jpg", "caption": "txt"})

    Batches are `pyarrow`, `numpy` or `pandas`, and leave as what they came. A model that cannot be had is an
    error of the first batch, which Ray tells once; an actor that failed to start would be started again.

    Args:
        image, caption: Columns.
        prefix: Put before the names of the columns that are added.
        drop: Whether only rows that are kept leave.
        metadata, shard: Columns of what a gate's state may select by.
        threads: Threads of an actor.
        settings: Those of a Gate. With `select`, each actor loads the state by its path. One whose decisions
            depend on the pairs before is refused: actors get batches in no one order, and again after a failure.
    """

    def __init__(
        self,
        image: str = "image",
        caption: str = "caption",
        *,
        prefix: str = "",
        drop: bool = False,
        metadata: str | None = None,
        shard: str | None = None,
        threads: int = 1,
        **settings: Any,
    ) -> None:
        self._names = (image, caption, prefix)
        self._beside = (metadata, shard)
        self._drop = drop
        self._gate: Gate | None = None
        self._fault: Exception | None = None
        try:
            gate = Gate(threads=threads, **settings)
            _columns.refuse_moving(gate, "ray", "actors get batches in no one order")
            self._gate = gate
        except ValueError as error:
            self._fault = error

    def __call__(self, batch: Any) -> Any:
        if self._gate is None:
            raise SettingsError(str(self._fault))
        image, caption, prefix = self._names
        return _columns.judged(self._gate, batch, image, caption, prefix, self._drop, *self._beside)
