"""Scores from the pairgate program itself."""

import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np


def write_tar(path, files):
    """A tar of `(name, bytes)`."""
    with tarfile.open(path, "w") as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def members(number, pair):
    """The files of a pair."""
    meta = {} if pair.size is None else dict(zip(("original_width", "original_height"), pair.size))
    parts = {pair.extension: pair.image, "json": json.dumps(meta).encode(),
             "txt": pair.caption.encode()}
    return [(f"{number:08d}.{extension}", content) for extension, content in parts.items()]


class Gate:
    """`pairgate score` with the model in the program, or a bundle."""

    def __init__(self, program, model=None):
        self.command = [str(program), "score"] + (["--model", str(model)] if model else [])

    def run(self, source, out):
        """One dict a pair, in the input's order."""
        done = subprocess.run([*self.command, str(source), "--output", str(out)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if not out.exists():
            sys.exit(f"{' '.join(self.command)} {source}: exit {done.returncode}\n{done.stderr}")
        if done.returncode:
            print(f"note: exit status {done.returncode} on {source}", file=sys.stderr)
        return [json.loads(line) for line in out.read_text().splitlines() if line.strip()]

    def score(self, pairs):
        """`(scores [N], whether a basic rule rejects [N])`; pairs that fail score -1."""
        with tempfile.TemporaryDirectory() as folder:
            shard = Path(folder) / "pool.tar"
            write_tar(shard, (file for number, pair in enumerate(pairs)
                              for file in members(number, pair)))
            lines = self.run(shard, Path(folder) / "scores.jsonl")
        found = {int(line["key"]): line for line in lines}
        rows = [found.get(number, {}) for number in range(len(pairs))]
        scores = [-1.0 if row.get("score") is None else row["score"] for row in rows]
        return np.array(scores), np.array([row.get("reason") is not None for row in rows])

    def all_scores(self, pairs):
        """Each picture with each caption, `[N, N]`."""
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            names = [f"{number:05d}.{pair.extension}" for number, pair in enumerate(pairs)]
            for name, pair in zip(names, pairs):
                (folder / name).write_bytes(pair.image)
            with (folder / "all.jsonl").open("w") as manifest:
                for name in names:
                    for pair in pairs:
                        manifest.write(json.dumps({"image": name, "caption": pair.caption}) + "\n")
            lines = self.run(folder / "all.jsonl", folder / "scores.jsonl")
        scores = np.full(len(pairs) ** 2, -1.0)
        for line in lines:
            if line["score"] is not None:
                scores[int(line["key"])] = line["score"]
        return scores.reshape(len(pairs), len(pairs))
