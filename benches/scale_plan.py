"""A plan on paper for very many pairs: hours, losses, bytes and files, and what breaks first.

    python3 benches/scale_plan.py                               10 billion pairs, by the figures below
    python3 benches/scale_plan.py --nodes 20 --cores 64 --lost-after 6
    python3 benches/scale_plan.py --measure target/release/pairgate SHARD...

Standard library only. Figures a pair and an output come from `--measure`, which runs the program on shards of
yours and prints the options to give here; the defaults are what it printed for photos as published (docs/scale.md).
Everything else is said by you: how many machines, what a core-hour costs, how often a machine is taken away.

The schedule is simulated, shard by shard: a free core takes the next shard; machines differ in speed, shards in
cost; a machine that is taken away loses the shards that it was at, which are begun again elsewhere. Nothing else is
lost: that is what the contract of a shard holds.
"""

import argparse
import heapq
import math
import os
import random
import resource
import shutil
import statistics
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

HOUR = 3600.0
# Names in one folder from which file systems and listings are slow; objects that one listing of a store gives.
MANY_NAMES, LISTING = 1_000_000, 1000


# ---- Measuring


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def pairs_in(shard):
    with tarfile.open(shard) as tar:
        return len({member.name.split(".", 1)[0] for member in tar if member.isfile()})


def rate_of(program, shard, turns):
    """Pairs a second of processor time on one core, without what starting takes."""
    def run(times):
        with tempfile.TemporaryDirectory() as folder:
            inputs = [Path(folder) / f"{number:04}.tar" for number in range(times)]
            for path in inputs:
                path.symlink_to(Path(shard).resolve())
            return cpu_seconds([program, "filter", *inputs, "--one-to-one", "-w", "1", "-o", f"{folder}/kept"])

    seconds = statistics.median(run(4) - run(1) for _ in range(turns))
    return 3 * pairs_in(shard) / seconds


def sizes_of(program, shards):
    """Bytes a pair of the input, its journal and table; of a sketch and a marker; seconds to merge an output."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = []
        for number, shard in enumerate(shards):
            inputs.append(Path(folder) / f"{number:04}.tar")
            shutil.copyfile(shard, inputs[-1])
        pairs = sum(map(pairs_in, inputs))
        total = {}
        for command in ("filter", "score"):
            out = Path(folder) / command
            cpu_seconds([program, command, *inputs, "--one-to-one", "-o", out])
            for path in out.iterdir():
                if path.is_file():
                    kind = "marker" if path.name.endswith("_stats.json") else path.suffix.lstrip(".")
                    total[command, kind] = total.get((command, kind), 0) + path.stat().st_size
        many = Path(folder) / "many"
        small = Path(__file__).parents[1] / "tests" / "data" / "pairs"
        copies = [Path(folder) / "small" / f"{number:05}.tar" for number in range(300)]
        copies[0].parent.mkdir()
        with tarfile.open(copies[0], "w") as tar:
            for path in sorted(small.iterdir()):
                tar.add(path, path.name)
        for path in copies[1:]:
            os.link(copies[0], path)
        cpu_seconds([program, "filter", *copies, "--one-to-one", "-o", many])
        begin = time.monotonic()
        cpu_seconds([program, "merge", many, "--quick"])
        merge = (time.monotonic() - begin) / len(copies)
        return {
            "bytes": sum(path.stat().st_size for path in inputs) / pairs,
            "journal": total["filter", "pairgate"] / pairs,
            "table": total.get(("filter", "parquet"), 0) / pairs,
            "sketch": total["filter", "sketch"] / len(inputs),
            "marker": total["filter", "marker"] / len(inputs),
            "scores_marker": total["score", "marker"] / len(inputs),
            "merge": merge,
        }


def measure(program, shards):
    rates = [rate_of(program, shard, 3) for shard in shards]
    for shard, rate in zip(shards, rates):
        print(f"{shard}: {rate:.0f} pairs/s a core")
    sizes = sizes_of(program, shards)
    mean = statistics.harmonic_mean(rates)
    spread = statistics.stdev(map(math.log, rates)) if len(rates) > 1 else 0.0
    options = {"rate": mean, "spread": spread, **sizes}
    print(" ".join(f"--{name.replace('_', '-')} {value:.4g}" for name, value in options.items()))


# ---- The schedule


class Machine:
    """One that is taken away at random, and is back, or another in its place, a while later."""

    def __init__(self, args):
        self.args, self.speed, self.taken = args, random.lognormvariate(0, 0.1), 0.0
        self.returns()

    def returns(self):
        """It is here; draws when it is taken next."""
        stays = random.expovariate(1 / self.args.lost_after) if self.args.lost_after else math.inf
        self.here, self.taken = self.taken, self.taken + stays

    def here_from(self, now):
        """From when on it can work."""
        while self.taken <= now:
            self.taken += self.args.back_after
            self.returns()
        return max(now, self.here)


def simulate(args, shard_pairs, seed=1):
    """Hours until all is done and until 99 % is, the share of work that was lost, the most attempts at one shard."""
    random.seed(seed)
    shards = math.ceil(args.pairs / shard_pairs)
    # Very many shards go in groups, so that a simulation takes seconds; of a group one shard at most is lost.
    group = max(1, shards // 200_000)
    mean = shard_pairs * group / args.rate / HOUR
    machines = [Machine(args) for _ in range(args.nodes)]
    free = [(0.0, slot % args.nodes) for slot in range(args.nodes * args.cores)]
    # What is to be done: the hours that each group takes, and how often it was begun.
    left = [(mean * random.lognormvariate(0, args.spread / math.sqrt(group)), 0) for _ in range(math.ceil(shards / group))]
    # What was lost, with the time from which on it can be begun again.
    again = []
    lost = work = 0.0
    attempts, ends = 1, []
    while left or again:
        now, number = heapq.heappop(free)
        machine = machines[number]
        now = machine.here_from(now)
        if again and (again[0][0] <= now or not left):
            since, hours, begun = heapq.heappop(again)
            now = machine.here_from(max(now, since))
        else:
            hours, begun = left.pop()
        attempts = max(attempts, begun + 1)
        end = now + hours / machine.speed
        if machine.taken < end:
            done = machine.taken - now
            at_hand = done % (hours / group)
            lost, work, end = lost + at_hand, work + done - at_hand, machine.taken
            rest = hours - (done - at_hand) * machine.speed if group > 1 else hours
            heapq.heappush(again, (end, rest, begun + 1))
        else:
            work += end - now
            ends.append(end)
        heapq.heappush(free, (end, number))
    ends.sort()
    return ends[-1], ends[int(0.99 * len(ends))], lost / (work + lost), attempts


# ---- The plan


def scaled(value, unit="B"):
    for prefix in ("", "k", "M", "G", "T"):
        if value < 1000:
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000
    return f"{value:.3g} P{unit}"


def plan(args):
    cores = args.nodes * args.cores
    shards = math.ceil(args.pairs / args.shard)
    hours, most, lost, attempts = simulate(args, args.shard)
    node_bytes = args.cores * args.rate * args.bytes
    paid = hours * cores
    rows = [
        ("pairs, shards", f"{args.pairs:.3g}, {shards:,} of {args.shard:,}"),
        ("machines, cores", f"{args.nodes} of {args.cores}, {cores:,}"),
        ("core-hours of work", f"{args.pairs / args.rate / HOUR:,.0f}"),
        ("hours; until 99 % is done", f"{hours:.1f}; {most:.1f}"),
        ("work lost to machines that are taken", f"{lost:.2%}, a shard begun {attempts} times at most"),
        ("cost", f"{paid * args.price:,.0f} at {args.price:g} a core-hour" if args.price else "say --price"),
        ("read in all; a machine", f"{scaled(args.pairs * args.bytes)}; {scaled(node_bytes)}/s"),
        ("kept shards", scaled(args.pairs * args.keep * args.bytes)),
        ("journals; tables", f"{scaled(args.pairs * args.journal)}; {scaled(args.pairs * args.keep * args.table)}"),
        ("markers, of scores; sketches", f"{scaled(shards * args.scores_marker)}; {scaled(shards * args.sketch)}"),
        ("files", f"{5 * shards:,}"),
        ("merge --quick, one core", f"{shards * args.merge / HOUR:.2g} hours"),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")
    print("\nshard size   hours   lost   begun at most   files")
    for pairs in (1_000, 10_000, 100_000, 1_000_000):
        end, _, lost, attempts = simulate(args, pairs)
        files = 5 * math.ceil(args.pairs / pairs)
        print(f"{pairs:>10,}  {end:>6.1f}  {lost:>5.2%}  {attempts:>13}  {files:>10,}")
    print("\nwhat breaks first")
    for line in breaks(args, shards, node_bytes):
        print(f"- {line}")


def breaks(args, shards, node_bytes):
    limit = args.network * 1e9 / 8
    if node_bytes > limit:
        enough = int(limit / (args.rate * args.bytes))
        yield f"the network: {scaled(node_bytes)}/s a machine at {args.network:g} Gbit/s; {enough} cores are all that it feeds"
    else:
        yield f"not the network: {node_bytes / limit:.0%} of {args.network:g} Gbit/s a machine"
    if 5 * shards > MANY_NAMES:
        folders = math.ceil(5 * shards / MANY_NAMES)
        yield f"one output folder: {5 * shards:,} names; {folders} folders, or shards of {args.shard * folders:,} pairs"
        yield f"a listing of a store: {math.ceil(5 * shards / LISTING):,} requests to see what is done"
    if shards * args.merge > HOUR:
        yield f"merge on one core: {shards * args.merge / HOUR:.1f} hours; a folder at a time, side by side"
    journals = args.pairs * args.journal
    yield f"merge --keep: its second round reads {scaled(journals)} of journals at most, {journals / limit / HOUR:.1f} hours at the network's speed"
    yield f"merge without --quick: it reads all that is kept, {args.pairs * args.keep * args.bytes / limit / HOUR:,.0f} hours on one machine"
    if args.lost_after:
        hours = args.shard / args.rate / HOUR
        yield f"a shard takes {hours:.2g} hours of a core, a machine stays {args.lost_after:g}: see the table above"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--measure", nargs="+", metavar=("PROGRAM", "SHARD"), help="measure the figures instead")
    option("--pairs", type=float, default=1e10)
    option("--shard", type=int, default=10_000, help="pairs a shard [10000]")
    option("--nodes", type=int, default=100)
    option("--cores", type=int, default=32, help="cores a machine [32]")
    option("--network", type=float, default=10.0, help="Gbit/s a machine [10]")
    option("--price", type=float, default=0.0, help="of a core-hour, in your currency")
    option("--lost-after", type=float, default=12.0, help="mean hours until a machine is taken; 0: never [12]")
    option("--back-after", type=float, default=0.1, help="hours until it, or another, is back [0.1]")
    option("--keep", type=float, default=0.15, help="share that is kept [0.15]")
    for name, default, what in FIGURES:
        option(f"--{name}", type=float, default=default, help=f"{what} [{default:g}]")
    args = parser.parse_args()
    if args.measure:
        measure(args.measure[0], args.measure[1:])
    else:
        plan(args)


# Measured on photos as published; docs/scale.md says how.
FIGURES = (
    ("rate", 86.0, "pairs a second and core"),
    ("spread", 0.77, "spread of the shards' rates, of their logarithm"),
    ("bytes", 335e3, "bytes of a pair"),
    ("journal", 125.0, "bytes of a pair's record"),
    ("table", 181.0, "bytes of a kept pair's row"),
    ("sketch", 30e3, "bytes of a sketch, at most"),
    ("marker", 1325.0, "bytes of a marker"),
    ("scores-marker", 60e3, "bytes of a marker of scores, for 10,000 pairs"),
    ("merge", 4.7e-5, "seconds to merge an output"),
)

if __name__ == "__main__":
    main()
