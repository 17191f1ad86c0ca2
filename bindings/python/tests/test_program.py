"""The command that the wheel brings."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import PAIRS
from pairgate_dfn import __version__

COMMANDS = [["pairgate"], [sys.executable, "-m", "pairgate_dfn"]]


@pytest.fixture(params=[0, 1], ids=["script", "module"])
def command(request, program):
    return [program] if request.param == 0 else COMMANDS[1]


def run(command, *arguments, **options):
    return subprocess.run([*command, *map(str, arguments)], capture_output=True, timeout=120, **options)


def test_exit_codes(command, tmp_path):
    assert run(command, "--version").stdout.decode() == f"pairgate {__version__}\n"
    assert run(command, "--no-such-option").returncode == 2
    assert run(command, "filter", tmp_path / "none", "-o", tmp_path / "out").returncode == 2
    kept = run(command, "filter", PAIRS, "-o", tmp_path / "kept", "--json")
    assert kept.returncode == 0 and (tmp_path / "kept" / "00000.tar").exists()
    (tmp_path / "empty").mkdir()
    assert run(command, "filter", tmp_path / "empty", "-o", tmp_path / "out").returncode == 1


def test_output_without_a_line_end_is_written(command):
    """Rust's standard output keeps what has no end of line: it must be told that the program ends."""
    whole = run(command, "completions", "bash").stdout
    assert whole.startswith(b"_pairgate") and whole.rstrip().endswith(b"fi")


def test_pipes(command, tmp_path):
    shard = tmp_path / "shard.tar"
    subprocess.run(["tar", "cf", str(shard), "--sort=name", "-C", str(PAIRS), "."], check=True)
    with shard.open("rb") as pairs:
        scored = subprocess.run([*command, "score", "-", "-o", "-"], stdin=pairs, capture_output=True, check=True)
    assert len(scored.stdout.splitlines()) == 12
    # A reader that is gone ends it, and Python says nothing of it.
    child = subprocess.Popen([*command, "score", str(PAIRS), "-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    _, told = child.communicate(timeout=60)
    assert b"Traceback" not in told


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_signals(command, tmp_path, number, code):
    """A run that is stopped judges and stores what it has read, and tells the exit code of the program."""
    fifo = tmp_path / "pairs.tar"
    os.mkfifo(fifo)
    arguments = ["filter", "-", "-o", str(tmp_path / "kept")]
    child = subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    tar = subprocess.run(["tar", "cf", "-", "--sort=name", "-C", str(PAIRS), "."], capture_output=True, check=True).stdout
    child.stdin.write(tar[: len(tar) // 2])
    child.stdin.flush()
    deadline = time.monotonic() + 60
    while not (tmp_path / "kept" / "journal").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    child.send_signal(number)
    time.sleep(0.2)
    child.stdin.close()
    child.stdin = None
    _, told = child.communicate(timeout=60)
    assert child.returncode == code, told
    assert b"Traceback" not in told and b"KeyboardInterrupt" not in told
