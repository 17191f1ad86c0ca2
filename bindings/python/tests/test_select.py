"""States: what a gate selects, what is fitted and applied, against the program's own."""

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import types
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, same
from pairgate_dfn import Choice, Gate, Model, ModelError, State, StateError, _columns, read_journal, select
from pairgate_dfn import ray as ray_adapter
from pairgate_dfn import shards as shards_adapter
from pairgate_dfn import torch as torch_adapter
from pairgate_dfn.torch import Collate, kept_indices
from shard_data import samples, write_shard

THRESHOLD = -0.4
COUNT = 60
GATE = {"threshold": THRESHOLD, "rules": "none", "threads": 2}
# Those that remember pairs, and those that do not.
MOVING = [
    "duplicates k 3 eps 0.02",
    "sources follow 1 keep 60%",
    "all(contrast bank 20 keep 80%, duplicates k 2 eps 0.02 ring 3, clusters k 3 keep 70%)",
]
METHODS = [
    "score keep 50%",
    "all(contrast bank 30 keep 80%, score keep 60%)",
    "clusters k 4 keep 50%",
    "sources by shard keep 40%",
    "sources by folder keep 40%",
    "sources by site.name keep 40% flag",
    "any(contrast bank 20 keep 20%, sources by site.name keep 30%)",
    "ranks(2*contrast + score) keep 40%",
    "perplexity order 2 within 10% 90%",
    *MOVING,
]
# Methods that are fitted with more, and the file of each.
RESOURCES = [
    ("targets k 3 keep 50%", "targets"),
    ("linear <= 0.5", "labels"),
    ("unsafe keep 50% flag", "phrases"),
    ("entries threshold 1", "entries"),
]


def contents(shard: int) -> list[tuple[str, dict[str, bytes]]]:
    """Each picture several times, under different captions; every other site has no name."""
    found = samples(shard, COUNT)
    for place, (_, files) in enumerate(found):
        site = {"name": f"s{place % 4}"} if place % 4 else {}
        files["json"] = json.dumps({"site": site}).encode()
    return found


class Pool:
    """Shards, their recorded scores, and the program on them."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.shards = [str(folder / "a" / "00000.tar"), str(folder / "b" / "00001.tar")]
        self.pairs = []
        for number, shard in enumerate(self.shards):
            Path(shard).parent.mkdir()
            write_shard(Path(shard), contents(number))
            self.pairs += [(shard, key, files) for key, files in contents(number)]
        self.scores = str(folder / "s.parquet")
        self.run("score", *self.shards, "--rules", "none", "--embeddings", "-o", self.scores)
        self.states: dict[str, str] = {}
        self.journals: dict[str, list[dict]] = {}
        self.files = {
            "targets": self.scores,
            "phrases": str(folder / "phrases.txt"),
            "entries": str(folder / "entries.txt"),
            "labels": str(folder / "marks.jsonl"),
        }
        Path(self.files["phrases"]).write_text("a weapon\na fight\nblood on the floor\n")
        Path(self.files["entries"]).write_text("beach\ncity\nball\n")
        marks = [{"uid": d.uid, "mark": "bad" if n % 3 else "good"} for n, d in enumerate(self.judge(Gate(**GATE)))]
        Path(self.files["labels"]).write_text("".join(json.dumps(mark) + "\n" for mark in marks))

    def run(self, *arguments: str) -> str:
        ended = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True)
        assert ended.returncode in (0, 1), ended.stderr
        return ended.stdout

    def fit(self, method: str, **files: str) -> str:
        """The path of the state that the program fits."""
        if method not in self.states:
            path = str(self.folder / f"{len(self.states)}.pgsel")
            beside = [word for name, file in files.items() for word in (f"--{name}", file)]
            self.run("select", "fit", self.scores, "-m", method, "-o", path, f"-t={THRESHOLD}", *beside,
                     "--source", *self.shards)  # fmt: skip
            self.states[method] = path
        return self.states[method]

    def filter(self, method: str) -> list[dict]:
        """The records of the program's journal."""
        if method not in self.journals:
            out = str(self.folder / f"kept{len(self.journals)}")
            self.run("filter", *self.shards, "--rules", "none", f"--threshold={THRESHOLD}", "-o", out,
                     "--select", self.fit(method))  # fmt: skip
            self.journals[method] = [json.loads(line) for line in self.run("journal", "cat", out).splitlines()]
        return self.journals[method]

    def columns(self) -> dict[str, list]:
        """Images, captions, metadata and shards, in the run's order."""
        files = [files for _, _, files in self.pairs]
        images = [next((data for name, data in file.items() if name in ("jpg", "png")), None) for file in files]
        captions = [file.get("txt") for file in files]
        return {"images": images, "captions": captions, "metadata": [file["json"] for file in files],
                "shard": [shard for shard, _, _ in self.pairs]}  # fmt: skip

    def judge(self, gate: Gate, **options):
        return gate.judge(**self.columns(), **options)


@pytest.fixture(scope="module")
def pool(program, tmp_path_factory) -> Pool:
    return Pool(program, tmp_path_factory.mktemp("pool"))


def agree(decisions, records) -> None:
    """Holds decisions against a journal, choices too."""
    assert len(decisions) == len(records) > 0
    for decision, record in zip(decisions, records, strict=True):
        same(decision, record)
        told, found = record.get("selection"), decision.choice
        assert (told is None) == (found is None), record
        if told is not None:
            measures = [float("nan") if value is None else float(np.float32(value)) for value in told["measures"]]
            np.testing.assert_array_equal(found.measures, measures)
            assert found.to_dict() | {"measures": 0} == told | {"measures": 0}, record


@pytest.mark.parametrize("method", METHODS)
def test_a_gate_selects_as_filter_does(pool, method):
    records = pool.filter(method)
    kept = sum(record["verdict"] == "kept" for record in records)
    assert 0 < kept < len(records)
    assert "flag" in method or any(record.get("selection") and record["verdict"] != "kept" for record in records)
    path = pool.fit(method)
    agree(pool.judge(Gate(select=path, **GATE)), records)
    agree(pool.judge(Gate(select=State.read(path), **GATE), threads=1), records)
    gate, columns = Gate(select=path, **GATE), pool.columns()
    rows = zip(*columns.values(), strict=True)
    agree([gate(image, text, metadata=json, shard=shard) for image, text, json, shard in rows], records)
    # Many calls are one stream.
    gate, parts = Gate(config={"select": {"state": path}}, **GATE), []
    for first in range(0, len(pool.pairs), 7):
        parts += gate.judge(**{name: column[first : first + 7] for name, column in columns.items()})
    agree(parts, records)


def test_what_remembers_finds_something(pool):
    like = [record for record in pool.filter(MOVING[0]) if record["reason"] == "near_duplicate"]
    assert len(like) > 10
    assert all(record["selection"]["like"] < record["ticket"] for record in like)


def test_cuts_follow_their_sources(pool, tmp_path):
    """After a hundred scores of a source its cut is theirs, and no longer that of the state."""
    path, copies = pool.fit(MOVING[1]), []
    for number in range(3):
        for shard in pool.shards:
            (tmp_path / str(number)).mkdir(exist_ok=True)
            copies.append(str(shutil.copy(shard, tmp_path / str(number))))
    out = str(tmp_path / "kept")
    pool.run("filter", *copies, "--rules", "none", f"--threshold={THRESHOLD}", "--select", path, "-o", out)
    records = [json.loads(line) for line in pool.run("journal", "cat", out).splitlines()]
    gate, columns, decisions = Gate(select=path, **GATE), pool.columns(), []
    for number in range(3):
        columns["shard"] = [copies[2 * number + (place >= COUNT)] for place in range(2 * COUNT)]
        decisions += gate.judge(**columns)
    agree(decisions, records)
    passes = [[d.reason for d in decisions[first : first + 2 * COUNT]] for first in range(0, 6 * COUNT, 2 * COUNT)]
    assert passes[0] != passes[2]


def test_the_state_is_told(pool):
    method = MOVING[2]
    gate = Gate(select=pool.fit(method), **GATE)
    assert gate.state == State.read(pool.fit(method)) and gate.state.path == pool.fit(method)
    assert gate.settings["select.state"] == gate.state.digest
    assert gate.state.moving == "duplicates" and Gate().state is None
    assert gate.state.measures == ("contrast",) + 3 * ("duplicates",) + 2 * ("clusters",)
    assert "duplicates" in repr(gate)
    out = str(pool.folder / "told")
    told = json.loads(pool.run("filter", *pool.shards, "--rules", "none", f"-t={THRESHOLD}", "--select",
                               pool.fit(method), "-o", out, "--json"))  # fmt: skip
    assert told["config_digest"] == gate.settings_digest != Gate(**GATE).settings_digest


def test_journals_tell_the_choice(pool):
    method = MOVING[2]
    pool.filter(method)
    out = pool.folder / f"kept{list(pool.journals).index(method)}"
    decisions = pool.judge(Gate(select=pool.fit(method), **GATE))
    choices = [decision.choice for decision in decisions]
    assert [record.choice for record in read_journal(out)] == choices and any(choices)
    assert read_journal(out).settings["select.state"] == State.read(pool.fit(method)).digest


def test_columns_have_the_measures(pool):
    gate = Gate(select=pool.fit(METHODS[1]), **GATE)
    columns, decisions = pool.judge(gate, columns=True), pool.judge(gate)
    assert columns["measures"].shape == (len(decisions), 1) and columns["measures"].dtype == np.float32
    for row, decision in zip(columns["measures"], decisions, strict=True):
        expected = decision.choice.measures if decision.choice else (float("nan"),)
        np.testing.assert_array_equal(row, expected)
    assert list(columns["reason"]) == [decision.reason for decision in decisions]
    assert "measures" not in pool.judge(Gate(**GATE), columns=True)


@pytest.mark.parametrize("method", [METHODS[2], *MOVING])
def test_pickles_begin_with_the_frozen_state(pool, method):
    gate = Gate(select=pool.fit(method), **GATE)
    data = pickle.dumps(gate)
    first = pool.judge(gate)
    assert pickle.dumps(gate) == data and len(data) < 1000
    again = pickle.loads(data)
    assert again.state == gate.state and again.settings_digest == gate.settings_digest
    assert pool.judge(again) == first
    # Cuts that follow their sources' scores stay for the first hundred of each.
    assert (pool.judge(gate) == first) == (method in (METHODS[2], MOVING[1]))
    gate.forget()
    assert pool.judge(gate) == first
    assert pickle.loads(pickle.dumps(first)) == first
    choices = [decision.choice for decision in first if decision.choice]
    assert choices and all(isinstance(choice, Choice) for choice in choices)
    assert pickle.loads(pickle.dumps(choices)) == choices and pickle.loads(pickle.dumps(gate.state)) == gate.state


def test_pickles_name_their_state(pool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(pool.fit(METHODS[2]), "a.pgsel")
    data = [pickle.dumps(Gate(select="a.pgsel", **GATE)), pickle.dumps(State.read("a.pgsel")),
            pickle.dumps(Gate(config={"select": {"state": "a.pgsel"}}, **GATE))]  # fmt: skip
    monkeypatch.chdir("/")
    for one in data:
        pickle.loads(one)
    shutil.copy(pool.fit(METHODS[0]), tmp_path / "a.pgsel")
    for one in data:
        with pytest.raises(StateError, match=r"a\.pgsel: .* is not the one that was pickled"):
            pickle.loads(one)


def judged(pool, gate):
    return pool.judge(gate)


def test_a_worker_that_is_sent_a_gate_has_its_own_memory(pool):
    gate = Gate(select=pool.fit(MOVING[0]), **GATE)
    first = pool.judge(gate)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as processes:
        assert processes.submit(judged, pool, gate).result(timeout=120) == first


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_process_has_its_own_memory(pool):
    gate = Gate(select=pool.fit(MOVING[0]), **GATE)
    first = pool.judge(gate)

    def child():
        is_new = pool.judge(gate) == first
        os._exit(0 if is_new and pool.judge(gate) != first else 1)

    # What is forked is not pickled.
    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(120)
    assert process.exitcode == 0
    assert not any(decision.kept for decision in pool.judge(gate))


def test_threads_share_one_memory(pool):
    pure = Gate(select=pool.fit(METHODS[1]), **GATE)
    expected = pool.judge(pure)
    with ThreadPoolExecutor(2) as threads:
        assert all(found == expected for found in threads.map(lambda _: pool.judge(pure), range(6)))
        gate = Gate(select=pool.fit(MOVING[0]), **GATE)
        both = list(threads.map(lambda _: pool.judge(gate), range(2)))
    kept = [decision.uid for decisions in both for decision in decisions if decision.kept]
    assert kept and len(kept) == len(set(kept))
    like = [d.choice.like for decisions in both for d in decisions if d.choice and d.choice.like is not None]
    assert max(like) < 2 * len(pool.pairs)
    # The second to come finds all that the first has kept.
    assert len(like) > len(expected) // 2


@pytest.mark.parametrize("method", METHODS)
def test_fit_and_apply_are_the_programs(pool, method, tmp_path):
    path = tmp_path / "a.pgsel"
    fitted = select.fit(pool.scores, method, path, threshold=THRESHOLD, source=pool.shards, threads=2)
    assert path.read_bytes() == Path(pool.fit(method)).read_bytes()
    assert fitted.state.path == str(path) and fitted.pairs == fitted.steps[0].came > fitted.kept - 1
    keys = {record["uid"]: record["key"] for record in pool.filter(method)}
    for options, said in (({}, []), ({"frozen": True}, ["--frozen"])):
        out = tmp_path / "kept.txt"
        pool.run("select", "apply", pool.scores, "--state", path, "-o", out, *said, "--source", *pool.shards)
        found = select.apply([pool.scores], fitted.state, source=pool.shards, **options)
        assert [keys[uid] for uid in found.uids] == out.read_text().splitlines()
        assert len(found.all_uids) == fitted.pairs == len(found.kept)
        if options:
            assert found.steps == [] and (np.array(found.reasons) == "passed").tolist() == found.kept.tolist()
        else:
            assert found.reasons is None and found.steps == fitted.steps and len(found.uids) == fitted.kept


@pytest.mark.parametrize(("method", "name"), RESOURCES)
def test_fit_with_files(pool, method, name, tmp_path):
    file = pool.files[name]
    state = select.fit(pool.scores, method, tmp_path / "a.pgsel", threshold=THRESHOLD, source=pool.shards,
                       model=Model(), **{name: file}).state  # fmt: skip
    assert Path(state.path).read_bytes() == Path(pool.fit(method, **{name: file})).read_bytes()
    agree(pool.judge(Gate(select=state, **GATE)), pool.filter(method))


def test_states_are_looked_at(pool):
    path = pool.fit(MOVING[2])
    told = json.loads(pool.run("select", "inspect", path, "--json"))
    found = select.inspect(path)
    assert found.pop("path") == path and found.pop("measures") == State.read(path).measures
    found["parts"] = [{**part, "arrays": {name: list(shape) for name, shape in part["arrays"].items()}}
                      for part in found["parts"]]  # fmt: skip
    found["threshold"], told["threshold"] = (np.float32(one["threshold"]) for one in (found, told))
    assert {name: value for name, value in told.items() if name in found} == found
    assert set(found) <= set(told)
    assert {State.read(path)} == {State.read(path)} and State.read(path) != State.read(pool.fit(METHODS[0]))


def test_another_models_state_is_refused(pool, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(REPOSITORY / "models" / "default", bundle)
    manifest = bundle / "bundle.toml"
    manifest.write_text(manifest.read_text() + "\n")
    path = pool.fit(METHODS[2])
    with pytest.raises(StateError, match=r"\.pgsel: the state was fitted on the model .* fit it again") as refused:
        Gate(model=bundle, select=path, threshold=0.1)
    assert Model(bundle).digest[:12] in str(refused.value) and Model().digest[:12] in str(refused.value)
    with pytest.raises(ValueError, match="the runs are of the model with the digest"):
        select.fit(pool.scores, "score keep 5%", tmp_path / "b.pgsel", model=bundle)
    with pytest.raises(StateError, match="fitted on the model"):
        select.apply(pool.scores, pool.fit(METHODS[8]), model=bundle)
    model = Model(bundle)
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(ValueError, match="is not the model that was loaded"):
        select.fit(pool.scores, "score keep 5%", tmp_path / "b.pgsel", model=model)


def test_what_is_no_state_is_refused(pool, tmp_path):
    whole = Path(pool.fit(METHODS[2])).read_bytes()
    torn, other, missing = tmp_path / "torn.pgsel", tmp_path / "other.pgsel", tmp_path / "missing.pgsel"
    other.write_bytes(b"no state at all")
    for read in (State.read, lambda path: Gate(select=path), select.inspect,
                 lambda path: Gate(config={"select": {"state": str(path)}}),
                 lambda path: select.apply(pool.scores, path)):  # fmt: skip
        for length in (0, 7, 8, 99, len(whole) // 2, len(whole) - 1):
            torn.write_bytes(whole[:length])
            with pytest.raises(StateError, match=r"torn\.pgsel: (the state is damaged|not a state)"):
                read(torn)
        with pytest.raises(StateError, match=r"other\.pgsel: not a state"):
            read(other)
        with pytest.raises(StateError, match=r"missing\.pgsel: No such file"):
            read(missing)
    with pytest.raises(TypeError):
        Gate(select=5)


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ({"method": "cluster keep 20%"}, ValueError, "no method"),
        ({"method": "clusters keep 20%", "threshold": -1}, ValueError, "never without a score"),
        ({"method": "score keep 5%", "threshold": 2}, ValueError, "threshold: 2"),
        ({"method": "score keep 5%", "threads": 0}, ValueError, "threads = 0"),
        ({"method": "score keep 5%", "runs": []}, ValueError, "runs: give one"),
        ({"method": "score keep 5%", "runs": "/no/such.parquet"}, OSError, "/no/such.parquet"),
        ({"method": "score keep 5%", "out": "/no/such/a.pgsel"}, FileNotFoundError, "/no/such"),
        ({"method": "score keep 5%", "out": "/"}, IsADirectoryError, "folder"),
        ({"method": "score keep 5%", "model": "/no/bundle"}, ModelError, "/no/bundle"),
        ({"method": "score keep 5%", "captions": "some"}, ValueError, "'first' or 'all'"),
        ({"method": "score keep 5%", "thresholds": 1}, TypeError, "thresholds: no such option"),
        ({"method": "entries threshold 1"}, ValueError, "--entries"),
        ({"method": "linear <= 0.5", "labels": "/no/marks"}, ValueError, "/no/marks"),
        ({"method": "perplexity within 5% 95%", "source": ()}, ValueError, "captions"),
    ],
)
def test_fit_refuses_by_name(pool, tmp_path, arguments, error, told):
    usual = {"runs": pool.scores, "out": tmp_path / "a.pgsel", "source": pool.shards}
    with pytest.raises(error, match=told):
        select.fit(**{**usual, **arguments})
    assert not list(tmp_path.iterdir())


INTERRUPTED = """
import sys, threading, os, signal, time
from pairgate_dfn import select
timer = threading.Timer(float(sys.argv[1]), os.kill, (os.getpid(), signal.SIGINT))
timer.start()
try:
    # More rounds than anybody waits for.
    while True:
        select.fit(sys.argv[2], "clusters k 20 rounds 1000 keep 20%", sys.argv[3], threshold=-0.4)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_fit_is_interrupted(pool, tmp_path):
    command = [sys.executable, "-c", INTERRUPTED, "1", pool.scores, str(tmp_path / "a.pgsel")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.stdout == "interrupted\n", ended.stderr


def test_what_the_state_selects_by_must_be_told(pool):
    columns = pool.columns()
    gate = Gate(select=pool.fit(METHODS[3]), **GATE)
    del columns["shard"]
    with pytest.raises(ValueError, match="selects by shard: give shard="):
        gate.judge(**columns)
    with pytest.raises(ValueError, match="selects by shard: give shard="):
        gate(None, "a red ball")
    with pytest.raises(TypeError, match=r"shard\[0\]: give the name of a shard"):
        gate.judge([None], [None], shard=[5])
    with pytest.raises(ValueError, match="1 images, 1 captions, 2 shards"):
        gate.judge([None], [None], shard=["a", "b"])
    with pytest.raises(ValueError, match="one of the lists ends after 1"):
        gate.judge([None, None], [None, None], shard=iter(["a"]))
    gate = Gate(select=pool.fit(METHODS[5]), **GATE)
    del columns["metadata"]
    with pytest.raises(ValueError, match=r"selects by site\.name, a field of the metadata: give metadata="):
        gate.judge(**columns)
    # One shard for all of them.
    gate = Gate(select=pool.fit(METHODS[3]), **GATE)
    half, records = len(pool.pairs) // 2, pool.filter(METHODS[3])
    agree(gate.judge(columns["images"][:half], columns["captions"][:half], shard=Path(pool.shards[0])), records[:half])


# Libraries


def table_of(pool) -> dict[str, list]:
    columns = pool.columns()
    columns["captions"] = [text.decode() if text else None for text in columns["captions"]]
    return columns


@pytest.mark.parametrize("method", [METHODS[3], METHODS[6], *MOVING])
def test_tables(pool, method):
    pa = pytest.importorskip("pyarrow", reason="SKIPPED: pyarrow is not installed")
    table = pa.table(table_of(pool))
    names = {"image": "images", "caption": "captions", "metadata": "metadata", "shard": "shard"}
    expected = [record["reason"] for record in pool.filter(method)]
    found = Gate(select=pool.fit(method), **GATE).judge_table(table, **names)
    assert found["reason"].to_pylist() == expected
    batches = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=11))
    found = Gate(select=pool.fit(method), **GATE).judge_table(batches, **names).read_all()
    assert found["reason"].to_pylist() == expected
    pd = pytest.importorskip("pandas", reason="SKIPPED: pandas is not installed")
    found = Gate(select=pool.fit(method), **GATE).judge_table(pd.DataFrame(table_of(pool)), **names)
    assert list(found["reason"]) == expected
    if method == METHODS[3]:
        with pytest.raises(ValueError, match="give shard="):
            Gate(select=pool.fit(method), **GATE).judge_table(table, image="images", caption="captions")
        with pytest.raises(TypeError, match="names no shards"):
            number = table.append_column("number", pa.array(range(len(pool.pairs))))
            Gate(**GATE).judge_table(number, **names | {"shard": "number"})


@pytest.mark.parametrize("method", [METHODS[3], METHODS[6], *MOVING])
def test_webdataset(pool, method):
    wds = pytest.importorskip("webdataset", reason="SKIPPED: webdataset is not installed")
    expected = [record["key"] for record in pool.filter(method) if record["verdict"] == "kept"]
    for kept in (
        lambda gated: wds.WebDataset(pool.shards, shardshuffle=False).select(gated),
        lambda gated: wds.WebDataset(pool.shards, shardshuffle=False).compose(gated.kept),
    ):
        gated = Gate(select=pool.fit(method), **GATE).webdataset()
        assert [sample["__key__"] for sample in kept(gated)] == expected
    if method == METHODS[3]:
        with pytest.raises(ValueError, match="give shard="):
            gated({"jpg": b"", "txt": b"a red ball"})


def test_datasets(pool):
    columns = table_of(pool)
    frozen, moving = (Gate(select=pool.fit(method), **GATE) for method in (METHODS[3], MOVING[0]))
    with pytest.raises(ValueError, match="datasets: the state's duplicates depend on the pairs before"):
        moving.datasets()
    gated = frozen.datasets("images", "captions", shard="shard", prefix="p_")
    assert gated(columns)["p_reason"] == [record["reason"] for record in pool.filter(METHODS[3])]
    with pytest.raises(ValueError, match="give shard="):
        frozen.datasets("images", "captions").kept(columns)


def test_torch(pool):
    columns = pool.columns()
    items = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    places = {"image": "images", "caption": "captions", "metadata": "metadata", "shard": "shard"}
    for method in (METHODS[6], MOVING[0]):
        expected = [n for n, record in enumerate(pool.filter(method)) if record["verdict"] == "kept"]
        assert kept_indices(items, Gate(select=pool.fit(method), **GATE), batch=7, **places) == expected
    with pytest.raises(ValueError, match="Collate: the state's duplicates"):
        Collate(Gate(select=pool.fit(MOVING[0]), **GATE))
    collate = Collate(Gate(select=pool.fit(METHODS[6]), **GATE), collate=list, **places)
    records = pool.filter(METHODS[6])
    assert collate(items) == [items[n] for n, record in enumerate(records) if record["verdict"] == "kept"]
    with pytest.raises(ValueError, match="give metadata="):
        kept_indices(items, Gate(select=pool.fit(METHODS[6]), **GATE), "images", "captions")


def test_each_iteration_of_a_dataset_begins_anew(pool, monkeypatch):
    """torch is too large to be installed here: a module with its names stands for it."""
    data = types.ModuleType("torch.utils.data")
    data.IterableDataset = type("IterableDataset", (), {})
    modules = {"torch": types.ModuleType("torch"), "torch.utils": types.ModuleType("torch.utils")}
    for name, module in {**modules, "torch.utils.data": data}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(vars(torch_adapter), "FilteredDataset", raising=False)
    items = list(zip(*pool.columns().values(), strict=True))
    expected = [n for n, record in enumerate(pool.filter(MOVING[0])) if record["verdict"] == "kept"]
    gate = Gate(select=pool.fit(MOVING[0]), **GATE)
    dataset = torch_adapter.FilteredDataset(items, gate, metadata=2, shard=3, batch=7)
    monkeypatch.delitem(vars(torch_adapter), "FilteredDataset")
    assert list(dataset) == list(dataset) == [items[n] for n in expected]


def test_ray_judges(pool):
    columns = table_of(pool)
    judge = ray_adapter.Judge("images", "captions", shard="shard", select=pool.fit(METHODS[3]), threshold=THRESHOLD,
                              rules="none")  # fmt: skip
    assert judge(columns)["reason"] == [record["reason"] for record in pool.filter(METHODS[3])]
    judge = ray_adapter.Judge("images", "captions", select=pool.fit(MOVING[0]))
    with pytest.raises(shards_adapter.SettingsError, match="ray: the state's duplicates"):
        judge(columns)
    with pytest.raises(ValueError, match="ray"):
        _columns.refuse_moving(Gate(select=pool.fit(MOVING[1]), **GATE), "ray", "it is so")


def test_shards(pool, tmp_path):
    options = {"threshold": THRESHOLD, "options": ["--rules", "none"], "workers": 1}
    found = shards_adapter.filter_shards(pool.shards, tmp_path / "kept", select=pool.fit(METHODS[2]), **options)
    assert not found.errors and found.kept == sum(r["verdict"] == "kept" for r in pool.filter(METHODS[2]))
    with pytest.raises(shards_adapter.SettingsError, match="shards: the state's duplicates"):
        shards_adapter.filter_shards(pool.shards, tmp_path / "other", select=pool.fit(MOVING[0]), **options)
    with pytest.raises(shards_adapter.SettingsError, match="no.pgsel"):
        shards_adapter.filter_shards(pool.shards, tmp_path / "other", select="no.pgsel", **options)
    with pytest.raises(ValueError, match="keep and select"):
        shards_adapter.filter_shards(pool.shards, tmp_path / "other", select=pool.fit(METHODS[2]), keep=0.5)
    assert not os.path.exists(tmp_path / "other") or not list((tmp_path / "other").glob("*.tar"))


def test_the_pool_is_what_it_should_be(pool):
    assert len(pool.pairs) == 2 * COUNT
    with tarfile.open(pool.shards[0]) as tar:
        assert len(tar.getnames()) > 2 * COUNT
