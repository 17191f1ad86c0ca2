"""The pages' lines of Python run as they are written."""

import importlib.util
import re
import shutil

import pytest
from conftest import PAIRS, REPOSITORY
from shard_data import make_shards

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", DOCS / "python.md", DOCS / "scale.md", REPOSITORY / "bindings" / "python" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(PAIRS / "ball.jpg", "photo.jpg")
    (tmp_path / "shards").mkdir()
    for extension in ("jpg", "txt"):
        shutil.copy(PAIRS / f"ball.{extension}", "shards")
    (tmp_path / "rules.toml").write_text("[rules]\nmin_side = 64\n")
    make_shards(tmp_path / "shards", 2, 4)
    make_shards(tmp_path / "downloaded", 1, 4)
    (tmp_path / "downloaded" / "00000_stats.json").write_text('{"count": 4}')
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict = {}
    for block in blocks:
        missing = [name for name in imported(block) if importlib.util.find_spec(name) is None]
        if missing:
            print(f"SKIPPED a block of {page.name}: {', '.join(missing)} is not installed")
            continue
        exec(compile(block, str(page), "exec"), names)


def imported(block: str) -> list[str]:
    """The packages that a block imports."""
    return re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE)
