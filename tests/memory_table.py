#!/usr/bin/env python3
"""A table of runs under their least memory ceilings: python3 tests/memory_table.py BINARY

For each run the least `memory.ceiling_bytes` that the program accepts is searched for; then the run
is made under it, and its peak of resident memory (`peak_memory_bytes` of the summary, Linux's VmHWM)
is held against it. Exit 1 if a run is over its ceiling, or fails.

  --pictures PATH   a folder with pictures, or a tar of them; default: tests/data/pairs
  --short           three small runs
  --keep-inputs DIR make the inputs there, and leave them (default: a temporary folder)
"""

import argparse
import io
import itertools
import json
import pathlib
import random
import re
import subprocess
import sys
import tarfile
import tempfile

MIB = 1 << 20
IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

# Small bounds, so that what a run takes beside them shows.
CONFIG = """
[memory]
ceiling_bytes = {ceiling}
[image]
max_side = 1024
max_decode_bytes = "1 MiB"
[sample]
max_sample_bytes = "{sample}"
max_caption_bytes = "{caption}"
[pipeline]
workers = {workers}
batch = {batch}
queue = 8
max_bytes_in_flight = "{flight}"
"""


def pictures(path):
    """The bytes of the pictures at a path, and their extensions."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGES)
        return [(p.suffix.lower(), p.read_bytes()) for p in files]
    found = []
    with tarfile.open(path) as tar:
        for member in tar:
            suffix = pathlib.PurePath(member.name).suffix.lower()
            if member.isfile() and suffix in IMAGES:
                found.append((suffix, tar.extractfile(member).read()))
    return found


def write_tar(path, samples):
    """A shard of (picture's extension, picture, caption)."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, (suffix, picture, caption) in enumerate(samples):
            for extension, data in ((suffix, picture), (".txt", caption)):
                entry = tarfile.TarInfo(f"{number:09}{extension}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


def vocabulary(count):
    """Distinct made-up words, always the same."""
    source = random.Random(count)
    letters = "eeeeaaatttoooiinnsshhrrdlcumwfgypbvkjxqz"
    made = set()
    while len(made) < count:
        made.add("".join(source.choices(letters, k=source.randint(3, 12))))
    return sorted(made)


def plain(shown, count):
    """Every picture in turn, with captions whose words are as often as words are: by their rank."""
    source, known = random.Random(1), vocabulary(20_000)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(known) + 1)))
    for picture in itertools.islice(itertools.cycle(shown), count):
        yield *picture, " ".join(source.choices(known, cum_weights=weights, k=source.randint(3, 30))).encode()


def lengths(shown):
    """Captions of 1 byte to 1 MiB, of what takes tokenizers the most memory."""
    texts = ["a", "a ", "7", "!?", "\u4e00\u4e8c", "\U0001f600", "\u00c3\u00a9", "&amp;", "\ufdfa", "word "]
    texts += ["e" + 40 * "\u0301", "\u00e2\u20ac\u2122 "]
    for power, text in itertools.product(range(0, 21), texts):
        unit = text.encode()
        yield *shown[power % len(shown)], (unit * max(1, (1 << power) // len(unit)))[: 1 << power]


def words(shown, at_once):
    """50,000 distinct words, some in each caption."""
    known = vocabulary(50_000)
    random.Random(2).shuffle(known)
    for start in range(0, len(known), at_once):
        yield *shown[start % len(shown)], " ".join(known[start : start + at_once]).encode()


def many(count):
    """As many pairs as there may be in one shard. Their picture is none, so that they are kept as
    faulty ones, without the minutes that the model would take."""
    return ((".jpg", b"no picture", b"a caption") for _ in range(count))


class Inputs:
    """The inputs, made when they are asked for."""

    def __init__(self, folder, shown, short):
        self.folder = folder
        self.makers = {
            "plain": lambda: plain(shown, 60 if short else 2000),
            "lengths": lambda: lengths(shown),
            "words": lambda: words(shown, 12),
            "one-caption": lambda: words(shown, 50_000),
            "many": lambda: many(400_000),
            "one": lambda: plain(shown, 1),
        }

    def path(self, name):
        path = self.folder / f"{name}.tar"
        if not path.exists():
            write_tar(path, self.makers[name]())
        return path


def runs(short):
    """Input, arguments, workers, and what is not as usual in the config."""
    everything = ["filter", "--rules", "none", "--threshold=-1", "-o"]
    one_shard = [*everything[:-1], "--on-error", "keep", "--shard-size", "1000000", "-o"]
    keep = ["filter", "--rules", "none", "--keep", "15%", "-o"]
    score = ["score", "-o"]
    if short:
        return [("plain", everything, 1, {}), ("plain", keep, 2, {}), ("plain", score, 2, {})]
    long = {"caption": "1 MiB", "sample": "2 MiB", "flight": "4 MiB", "batch": 2}
    return [
        *(("plain", everything, workers, {}) for workers in (1, 2, 8)),
        *(("lengths", everything, workers, long) for workers in (1, 2)),
        *(("words", everything, workers, {}) for workers in (1, 8)),
        ("one-caption", everything, 1, long),
        *(("many", one_shard, workers, {}) for workers in (1, 2)),
        ("plain", keep, 2, {}),
        ("plain", score, 2, {}),
    ]


class Run:
    """One line of the table."""

    def __init__(self, binary, folder, inputs, name, arguments, workers, special):
        self.binary, self.folder, self.inputs = binary, folder, inputs
        self.name, self.arguments, self.workers = name, arguments, workers
        usual = {"sample": "1 MiB", "caption": "1 KiB", "flight": "2 MiB", "batch": 8}
        self.special = usual | special

    def command(self, ceiling, input_path, output):
        config = self.folder / "config.toml"
        config.write_text(CONFIG.format(ceiling=ceiling, workers=self.workers, **self.special))
        tail = [str(output), "--config", str(config), "--json"]
        return [self.binary, self.arguments[0], str(input_path), *self.arguments[1:], *tail]

    def output(self, part):
        output = self.folder / f"out-{part}"
        subprocess.run(["rm", "-rf", str(output)], check=True)
        return output.with_suffix(".parquet") if self.arguments[0] == "score" else output

    def start(self, ceiling, name, part):
        output = self.output(part)
        command = self.command(ceiling, self.inputs.path(name), output)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        for path in (output, *output.glob("*")) if output.is_dir() else (output,):
            if path.is_file():
                path.unlink()
        return done

    def is_accepted(self, ceiling):
        done = self.start(ceiling, "one", "search")
        if "is too low" in done.stderr:
            return False
        if done.returncode > 1:
            sys.exit(f"{' '.join(done.args)}: {done.stderr}")
        return True

    def least_ceiling(self):
        low, high = 16 * MIB, 32 * MIB
        while not self.is_accepted(high):
            low, high = high, 2 * high
        while high - low > MIB // 8:
            middle = (low + high) // 2
            low, high = (low, middle) if self.is_accepted(middle) else (middle, high)
        return high

    def measure(self):
        ceiling = self.least_ceiling()
        done = self.start(ceiling, self.name, "run")
        # What is resident at the start differs a little from one start to the next.
        while "is too low" in done.stderr:
            ceiling += MIB // 8
            done = self.start(ceiling, self.name, "run")
        found = re.search(r'"peak_memory_bytes": (\d+)', done.stdout)
        if found is None:
            return ceiling, None, done.stderr.strip().splitlines()[-1:] or ["no summary"]
        summary = json.loads(done.stdout)
        return ceiling, int(found[1]), summary.get("in")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary")
    default = pathlib.Path(__file__).parent / "data" / "pairs"
    parser.add_argument("--pictures", type=pathlib.Path, default=default)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--keep-inputs", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        kept = args.keep_inputs or folder
        kept.mkdir(parents=True, exist_ok=True)
        inputs = Inputs(kept, pictures(args.pictures), args.short)
        row = "{:<46}{:<9}{:>8}{:>8}{:>14}{:>12}  {}"
        print(row.format("command", "input", "workers", "pairs", "ceiling MiB", "peak MiB", ""))
        over = 0
        for name, arguments, workers, special in runs(args.short):
            ceiling, peak, pairs = Run(args.binary, folder, inputs, name, arguments, workers, special).measure()
            is_ok = peak is not None and peak <= ceiling
            over += not is_ok
            shown = " ".join(a for a in arguments if a not in ("-o", "--rules", "none", "--threshold=-1"))
            peaked = "-" if peak is None else f"{peak / MIB:.1f}"
            verdict = "ok" if is_ok else "OVER" if peak else f"failed: {pairs}"
            count = pairs if isinstance(pairs, int) else "-"
            print(row.format(shown, name, workers, count, f"{ceiling / MIB:.1f}", peaked, verdict), flush=True)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
