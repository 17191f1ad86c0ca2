"""Ray with two workers against one machine, undisturbed and with actors, programs and drivers killed at random.

    ray_long.py VENV_PYTHON [--kills 50] [--shards 40] [--pairs 40] [--seed 1]

VENV_PYTHON is that of an environment with the wheel and Ray (`pip install 'ray>=2.60'`). Minutes; Linux. Shown are:
outputs byte for byte those of one machine; after kills and a rerun every input pair in exactly one journal and each
kept one in exactly one shard; `keep=0.15` the same keys as `pairgate filter --keep 15%`; a model that is not there
told once. Only processes that it started, and those below them, are killed.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from shard_data import keys_in, make_shards, outputs_in, samples

LOOSE = ["--rules", "none"]
THRESHOLD = 0.15
DEADLINE = 600


# What runs in processes of their own.


def cluster(temporary: str) -> None:
    """Ray's own processes, until standard input ends."""
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 << 20,
        _temp_dir=temporary,
        log_to_driver=False,
    )
    print(ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
    ray.shutdown()


def driver(address: str, out: str, shards: list[str], settings: dict) -> None:
    """One call of `filter_shards`; its report as JSON."""
    import ray
    from pairgate_dfn.ray import filter_shards

    ray.init(address=address, log_to_driver=False)
    report = filter_shards(shards, out, workers=2, options=LOOSE, **settings)
    print(json.dumps({"rows": report.rows, "threshold": report.threshold}), flush=True)


# Processes below the cluster.


def parents() -> dict[int, tuple[int, str]]:
    """Of each process its parent and its command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        found[int(folder.name)] = (int(told[1]), command)
    return found


def below(root: int) -> dict[int, str]:
    """Command lines of the processes below one."""
    processes = parents()

    def is_below(process: int) -> bool:
        while process in processes and process != root:
            process = processes[process][0]
        return process == root

    return {process: command for process, (_, command) in processes.items() if process != root and is_below(process)}


def victims(root: int, kind: str) -> list[int]:
    mark = {"actor": "ray::ShardFilter", "program": "pairgate_dfn._child"}[kind]
    return [process for process, command in below(root).items() if mark in command]


# The run.


class Run:
    """Shards, what one machine makes of them, and a cluster."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self.random = random.Random(arguments.seed)
        self.work, self.kills, self.pairs = work, arguments.kills, arguments.pairs
        self.shards = make_shards(work / "in", arguments.shards, arguments.pairs)
        self.killed: Counter[str] = Counter()
        self.program("filter", *self.shards, "--one-to-one", "-o", work / "one", "--threshold", THRESHOLD, *LOOSE)
        self.expected = outputs_in(work / "one")
        # Sockets lie below it: a short path.
        temporary = work / "r"
        command = [sys.executable, __file__, "--cluster", str(temporary)]
        self.cluster = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.cluster.stdout is not None
        self.address = self.cluster.stdout.readline().strip()
        assert self.address.startswith("127.0.0.1:"), f"Ray has not started on loopback: {self.address}"

    def program(self, *arguments: object) -> str:
        command = [sys.executable, "-m", "pairgate_dfn", *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True)
        assert ended.returncode in (0, 1), ended.stderr
        return ended.stdout

    def start(self, out: Path, **settings: object) -> subprocess.Popen[str]:
        given = json.dumps({"out": str(out), "shards": self.shards, "settings": settings})
        command = [sys.executable, __file__, "--driver", self.address, given]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def report(self, out: Path, **settings: object) -> dict:
        with self.start(out, **settings) as process:
            told, errors = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, errors
        return json.loads(told.splitlines()[-1])

    def check(self, out: Path) -> None:
        """Every pair in one journal, every kept pair in one shard, and all bytes those of one machine."""
        found = outputs_in(out)
        different = sorted(name for name in self.expected.keys() | found if self.expected.get(name) != found.get(name))
        assert not different, f"{out}: other than on one machine: {different}"
        judged: Counter[str] = Counter()
        kept = set()
        for shard in self.shards:
            for line in self.program("journal", "cat", out / f"{Path(shard).stem}.pairgate").splitlines():
                record = json.loads(line)
                judged[record["key"]] += 1
                if record["verdict"] == "kept":
                    kept.add(record["key"])
        given = [key for number in range(len(self.shards)) for key, _ in samples(number, self.pairs)]
        assert judged == Counter(given), "a pair is missing, or was judged twice"
        stored = Counter(key for shard in self.shards for key in keys_in(out / Path(shard).name))
        assert stored == Counter(kept), "a pair is missing, or was stored twice"
        summed = json.loads(self.program("merge", out, "--inputs", *self.shards, "--json"))
        assert not summed["missing"] and not summed["wrong"] and summed["in"] == len(given), summed

    def undisturbed(self) -> None:
        out, began = self.work / "calm", time.monotonic()
        rows = self.report(out, threshold=THRESHOLD)["rows"]
        assert not any(row["error"] or row["skipped"] for row in rows), rows
        print(f"{len(rows)} shards by two workers: {time.monotonic() - began:.1f} s", flush=True)
        self.check(out)
        began = time.monotonic()
        rows = self.report(out, threshold=THRESHOLD)["rows"]
        assert all(row["skipped"] and not row["error"] for row in rows), rows
        print(f"the same again, nothing to do: {time.monotonic() - began:.1f} s", flush=True)

    def share(self) -> None:
        rows = self.report(self.work / "share", keep=0.15)["rows"]
        assert not any(row["error"] for row in rows), rows
        self.program("filter", *self.shards, "--keep", "15%", "-o", self.work / "share-one", *LOOSE)
        one = [key for shard in sorted((self.work / "share-one").glob("*.tar")) for key in keys_in(shard)]
        many = [key for shard in self.shards for key in keys_in(self.work / "share" / Path(shard).name)]
        assert many == one, "another share is kept than on one machine"
        print(f"a share of 15 %: the same {len(one)} keys, in the same order", flush=True)

    def model_that_is_not_there(self) -> None:
        with self.start(self.work / "none", model="/nowhere/model") as process:
            _, errors = process.communicate(timeout=DEADLINE)
        told = [line for line in errors.splitlines() if "SettingsError" in line and "/nowhere/model" in line]
        assert process.returncode != 0 and len(told) == 1, errors
        print(f"a model that is not there: {told[0]}", flush=True)

    def disturbed(self) -> None:
        cycle = 0
        while self.killed.total() < self.kills:
            cycle += 1
            out = self.work / f"killed{cycle}"
            while not self.attempt(out):
                pass
            rows = self.report(out, threshold=THRESHOLD)["rows"]
            assert not any(row["error"] for row in rows), rows
            self.check(out)
            print(f"whole after {dict(self.killed)}", flush=True)
            shutil.rmtree(out)

    def attempt(self, out: Path) -> bool:
        """A driver under fire; whether it came to its end."""
        with self.start(out, threshold=THRESHOLD) as process:
            while process.poll() is None and self.killed.total() < self.kills:
                time.sleep(self.random.uniform(0.1, 2.5))
                self.kill_something(process)
            told, errors = process.communicate(timeout=DEADLINE)
        if process.returncode == -signal.SIGKILL:
            return False
        assert process.returncode == 0, errors
        return bool(told)

    def kill_something(self, process: subprocess.Popen[str]) -> None:
        kind = self.random.choices(["actor", "program", "driver"], [5, 3, 2])[0]
        if kind == "driver":
            # One that has come so far that there are actors.
            if not victims(self.cluster.pid, "actor") or process.poll() is not None:
                return
            process.kill()
        else:
            found = victims(self.cluster.pid, kind)
            if not found:
                return
            number = self.random.choice([signal.SIGKILL, signal.SIGTERM])
            try:
                os.kill(self.random.choice(found), number)
            except ProcessLookupError:
                return
        self.killed[kind] += 1

    def end(self) -> None:
        assert self.cluster.stdin is not None
        self.cluster.stdin.close()
        try:
            self.cluster.wait(60)
        except subprocess.TimeoutExpired:
            self.cluster.kill()


def main() -> None:
    if sys.argv[1:2] == ["--cluster"]:
        return cluster(sys.argv[2])
    if sys.argv[1:2] == ["--driver"]:
        return driver(sys.argv[2], **json.loads(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="of an environment with the wheel and Ray")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=40, help="in each shard")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    if os.path.abspath(arguments.python) != os.path.abspath(sys.executable):
        os.execv(arguments.python, [arguments.python, __file__, *sys.argv[1:]])
    # Ray's own: on loopback, for minutes, nothing in anybody's home folder and nothing told to anybody.
    os.environ |= {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Its name aside: 0 is what makes 127.0.0.1 the node's address.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    work = Path(tempfile.mkdtemp(prefix="rl", dir="/tmp"))
    run = Run(arguments, work)
    try:
        run.undisturbed()
        run.share()
        run.model_that_is_not_there()
        run.disturbed()
    finally:
        run.end()
    shutil.rmtree(work)
    print(f"passed: {len(run.shards)} shards of {run.pairs} pairs, killed {dict(run.killed)}")


if __name__ == "__main__":
    main()
