"""Kills workers of `xargs -P2` over one-to-one shards at random, and xargs itself, and looks at what is left:
`python3 tests/shard_kill.py PROGRAM [--times N] [--shards M] [--seed S]`. Standard library only.

After N kills and a rerun, every output has the bytes of an undisturbed run, every input pair has one record,
every kept pair is in one output, and nothing else is there; behind each kill, what has a marker is whole. Then the
same of scores, their merged threshold (`--keep 15%`), and the filtering by them: the kept pairs are those that
one machine's `filter --keep 15%` keeps. Then filtering by a state of `select fit`, which must not depend on the order of
inputs: what remembers earlier pairs is refused.
"""

import argparse
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
IMAGES = {".jpg", ".png"}
SHARE = "15%"
LONGEST_S = 300
SIGNALS = [signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]


class Fault(Exception):
    """What is wrong."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


# -------------------------------------------------------------------------------------- inputs


def pictures():
    folder = HERE / "data" / "pairs"
    images = sorted(path for path in folder.iterdir() if path.suffix in IMAGES)
    return [(path.suffix, path.read_bytes(), path.with_suffix(".txt").read_text().strip()) for path in images]


def write_shard(path, number, pairs, sources):
    """A shard whose keys no other shard has; one pair in about twenty cannot be judged."""
    rng = random.Random(f"shard {number}")
    with tarfile.open(path, "w") as tar:
        for pair in range(pairs):
            suffix, image, caption = rng.choice(sources)
            if rng.randrange(20) == 0:
                image = image[: len(image) // 3]
            for extension, data in [(suffix, image), (".txt", f"{caption} Number {pair}.".encode())]:
                info = tarfile.TarInfo(f"{number:05}-{pair:04}{extension}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def keys_of(path):
    """Keys in a tar, in its order: as often as they stand there apart from themselves."""
    keys = []
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            key = member.name.split(".", 1)[0]
            if not keys or keys[-1] != key:
                keys.append(key)
    return keys


# -------------------------------------------------------------------------------------- processes


def in_group(group):
    """Living processes of a group that this script began."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z" and int(fields[2]) == group:
            found.append(int(entry.name))
    return found


class Workers:
    """`xargs -P2` over inputs, a process each."""

    def __init__(self, command, inputs, folder):
        self.errors = folder / "errors.txt"
        with open(self.errors, "wb") as errors:
            self.xargs = subprocess.Popen(
                ["xargs", "-P2", "-n1", *map(str, command)],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        self.group = self.xargs.pid
        self.xargs.stdin.write("\n".join(inputs).encode())
        self.xargs.stdin.close()

    def is_running(self):
        return self.xargs.poll() is None

    def kill_one(self, rng):
        """Kills xargs, one time in four, or one of its workers; what was hit, or None."""
        if not self.is_running():
            return None
        victims = [pid for pid in in_group(self.group) if pid != self.group]
        if rng.randrange(4) == 0 or not victims:
            self.xargs.send_signal(signal.SIGKILL)
            return "xargs"
        kind = rng.choice(SIGNALS)
        try:
            os.kill(rng.choice(victims), kind)
        except ProcessLookupError:
            return None
        return kind.name

    def wait(self):
        """Waits for xargs, not for workers that it left: the next run races with those."""
        code = self.xargs.wait(LONGEST_S)
        return code, self.errors.read_text(errors="replace")

    def end(self):
        """Waits until all of its processes are gone."""
        limit = time.monotonic() + LONGEST_S
        while in_group(self.group):
            expect(time.monotonic() < limit, "a worker does not end")
            time.sleep(0.02)


# -------------------------------------------------------------------------------------- a folder of outputs


def named_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}


def check_markers(folder):
    """What has a marker is as it says."""
    if not folder.is_dir():
        return 0
    markers = sorted(folder.glob("*_stats.json"))
    for path in markers:
        for name, mark in json.loads(path.read_text())["files"].items():
            file = folder / name
            expect(file.is_file(), f"{path.name}: {name} is not there")
            data = file.read_bytes()
            same = len(data) == mark["bytes"] and hashlib.sha256(data).hexdigest() == mark["sha256"]
            expect(same, f"{path.name}: {name} is not what it says")
    return len(markers)


class Bench:
    def __init__(self, program, folder, shards, seed):
        self.program, self.folder, self.rng = program, folder, random.Random(seed)
        self.inputs = [f"in/{number:05}.tar" for number in range(shards)]
        (folder / "in").mkdir()
        sources = pictures()
        for number, path in enumerate(self.inputs):
            write_shard(folder / path, number, 40, sources)
        self.keys = sorted(key for path in self.inputs for key in keys_of(folder / path))
        expect(len(set(self.keys)) == len(self.keys), "a key is there twice")

    def run(self, *args, codes=(0,)):
        command = [self.program, *map(str, args)]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=LONGEST_S)
        expect(done.returncode in codes, f"{' '.join(map(str, args))}: {done.returncode}, {done.stderr}")
        return done.stdout

    def records(self, folder):
        return [json.loads(line) for line in self.run("journal", "cat", folder).splitlines()]

    def kept(self, folder):
        return sorted(record["key"] for record in self.records(folder) if record["verdict"] == "kept")

    def disturbed(self, command, out, times):
        """Runs the command over the inputs until it was killed so often, then to its end."""
        kills, begun, rounds = Counter(), [], 0
        took = None
        while sum(kills.values()) < times:
            if check_markers(self.folder / out) == len(self.inputs):
                # All is there before it was killed often enough: once more from the start.
                for workers in begun:
                    workers.end()
                begun, rounds = [], rounds + 1
                expect(rounds < 1000, "the workers are too quick to be killed")
                self.remove(out)
            start = time.monotonic()
            workers = self.start(command)
            begun.append(workers)
            time.sleep(self.rng.uniform(0, (took or 1.0) * 0.8))
            hit = workers.kill_one(self.rng)
            if hit is not None:
                kills[hit] += 1
            if hit is None:
                took = time.monotonic() - start
            workers.wait()
            check_markers(self.folder / out)
        workers = self.start(command)
        begun.append(workers)
        code, errors = workers.wait()
        # xargs says 123 where a worker ended with 1 to 125: with 1, as pairs that cannot be judged make it.
        expect(code in (0, 123), f"the rerun: {code}, {errors}")
        for workers in begun:
            workers.end()
        # What orphans were at, they have finished; a last run finds all done, and tidies up.
        again = [json.loads(line) for line in self.run(*command[1:], "--json", *self.inputs).splitlines()]
        expect(len(again) == len(self.inputs), "the last run leaves an input out")
        expect(all(row["skipped"] for row in again), "the rerun has left an input out")
        left = [path.name for path in (self.folder / out / ".attempts").iterdir() if path.is_dir()]
        expect(not left, f"attempts are left behind: {left}")
        return kills

    def start(self, command):
        return Workers(command, self.inputs, self.folder)

    def remove(self, out):
        for path in sorted((self.folder / out).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.folder / out).rmdir()

    def check_same(self, out, undisturbed):
        found, wanted = named_files(self.folder / out), named_files(self.folder / undisturbed)
        expect(set(found) == set(wanted), f"{out}: {sorted(set(found) ^ set(wanted))}")
        differing = [name for name in wanted if found[name] != wanted[name]]
        expect(not differing, f"{out}: other bytes in {differing}")

    def check_pairs(self, out):
        """Each input pair has one record, and each kept one is in one shard."""
        records = self.records(out)
        expect(sorted(record["key"] for record in records) == self.keys, f"{out}: records are missing or double")
        stored = sorted(key for path in self.inputs for key in keys_of(self.folder / out / Path(path).name))
        kept = sorted(record["key"] for record in records if record["verdict"] == "kept")
        expect(stored == kept, f"{out}: what is stored is not what was kept")
        self.run("merge", out, "--inputs", *self.inputs)
        return len(stored)

    def filtering(self, times):
        self.run("filter", "--one-to-one", "-o", "quiet", *self.inputs, codes=(0, 1))
        command = [self.program, "filter", "--one-to-one", "-w", "1", "-o", "out"]
        kills = self.disturbed(command, "out", times)
        self.check_same("out", "quiet")
        stored = self.check_pairs("out")
        print(f"filter: {told(kills)}; {len(self.keys)} pairs, {stored} kept, each once, all bytes the same")

    def selecting(self, times):
        self.run("score", *self.inputs, "--embeddings", "-o", "pool.jsonl", codes=(0, 1))
        fit = ["select", "fit", "pool.jsonl", "-o"]
        self.run(*fit, "moving.pgsel", "-m", "duplicates k 4")
        self.run("filter", "--one-to-one", "--select", "moving.pgsel", "-o", "refused", *self.inputs, codes=(2,))
        self.run(*fit, "a.pgsel", "-m", "all(contrast bank 64 keep 70%, clusters k 4 keep 40%)")
        command = [self.program, "filter", "--one-to-one", "-w", "1", "--select", "a.pgsel", "-o", "selected"]
        self.run(*command[1:-1], "quiet-selected", *self.inputs, codes=(0, 1))
        kills = self.disturbed(command, "selected", times)
        self.check_same("selected", "quiet-selected")
        reasons = {record["reason"] for record in self.records("selected")}
        expect({"not_selected", "passed"} <= reasons, f"reasons are {reasons} alone")
        print(f"--select: {told(kills)}; {self.check_pairs('selected')} kept, each once, all bytes the same")

    def share(self, times):
        self.run("filter", "--keep", SHARE, "-o", "one", *self.inputs, codes=(0, 1))
        self.run("score", "--one-to-one", "-o", "quiet-scores", *self.inputs, codes=(0, 1))
        command = [self.program, "score", "--one-to-one", "-w", "1", "-o", "scores"]
        kills = self.disturbed(command, "scores", times)
        self.check_same("scores", "quiet-scores")
        found = json.loads(
            self.run("merge", "scores", "--inputs", *self.inputs, "--keep", SHARE, "-o", "policy.toml", "--json")
        )
        command = [self.program, "filter", "--one-to-one", "-w", "1", "--scores", "scores"]
        command += ["--config", "policy.toml", "-o", "kept"]
        kills += self.disturbed(command, "kept", times)
        self.check_pairs("kept")
        expect(self.kept("kept") == self.kept("one"), "other pairs are kept than by one machine")
        count = len(self.kept("kept"))
        print(f"--keep {SHARE}: {told(kills)}; threshold {found['threshold']}, {count} kept, as by one machine")


def told(kills):
    return f"{sum(kills.values())} kills ({', '.join(f'{count} {name}' for name, count in sorted(kills.items()))})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--shards", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if args.seed is None else args.seed
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args.program.resolve(), Path(folder), args.shards, seed)
        try:
            bench.filtering(args.times)
            bench.share(max(2, args.times // 5))
            bench.selecting(max(2, args.times // 5))
        except Fault as fault:
            print(f"FAILED: {fault}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
