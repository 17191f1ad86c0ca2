"""Kills pairgate at random moments, starts it again until it is done, and looks at what is there:

    pip install -r tests/requirements-kill.txt
    python tests/kill.py target/release/pairgate              1,000 kills
    python tests/kill.py target/release/pairgate --short      30 kills, for CI

A round is one command: `filter` (one pass, the two of --keep, standard input, --select), `capture` or `score`. What
--select remembers of earlier pairs (the last kept of each cluster, a source's scores) must be as it was.
It is stopped, mostly by SIGKILL, at a random time or when the k-th name appears in its folder, and
the same command is started again, until it ends by itself.

After each stop: every shard with its final name is whole, to tarfile and to webdataset; what is
damaged in the journal is at most the frame that was being written; `score` has no file, or all of it.
After a round: no command was refused; the output is byte for byte that of a run that was not stopped
(`capture`, whose keys tell the time: each sample has one record and each stored record one sample);
what was in a shard and in the journal when a process was stopped is there once.

The model is a tiny one of tests/data/models, which takes no part in what is tested, so that a run is
short. The folder of a round that fails is kept, with the state at each stop and the commands in `log.txt`.
"""

import argparse
import gzip
import hashlib
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
from collections import Counter
from pathlib import Path

try:
    import webdataset
except ImportError:
    webdataset = None

HERE = Path(__file__).parent
IMAGES = {"jpg", "png"}
PAIRS = 60
SHARD = re.compile(r"\d{5,}\.tar")
PARTIAL = re.compile(r"\.(\d{5,}\.tar)\.partial")
SETTLED = re.compile(r"(\d{5,}\.(tar|parquet)|\d{5,}_stats\.json|journal|\.pairgate\.lock)")
SEGMENT = re.compile(r"\d{8}\.(pairgate|header|checkpoint)")
LONGEST_S = 120
TIMES = ("duration", "start_time", "end_time")
STOPS = {signal.SIGKILL: "SIGKILL", signal.SIGTERM: "SIGTERM", signal.SIGINT: "SIGINT"}


class Fault(Exception):
    """What a round found wrong."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


# -------------------------------------------------------------------------------------- inputs


def pictures():
    """The pictures of tests/data/pairs with their captions, those that break rules among them."""
    folder = HERE / "data" / "pairs"
    images = sorted(path for path in folder.iterdir() if path.suffix[1:] in IMAGES)
    caption = lambda path: path.with_suffix(".txt").read_text().strip()
    return [(path.suffix[1:], path.read_bytes(), caption(path)) for path in images]


def sample(rng, number, sources):
    """Members of one pair by their extensions; about one in eight is broken."""
    kind, image, caption = rng.choice(sources)
    members = {kind: image}
    if number % 3 == 0:
        about = {"url": f"https://example.org/{number}", "caption": caption, "number": number}
        members["json"] = json.dumps(about).encode()
    if rng.random() < 0.9:
        caption = f"{caption} Picture {number}."
    members["txt"] = caption.encode()
    broken = rng.randrange(48)
    if broken == 0:
        members[kind] = image[: len(image) // 3]
    elif broken == 1:
        members[kind] = b"this is no picture"
    elif broken == 2:
        del members["txt"]
    elif broken == 3:
        del members[kind]
    elif broken == 4:
        members["txt"] = b"\xff\xfe\xff"
    elif broken == 5:
        members["json"] = b'{"caption": '
    return members


def tar_of(samples):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for key, members in samples:
            for extension, content in members.items():
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


class Inputs:
    """Tars, one compressed and one cut, a folder of loose pairs, all of it as one tar, and a stream
    of JPEG pictures. Two runs write the same bytes."""

    def __init__(self, folder):
        rng, sources = random.Random("inputs"), pictures()
        folder.mkdir()
        # The keys of the tars are the same, as those of img2dataset may be.
        samples = [sample(rng, number, sources) for number in range(4 * PAIRS)]
        shares = [[(f"{n:09}", samples[PAIRS * share + n]) for n in range(PAIRS)] for share in range(4)]
        shares[2][:3] = [(f"again-{n}", members) for n, (_, members) in enumerate(shares[0][:3])]
        self.paths = []
        for share, samples in enumerate(shares[:3]):
            data = tar_of(samples)
            name = f"{share:05}.tar" + (".gz" if share == 1 else "")
            data = gzip.compress(data, mtime=0) if share == 1 else data
            self.write(folder / name, data[: len(data) - 20_000] if share == 2 else data)
        (folder / "loose").mkdir()
        for key, members in shares[3][:40]:
            for extension, content in members.items():
                (folder / "loose" / f"{key}.{extension}").write_bytes(content)
        self.paths.append(folder / "loose")
        self.one_tar = folder / "all.tar"
        named = [(f"{share}-{key}", members) for share, part in enumerate(shares) for key, members in part]
        self.one_tar.write_bytes(tar_of(named))
        self.frames = [rng.choice([image for kind, image, _ in sources if kind == "jpg"]) for _ in range(200)]
        self.stream = folder / "camera.mjpeg"
        self.stream.write_bytes(b"".join(self.frames))

    def write(self, path, data):
        path.write_bytes(data)
        self.paths.append(path)


# ----------------------------------------------------------------------- what is in an output folder


def whole_members(path):
    """Names and bytes of the members of a tar that are whole, up to the first that is not."""
    size, found, end = path.stat().st_size, [], 0
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                end = member.offset_data + -(-member.size // 512) * 512
                if end > size:
                    break
                found.append((member.name, tar.extractfile(member).read(), end))
    except tarfile.ReadError:
        pass
    return found


def samples_of(path):
    """Samples in the tar's order: key, extensions, a digest of all members."""
    samples = []
    for name, data, _ in whole_members(path):
        key, extension = name.split(".", 1)
        if not samples or samples[-1][0] != key:
            samples.append((key, {}))
        samples[-1][1][extension] = data
    return samples


def digest(members):
    whole = hashlib.sha256()
    for extension, data in sorted(members.items()):
        whole.update(f"{extension} {len(data)} ".encode() + data)
    return whole.hexdigest()


def is_pair(members):
    return bool(IMAGES & set(members)) and ("txt" in members or b'"caption"' in members.get("json", b""))


def check_shard(path):
    """A shard with its final name is whole. Its samples as digests by key."""
    data = path.read_bytes()
    members = whole_members(path)
    end = members[-1][2] if members else 0
    expect(end and len(data) == end + 1024, f"{path.name}: ends at {len(data)}, its members at {end}")
    expect(not any(data[end:]), f"{path.name}: does not end in two blocks of zeros")
    samples = samples_of(path)
    keys = [key for key, _ in samples]
    expect(len(set(keys)) == len(keys), f"{path.name}: a key twice")
    for key, found in samples:
        expect(is_pair(found), f"{path.name}: {key} has {sorted(found)} only")
    if webdataset:
        read = webdataset.WebDataset(str(path), shardshuffle=False, empty_check=False)
        read = [(one["__key__"], {name for name in one if not name.startswith("__")}) for one in read]
        same = read == [(key, set(found)) for key, found in samples]
        expect(same, f"{path.name}: webdataset reads other samples")
    return {key: digest(found) for key, found in samples}


class Output:
    """An output folder as it is now."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder

    def shards(self):
        found = self.folder.iterdir() if self.folder.is_dir() else []
        return sorted(path for path in found if SHARD.fullmatch(path.name))

    def samples(self, checked):
        """Digests of the samples of all shards by shard and key. `checked` holds the stats and the
        samples of shards that were looked at before."""
        samples = {}
        for path in self.shards():
            stat = path.stat()
            state = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if checked.get(path.name, (None,))[0] != state:
                checked[path.name] = (state, check_shard(path))
            samples.update({(path.name, key): value for key, value in checked[path.name][1].items()})
        return samples

    def unfinished(self):
        """Samples in shards that have their temporary name, as far as their members are whole."""
        samples = {}
        for path in self.folder.iterdir() if self.folder.is_dir() else []:
            if named := PARTIAL.fullmatch(path.name):
                samples.update({(named[1], key): members for key, members in samples_of(path)})
        return samples

    def segments(self):
        folder = self.folder / "journal"
        return sorted(folder.glob("*.pairgate")) if folder.is_dir() else []

    def records(self):
        """All records that are whole."""
        if not self.segments():
            return []
        run = subprocess.run([self.program, "journal", "cat", self.folder], capture_output=True, text=True)
        expect(run.returncode in (0, 1), f"journal cat: {run.returncode}, {run.stderr}")
        return [json.loads(line) for line in run.stdout.splitlines()]

    def check_journal(self, settled, whole):
        """A run that is killed may leave a segment that is empty yet, half a frame at the journal's
        end, and shards that its records are not of; all else needs a hand."""
        if not self.segments():
            expect(not settled and not self.shards(), "there is no journal")
            return
        run = subprocess.run([self.program, "journal", "check", self.folder], capture_output=True, text=True)
        said = (run.stdout + run.stderr).strip()
        expect(run.returncode in (0, 1), f"journal check: {run.returncode}, {said}")
        expect(run.returncode == 0 or not whole, f"journal check: {said}")
        if "DAMAGED" not in said:
            return
        command = [self.program, "journal", "check", "--json", self.folder]
        about = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
        last = self.segments()[-1]
        size = last.stat().st_size
        is_tail = size == 0 or len(about["damage"]) == 1 and about["damage"][0][1] == size
        expect(is_tail and about["damaged_files"] == [str(last)], f"journal check: {said}")


def published(folder):
    """Names of the shards and of the tables beside them."""
    return sorted(path.name for path in folder.glob("[0-9]*") if path.suffix in (".tar", ".parquet"))


def stored_at(record):
    stored = record.get("stored")
    return stored and (stored["shard"], stored["key"])


# ------------------------------------------------------------------------------------- commands


class Command:
    """A command that is killed: its arguments, and what feeds it."""

    def __init__(self, kind, arguments, stdin=None, frames=None, pause_s=0.0, exact=True):
        self.kind, self.arguments = kind, arguments
        self.stdin, self.frames, self.pause_s = stdin, frames, pause_s
        self.exact = exact

    def start(self, program, output, log):
        """Starts it, with its output appended to `log`."""
        arguments = [program, *(str(argument).replace("OUT", str(output)) for argument in self.arguments)]
        told = " ".join(map(str, arguments)) + (f" < {self.stdin}" if self.stdin else "")
        told += " < frames, one after the other" if self.frames else ""
        with log.open("a") as file:
            file.write(f"$ {told}\n")
        stdin = subprocess.PIPE if self.frames else (self.stdin or Path(os.devnull)).open("rb")
        with log.open("ab") as errors:
            process = subprocess.Popen(arguments, stdin=stdin, stdout=subprocess.PIPE, stderr=errors)
        if self.frames:
            threading.Thread(target=self.feed, args=(process.stdin,), daemon=True).start()
            process.stdin = None
        else:
            stdin.close()
        return process

    def feed(self, pipe):
        """Writes the frames as a camera does, to a process that may be gone at any time."""
        try:
            for frame in self.frames:
                pipe.write(frame)
                pipe.flush()
                time.sleep(self.pause_s)
            pipe.close()
        except BrokenPipeError:
            pass


def end_of(process):
    """Its exit code and what it has printed."""
    try:
        printed = process.communicate(timeout=LONGEST_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise Fault(f"it did not end within {LONGEST_S} s") from None
    return process.returncode, printed


class Commands:
    """All commands, with options that differ from round to round."""

    def __init__(self, inputs, folder, model, middle, state):
        self.inputs, self.folder, self.middle, self.state = inputs, folder, middle, state
        self.model = ["--model", model]

    def pick(self, rng):
        makers = [self.filter, self.keep, self.standard_input, self.select, self.capture, self.score]
        return rng.choices(makers, weights=[8, 5, 4, 6, 5, 3])[0](rng)

    def config(self, rng, name, more=""):
        """A config that says when pairs are brought to disk."""
        sync = rng.choice([f"sync_pairs = {n}\n" for n in range(6)] + ["sync_ms = 5\n", "sync_ms = 40\n"])
        path = self.folder / f"{name}-{hashlib.sha256((sync + more).encode()).hexdigest()[:8]}.toml"
        path.write_text(f"{more}[storage]\n{sync}")
        return ["--config", path]

    def storing(self, rng):
        size, workers = rng.choice([3, 11, 40, 1000]), rng.choice([1, 2, 3])
        annotated = ["--annotate"] if rng.random() < 0.2 else []
        options = ["--shard-size", size, "--workers", workers, "--batch", rng.choice([1, 8]), *annotated]
        rejected = ["--rejected", "OUT/rejected"] if rng.random() < 0.2 else []
        return [*options, *rejected, *self.config(rng, "storing"), "--json", "-o", "OUT/kept"]

    def threshold(self, rng):
        return ["--threshold", rng.choice([-1, self.middle])]

    def filter(self, rng):
        arguments = ["filter", *self.inputs.paths, *self.model, *self.threshold(rng), *self.storing(rng)]
        return Command("filter", arguments)

    def keep(self, rng):
        arguments = ["filter", *self.inputs.paths, *self.model, "--keep", "40%", *self.storing(rng)]
        return Command("filter --keep", arguments)

    def select(self, rng):
        source = rng.choice([["-"], self.inputs.paths])
        arguments = ["filter", *source, *self.model, "--threshold=-1", "--select", self.state, *self.storing(rng)]
        return Command("filter --select", arguments, stdin=self.inputs.one_tar if source == ["-"] else None)

    def standard_input(self, rng):
        arguments = ["filter", "-", *self.model, *self.threshold(rng), *self.storing(rng)]
        return Command("filter -", arguments, stdin=self.inputs.one_tar)

    def capture(self, rng):
        blocks = rng.random() < 0.5
        more = '[capture]\non_full = "block"\n' if blocks else ""
        more += f"[pipeline]\nworkers = {rng.choice([1, 2])}\n"
        sync = self.config(rng, "capture", more)
        sync[1].write_text(sync[1].read_text() + f"shard_pairs = {rng.choice([3, 11, 1000])}\n")
        caption = ["--caption", "A picture of a beach and the sea, number {number}."]
        selects = ["--select", self.state] if rng.random() < 0.3 else []
        options = [*caption, *self.model, *self.threshold(rng), *selects, *sync, "--json", "-o", "OUT/kept"]
        if rng.random() < 0.5:
            return Command("capture", ["capture", self.inputs.stream, *options], exact=False)
        frames, pause_s = self.inputs.frames, rng.choice([0.001, 0.004])
        return Command("capture", ["capture", "-", *options], frames=frames, pause_s=pause_s, exact=False)

    def score(self, rng):
        form = rng.choice(["jsonl", "csv", "parquet", "pairgate"])
        workers = rng.choice([1, 2, 3])
        options = [*self.model, "--workers", workers, "--json", "-o", f"OUT/scores.{form}"]
        return Command("score", ["score", *self.inputs.paths, *options])


class Reference:
    """What a run comes to that is not stopped, and how long it takes."""

    def __init__(self, program, command, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "log.txt").touch()
        begun = time.monotonic()
        process = command.start(program, folder, folder / "log.txt")
        self.code, printed = end_of(process)
        self.seconds = time.monotonic() - begun
        log = (folder / "log.txt").read_text()
        expect(self.code in (0, 1), f"a run that is not stopped ends with {self.code}: {log}")
        self.summary = json.loads(printed)
        output = Output(program, folder / "kept")
        self.names = len(list(folder.rglob("*")))
        self.records = output.records()
        self.samples = output.samples({})

    def took(self, seconds):
        """Another whole run took so long: other programs may need the processor too."""
        self.seconds = (self.seconds + seconds) / 2


class References:
    """One for each command; options that must not change a byte have the same one."""

    def __init__(self, program, folder):
        self.program, self.folder, self.known = program, folder, {}

    def of(self, command):
        said = [str(argument) for argument in command.arguments]
        free = {"--workers", "--batch", "--config"}
        key = (command.kind, *(word for at, word in enumerate(said) if not free & {word, said[at - 1]}))
        if key not in self.known:
            self.known[key] = Reference(self.program, command, self.folder / f"{len(self.known):03}")
        return self.known[key]


# --------------------------------------------------------------------------------------- rounds


class Round:
    """One command, stopped and started until it is done."""

    def __init__(self, program, command, reference, rng, folder):
        self.program, self.command, self.reference = program, command, reference
        self.rng, self.folder, self.log = rng, folder, folder / "log.txt"
        folder.mkdir()
        self.output = Output(program, folder / "kept")
        self.kills = self.signals = self.starts = 0
        self.promised, self.checked = {}, {}

    def note(self, text):
        with self.log.open("a") as file:
            file.write(text + "\n")

    def run(self):
        stops = self.rng.choice([1, 1, 2, 3, 5, 8])
        for _ in range(stops):
            if self.stopped():
                self.check_stopped()
            else:
                break
        else:
            self.starts += 1
            process = self.command.start(self.program, self.folder, self.log)
            self.finish(process)
        self.check_done()

    def stopped(self):
        """Starts the command and stops it; false where it was done before."""
        self.starts += 1
        process = self.command.start(self.program, self.folder, self.log)
        begun = time.monotonic()
        wait = self.await_moment(process)
        if self.starts == 1 and process.poll() is not None:
            self.reference.took(time.monotonic() - begun)
        with_what = self.rng.choices([signal.SIGKILL, signal.SIGTERM, signal.SIGINT], [8, 1, 1])[0]
        process.send_signal(with_what)
        self.code, self.printed = end_of(process)
        code = self.code
        self.note(f"  {STOPS[with_what]} {wait}; exit code {code}")
        if code == -with_what:
            self.kills += with_what == signal.SIGKILL
            self.signals += with_what != signal.SIGKILL
            return True
        # Capturing has no other end than to be told, so that SIGTERM is one.
        if code == 130 or (code == 0 and self.command.kind == "capture" and with_what == signal.SIGTERM):
            self.signals += 1
            return True
        return False

    def await_moment(self, process):
        """Waits for a random moment; what it was."""
        # A run that goes on has less to do.
        seconds, rng = self.reference.seconds / self.starts**0.5, self.rng
        if rng.random() < 0.55:
            # A shard comes and goes under temporary names too, and so do its statistics.
            names = rng.randint(1, 1 + 3 * self.reference.names // self.starts)
            return self.await_names(process, names, rng.choice([0, 0, rng.uniform(0, 0.004)]))
        wait = rng.uniform(0, seconds * rng.choice([1.15, 1.15, 0.4]))
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            pass
        return f"after {wait:.3f} s"

    def await_names(self, process, names, wait):
        """Waits until so many names have come or gone in the folder, and a moment more."""
        known, seen = self.names(), 0
        while seen < names and process.poll() is None:
            time.sleep(0.0001)
            now = self.names()
            seen, known = seen + len(known ^ now), now
        time.sleep(wait)
        return f"after {seen} new names"

    def names(self):
        found = set()
        for name in (".", "kept", "kept/journal", "kept/.first_pass", "kept/.first_pass/journal"):
            folder = self.folder / name
            try:
                found.update((folder, name) for name in os.listdir(folder))
            except FileNotFoundError:
                pass
        return found

    def finish(self, process):
        self.code, self.printed = end_of(process)
        self.note(f"  exit code {self.code}")

    def check_stopped(self):
        """What holds whenever a process is stopped; the state is kept beside."""
        expect("panicked" not in self.log.read_text(errors="replace"), "it panicked")
        if self.command.kind == "score":
            self.check_scores(done=False)
            return
        if self.output.folder.is_dir():
            shutil.copytree(self.output.folder, self.folder / f"stop-{self.starts:02}")
        samples = self.output.samples(self.checked)
        self.output.check_journal(settled=False, whole=self.code in (0, 130))
        records = {stored_at(record) for record in self.output.records()}
        samples.update(self.unfinished())
        for place, found in self.promised.items():
            expect(samples.get(place) == found, f"{place} was there before, and is gone or another")
        # What was stored and not recorded comes again, but from a camera.
        is_promised = lambda place: place in records or not self.command.exact
        self.promised.update({place: found for place, found in samples.items() if is_promised(place)})

    def unfinished(self):
        """Digests of the samples in shards that have their temporary name, without a last one that
        is not whole."""
        found = self.output.unfinished()
        for place in list(found)[-1:]:
            wanted = self.reference.samples.get(place)
            whole = digest(found[place]) == wanted if self.command.exact else "txt" in found[place]
            found = found if whole else {other: found[other] for other in found if other != place}
        return {place: digest(members) for place, members in found.items()}

    def check_scores(self, done):
        name = Path(str(self.command.arguments[-1])).name
        path, wanted = self.folder / name, self.reference.folder / name
        if path.exists() or done:
            expect(path.exists(), f"{name} is missing")
            expect(path.read_bytes() == wanted.read_bytes(), f"{name} is not what an unbroken run writes")

    def check_done(self):
        log = self.log.read_text(errors="replace")
        expect("panicked" not in log, "it panicked")
        expect(self.code in (0, 1), f"it ended with {self.code}: {log[-600:]}")
        if self.command.kind == "score":
            self.check_scores(done=True)
            expect(self.code == self.reference.code, f"exit code {self.code}, not {self.reference.code}")
            return
        samples, records = self.output.samples(self.checked), self.output.records()
        self.check_settled()
        self.check_records(records, samples)
        summary = json.loads(self.printed)
        total = {name: summary[name] for name in ("in", "kept", "rejected", "failed")}
        expect(total["in"] == sum(total.values()) - total["in"], f"the summary does not add up: {total}")
        # A summary of `capture` tells of the last start alone.
        if self.command.exact:
            expect(total["in"] == len(records), f"{len(records)} records, {total['in']} pairs in the summary")
        for place, found in self.promised.items():
            expect(samples.get(place) == found, f"{place} was stored and recorded at a stop, and is gone or another")
        if self.command.exact:
            self.check_exact(records, samples, total)
            self.check_again()

    def check_settled(self):
        """Nothing temporary is left, and nothing was put aside as damaged."""
        strange = [path.name for path in self.output.folder.iterdir() if not SETTLED.fullmatch(path.name)]
        journal = self.output.folder / "journal"
        strange += [path.name for path in journal.iterdir() if not SEGMENT.fullmatch(path.name)]
        expect(not strange, f"left in the folder: {strange}")
        self.output.check_journal(settled=True, whole=True)

    def check_records(self, records, samples):
        tickets = [record["ticket"] for record in records]
        expect(tickets == list(range(len(tickets))), "tickets are not 0, 1, 2, each once")
        stored = Counter(stored_at(record) for record in records if record.get("stored"))
        expect(all(count == 1 for count in stored.values()), "two records tell of one sample")
        lost, unknown = sorted(set(stored) - set(samples)), sorted(set(samples) - set(stored))
        expect(not lost, f"records without a sample: {lost[:5]}")
        expect(not unknown, f"samples without a record: {unknown[:5]}")
        kept = [record for record in records if record["verdict"] == "kept"]
        expect(len(kept) == len(stored), f"{len(kept)} records are kept, {len(stored)} are stored")
        if not self.command.exact:
            keys = Counter(key for _, key in samples)
            expect(all(count == 1 for count in keys.values()), "a key twice")
        self.check_stats(Counter(shard for shard, _ in samples))

    def check_stats(self, counts):
        for path in self.output.folder.glob("*_stats.json"):
            stats = json.loads(path.read_text())
            shard = path.name.replace("_stats.json", ".tar")
            expect(stats["successes"] == counts.pop(shard, None), f"{path.name} tells of other samples")
        expect(not counts, f"shards without stats: {sorted(counts)}")

    def check_exact(self, records, samples, total):
        """All is as in a run that was not stopped."""
        reference = self.reference
        wanted = reference.folder / "kept"
        ours, theirs = published(self.output.folder), published(wanted)
        expect(ours == theirs, f"there are {ours}, not {theirs}")
        for name in ours:
            same = (self.output.folder / name).read_bytes() == (wanted / name).read_bytes()
            expect(same, f"{name} is not that of an unbroken run")
        for record, other in zip(records, reference.records):
            expect(record == other, f"a record is {record}, not {other}")
        expect(len(records) == len(reference.records), f"{len(records)} records, not {len(reference.records)}")
        known = {name: reference.summary[name] for name in total}
        expect(total == known, f"the summary is {total}, not {known}")
        for path in self.output.folder.glob("*_stats.json"):
            ours, other = (json.loads(p.read_text()) for p in (path, reference.folder / "kept" / path.name))
            [one.pop(name) for one in (ours, other) for name in TIMES]
            expect(ours == other, f"{path.name} is {ours}, not {other}")

    def check_again(self):
        """The command has nothing more to do."""
        if self.rng.random() < 0.7:
            return
        process = self.command.start(self.program, self.folder, self.log)
        self.finish(process)
        expect(self.code == 0, f"a run that was done ends with {self.code}")
        expect("nothing to do" in self.log.read_text(errors="replace"), "a run that was done did something")
        before = {name: found for name, (found, _) in self.checked.items()}
        self.output.samples(self.checked)
        expect(before == {name: found for name, (found, _) in self.checked.items()}, "shards changed")


# ----------------------------------------------------------------------------------------- main


class Tally:
    """Rounds, kills and faults by command, told every few seconds."""

    def __init__(self):
        self.rows, self.told, self.begun = {}, 0.0, time.monotonic()

    def add(self, round_, failed):
        row = self.rows.setdefault(round_.command.kind, Counter())
        row.update(rounds=1, kills=round_.kills, signals=round_.signals, resumes=max(0, round_.starts - 1), failures=failed)

    def total(self, name):
        return sum(row[name] for row in self.rows.values())

    def tell(self, kills):
        if time.monotonic() - self.told < 5:
            return
        self.told = time.monotonic()
        counts = f"{self.total('rounds')} rounds, {self.total('kills')} of {kills} kills"
        print(f"{self.told - self.begun:6.0f} s: {counts}, {self.total('failures')} failures", flush=True)

    def print(self):
        names = ["rounds", "kills", "signals", "resumes", "failures"]
        print(f"\n{'command':<16}" + "".join(f"{name:>10}" for name in names))
        for kind, row in sorted(self.rows.items()):
            print(f"{kind:<16}" + "".join(f"{row[name]:>10}" for name in names))
        print(f"{'all':<16}" + "".join(f"{self.total(name):>10}" for name in names))


def tiny_model(program, folder):
    bundle = folder / "model"
    command = [program, "model", "import", HERE / "data/models/transformers-clip", "-o", bundle]
    run = subprocess.run(command, capture_output=True, text=True)
    expect(run.returncode == 0, f"the model cannot be imported: {run.stderr}")
    return bundle


def fitted_state(program, model, folder):
    """A state on the scores of `middle_score`. Pairs tell no such field, so that one source has all scores, and its cut
    moves; the same pictures come again and again, some after rings have forgotten them."""
    state = folder / "a.pgsel"
    method = "all(clusters k 4 keep 95%, sources by none follow 1 keep 90%, duplicates k 4 eps 0.001 ring 2)"
    command = [program, "select", "fit", folder / "middle.jsonl", "--model", model, "-t=-0.99", "-m", method, "-o", state]
    run = subprocess.run(command, capture_output=True, text=True)
    expect(run.returncode == 0, f"select fit ends with {run.returncode}: {run.stderr}")
    return state


def middle_score(program, inputs, model, folder):
    """The threshold that half of the scored pairs pass."""
    path = folder / "middle.jsonl"
    command = [program, "score", *inputs.paths, "--model", model, "--embeddings", "-o", path]
    run = subprocess.run(command, capture_output=True, text=True)
    expect(run.returncode in (0, 1), f"score ends with {run.returncode}: {run.stderr}")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    scores = sorted(line["score"] for line in lines if line["score"] is not None and line["reason"] is None)
    expect(len(scores) > 100, f"{len(scores)} of {len(lines)} pairs have a score")
    return round(scores[len(scores) // 2], 3)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0].rstrip(":"))
    parser.add_argument("program", type=Path, help="the program, such as target/release/pairgate")
    parser.add_argument("--rounds", type=int, help="so many rounds, however many kills they are")
    parser.add_argument("--first", type=int, default=0, help="number of the first round, to repeat one")
    parser.add_argument("--kills", type=int, default=1000, help="end after so many kills [1000]")
    parser.add_argument("--short", action="store_true", help="30 kills, for CI")
    parser.add_argument("--seed", type=int, help="what the rounds are made from [random]")
    args = parser.parse_args()
    args.program = args.program.resolve()
    args.kills = 30 if args.short else args.kills
    args.seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    return args


def play(args, number, commands, references, work, tally):
    rng = random.Random(f"{args.seed} {number}")
    command = commands.pick(rng)
    folder = work / f"round-{number}"
    round_ = Round(args.program, command, references.of(command), rng, folder)
    failed = True
    try:
        round_.run()
        failed = False
        shutil.rmtree(folder)
    except (Fault, OSError, ValueError, KeyError, subprocess.TimeoutExpired) as why:
        program = os.path.relpath(args.program)
        again = f"python tests/kill.py {program} --seed {args.seed} --first {number} --rounds 1"
        print(f"round {number}, {command.kind}: {type(why).__name__}: {why}\n  {folder}\n  again: {again}", flush=True)
        round_.note(f"{why}\nagain: {again}")
    tally.add(round_, failed)


def main():
    args, tally = arguments(), Tally()
    if not webdataset:
        print("webdataset is not installed: shards are read with tarfile alone", flush=True)
    print(f"seed {args.seed}", flush=True)
    work = Path(tempfile.mkdtemp(prefix="pairgate-kill-"))
    inputs = Inputs(work / "inputs")
    (work / "references").mkdir()
    model = tiny_model(args.program, work)
    middle = middle_score(args.program, inputs, model, work)
    commands = Commands(inputs, work, model, middle, fitted_state(args.program, model, work))
    references = References(args.program, work / "references")
    number = args.first
    while tally.total("kills") < args.kills if args.rounds is None else number < args.first + args.rounds:
        play(args, number, commands, references, work, tally)
        number += 1
        tally.tell(args.kills)
    tally.print()
    if tally.total("failures"):
        print(f"failed rounds and their references are in {work}")
        sys.exit(1)
    shutil.rmtree(work)
    print("ok")


if __name__ == "__main__":
    main()
