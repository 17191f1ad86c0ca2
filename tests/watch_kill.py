"""Kills `pairgate watch`, and `pairgate capture` with a spool, at random moments, and starts them again:

    python tests/watch_kill.py target/release/pairgate               1,000 kills
    python tests/watch_kill.py target/release/pairgate --times 30    for CI

A round is one folder in which pairs and shards appear, or one camera, and some kills (SIGKILL) while they
do. At its end the command is left alone until all is decided, and stopped with SIGTERM, which it must
answer with 0. Then:

- `watch`: every pair that was put there has one record and, as all are kept, one sample with its own bytes;
  nothing else is there; the files stayed, went or moved, as `--after` says.
- `capture`: every frame that was whole in the spool when the process was killed has one record and one
  sample; no frame has two; none is there that was not sent.
- Nothing is damaged, and no start needed a hand.

Only the standard library is needed. The folder of a round that fails is kept.
"""

import argparse
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from kill import Fault, Output, digest, expect, pictures, samples_of, tar_of, tiny_model

LONGEST_S = 120
NUMBER = re.compile(rb"<number (\d+)>")
HEADER = struct.Struct("<4sHHIIQII")


def numbered(image, number):
    """The JPEG with a comment that tells it from all others."""
    text = b"<number %d>" % number
    return image[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + image[2:]


def number_in(data):
    found = NUMBER.search(data)
    return int(found[1]) if found else None


def jpegs():
    return [data for kind, data, _ in pictures() if kind == "jpg"]


class Program:
    """The command of a round, started again and again."""

    def __init__(self, arguments, folder, stdin=False):
        self.arguments, self.folder, self.stdin = arguments, folder, stdin
        self.log = folder / "log.txt"
        self.starts = 0

    def start(self):
        self.starts += 1
        with self.log.open("a") as log:
            log.write("$ " + " ".join(map(str, self.arguments)) + "\n")
        stdin = subprocess.PIPE if self.stdin else subprocess.DEVNULL
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.arguments, stdin=stdin, stdout=log, stderr=log)
        return self.process

    def kill(self):
        """Kills it; a process that had ended by itself has needed a hand."""
        code = self.process.poll()
        expect(code is None, f"it ended by itself with {code}, see {self.log}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=LONGEST_S)
        expect(code == 0, f"SIGTERM was answered with {code}, see {self.log}")

    def is_up(self, output):
        """Whether it has come so far that it hears signals: it holds the folder."""
        lock = output / ".pairgate.lock"
        return lock.is_file() and lock.read_text().strip() == str(self.process.pid)

    def wait_until(self, what, holds):
        begin = time.monotonic()
        while not holds():
            expect(self.process.poll() is None, f"it ended by itself, see {self.log}")
            expect(time.monotonic() - begin < LONGEST_S, f"{what} has not come within {LONGEST_S} s")
            time.sleep(0.2)


def stored(output):
    """Digests of the samples in all shards, each with how often it is there, and their numbers."""
    samples, numbers = Counter(), Counter()
    output.samples({})
    for path in output.shards():
        for _, members in samples_of(path):
            samples[digest(members)] += 1
            numbers[next((n for n in map(number_in, members.values()) if n is not None), None)] += 1
    return samples, numbers


def check_output(output, folder):
    """The journal is whole, nothing was put aside, no sample has two records."""
    output.check_journal(settled=True, whole=True)
    strange = [path for path in folder.rglob("*.damaged-*")]
    expect(not strange, f"damaged: {strange}")
    records = output.records()
    places = Counter((record["stored"]["shard"], record["stored"]["key"]) for record in records if record.get("stored"))
    expect(all(count == 1 for count in places.values()), "two records tell of one sample")
    return records


class WatchRound:
    """A folder in which pairs and shards appear."""

    kind = "watch"

    def __init__(self, program, model, rng, folder):
        self.rng, self.folder = rng, folder
        self.watched, self.out, self.aside = folder / "in", folder / "kept", folder / "done"
        self.outside = folder / "outside"
        for path in (self.watched, self.outside):
            path.mkdir(parents=True)
        self.after = rng.choice(["keep", "delete", f"move={self.aside}"])
        scan = ["--no-inotify"] if rng.random() < 0.3 else []
        config = folder / "c.toml"
        config.write_text(f"[storage]\nshard_pairs = {rng.choice([5, 30])}\nsync_ms = {rng.choice([5, 50, 300])}\n")
        arguments = [program, "watch", self.watched, "-o", self.out, "--model", model, "-t=-1", "--rules", "none"]
        arguments += ["--after", self.after, "--settle", "60ms", "--scan", "150ms", "--config", config, *scan]
        self.program = Program(arguments, folder)
        self.wanted = Counter()
        self.pairs, self.done_putting = 0, False
        self.error = None

    def put_all(self):
        """Puts pairs and shards, in subfolders too, by rename or written in place."""
        try:
            sources = jpegs()
            for number in range(40):
                place = self.watched / self.rng.choice(["", "", "sub", "sub/sub"])
                place.mkdir(parents=True, exist_ok=True)
                if self.rng.random() < 0.2:
                    self.put_shard(place, number, sources)
                else:
                    self.put_pair(place, number, sources)
                time.sleep(self.rng.random() * 0.05)
        except OSError as why:
            self.error = why
        self.done_putting = True

    def members(self, number, sources):
        image = numbered(self.rng.choice(sources), number)
        return {"jpg": image, "txt": f"a picture, number {number}".encode()}

    def note(self, members):
        self.wanted[digest(members)] += 1
        self.pairs += 1

    def put_pair(self, place, number, sources):
        members = self.members(number, sources)
        self.note(members)
        for extension in ("txt", "jpg"):
            path = place / f"p{number}.{extension}"
            part = self.outside / path.name
            part.write_bytes(members[extension])
            part.rename(path)

    def put_shard(self, place, number, sources):
        samples = [(f"s{number}-{n}", self.members(1000 * (number + 1) + n, sources)) for n in range(8)]
        for _, members in samples:
            self.note(members)
        part = self.outside / f"{number}.tar"
        part.write_bytes(tar_of(samples))
        part.rename(place / f"{number}.tar")

    def run(self, kills):
        writer = threading.Thread(target=self.put_all, daemon=True)
        writer.start()
        for _ in range(kills):
            self.program.start()
            time.sleep(self.rng.choice([0.05, 0.3, 1.0, 2.0]) * (0.5 + self.rng.random()))
            self.program.kill()
        self.program.start()
        writer.join()
        expect(self.error is None, f"putting files: {self.error}")
        output = Output(self.program.arguments[0], self.out)
        self.program.wait_until("its start", lambda: self.program.is_up(self.out))
        self.program.wait_until("all decided", lambda: len(output.records()) >= self.pairs)
        if self.after != "keep":
            self.program.wait_until("all gone", lambda: not self.left())
        self.program.stop()
        self.check(output)

    def left(self):
        return [path for path in self.watched.rglob("*") if path.is_file()]

    def check(self, output):
        records = check_output(output, self.out)
        expect(len(records) == self.pairs, f"{len(records)} records of {self.pairs} pairs")
        samples, _ = stored(output)
        twice = {one: count for one, count in (samples - self.wanted).items()}
        expect(not twice, f"{len(twice)} samples twice, or never put there")
        lost = self.wanted - samples
        expect(not lost, f"{len(lost)} pairs are lost")
        files = {"keep": self.watched, "delete": None}.get(self.after, self.aside)
        if files is self.aside:
            names = Counter(path.name for path in self.aside.rglob("*") if path.is_file())
            expect(all(count == 1 for count in names.values()), f"moved twice: {names}")
        if files:
            found = len([path for path in files.rglob("*.jpg")])
            wanted = sum(1 for _ in files.rglob("*.txt"))
            expect(found == wanted, f"{found} pictures and {wanted} captions in {files}")


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def frames_in(spool):
    """Numbers of the frames that are whole in a spool, by docs/formats.md. (Payloads are taken at their
    length: a checksum of each would take Python minutes.)"""
    found = set()
    for path in sorted(spool.glob("*.spool")):
        data, at = path.read_bytes(), 0
        while at + HEADER.size <= len(data):
            magic, _, _, _, length, _, _, crc = HEADER.unpack_from(data, at)
            expect(magic == b"PGSP", f"{path}: no frame at {at}")
            expect(crc32c(data[at : at + 28]) == crc, f"{path}: the header at {at} is damaged")
            end = at + HEADER.size + length
            if end > len(data):
                break
            found.add(number_in(data[at:end]))
            at = end
    return found


class CaptureRound:
    """A camera whose frames go through a spool."""

    kind = "capture"

    def __init__(self, program, model, rng, folder):
        self.rng, self.folder, self.out = rng, folder, folder / "kept"
        folder.mkdir(parents=True)
        config = folder / "c.toml"
        sync = rng.choice(['sync = "always"', "sync_ms = 20", "sync_ms = 500"])
        config.write_text(
            f"[capture]\non_full = \"spool\"\nplaces = 200\n[spool]\nmax_bytes = \"64 MiB\"\n{sync}\n"
            f"[storage]\nshard_pairs = {rng.choice([5, 30])}\nsync_ms = {rng.choice([5, 100])}\n"
        )
        arguments = [program, "capture", "-", "-o", self.out, "--model", model, "-t=-1", "--rules", "none"]
        arguments += ["--caption", "a picture, number {number}", "--config", config]
        self.program = Program(arguments, folder, stdin=True)
        self.sources, self.sent, self.promised = jpegs(), 0, set()

    def feed(self, pipe, stop):
        """Writes frames as a camera does, to a process that may be gone at any time."""
        try:
            while not stop.is_set():
                frame = numbered(self.rng.choice(self.sources), self.sent)
                self.sent += 1
                pipe.write(frame)
                pipe.flush()
                time.sleep(self.rng.random() * 0.02)
        except (BrokenPipeError, ValueError):
            pass

    def start(self):
        process, stop = self.program.start(), threading.Event()
        feeder = threading.Thread(target=self.feed, args=(process.stdin, stop), daemon=True)
        feeder.start()
        return feeder, stop

    def run(self, kills):
        for _ in range(kills):
            feeder, stop = self.start()
            time.sleep(self.rng.choice([0.1, 0.5, 1.0, 2.0]) * (0.5 + self.rng.random()))
            self.program.kill()
            stop.set()
            feeder.join()
            self.promised |= frames_in(self.out / "spool")
        feeder, stop = self.start()
        time.sleep(1.0)
        stop.set()
        feeder.join()
        output = Output(self.program.arguments[0], self.out)
        self.program.wait_until("its start", lambda: self.program.is_up(self.out))
        self.program.wait_until("nothing waits", lambda: self.is_idle(output))
        self.program.stop()
        self.check(output)

    def is_idle(self, output):
        """All frames of the last start are decided."""
        before = len(output.records())
        time.sleep(2.0)
        numbers = frames_in(self.out / "spool")
        return len(output.records()) == before and before >= len(self.promised | numbers)

    def check(self, output):
        records = check_output(output, self.out)
        _, numbers = stored(output)
        twice = [number for number, count in numbers.items() if count > 1]
        expect(not twice, f"frames twice: {twice[:5]}")
        strange = [number for number in numbers if number is None or number >= self.sent]
        expect(not strange, f"frames that were never sent: {strange[:5]}")
        lost = sorted(self.promised - set(numbers))
        expect(not lost, f"{len(lost)} frames that were in the spool are lost: {lost[:5]}")
        expect(len(records) == sum(numbers.values()), f"{len(records)} records, {sum(numbers.values())} samples")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0].rstrip(":"))
    parser.add_argument("program", type=Path, help="the program, such as target/release/pairgate")
    parser.add_argument("--times", type=int, default=1000, help="end after so many kills [1000]")
    parser.add_argument("--seed", type=int, help="what the rounds are made from [random]")
    parser.add_argument("--first", type=int, default=0, help="number of the first round, to repeat one")
    parser.add_argument("--only", choices=["watch", "capture"], help="one of the commands alone")
    args = parser.parse_args()
    args.program = args.program.resolve()
    args.seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    return args


def main():
    args = arguments()
    print(f"seed {args.seed}", flush=True)
    work = Path(tempfile.mkdtemp(prefix="pairgate-watch-kill-"))
    model = tiny_model(args.program, work)
    total, failures, number, begun = Counter(), 0, args.first, time.monotonic()
    while sum(total.values()) < args.times:
        rng = random.Random(f"{args.seed} {number}")
        kinds = {"watch": WatchRound, "capture": CaptureRound}
        maker = kinds[args.only] if args.only else rng.choice(list(kinds.values()))
        kills = min(rng.randrange(1, 6), args.times - sum(total.values()))
        folder = work / f"round-{number}"
        round_ = maker(args.program, model, rng, folder)
        try:
            round_.run(kills)
            shutil.rmtree(folder)
        except (Fault, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as why:
            failures += 1
            print(f"round {number}, {round_.kind}: {type(why).__name__}: {why}\n  {folder}", flush=True)
        finally:
            if round_.program.process.poll() is None:
                round_.program.process.kill()
        total[round_.kind] += kills
        number += 1
        told = ", ".join(f"{count} of {kind}" for kind, count in sorted(total.items()))
        print(f"{time.monotonic() - begun:6.0f} s: {number - args.first} rounds, {told}, {failures} failures", flush=True)
    if failures:
        print(f"failed rounds are in {work}")
        sys.exit(1)
    shutil.rmtree(work)
    print("ok")


if __name__ == "__main__":
    main()
