"""Kills `pairgate serve` at random moments and holds its output against what its clients were told:

    python3 tests/serve_kill.py target/release/pairgate                1,000 kills
    python3 tests/serve_kill.py target/release/pairgate --times 30     for CI
    python3 tests/serve_kill.py target/release/pairgate --select       with a state that remembers earlier pairs

Standard library only. Clients send pairs, each with a uid of its own, one by one over TCP and over the
socket, and as tars; a pair that got no answer is sent again with the same uid after the next start. The
service is stopped by SIGKILL after a random time, mostly while it answers, and started again on the same
folder by the same command. Nothing else is done to the folder.

What must hold, after each kill and at the end:
- no start is refused, and each listens within a minute;
- a pair that was answered "kept" is in the shards exactly once, with the bytes that were sent; one that
  was answered otherwise is not there;
- nothing is there that was never sent, and no uid twice;
- each pair has one answer: whoever asks again gets the old one;
- at the end every shard has its name, `journal check` finds nothing, and each stored pair has one record;
- with --select, all pairs in the journal's order through one unbroken `filter` are decided as they were.

The folder of a run that fails is kept.
"""

import argparse
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from http.client import HTTPException
from pathlib import Path

from client import Gate

HERE = Path(__file__).parent
CLIENTS = 6
LONGEST_S = 60


class Fault(Exception):
    """What was found wrong."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


def pictures():
    """Pictures with their captions; one caption breaks a rule."""
    folder = HERE / "data" / "pairs"
    found = [path for path in sorted(folder.iterdir()) if path.suffix in (".jpg", ".png")]
    return [(path.read_bytes(), path.with_suffix(".txt").read_text().strip()) for path in found]


class Pair:
    def __init__(self, number, sources):
        self.uid = f"{number:032x}"
        self.image, caption = sources[number % len(sources)]
        self.caption = "sea" if number % 7 == 0 else f"{caption}, picture {number}"
        self.answer = None

    def members(self):
        about = json.dumps({"uid": self.uid}).encode()
        extension = "png" if self.image.startswith(b"\x89PNG") else "jpg"
        return {extension: self.image, "txt": self.caption.encode(), "json": about}

    def take(self, answer):
        """Notes an answer; one that was given before must be the same."""
        expect(answer["uid"] == self.uid, f"{self.uid} got the answer of {answer['uid']}")
        told = {name: answer[name] for name in ("verdict", "reason", "ticket", "stored")}
        expect(self.answer in (None, told), f"{self.uid} was told {self.answer}, and then {told}")
        self.answer = told


class Clients:
    """Threads that send pairs until they are all answered, whatever happens to the service."""

    def __init__(self, sources):
        self.sources, self.next, self.lock = sources, 0, threading.Lock()
        self.all, self.unanswered, self.faults = [], [], []
        self.to, self.running = None, True
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(CLIENTS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def take(self, count):
        """Pairs to send: those that got no answer first."""
        with self.lock:
            pairs = [self.unanswered.pop(0) for _ in range(min(count, len(self.unanswered)))]
            while len(pairs) < count and self.running:
                pairs.append(Pair(self.next, self.sources))
                self.all.append(pairs[-1])
                self.next += 1
            return pairs

    def run(self, number):
        rng = random.Random(number)
        while True:
            to = self.to
            if to is None:
                time.sleep(0.005)
                continue
            pairs = self.take(8 if number % 3 == 0 else 1)
            if not pairs:
                return
            try:
                gate = Gate(to[number % 2], timeout=LONGEST_S)
                self.send(gate, pairs, number % 3 == 0, rng)
            except (OSError, HTTPException, ValueError):
                time.sleep(0.01)  # It was killed, or is not there yet.
            except Fault as fault:
                self.faults.append(fault)
                return
            finally:
                with self.lock:
                    self.unanswered.extend(pair for pair in pairs if pair.answer is None)

    def send(self, gate, pairs, as_tar, rng):
        if as_tar:
            return self.stream(gate, pairs)
        for pair in pairs:
            if rng.random() < 0.1:  # Now and then an answer is asked for twice.
                gate.judge(pair.image, pair.caption, uid=pair.uid)
            status, answer = gate.judge(pair.image, pair.caption, uid=pair.uid)
            expect(status in (200, 429, 503), f"{status} {answer}")
            if status == 200:
                pair.take(answer)

    def stream(self, gate, pairs):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for pair in pairs:
                for extension, content in pair.members().items():
                    info = tarfile.TarInfo(f"{pair.uid}.{extension}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        gate.http.request("POST", "/v1/pairs", data.getvalue(), {"Content-Type": "application/x-tar"})
        answers = gate.http.getresponse()
        if answers.status != 200:
            expect(answers.status in (429, 503), f"{answers.status} {answers.read()}")
            return
        for pair in pairs:
            line = answers.readline()
            if not line.endswith(b"\n") or "error" in json.loads(line):
                return
            pair.take(json.loads(line))


class Service:
    def __init__(self, program, out, socket, log, options):
        arguments = ["serve", "-o", out, "--listen", "127.0.0.1:0", "--socket", socket, "-t=-1"]
        arguments += ["--config", out.parent / "serve.toml", *options]
        self.errors = log.open("ab+")
        begin = self.errors.seek(0, os.SEEK_END)
        command = [program, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.errors)
        deadline = time.monotonic() + LONGEST_S
        while True:
            said = log.read_bytes()[begin:].decode(errors="replace")
            if str(socket) + "\n" in said:
                break
            expect(self.process.poll() is None, f"a start was refused: {said}")
            expect(time.monotonic() < deadline, f"it does not listen: {said}")
            time.sleep(0.005)
        port = re.search(r"listening on (http://\S+)", said)[1]
        self.to = (port, str(socket))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LONGEST_S)
        expect(code == 0, f"SIGTERM: exit code {code}")


def stored(out):
    """Samples of all shards, as far as they are whole, by uid."""
    found = {}
    for path in sorted(out.iterdir()):
        if not re.fullmatch(r"\d{5}\.tar|\.\d{5}\.tar\.partial", path.name):
            continue
        size, samples = path.stat().st_size, {}
        try:
            with tarfile.open(path, "r:") as tar:
                for member in tar:
                    if member.offset_data + member.size > size:
                        break
                    key, extension = member.name.split(".", 1)
                    samples.setdefault(key, {})[extension] = tar.extractfile(member).read()
        except tarfile.ReadError:
            expect(path.name.startswith("."), f"{path.name} has its name and is torn")
        for key, members in samples.items():
            if len(members) == 3:  # The last one may be on its way.
                uid = json.loads(members["json"])["uid"]
                expect(uid not in found, f"{uid} is there twice")
                found[uid] = (path.name.strip(".").removesuffix(".partial"), key, members)
    return found


def same(members, sent):
    """The same files; what is said in JSON may be spelled otherwise."""
    told = [json.loads(each.pop("json")) for each in (dict(members), dict(sent))]
    return told[0] == told[1] and {**members, "json": b""} == {**sent, "json": b""}


def check(out, clients, done=False):
    """Holds the folder against what was told."""
    told = {pair.uid: pair.answer for pair in clients.all}
    found = stored(out)
    for uid, (_, key, members) in found.items():
        number = int(uid, 16)
        expect(number < len(clients.all), f"{uid} was never sent")
        expect(same(members, clients.all[number].members()), f"{key}: not the bytes that were sent")
    for uid, answer in told.items():
        if answer is None:
            expect(not done, f"{uid} got no answer")
        elif answer["verdict"] == "kept":
            expect(uid in found, f"{uid} was told to be kept, and is not there")
            place = answer["stored"]
            expect(found[uid][:2] == (place["shard"], place["key"]), f"{uid} is not at {place}")
        else:
            expect(uid not in found, f"{uid} was told to be {answer['verdict']}, and is there")
    return len(found)


def state(program, folder):
    """A state whose clusters forget, so that the same pictures are kept again, and whose one source's cut moves."""
    path = folder / "a.pgsel"
    scores = folder / "pool.jsonl"
    method = "all(sources by none follow 1 keep 90%, duplicates k 3 eps 0.01 ring 1)"
    asked = ["score", HERE / "data" / "pairs", "--rules", "none", "--embeddings", "-o", scores]
    for words in (asked, ["select", "fit", scores, "-t=-1", "-m", method, "-o", path]):
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True)
        expect(done.returncode in (0, 1), f"{words}: {done.stderr}")
    return path


def records(program, out):
    lines = subprocess.run([program, "journal", "cat", out], capture_output=True, text=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def check_selected(program, folder, clients, options):
    """All pairs in the journal's order, through a run that nothing stops."""
    ours = records(program, folder / "kept")
    with tarfile.open(folder / "all.tar", "w") as tar:
        for record in ours:
            for extension, content in clients.all[int(record["uid"], 16)].members().items():
                info = tarfile.TarInfo(f"{record['uid']}.{extension}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    command = ["filter", folder / "all.tar", "-t=-1", "--config", folder / "serve.toml", *options, "-o", folder / "again"]
    done = subprocess.run([program, *map(str, command)], capture_output=True, text=True)
    expect(done.returncode in (0, 1), f"filter: {done.stderr}")
    about = lambda record: [record.get(name) for name in ("ticket", "uid", "verdict", "reason", "score", "selection")]
    theirs = records(program, folder / "again")
    expect(len(ours) == len(theirs), f"{len(ours)} records, and {len(theirs)} of a run that nothing stopped")
    for one, other in zip(map(about, ours), map(about, theirs)):
        expect(one == other, f"{one}, and by a run that nothing stopped {other}")
    reasons = [record["reason"] for record in ours]
    expect({"near_duplicate", "over_quota", "passed"} <= set(reasons), f"reasons are {set(reasons)} alone")


def run(program, folder, times, selects):
    out, log = folder / "kept", folder / "log.txt"
    options = ["--select", state(program, folder)] if selects else []
    # Small shards, so that kills meet their ends; a queue that is full now and then.
    (folder / "serve.toml").write_text(
        "[storage]\nshard_pairs = 40\n[serve]\nqueue = 6\n[rules]\nmin_words = 2\n"
    )
    rng, clients = random.Random(times), Clients(pictures())
    clients.start()
    for kill in range(times):
        service = Service(program, out, folder / "serve.sock", log, options)
        clients.to = service.to
        time.sleep(rng.choice([0.01, 0.2, 1.0, 2.0]) * rng.random())
        service.kill()
        clients.to = None
        expect(not clients.faults, clients.faults and clients.faults[0])
        if kill % 5 == 4 or kill == times - 1:
            check(out, clients)
    service = Service(program, out, folder / "serve.sock", log, options)
    clients.running, clients.to = False, service.to
    for thread in clients.threads:
        thread.join(LONGEST_S)
        expect(not thread.is_alive(), "a client is not answered")
    expect(not clients.faults, clients.faults and clients.faults[0])
    service.end()
    kept = check(out, clients, done=True)
    expect(not list(out.glob(".*.partial")), "a shard has not got its name")
    journal = subprocess.run([program, "journal", "check", out], capture_output=True, text=True)
    expect(journal.returncode == 0, f"journal check: {journal.stdout}{journal.stderr}")
    uids = [record["uid"] for record in records(program, out) if record.get("stored")]
    if selects:
        check_selected(program, folder, clients, options)
    expect(len(uids) == len(set(uids)) == kept, f"{len(uids)} records of {kept} stored pairs")
    return len(clients.all), kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--select", action="store_true", help="with a state of select fit")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pg-serve-"))
    try:
        sent, kept = run(arguments.program, folder, arguments.times, arguments.select)
    except Fault as fault:
        sys.exit(f"FAILED: {fault}\n{folder} has all of it")
    shutil.rmtree(folder)
    print(f"{arguments.times} kills, {sent} pairs sent, {kept} kept: all as told")


if __name__ == "__main__":
    main()
