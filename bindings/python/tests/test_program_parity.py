"""Scores and decisions are those of the program, bit for bit."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from conftest import PAIRS, REPOSITORY, same
from pairgate_dfn import Gate

TABLES = {"rules": {"min_side": 0, "min_words": 1}, "policy": {"on_error": "keep"}}
CONFIG = "[rules]\nmin_side = 0\nmin_words = 1\n\n[policy]\non_error = 'keep'\n"


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ([], {}),
        (["--threshold", "0.2"], {"threshold": 0.2}),
        (["--rules", "none"], {"rules": "none"}),
        (["--rules", "none", "--threshold", "-0.9"], {"rules": "none", "threshold": -0.9}),
        (["--decode", "scaled"], {"scaled": True}),
    ],
)
def test_sample_pairs(pairs, journal_of, options, parameters):
    records = {record["key"]: record for record in journal_of(PAIRS, *options)}
    gate = Gate(**parameters)
    assert len(records) == len(pairs) > 0
    for path, caption in pairs:
        same(gate(path.read_bytes(), caption), records[path.stem])
        same(gate(path, caption), records[path.stem])


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_many_at_once(pairs, journal_of, threads):
    records = {record["key"]: record for record in journal_of(PAIRS)}
    images, captions = [path for path, _ in pairs] * 9, [caption for _, caption in pairs] * 9
    decisions = Gate().judge(images, captions, threads=threads)
    for path, decision in zip(images, decisions, strict=True):
        same(decision, records[path.stem])


def test_config_file_and_tables(pairs, journal_of, tmp_path):
    config = tmp_path / "rules.toml"
    config.write_text(CONFIG)
    records = {record["key"]: record for record in journal_of(PAIRS, "--config", config)}
    for gate in (Gate(config=config), Gate(config=str(config)), Gate(config=TABLES)):
        for path, caption in pairs:
            same(gate(path, caption), records[path.stem])


def test_share_of_calibration(program, pairs):
    """A share of what is read once gets its threshold from the model, as here."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as shard:
        for path, _ in pairs:
            shard.add(path, path.name)
            shard.add(path.with_suffix(".txt"), path.stem + ".txt")
    import json
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as out:
        command = [program, "filter", "-", "--keep", "15%", "-o", out + "/kept", "--json"]
        ended = subprocess.run(command, input=tar.getvalue(), capture_output=True, check=True)
        assert Gate(keep=0.15).threshold == pytest.approx(json.loads(ended.stdout)["threshold"], abs=1e-7)


def test_broken_files(journal_of, tmp_path, ball):
    image, caption = ball
    broken = {
        "cut": image[: len(image) // 2],
        "empty": b"",
        "text": b"this is no picture",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "damaged": (REPOSITORY / "tests/data/damaged/damaged.jpg").read_bytes(),
        "header": image[:20],
    }
    captions = {"utf8": b"\xff\xfe a caption", "few": b"ball", "blank": b"", "mark": b"\xef\xbb\xbfa red ball here"}
    for name, data in broken.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.jpg").write_bytes(data)
        (tmp_path / "in" / f"{name}.txt").write_text(caption)
    for name, data in captions.items():
        (tmp_path / "in" / f"{name}.jpg").write_bytes(image)
        (tmp_path / "in" / f"{name}.txt").write_bytes(data)
    (tmp_path / "in" / "alone.jpg").write_bytes(image)
    gate = Gate()
    for record in journal_of(tmp_path / "in"):
        path = tmp_path / "in" / (record["key"] + ".jpg")
        text = path.with_suffix(".txt")
        text = text.read_bytes() if text.exists() else None
        same(gate(path.read_bytes(), text), record)
        same(gate(path, text), record)


def test_limits_of_a_sample(journal_of, tmp_path, ball):
    image, caption = ball
    config = tmp_path / "small.toml"
    config.write_text(f"[sample]\nmax_sample_bytes = {len(image) - 1}\n")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(image)
    (folder / "a.txt").write_text(caption)
    (record,) = journal_of(folder, "--config", config)
    decision = Gate(config=config)(image, caption)
    assert decision.reason == record["reason"] == "sample_too_large"
    assert Gate(config=config)(folder / "a.jpg", caption).reason == "sample_too_large"


def samples(shard: Path):
    """Keys and members of a plain shard."""
    found: dict[str, dict[str, bytes]] = {}
    with tarfile.open(shard) as tar:
        for member in tar:
            if member.isfile():
                key, _, extension = member.name.partition(".")
                found.setdefault(key, {})[extension] = tar.extractfile(member).read()
    return found


@pytest.mark.skipif("PAIRGATE_SHARDS" not in os.environ, reason="PAIRGATE_SHARDS names no folder of shards")
@pytest.mark.parametrize("options", [([], {}), (["--rules", "none"], {"rules": "none"})])
def test_shards(journal_of, options):
    shards = sorted(Path(os.environ["PAIRGATE_SHARDS"]).rglob("*.tar"))
    gate, compared = Gate(**options[1]), 0
    for shard in shards:
        members = samples(shard)
        images = [next((s[e] for e in ("jpg", "png", "webp", "jpeg") if e in s), None) for s in members.values()]
        captions = [sample.get("txt") for sample in members.values()]
        metadata = [sample.get("json") for sample in members.values()]
        decisions = gate.judge(images, captions, metadata=metadata)
        found = dict(zip(members, decisions, strict=True))
        records = journal_of(shard, *options[0])
        assert len(records) == len(found)
        for record in records:
            same(found[record["key"]], record)
            compared += 1
    print(f"{compared} pairs of {len(shards)} shards")
    assert compared
