"""An output for each shard, by processes: the contract as Python keeps it."""

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pairgate_dfn.shards
import pytest
from pairgate_dfn._children import Children, Ended
from pairgate_dfn.shards import Job, SettingsError, filter_shards, list_shards
from shard_data import keys_in, make_shards, outputs_in

LOOSE = ["--rules", "none"]
DEADLINE = 60


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> list[str]:
    return make_shards(tmp_path_factory.mktemp("in") / "shards", 6, 8)


@pytest.fixture(scope="module")
def expected(shards, tmp_path_factory, run) -> dict[str, bytes]:
    """What one process of the program writes."""
    out = tmp_path_factory.mktemp("expected") / "kept"
    run("filter", *shards, "--one-to-one", "-o", out, "--threshold", "0.15", *LOOSE)
    return outputs_in(out)


@pytest.fixture(scope="module")
def run(program):
    def run(*arguments) -> str:
        ended = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
        assert ended.returncode in (0, 1), ended.stderr
        return ended.stdout

    return run


def filtered(shards, out, **settings):
    return filter_shards(shards, out, threshold=0.15, options=LOOSE, workers=2, **settings)


def test_outputs_are_the_programs_own(shards, expected, tmp_path):
    seen = []
    report = filtered(shards, tmp_path / "kept", on_row=seen.append)
    assert outputs_in(tmp_path / "kept") == expected
    assert [row["input"] for row in report.rows] == shards
    assert sorted(row["input"] for row in seen) == shards
    assert not report.errors and report.skipped == 0
    assert report.read == 48 == report.kept + report.rejected + report.failed
    assert report.kept == sum(len(keys_in(tmp_path / "kept" / Path(shard).name)) for shard in shards) > 0
    assert report.failed >= 4
    again = filtered(shards, tmp_path / "kept")
    assert again.skipped == 6 and again.kept == report.kept
    assert outputs_in(tmp_path / "kept") == expected


def test_a_folder_stands_for_its_shards(shards, tmp_path):
    assert list_shards(Path(shards[0]).parent) == shards
    assert list_shards(shards[1]) == [shards[1]]
    with pytest.raises(ValueError, match="not there"):
        list_shards([*shards, tmp_path / "none.tar"])
    other = make_shards(tmp_path, 1, 1)
    with pytest.raises(ValueError, match="one name"):
        list_shards([*shards, *other])


def test_a_share_is_that_of_one_machine(shards, tmp_path, run):
    report = filter_shards(shards, tmp_path / "kept", keep=0.15, options=LOOSE, workers=2)
    run("filter", *shards, "--keep", "15%", "-o", tmp_path / "one", *LOOSE)
    one = [key for shard in sorted((tmp_path / "one").glob("*.tar")) for key in keys_in(shard)]
    many = [key for shard in shards for key in keys_in(tmp_path / "kept" / Path(shard).name)]
    assert many == one and 0 < report.kept == len(one)
    assert report.threshold is not None
    # Where the scores are there, no more is asked of the model, and of what is done, nothing.
    again = filter_shards(shards, tmp_path / "kept", keep=0.15, options=LOOSE, workers=2)
    assert again.threshold == report.threshold and again.skipped == 6


def test_a_shard_that_cannot_be_read_is_a_row(shards, expected, tmp_path):
    broken = tmp_path / "broken.tar"
    os.mkfifo(broken)
    report = filtered([*shards[:2], broken, *shards[2:]], tmp_path / "kept")
    assert list(report.errors) == [str(broken)]
    assert "broken.tar" in report.errors[str(broken)]
    assert report.rows[2]["output"] is None and report.read == 48
    assert outputs_in(tmp_path / "kept") == expected
    share = filter_shards([*shards[:2], broken], tmp_path / "share", keep=0.5, workers=2)
    assert list(share.errors) == [str(broken)] and share.threshold is None
    assert not (tmp_path / "share").exists()


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"model": "nowhere.bundle"}, "nowhere.bundle"), ({"config": "nowhere.toml"}, "nowhere.toml")],
)
def test_settings_that_cannot_be_had_are_told_once(shards, tmp_path, settings, named):
    rows = []
    with pytest.raises(SettingsError, match=named):
        filter_shards(shards, tmp_path / "kept", on_row=rows.append, **settings)
    assert not rows and not (tmp_path / "kept").exists()


class Answers(Children):
    """Children that end as they are told to."""

    def __init__(self, *codes):
        super().__init__()
        self.codes = list(codes)

    def run(self, code, arguments, tell=None):
        return Ended(self.codes.pop(0), "error: no such model")


def test_a_check_that_is_killed_says_nothing_of_settings():
    Job("filter", "kept").check(Answers(-9, -15, 0))
    with pytest.raises(SettingsError, match="^no such model"):
        Job("filter", "kept").check(Answers(-9, 2))
    with pytest.raises(SettingsError, match="SIGKILL"):
        Job("filter", "kept").check(Answers(*[-9] * 20))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"keep": 0.0}, "keep = 0.0"),
        ({"keep": 0.5, "threshold": 0.1}, "keep and threshold"),
        ({"threads": 0}, "threads = 0"),
        ({"workers": 0}, "workers = 0"),
        ({"threshold": 7.0}, "threshold"),
    ],
)
def test_arguments_out_of_range(shards, tmp_path, settings, named):
    with pytest.raises(ValueError, match=named):
        filter_shards(shards, tmp_path / "kept", **settings)


def test_other_decisions_are_refused_by_name(shards, tmp_path):
    filtered(shards[:1], tmp_path / "kept")
    other = filter_shards(shards[:1], tmp_path / "kept", threshold=0.3, options=LOOSE)
    assert "threshold" in other.errors[shards[0]]
    assert not filter_shards(shards[:1], tmp_path / "kept", threshold=0.3, options=LOOSE, overwrite=True).errors


def in_process(work):
    job, given = work
    return job.run(given)


def test_an_engine_is_a_function(shards, expected, tmp_path):
    """The seam: work is pickled and done elsewhere."""
    assert pickle.loads(pickle.dumps(Job("filter", "kept"))) == Job("filter", "kept")

    def engine(job, lists):
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            for rows in pool.imap_unordered(in_process, [(job, given) for given in lists]):
                yield from rows

    assert not filtered(shards, tmp_path / "kept", engine=engine).errors
    assert outputs_in(tmp_path / "kept") == expected


DRIVER = """
import json, sys
from pairgate_dfn.shards import filter_shards

if __name__ == "__main__":
    shards, out = json.loads(sys.argv[1]), sys.argv[2]
    print(filter_shards(shards, out, threshold=0.15, options=["--rules", "none"], workers=2,
                        on_row=lambda row: print("row", flush=True)))
"""


def processes_of(out: Path) -> list[int]:
    """Processes that were told of an output folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(out) in arguments and b"filter" in arguments:
            found.append(int(folder.name))
    return found


def wait_until(holds) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def long_shard(tmp_path_factory) -> str:
    """One that takes many seconds."""
    return make_shards(tmp_path_factory.mktemp("long"), 1, 2000)[0]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="SKIPPED: looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_child_outlives_its_parent(long_shard, tmp_path, number):
    out = tmp_path / "kept"
    command = [sys.executable, "-c", DRIVER, json.dumps([long_shard]), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as driver:
        wait_until(lambda: list(out.glob(".attempts/*")))
        driver.send_signal(number)
        driver.wait(DEADLINE)
    wait_until(lambda: not processes_of(out))
    assert not list(out.glob("*_stats.json")) and not list(out.glob("*.tar"))


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="SKIPPED: looks at /proc")
def test_killed_children_are_done_again(shards, expected, tmp_path):
    out = tmp_path / "kept"
    command = [sys.executable, "-c", DRIVER, json.dumps(shards), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        wait_until(lambda: len(processes_of(out)) >= 1)
        os.kill(processes_of(out)[0], signal.SIGKILL)
        driver.communicate(timeout=DEADLINE)
    assert not filtered(shards, out).errors
    assert outputs_in(out) == expected


def test_two_at_the_same_shards_agree(shards, expected, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: filtered(shards, tmp_path / "kept"), range(2)))
    assert all(not report.errors and report.read == 48 for report in reports)
    assert outputs_in(tmp_path / "kept") == expected


def test_nothing_of_an_engine_is_imported():
    code = "import sys, pairgate_dfn, pairgate_dfn.shards, pairgate_dfn.ray; print('ray' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "False"
    assert pairgate_dfn.shards.Engine is not None
