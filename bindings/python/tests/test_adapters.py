"""webdataset, datasets, img2dataset, torch and pandas in front of and behind a gate."""

import io
import json
import multiprocessing
import os
import pickle
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
from conftest import PAIRS, REPOSITORY, same
from pairgate_dfn import Gate, img2dataset
from pairgate_dfn.torch import Collate, kept_indices
from pairgate_dfn.webdataset import FilteredWriter, with_member
from shard_data import keys_in, make_shards, samples

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COUNT = 24


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(threshold=0.15, rules="none", threads=2)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> str:
    return make_shards(tmp_path_factory.mktemp("in"), 1, COUNT)[0]


@pytest.fixture(scope="module")
def kept(shard, program, tmp_path_factory) -> list[str]:
    """Keys that the program keeps."""
    out = tmp_path_factory.mktemp("kept")
    command = [program, "filter", shard, "-o", str(out), "--threshold", "0.15", "--rules", "none"]
    assert subprocess.run(command, capture_output=True).returncode in (0, 1)
    keys = keys_in(out / "00000.tar")
    assert 0 < len(keys) < COUNT
    return keys


@pytest.fixture
def table() -> dict[str, list]:
    """Columns of the samples, as libraries that know of tables have them."""
    found = samples(0, COUNT)
    images = [next((data for name, data in files.items() if name in ("jpg", "png")), None) for _, files in found]
    captions = [files["txt"].decode() if "txt" in files else None for _, files in found]
    return {"key": [key for key, _ in found], "image": images, "caption": captions}


def test_package_imports_no_library():
    libraries = ["webdataset", "datasets", "pandas", "torch", "ray", "pyarrow", "polars", "PIL"]
    modules = "webdataset datasets img2dataset torch ray shards"
    code = f"""
import sys, importlib
for name in {modules.split()!r}:
    importlib.import_module("pairgate_dfn." + name)
print([name for name in {libraries!r} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


# webdataset


def sampled(shard):
    wds = pytest.importorskip("webdataset", reason="SKIPPED: webdataset is not installed")
    return wds.WebDataset(shard, shardshuffle=False)


def test_webdataset_selects_as_the_program_keeps(gate, shard, kept):
    gated = gate.webdataset()
    assert [sample["__key__"] for sample in sampled(shard).select(gated)] == kept
    assert [sample["__key__"] for sample in sampled(shard).compose(gated.kept)] == kept
    by_fives = sampled(shard).compose(lambda samples: gated.kept(samples, batch=5, threads=1))
    assert [sample["__key__"] for sample in by_fives] == kept
    assert list(gated.kept([])) == []


@pytest.mark.skipif("PAIRGATE_SHARDS" not in os.environ, reason="long: PAIRGATE_SHARDS=FOLDER asks for it")
def test_webdataset_and_datasets_decide_as_the_program(journal_of):
    gate, count = Gate(), 0
    for path in sorted(Path(os.environ["PAIRGATE_SHARDS"]).rglob("*.tar")):
        records = {record["key"]: record for record in journal_of(path)}
        found = list(sampled(str(path)))
        assert len(found) == len(records)
        gated = gate.webdataset()
        for sample in found:
            same(gated.judge(sample), records[sample["__key__"]])
        columns = [gated._pair(sample) for sample in found]
        batch = dict(zip(("image", "caption", "json"), (list(column) for column in zip(*columns, strict=True)), strict=True))
        kept = gate.datasets(metadata="json").kept(batch)
        assert kept == [records[sample["__key__"]]["verdict"] == "kept" for sample in found]
        count += len(found)
    assert count
    print(f"{count} pairs")


def test_webdataset_behind_decoders(gate, shard, kept):
    pytest.importorskip("PIL", reason="SKIPPED: Pillow is not installed")
    wds = pytest.importorskip("webdataset")
    decoded = sampled(shard).decode("pil", handler=wds.ignore_and_continue)
    found = [sample["__key__"] for sample in decoded.select(gate.webdataset())]
    assert found == kept


def test_webdataset_annotates_all_samples(gate, shard, kept):
    for sample in sampled(shard).map(gate.webdataset().annotate):
        told = json.loads(sample["json"])
        assert set(told) == {"number", "pairgate"}
        assert told["pairgate"]["kept"] == (sample["__key__"] in kept)
        score = gate.webdataset().judge(sample).score
        assert score is None or np.float32(told["pairgate"]["score"]) == np.float32(score)


def test_webdataset_writer(gate, shard, kept, tmp_path):
    wds = pytest.importorskip("webdataset", reason="SKIPPED: webdataset is not installed")
    with FilteredWriter(wds.ShardWriter(str(tmp_path / "%05d.tar"), verbose=0), gate, annotate=True) as sink:
        for sample in sampled(shard):
            assert sink.write(sample).kept == (sample["__key__"] in kept)
    assert keys_in(tmp_path / "00000.tar") == kept
    assert sum(sink.counts.values()) == COUNT and sink.counts["passed"] == len(kept)
    for sample in sampled(str(tmp_path / "00000.tar")):
        assert json.loads(sample["json"])["pairgate"]["kept"]


def test_extensions_and_pickles(gate):
    files = dict(samples(0, 1)[0][1])
    image = files.get("jpg") or files["png"]
    sample = {"__key__": "a", "thumb.png": b"", "seen.jpg": image, "title": files["txt"]}
    gated = gate.webdataset(image="seen.jpg", caption=("alt", "title"))
    copy = pickle.loads(pickle.dumps(gated))
    assert copy.judge(sample) == gated.judge(sample) == gate(image, files["txt"])
    assert gate.webdataset().judge({"__key__": "a"}).reason in ("image_missing", "caption_missing")
    in_json = {"jpg": image, "json": json.dumps({"caption": files["txt"].decode()}).encode()}
    assert gate.webdataset().judge(in_json).score == gate(image, files["txt"]).score


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, b'{"pairgate": {"kept": true}}'),
        (b"{}", b'{"pairgate": {"kept": true}}'),
        (b'{"a": 1e400,  "a": 2 }\n', b'{"a": 1e400,  "a": 2, "pairgate": {"kept": true}}'),
        ('{"a": "\u00e4"}', '{"a": "\u00e4", "pairgate": {"kept": true}}'),
        ({"a": 1}, {"a": 1, "pairgate": {"kept": True}}),
        (b"[1]", b"[1]"),
        (b"\xff{", b"\xff{"),
    ],
)
def test_metadata_keeps_what_it_says(metadata, expected):
    assert with_member(metadata, {"kept": True}) == expected


# datasets


def hugging(table, decode):
    datasets = pytest.importorskip("datasets", reason="SKIPPED: datasets is not installed")
    images = [{"bytes": image, "path": None} if image is not None else None for image in table["image"]]
    text = datasets.Value("string")
    features = {"image": datasets.Image(decode=decode), "caption": text, "key": text}
    return datasets.Dataset.from_dict({**table, "image": images}, features=datasets.Features(features))


def test_datasets_filter_and_map(gate, table, kept):
    dataset = hugging(table, decode=False)
    gated = gate.datasets()
    assert dataset.filter(gated.kept, batched=True, batch_size=7)["key"] == kept
    told = dataset.map(gated, batched=True, batch_size=7)
    assert [row["key"] for row in told if row["kept"]] == kept
    decisions = gate.judge(table["image"], table["caption"])
    for name in ("verdict", "reason", "uid", "score", "threshold"):
        assert told[name][:] == [getattr(decision, name) for decision in decisions]
    with pytest.raises(ValueError, match="prefix"):
        told.map(gated, batched=True)
    again = told.map(gate.datasets(prefix="again_"), batched=True)
    assert again["again_uid"][:] == told["uid"][:]


def test_datasets_side_by_side(gate, table, kept):
    dataset = hugging(table, decode=False)
    gate(table["image"][0], table["caption"][0])
    assert dataset.filter(gate.datasets(threads=1).kept, batched=True, batch_size=4, num_proc=2)["key"] == kept


def test_datasets_decoded(gate, table, kept):
    pytest.importorskip("PIL", reason="SKIPPED: Pillow is not installed")
    good = [place for place, decision in enumerate(gate.judge(table["image"], table["caption"])) if decision.width
            and decision.reason not in ("image_truncated", "undecodable")]
    whole = {name: [column[place] for place in good] for name, column in table.items()}
    assert hugging(whole, decode=True).filter(gate.datasets().kept, batched=True)["key"] == kept


FINGERPRINT = """
from datasets.fingerprint import Hasher
from pairgate_dfn import Gate
gate = Gate(threshold=0.15, rules="none", threads=2)
print(Hasher.hash(gate.datasets()), Hasher.hash(gate.datasets().kept), Hasher.hash(gate.datasets("jpg")))
"""


def test_datasets_know_a_step_again(table):
    pytest.importorskip("datasets", reason="SKIPPED: datasets is not installed")
    told = [subprocess.run([sys.executable, "-c", FINGERPRINT], capture_output=True, text=True, check=True).stdout
            for _ in range(2)]
    assert told[0] == told[1]
    one, method, other = told[0].split()
    assert len({one, method, other}) == 3
    gated = Gate(threshold=0.15).datasets()
    before = pickle.dumps(gated)
    gated.kept(table)
    assert pickle.dumps(gated) == before


# pandas, polars


def test_pandas(gate, table, kept):
    pandas = pytest.importorskip("pandas", reason="SKIPPED: pandas is not installed")
    frame = pandas.DataFrame(table, index=range(100, 100 + COUNT))
    told = gate.judge_table(frame, image="image", caption="caption")
    assert list(told[told.kept].key) == kept
    assert list(told.columns) == [*frame.columns, "verdict", "reason", "score", "threshold", "kept", "uid"]
    assert list(told.index) == list(frame.index) and list(frame.columns) == list(table)
    decisions = gate.judge(table["image"], table["caption"])
    assert [None if score != score else score for score in told.score] == [decision.score for decision in decisions]
    with pytest.raises(ValueError, match="kept"):
        gate.judge_table(told, image="image", caption="caption")
    with pytest.raises(ValueError, match="title"):
        gate.judge_table(frame, image="image", caption="title")
    assert "pg_uid" in gate.judge_table(told, image="image", caption="caption", prefix="pg_")
    assert len(gate.judge_table(frame[:0], image="image", caption="caption")) == 0


# torch: it is too large to be installed here, so a module with its names stands for it.


@pytest.fixture
def torch(monkeypatch):
    torch, data = types.ModuleType("torch"), types.ModuleType("torch.utils.data")
    data.IterableDataset = type("IterableDataset", (), {})
    data.default_collate = lambda items: ("default", items)
    data.DataLoader = lambda items, batch_size, collate_fn: [collate_fn(items)]
    data.Subset = lambda items, indices: [items[index] for index in indices]
    torch.utils = types.SimpleNamespace(data=data)
    for name, module in (("torch", torch), ("torch.utils", types.ModuleType("torch.utils")), ("torch.utils.data", data)):
        monkeypatch.setitem(sys.modules, name, module)
    yield data
    vars(sys.modules["pairgate_dfn.torch"]).pop("FilteredDataset", None)


class Pairs:
    """A map-style dataset."""

    def __init__(self, table):
        self.items = list(zip(table["image"], table["caption"], table["key"], strict=True))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def keys_of(batch):
    return [item[2] for item in batch]


def worker(dataset, indices, collate, results):
    """What a worker of a DataLoader does: it fetches lists of indices and collates."""
    results.put([collate([dataset[index] for index in batch]) for batch in indices])


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_collate_in_workers(method, gate, table, kept):
    dataset = Pairs(table)
    # The gate has threads by now, which a fork does not take along.
    assert [dataset[index][2] for index in kept_indices(dataset, gate, batch=5)] == kept
    collate = Collate(gate, collate=keys_of)
    context = multiprocessing.get_context(method)
    results = context.Queue()
    batches = [list(range(first, first + 4)) for first in range(0, COUNT, 4)]
    workers = [context.Process(target=worker, args=(dataset, batches[place::2], collate, results)) for place in range(2)]
    for process in workers:
        process.start()
    found = [keys for _ in workers for batch in results.get(timeout=60) if batch for keys in batch]
    for process in workers:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(found) == kept


def test_collate_says_none_of_an_empty_batch(gate, table, torch):
    items = [{"jpg": image, "txt": caption} for image, caption in zip(table["image"], table["caption"], strict=True)]
    collate = Collate(gate, "jpg", "txt")
    kind, batch = collate(items)
    assert kind == "default" and all(item in items for item in batch)
    assert collate([{"jpg": None, "txt": "a red ball"}]) is None


def test_filtered_dataset(gate, table, kept, torch):
    from pairgate_dfn.torch import FilteredDataset

    stream = FilteredDataset(Pairs(table).items, gate, batch=5)
    assert isinstance(stream, torch.IterableDataset)
    assert keys_of(stream) == kept == keys_of(pickle.loads(pickle.dumps(stream)))
    with pytest.raises(AttributeError):
        _ = sys.modules["pairgate_dfn.torch"].Other


def test_the_pages_lines_of_torch(torch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(PAIRS / "ball.jpg", "photo.jpg")
    page = (REPOSITORY / "docs" / "python.md").read_text()
    names = {"gate": Gate()}
    exec(re.search(r"^```python\n(import torch\n.*?)^```", page, re.MULTILINE | re.DOTALL)[1], names)
    assert names["batches"] == [names["pairs"]] == [names["subset"]] == [list(names["stream"])]


# img2dataset: its layout is written here as it writes it.


def stats(folder: Path, name: str, count: int) -> None:
    (folder / f"{name}_stats.json").write_text(json.dumps({"count": count, "successes": count}))


def test_img2dataset_takes_what_is_complete(tmp_path):
    make_shards(tmp_path, 4, 1)
    (tmp_path / "00001.parquet").write_bytes(b"metadata")
    (tmp_path / "00005").mkdir()
    (tmp_path / "00006.parquet").write_bytes(b"table")
    for name in ("00000", "00001", "00005", "00006", "00007"):
        stats(tmp_path, name, 1)
    (tmp_path / "00003_stats.json").write_text('{"cou')
    found = [Path(shard).name for shard in img2dataset.complete_shards(tmp_path)]
    assert found == ["00000.tar", "00001.tar", "00005", "00006.parquet"]


def test_img2dataset_afterwards(tmp_path, program):
    shards = make_shards(tmp_path / "down", 3, 8)
    for name in ("00000", "00002"):
        stats(tmp_path / "down", name, 8)
    report = img2dataset.filter_output(tmp_path / "down", tmp_path / "kept", options=["--rules", "none"])
    assert [row["input"] for row in report.rows] == [shards[0], shards[2]] and not report.errors
    assert report.read == 16 and (tmp_path / "kept" / "00002_stats.json").exists()


def test_img2dataset_live(tmp_path, program):
    down, ended = tmp_path / "down", threading.Event()
    down.mkdir()

    def download():
        for number in range(3):
            with tarfile.open(down / f"{number:05}.tar", "w") as tar:
                for key, files in samples(number, 4):
                    for extension, data in files.items():
                        member = tarfile.TarInfo(f"{key}.{extension}")
                        member.size = len(data)
                        tar.addfile(member, io.BytesIO(data))
                        tar.fileobj.flush()
                        time.sleep(0.002)
            stats(down, f"{number:05}", 4)
        ended.set()

    writer = threading.Thread(target=download)
    writer.start()
    rows = list(img2dataset.follow(down, tmp_path / "kept", until=ended.is_set, every=0.05, options=["--rules", "none"]))
    writer.join()
    assert [Path(row["input"]).name for row in rows] == ["00000.tar", "00001.tar", "00002.tar"]
    assert all(row["read"] == 4 and row["error"] is None for row in rows)
    with pytest.raises(ValueError, match="keep"):
        next(img2dataset.follow(down, tmp_path / "kept", until=lambda: True, keep=0.5))


# Ray's judge, without Ray.


def test_judge_of_batches(gate, table, kept):
    from pairgate_dfn.ray import Judge
    from pairgate_dfn.shards import SettingsError

    settings = {"threshold": 0.15, "rules": "none"}
    numpy = {name: np.array(column, dtype=object) for name, column in table.items()}
    assert list(Judge(drop=True, **settings)(numpy)["key"]) == kept
    assert list(Judge(**settings)(numpy)["uid"]) == [d.uid for d in gate.judge(table["image"], table["caption"])]
    pyarrow = pytest.importorskip("pyarrow", reason="SKIPPED: pyarrow is not installed")
    told = Judge(prefix="pg_", **settings)(pyarrow.table(table))
    assert told.filter(told["pg_kept"])["key"].to_pylist() == kept
    scores = [decision.score for decision in gate.judge(table["image"], table["caption"])]
    assert told["pg_score"].to_pylist() == scores
    assert Judge(drop=True, **settings)(pyarrow.table(table))["key"].to_pylist() == kept
    with pytest.raises(SettingsError, match="nowhere"):
        Judge(model="nowhere.bundle")(numpy)
    with pytest.raises(TypeError, match="table"):
        Judge(**settings)([1])


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(example, tmp_path):
    if example.stem == "ray_gate":
        pytest.skip("ray_long.py runs it")
    library = example.stem.removesuffix("_gate")
    if library in ("webdataset", "datasets", "pandas", "torch"):
        pytest.importorskip(library, reason=f"SKIPPED: {library} is not installed")
    ended = subprocess.run(
        [sys.executable, str(example)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf")},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout
