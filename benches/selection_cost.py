"""What a selection costs a run: CPU seconds a pair of `score` and of `score --select`, by turns, and peak memory.

    python models/export/open_clip_export.py ViT-B-32 --random-init -o exported/vit
    pairgate model import exported/vit -o bundles/vit --set licence=none
    python benches/selection_cost.py target/release/pairgate bundles/vit SHARD...

Needs NumPy. The state is fitted on made-up embeddings under the model's digest: what a pair costs depends on the
sizes alone. Seconds are user's and system's, of the whole program less those of a run over one pair, so that loading
does not count. Times on a shared machine mean nothing by themselves: see how they differ by turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

METHOD = "all(contrast bank {bank} keep 90%, clusters k {k} keep 90%)"


def run(*words):
    """CPU seconds and peak memory in MiB of a command."""
    command = [str(word) for word in words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {errors}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def first_pair(shard, folder):
    """A tar of the first pair alone."""
    path = folder / "one.tar"
    with tarfile.open(shard) as tar, tarfile.open(path, "w") as one:
        key = None
        for member in tar:
            key = key or member.name.split(".", 1)[0]
            if member.name.split(".", 1)[0] != key:
                break
            one.addfile(member, tar.extractfile(member))
    return path


def pool(folder, like, pairs):
    """Scores and embeddings of made-up pairs, under the model of recorded ones."""
    with np.load(like) as file:
        model, dimension = file["model"], file["image"].shape[1]
    draw = np.random.default_rng(1)
    rows = lambda: draw.normal(size=(pairs, dimension))
    unit = lambda rows: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
    uids = [f"{number:032x}" for number in range(pairs)]
    row = lambda uid: {"uid": uid, "key": uid, "shard": "made-up", "score": 0.1, "reason": None, "sha256": 64 * "0"}
    more = {"caption_length": 20, "width": 224, "height": 224}
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps(row(uid) | more) + "\n" for uid in uids))
    covers = np.array(b"all", "S4")
    np.savez(folder / "pool.npz", image=unit(rows()), text=unit(rows()), uid=np.array(uids, "S32"), model=model, covers=covers)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--clusters", type=int, default=1000)
    parser.add_argument("--bank", type=int, default=4096)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        one, state = first_pair(args.shards[0], folder), folder / "a.pgsel"
        score = [args.program, "score", "--model", args.bundle, "--rules", "none"]
        run(*score, one, "--embeddings", "-o", folder / "like.jsonl")
        scores = pool(folder, folder / "like.npz", max(args.bank, args.clusters) + 1000)
        method = METHOD.format(bank=args.bank, k=args.clusters)
        run(args.program, "select", "fit", scores, "-m", method, "-t=-0.9", "--model", args.bundle, "-o", state)
        ways = {"score": [], "score --select": ["--select", state]}
        seconds, memory = {way: [] for way in ways}, {way: [] for way in ways}
        for turn in range(args.turns):
            for way, options in list(ways.items())[:: 1 if turn % 2 else -1]:
                begin, _ = run(*score, one, *options, "-o", folder / "one.jsonl")
                whole, peak = run(*score, *args.shards, *options, "-o", folder / "all.jsonl")
                pairs = len((folder / "all.jsonl").read_text().splitlines())
                seconds[way].append(1000 * (whole - begin) / (pairs - 1))
                memory[way].append(peak)
        print(f"{method}, {state.stat().st_size / 2**20:.1f} MiB; {pairs} pairs, {args.turns} turns")
        for way in ways:
            each = " ".join(f"{value:.2f}" for value in seconds[way])
            print(f"{way:15} {statistics.median(seconds[way]):6.2f} ms CPU a pair ({each}); {max(memory[way]):.0f} MiB")
        by_turn = [b / a - 1 for a, b in zip(*seconds.values())]
        more = statistics.median(seconds["score --select"]) / statistics.median(seconds["score"]) - 1
        print(f"more: {more:+.1%} of medians; by turns {' '.join(f'{value:+.1%}' for value in by_turn)}")


if __name__ == "__main__":
    main()
