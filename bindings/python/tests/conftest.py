"""What the tests share. Environment: PAIRGATE is the program that answers are compared with, the wheel's own
where it is not set; PAIRGATE_SHARDS a folder of shards for the comparison of many pairs; PAIRGATE_LONG_TESTS is set for
long ones."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
PAIRS = REPOSITORY / "tests" / "data" / "pairs"
LONG = bool(os.environ.get("PAIRGATE_LONG_TESTS"))


@pytest.fixture(scope="session")
def program() -> str:
    script = Path(sysconfig.get_path("scripts")) / "pairgate"
    return os.environ.get("PAIRGATE") or (str(script) if script.exists() else shutil.which("pairgate"))


@pytest.fixture
def pairs() -> list[tuple[Path, bytes]]:
    """Paths and captions of the sample pairs, in the order of their names."""
    images = sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png"))
    return [(path, path.with_suffix(".txt").read_bytes()) for path in images]


@pytest.fixture
def ball(pairs) -> tuple[bytes, str]:
    """A picture and its caption, which are kept."""
    path, caption = next(pair for pair in pairs if pair[0].stem == "ball")
    return path.read_bytes(), caption.decode()


@pytest.fixture
def journal_of(program, tmp_path):
    """The journal's records of `pairgate filter INPUTS...`, by shard and key."""

    def run(*arguments) -> list[dict]:
        out = tmp_path / f"kept-{len(list(tmp_path.iterdir()))}"
        command = [program, "filter", *map(str, arguments), "-o", str(out)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode in (0, 1), ended.stderr
        records = subprocess.run([program, "journal", "cat", str(out)], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in records.stdout.splitlines()]

    return run


def same(decision, record) -> None:
    """Holds a decision against a journal's record of the pair."""
    import numpy as np

    found = decision.to_dict()
    score = record["score"]
    assert found["score"] == (None if score is None else float(np.float32(score))), record
    for name in ("verdict", "reason", "uid", "width", "height", "caption_length", "sha256"):
        if name != "sha256" or record.get("sha256") is not None:
            assert found[name] == record[name], (name, record)
    # The journal holds them where they are more than the reason, which may be one of them.
    assert found["broken_rules"] == record.get("broken", found["broken_rules"]), record
