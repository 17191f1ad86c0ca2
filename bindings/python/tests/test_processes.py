"""Threads, forks, signals, memory."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from conftest import LONG
from pairgate_dfn import Gate, Model


def test_eight_threads_share_a_gate(pairs):
    gate = Gate(threads=2)
    expected = [gate(path, caption) for path, caption in pairs]
    images, captions = [path for path, _ in pairs], [caption for _, caption in pairs]

    def judge(place):
        if place % 2:
            return [gate(path, caption) for path, caption in pairs]
        return gate.judge(images, captions)

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(judge, range(64)))


def test_threads_of_python_run_meanwhile(ball):
    image, caption = ball
    gate, turns, done = Gate(), 0, threading.Event()

    def count():
        nonlocal turns
        while not done.is_set():
            turns += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    gate.judge([image] * 512, [caption] * 512, threads=1)
    done.set()
    counter.join()
    assert turns > 20


def judged(gate, image, caption):
    return gate(image, caption), gate.judge([image] * 8, [caption] * 8)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_multiprocessing(method, ball):
    gate = Gate(threads=2)
    expected = judged(gate, *ball)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        found = [pool.submit(judged, gate, *ball) for _ in range(6)]
        assert all(one.result(timeout=120) == expected for one in found)
    assert judged(gate, *ball) == expected


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_while_threads_are_at_work(ball):
    """A lock that another thread holds is never opened in the child: it must not be asked for."""
    gate, model, done = Gate(threads=2), Model(threads=2), threading.Event()
    expected, embedded = judged(gate, *ball), model.embed_images([ball[0]])

    def work():
        while not done.is_set():
            gate(*ball)
            gate(None, "a red ball")

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                same = judged(gate, *ball) == expected and judged(gate, *ball) == expected
                same = same and (model.embed_images([ball[0]]) == embedded).all()
                grandchild = os.fork()
                if grandchild == 0:
                    os._exit(0 if judged(gate, *ball) == expected else 1)
                _, status = os.waitpid(grandchild, 0)
                os._exit(0 if same and status == 0 else 1)
            assert waited(child) == 0
    finally:
        done.set()
        for worker in workers:
            worker.join()


def waited(child: int) -> int:
    """The exit code of a process, which has a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


INTERRUPTED = """
import sys, time
from pairgate_dfn import Gate
image = open(sys.argv[1], "rb").read()
gate = Gate()
print("ready", flush=True)
try:
    gate.judge([image] * 200_000, ["a red ball on the grass"] * 200_000)
except KeyboardInterrupt:
    print("interrupted", len(gate.judge([image] * 4, ["a red ball on the grass"] * 4)))
"""


def test_a_long_call_is_interrupted(pairs):
    command = [sys.executable, "-c", INTERRUPTED, str(pairs[0][0])]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    time.sleep(1)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert out == "interrupted 4\n"


def resident() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="SKIPPED: no /proc here")
def test_memory_is_flat(ball):
    """Of small pairs and of big ones, of refused ones too."""
    image, caption = ball
    gate = Gate(threads=2)
    calls = 100_000 if LONG else 5_000

    def call(times):
        for place in range(times):
            gate(image if place % 10 == 0 else b"no image", caption)
            if place % 100 == 0:
                gate.judge([image, None, bytearray(image)] * 4, [caption] * 12, columns=place % 200 == 0)
            try:
                gate(5, caption)
            except TypeError:
                pass

    call(1_000)
    before = resident()
    call(calls)
    grown = resident() - before
    print(f"{calls} calls: {grown} bytes more")
    assert grown < 8 << 20
