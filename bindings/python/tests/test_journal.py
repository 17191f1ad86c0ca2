"""Journals, sketches and what is made of them: the values are the program's, bit for bit."""

import json
import subprocess

import numpy as np
import pytest
from conftest import PAIRS
from pairgate_dfn import Gate, Sketch, calibrate, cli, journal_table, read_journal, read_sketch, replay, subset

NAMES = [
    *("ticket", "uid", "key", "shard", "input", "item", "verdict", "reason", "score", "threshold", "width", "height"),
    *("caption_length", "sha256", "image_bytes", "broken_rules", "stored_shard", "stored_key", "recovered"),
]


@pytest.fixture(scope="module")
def kept(program, tmp_path_factory):
    """An output folder of the sample pairs."""
    out = tmp_path_factory.mktemp("run") / "kept"
    command = [program, "filter", str(PAIRS), "-o", str(out), "--rules", "none", "--threshold", "0.2"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode in (0, 1), ended.stderr
    return out


@pytest.fixture(scope="module")
def scores(program, tmp_path_factory):
    """The scores of the sample pairs, as lines and as a sketch."""
    folder = tmp_path_factory.mktemp("scores")
    lines, sketch = folder / "scores.jsonl", folder / "all.sketch"
    subprocess.run([program, "score", str(PAIRS), "-o", str(lines)], capture_output=True)
    subprocess.run([program, "calibrate", str(PAIRS), "--sketch", str(sketch)], capture_output=True)
    assert lines.exists() and sketch.exists()
    return lines, sketch


def said(program, *arguments):
    """What the program prints as JSON."""
    ended = subprocess.run([program, *map(str, arguments), "--json"], capture_output=True, text=True)
    assert ended.returncode in (0, 1), ended.stderr
    return json.loads(ended.stdout)


def told(program, path) -> list[dict]:
    ended = subprocess.run([program, "journal", "cat", str(path)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


def exact(score):
    return None if score is None else float(np.float32(score))


def test_records_are_those_of_the_program(program, kept):
    records, lines = list(read_journal(kept)), told(program, kept)
    assert len(records) == len(lines) > 0
    same = ["ticket", "uid", "key", "shard", "verdict", "reason", "width", "height", "caption_length", "sha256"]
    for record, line in zip(records, lines, strict=True):
        assert record.keys() == list(record) == list(record.to_dict()) == NAMES and len(record) == len(NAMES)
        assert dict(record) == record.to_dict()
        for name in same:
            assert record[name] == getattr(record, name) == line[name], name
        assert record.score == exact(line["score"])
        assert record.threshold == exact(0.2)
        stored = line.get("stored", {"shard": None, "key": None})
        assert (record.stored_shard, record.stored_key) == (stored["shard"], stored["key"])
        assert list(record.broken_rules) == record["broken_rules"] == line.get("broken", [])
        (image,) = (path for path in PAIRS.glob(record.key + ".*") if path.suffix in (".jpg", ".png"))
        assert record.image_bytes == image.stat().st_size
        assert not record.recovered and record.input == 0
    assert [record.item for record in records] == sorted(record.item for record in records)
    assert any(record.verdict == "kept" for record in records)


def test_records_as_objects(kept):
    first, again = next(read_journal(kept)), next(read_journal(str(kept)))
    assert first == again and "uid" in first and "colour" not in first
    assert repr(first).startswith("<Record 0 ")
    with pytest.raises(KeyError, match="colour"):
        first["colour"]


def test_what_is_known_of_the_whole(kept):
    journal, gate = read_journal(kept), Gate(rules="none", threshold=0.2)
    assert journal.model == gate.model.name and journal.model_digest == gate.model.digest
    assert journal.threshold == gate.threshold and journal.program
    assert journal.settings == gate.settings


def test_columns(kept):
    records, columns = list(read_journal(kept)), read_journal(kept).columns()
    assert list(columns) == NAMES
    for name in NAMES:
        values = [record[name] for record in records]
        column = columns[name]
        if isinstance(column, np.ndarray):
            values = [np.nan if value is None else value for value in values]
            np.testing.assert_array_equal(column, np.array(values, column.dtype))
        else:
            assert column == values
    kinds = {name: columns[name].dtype for name in ("ticket", "input", "item", "score", "width", "recovered")}
    assert kinds == {
        **{"ticket": np.uint64, "input": np.uint32, "item": np.uint64},
        **{"score": np.float32, "width": np.uint32, "recovered": np.bool_},
    }
    journal = read_journal(kept)
    next(journal)
    assert len(journal.columns()["uid"]) == len(records) - 1
    assert len(journal.columns()["uid"]) == 0 and list(journal) == []


def test_table(kept):
    pa = pytest.importorskip("pyarrow", reason="SKIPPED: pyarrow is not installed")
    table = pa.table(journal_table(kept))
    assert table.to_pylist() == [record.to_dict() for record in read_journal(kept)]
    assert table.schema.field("score").type == pa.float32()
    assert table.schema.field("broken_rules").type == pa.list_(pa.string())
    assert table["score"].null_count == sum(record.score is None for record in read_journal(kept))
    pl = pytest.importorskip("polars", reason="SKIPPED: polars is not installed")
    assert pl.DataFrame(journal_table(kept)).to_dicts() == table.to_pylist()


def test_journals_that_cannot_be_read(tmp_path, kept):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_journal(tmp_path / "nowhere")
    with pytest.raises(OSError, match="no journal"):
        read_journal(tmp_path)
    (tmp_path / "text.pairgate").write_text("this is no journal")
    with pytest.raises(OSError, match="text.pairgate"):
        read_journal(tmp_path / "text.pairgate")
    with pytest.raises(OSError):
        journal_table(tmp_path / "text.pairgate")
    (segment,) = (kept / "journal").glob("*.pairgate")
    cut = tmp_path / "cut.pairgate"
    cut.write_bytes(segment.read_bytes()[:-60])
    read, journal = [], read_journal(cut)
    with pytest.raises(OSError, match="cut.pairgate"):
        for record in journal:
            read.append(record)
    whole = list(read_journal(kept))
    assert 0 < len(read) <= len(whole) and read == whole[: len(read)]
    assert list(journal) == []
    with pytest.raises(OSError, match="cut.pairgate"):
        read_journal(cut).columns()


def test_journal_of_scores_alone(program, tmp_path):
    out = tmp_path / "scores.pairgate"
    subprocess.run([program, "score", str(PAIRS), "-o", str(out)], capture_output=True)
    journal = read_journal(out)
    assert journal.threshold is None
    assert all(record.threshold is None and record.stored_key is None for record in journal)


def same_calibration(found, line) -> None:
    assert found.scored == line["scored"] and found.threshold == exact(line["threshold"])
    assert found.interval == tuple(map(exact, line["interval"]))
    assert found.score_quantiles == list(map(exact, line["score_quantiles"]))
    for name in ("keep", "confidence", "kept_share_known_to", "precision", "pairs_needed"):
        assert getattr(found, name) == line[name], name


def test_calibrate(program, kept, scores):
    lines, sketch = scores
    of_journal = said(program, "calibrate", kept, "--keep", "30%", "--confidence", "90%", "--precision", "1%")
    shares = {"keep": 0.3, "confidence": 0.9, "precision": 0.01}
    same_calibration(calibrate(kept, **shares), of_journal)
    passed = [r.score for r in read_journal(kept) if r.reason in ("passed", "low_similarity") and r.score is not None]
    same_calibration(calibrate(passed, **shares), of_journal)
    same_calibration(calibrate(np.array(passed, np.float32), **shares), of_journal)
    same_calibration(calibrate(Sketch(passed), **shares), of_journal)
    of_pairs = said(program, "calibrate", PAIRS)
    same_calibration(calibrate(lines), of_pairs)
    same_calibration(calibrate([str(lines)]), of_pairs)
    same_calibration(calibrate(PAIRS), of_pairs)
    same_calibration(calibrate(read_sketch(sketch)), of_pairs)
    merged = said(program, "calibrate", "--merge", sketch, sketch)
    same_calibration(calibrate([sketch, sketch]), merged)


def test_what_cannot_be_calibrated(tmp_path):
    with pytest.raises(ValueError, match="no score"):
        calibrate([])
    with pytest.raises(ValueError, match="no score"):
        calibrate([float("nan"), None])
    with pytest.raises(ValueError, match="keep = 1.5: above 0, at most 1"):
        calibrate([0.1], keep=1.5)
    with pytest.raises(RuntimeError, match="nowhere"):
        calibrate(tmp_path / "nowhere")
    (tmp_path / "wrong.jsonl").write_text('{"score": 1}\n')
    with pytest.raises(ValueError, match="wrong.jsonl: line 1"):
        calibrate(tmp_path / "wrong.jsonl")


def test_sketches(program, scores, tmp_path):
    _, path = scores
    sketch = read_sketch(path)
    assert sketch.count == len(sketch) > 0 and sketch.model_digest == Gate().model.digest
    assert sketch.quantile(0) <= sketch.threshold(0.5) <= sketch.quantile(1)
    assert sketch.share_kept(-1.0) == 1.0 and sketch.share_kept(1.0) == 0.0
    low, high = sketch.interval(0.5, confidence=0.5)
    assert low <= sketch.threshold(0.5) <= high
    (tmp_path / "again").mkdir()
    sketch.save(tmp_path / "again" / "same.sketch")
    assert (tmp_path / "again" / "same.sketch").read_bytes() == path.read_bytes()
    both = Sketch()
    both.merge(sketch)
    both.merge(sketch)
    assert both.count == 2 * sketch.count and both.model_digest == sketch.model_digest
    both.save(tmp_path / "both.sketch")
    assert said(program, "calibrate", "--merge", tmp_path / "both.sketch")["scored"] == both.count
    twice = said(program, "calibrate", "--merge", path, path)
    assert exact(twice["threshold"]) == both.threshold(0.15)


def test_sketches_that_do_not_go_together(tmp_path):
    sketch = Sketch(np.linspace(-1, 1, 10_001))
    assert sketch.threshold(0.15) == pytest.approx(0.7, abs=0.002)
    with pytest.raises(ValueError, match="model_digest=gate.model.digest"):
        sketch.save(tmp_path / "a.sketch")
    with pytest.raises(ValueError, match="64 hex digits"):
        sketch.save(tmp_path / "a.sketch", model_digest="abc")
    sketch.save(tmp_path / "a.sketch", model_digest="11" * 32)
    other = Sketch([0.1])
    other.save(tmp_path / "b.sketch", model_digest="22" * 32)
    a, b = read_sketch(tmp_path / "a.sketch"), read_sketch(tmp_path / "b.sketch")
    with pytest.raises(ValueError, match="do not go with"):
        a.merge(b)
    a.merge(a)
    assert a.count == 2 * 10_001
    assert Sketch().quantile(0.5) is None and Sketch().threshold(0.5) is None and Sketch().share_kept(0) is None
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="rank"):
            a.quantile(wrong)
        with pytest.raises(ValueError, match="keep"):
            a.threshold(wrong)
    (tmp_path / "text.sketch").write_text("text")
    with pytest.raises(OSError, match="not a sketch"):
        read_sketch(tmp_path / "text.sketch")
    with pytest.raises(FileNotFoundError):
        read_sketch(tmp_path / "nowhere.sketch")


def test_replay(program, kept, tmp_path):
    for options, asked in ((["--threshold=0.3"], {"threshold": 0.3}), (["--keep=40%"], {"keep": 0.4})):
        line, found = said(program, "replay", kept, *options), replay(kept, **asked)
        assert found.threshold == exact(line["threshold"])
        for name in ("kept", "rejected", "failed", "changed", "old_to_new"):
            assert getattr(found, name) == line[name], name
        assert [example["key"] for example in found.examples] == [example["key"] for example in line["examples"]]
    assert replay([kept, kept], threshold=-1.0, examples=0).examples == []
    replay(kept, threshold=-1.0, output=tmp_path / "kept.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "kept.jsonl").read_text().splitlines()]
    scored = [record.uid for record in read_journal(kept) if record.reason in ("passed", "low_similarity")]
    assert [line["uid"] for line in lines] == scored
    with pytest.raises(ValueError, match="give one of them"):
        replay(kept)
    with pytest.raises(RuntimeError, match="nowhere"):
        replay(tmp_path / "nowhere", threshold=0.1)


def test_subset(kept, tmp_path):
    found = subset(kept, tmp_path / "subset.npy")
    uids = np.load(tmp_path / "subset.npy")
    wanted = sorted({record.uid for record in read_journal(kept) if record.verdict == "kept"})
    assert [f"{int(high):016x}{int(low):016x}" for high, low in uids] == wanted
    assert found["written"] == len(wanted) and found["in"] == len(list(read_journal(kept)))
    with pytest.raises(RuntimeError, match="filters need metadata"):
        subset(kept, tmp_path / "subset.npy", filter=["basic"])
    with pytest.raises(RuntimeError, match="npy"):
        subset(kept, tmp_path / "subset.txt")


def test_program_in_a_process_of_its_own(kept, capfd):
    assert cli(["--version"]) == 0
    assert capfd.readouterr().out.startswith("pairgate ")
    assert cli(["journal", "check", kept]) == 0
    assert cli(["calibrate", "nowhere"]) == 2
