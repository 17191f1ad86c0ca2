"""What each direct dependency is for, brings with it and costs, and whether all together stay bounded.

    python tests/dependencies.py --check         fails where Cargo.lock holds more packages than the ceiling
    python tests/dependencies.py                 the table of docs/dependencies.md, without times
    python tests/dependencies.py TIMINGS CPU     the same with times

TIMINGS is the cargo-timing.html that `cargo build --release --locked --timings` leaves of a build from
nothing, CPU the seconds of user time that it took (`time`): shared machines make the clock useless, so
times are shares of that. Needs Python 3.11 or later and cargo, no network.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
# Packages in Cargo.lock, those for other systems, tests and benches included.
CEILING = 428
HOST = "x86_64-unknown-linux-gnu"


def check():
    lock = tomllib.loads((REPOSITORY / "Cargo.lock").read_text())
    count = len(lock["package"])
    print(f"{count} packages in Cargo.lock, {CEILING} are the ceiling")
    if count > CEILING:
        sys.exit("docs/dependencies.md says what to do")


def graph():
    """Names of the direct dependencies by package id, and the edges of what a build needs."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", HOST]
    about = json.loads(subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout)
    root = next(package for package in about["packages"] if package["name"] == "pairgate")
    names = {package["id"]: (package["name"], package["version"]) for package in about["packages"]}
    edges = {}
    for node in about["resolve"]["nodes"]:
        needed = [d for d in node["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"])]
        edges[node["id"]] = [dependency["pkg"] for dependency in needed]
    return root["id"], names, edges


def reached(start, edges, without=None):
    found, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        if here not in found and here != without:
            found.add(here)
            waiting += [to for to in edges[here] if not (here == start and to == without)]
    return found


def in_build():
    command = ["cargo", "tree", "--locked", "--edges=normal,build", "--prefix=none", f"--target={HOST}"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    return len({line.removesuffix(" (*)") for line in listed.splitlines() if line})


def purposes():
    """The comment behind each dependency in Cargo.toml."""
    text = (REPOSITORY / "Cargo.toml").read_text().split("[dependencies]")[1].split("[dev-dependencies]")[0]
    return dict(re.findall(r"^([\w-]+) = .*?#\s*(.*)$", text, re.MULTILINE))


def seconds(timings, cpu):
    """CPU seconds by name and version."""
    units = json.loads(re.search(r"const UNIT_DATA = (\[.*?\]);\n", Path(timings).read_text(), re.DOTALL)[1])
    total = sum(unit["duration"] for unit in units)
    found = {}
    for unit in units:
        key = unit["name"], unit["version"]
        found[key] = found.get(key, 0) + unit["duration"] / total * cpu
    return found


def table(times):
    root, names, edges = graph()
    whole, purpose = reached(root, edges), purposes()
    rows = []
    for direct in edges[root]:
        # What is also needed by another one stays when this one goes.
        alone = whole - reached(root, {**edges, root: [to for to in edges[root] if to != direct]})
        shared = not alone
        own, cost = times.get(names[direct], 0), sum(times.get(names[package], 0) for package in alone)
        rows.append((cost, names[direct][0], purpose.get(names[direct][0], ""), shared, len(alone), own))
    print("| crate | for | brings | s, itself | s, with what it brings |" if times else "| crate | for | brings |")
    print("|---|---|---:|---:|---:|" if times else "|---|---|---:|")
    for cost, name, text, shared, count, own in sorted(rows, key=lambda row: (-row[0], -row[4], row[1])):
        brings = "others need it too" if shared else str(count)
        print(f"| {name} | {text} | {brings} |" + (f" {own:.1f} | {cost:.1f} |" if times else ""))
    print(f"\n{in_build()} packages in a build, pairgate among them")
    if times:
        print(f"pairgate itself: {times.get(names[root], 0):.0f} s of {sum(times.values()):.0f} s")


if sys.argv[1:] == ["--check"]:
    check()
elif len(sys.argv) in (1, 3):
    table(seconds(sys.argv[1], float(sys.argv[2])) if len(sys.argv) == 3 else {})
else:
    sys.exit(__doc__)
