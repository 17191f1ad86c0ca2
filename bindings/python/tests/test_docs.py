"""The pages' lines of Python run as they are written."""

import re
import shutil

import pytest
from conftest import PAIRS, REPOSITORY

PAGES = [REPOSITORY / "docs" / "python.md", REPOSITORY / "bindings" / "python" / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(PAIRS / "ball.jpg", "photo.jpg")
    (tmp_path / "shards").mkdir()
    for extension in ("jpg", "txt"):
        shutil.copy(PAIRS / f"ball.{extension}", "shards")
    (tmp_path / "rules.toml").write_text("[rules]\nmin_side = 64\n")
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(page), "exec"), names)
