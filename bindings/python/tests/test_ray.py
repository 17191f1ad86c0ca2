"""How work is given to Ray's actors, with a stand-in for Ray: ray_long.py has the real one, which CI does not
install (600 MB)."""

import sys
import types
from pathlib import Path

import pytest
from pairgate_dfn import ray as adapter
from pairgate_dfn.shards import Job, SettingsError, failed_row
from shard_data import keys_in, make_shards


class RayError(Exception):
    """What Ray says of an actor that is gone."""


class RayTaskError(RayError):
    """What Ray says of an exception in an actor."""


class StandIn(types.ModuleType):
    """Ray, in one process: what is asked of an actor is done when it is waited for. `deaths` says which of the
    answers are that the actor has died, `killed` counts actors that were ended."""

    def __init__(self):
        super().__init__("ray")
        self.deaths: set[int] = set()
        self.started, self.asked, self.killed = 0, 0, 0
        self.exceptions = types.SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def is_initialized(self):
        return True

    def cluster_resources(self):
        return {"CPU": 2.0}

    def put(self, value):
        return value

    def remote(self, **options):
        assert options == {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0}

        def start(kind):
            def remote():
                self.started += 1
                return Handle(kind())

            return types.SimpleNamespace(remote=remote)

        return start

    def wait(self, references, num_returns, timeout):
        return references[-1:], references[:-1]

    def get(self, reference):
        self.asked += 1
        if self.asked in self.deaths:
            raise RayError("the actor died")
        try:
            return reference()
        except Exception as error:
            raise RayTaskError(str(error)) from error

    def kill(self, actor):
        self.killed += 1


class Handle:
    def __init__(self, actor):
        self._actor = actor

    def __getattr__(self, name):
        method = getattr(self._actor, name)
        return types.SimpleNamespace(remote=lambda *given: lambda: method(*given))


@pytest.fixture
def ray(monkeypatch):
    ray = StandIn()
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


class Fake(Job):
    """A job that starts no program."""

    def check(self, children=None):
        if self.out == "nowhere":
            raise SettingsError("out: nowhere")

    def run(self, shards, children=None):
        if "poison" in shards:
            raise KeyError("poison")
        return [{**failed_row(shard, ""), "error": None} for shard in shards]


LISTS = [[f"{number}a", f"{number}b"] for number in range(10)]


def inputs(rows):
    return sorted(row["input"] for row in rows if row["error"] is None)


def all_inputs():
    return sorted(shard for given in LISTS for shard in given)


def test_every_list_is_done_once(ray):
    actors = adapter._Actors(3, 1)
    for _ in range(2):
        assert inputs(actors(Fake("filter", "out"), LISTS)) == all_inputs()
    actors.close()
    assert ray.started <= 6 and ray.killed >= 3


@pytest.mark.parametrize("first", range(1, 14))
def test_dead_actors_are_replaced(ray, first):
    ray.deaths = {first, first + 1, first + 5, first + 6}
    assert inputs(adapter._Actors(2, 1)(Fake("filter", "out"), LISTS)) == all_inputs()


def test_shards_that_kill_actors_are_rows(ray):
    ray.deaths = set(range(2, 200, 2))
    rows = list(adapter._Actors(1, 1)(Fake("filter", "out"), LISTS[:1]))
    assert [row["error"] for row in rows] == ["the actor died"] * 2


def test_actors_that_never_begin_end_the_call(ray):
    ray.deaths = set(range(1, 200))
    with pytest.raises(SettingsError, match="cannot begin: the actor died"):
        list(adapter._Actors(2, 1)(Fake("filter", "out"), LISTS))


def test_an_exception_is_a_row(ray):
    rows = list(adapter._Actors(2, 1)(Fake("filter", "out"), [*LISTS, ["poison"]]))
    assert inputs(rows) == all_inputs()
    assert [row["input"] for row in rows if row["error"] is not None] == ["poison"]


def test_settings_are_told_once_and_actors_ended(ray):
    with pytest.raises(SettingsError, match="^out: nowhere$"):
        list(adapter._Actors(2, 1)(Fake("filter", "nowhere"), LISTS))
    assert ray.killed == 1


def test_shards_are_filtered(ray, tmp_path):
    shards = make_shards(tmp_path / "in", 3, 4)
    report = adapter.filter_shards(tmp_path / "in", tmp_path / "kept", keep=0.5, options=["--rules", "none"])
    assert [row["input"] for row in report.rows] == shards and not report.errors
    assert report.kept == sum(len(keys_in(tmp_path / "kept" / Path(shard).name)) for shard in shards) > 0
    assert (tmp_path / "kept.scores").exists()
    with pytest.raises(ValueError, match="num_cpus"):
        adapter.filter_shards(tmp_path / "in", tmp_path / "kept", num_cpus=0)
