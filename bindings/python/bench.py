"""In-process speed against the program's on the same shards, by turns.

    python bench.py [--threads N] [--rounds N] [--batch N] SHARD...

Needs the wheel. First it sees that both give the same scores. Then: batches of `judge` on N threads against
`pairgate score --workers N`, start and model left out of both; what a call costs beside the work on one
pair; and pairs a second of 1, 2, 4 and 8 threads of Python that share one gate.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from pairgate_dfn import Gate, __version__


def read(shards):
    """Images, captions and metadata of shards, in their order."""
    samples = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.isfile():
                    key, _, extension = member.name.partition(".")
                    samples.setdefault((shard, key), {})[extension] = tar.extractfile(member).read()
    pick = lambda sample: next((sample[e] for e in ("jpg", "jpeg", "png", "webp", "avif", "gif") if e in sample), None)
    return [(pick(sample), sample.get("txt"), sample.get("json")) for sample in samples.values()]


def by_program(program, shards, threads, scores):
    """Pairs a second of the program, and their scores; model and start are not in its seconds."""
    command = [program, "score", *shards, "-o", scores, "--workers", str(threads), "--json", "--rules", "none"]
    told = json.loads(subprocess.run(command, capture_output=True, check=False).stdout)
    return told["in"] / told["seconds"]


def by_batches(gate, pairs, size, threads):
    start = time.perf_counter()
    decisions = []
    for first in range(0, len(pairs), size):
        images, captions, metadata = zip(*pairs[first : first + size], strict=True)
        decisions += gate.judge(images, captions, metadata=metadata, threads=threads)
    return len(pairs) / (time.perf_counter() - start), decisions


def overhead(gate, pairs):
    """Microseconds of the calling thread, which a busy machine does not change much: of a call, of a pair in
    `judge` on one thread (whose captions go through the network together), of a call without work."""
    call, whole = [], []
    for _ in range(5):
        start = time.thread_time()
        for image, caption, metadata in pairs:
            gate(image, caption, metadata=metadata)
        call.append((time.thread_time() - start) / len(pairs) * 1e6)
        images, captions, metadata = zip(*pairs, strict=True)
        start = time.thread_time()
        gate.judge(images, captions, metadata=metadata, threads=1)
        whole.append((time.thread_time() - start) / len(pairs) * 1e6)
    # What no pair's work is in: everything but the network.
    start = time.thread_time()
    for _ in range(100_000):
        gate(None, None)
    nothing = (time.thread_time() - start) / 100_000 * 1e6
    return min(call), min(whole), nothing


def by_threads(gate, pairs, threads):
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(lambda pair: gate(pair[0], pair[1], metadata=pair[2]), pairs))
        return len(pairs) / (time.perf_counter() - start)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("shards", nargs="+")
    arguments.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--batch", type=int, default=64)
    asked = arguments.parse_args()
    program = os.environ.get("PAIRGATE") or str(Path(sysconfig.get_path("scripts")) / "pairgate")
    pairs, gate = read(asked.shards), Gate(rules="none", score_all=True)
    gate.judge(*zip(*[pair[:2] for pair in pairs[:64]], strict=True), threads=asked.threads)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"pairgate-dfn {__version__}, model {gate.model.digest[:12]}; {len(pairs)} pairs, {asked.threads} threads")

    with tempfile.TemporaryDirectory() as folder:
        scores = str(Path(folder) / "scores.jsonl")
        ours, theirs = [], []
        for _ in range(asked.rounds):
            theirs.append(by_program(program, asked.shards, asked.threads, scores))
            rate, decisions = by_batches(gate, pairs, asked.batch, asked.threads)
            ours.append(rate)
        lines = [json.loads(line) for line in Path(scores).read_text().splitlines()]
    known = [line["score"] for line in lines]
    assert len(known) == len(decisions)
    for line, decision in zip(lines, decisions, strict=True):
        assert decision.score == (None if line["score"] is None else float(np.float32(line["score"]))), line

    rates = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(f"batches of {asked.batch}: {rates[0]:.0f} pairs/s; program {rates[1]:.0f}; {ratio:.3f} of it")
    call, whole, nothing = overhead(gate, pairs[:300])
    print(f"one at a time: {call:.0f} us a pair; judge(threads=1) {whole:.0f}; a call alone {nothing:.2f} us")
    for threads in (1, 2, 4, 8):
        print(f"{threads} threads of Python: {by_threads(gate, pairs, threads):.0f} pairs/s")


if __name__ == "__main__":
    sys.exit(main())
