"""AUC of matched against shuffled captions, from the scores of `pairgate score` alone.

    python eval.py --pairgate target/release/pairgate SHARD_OR_FOLDER...

Each shard is scored twice: as it is, and as a copy whose captions have been dealt out anew
within the shard so that no image keeps its own. Only numpy and the standard library are used.
"""

import argparse
import json
import random
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent / "quality"))
from gate import Gate, write_tar  # noqa: E402
from measures import auc  # noqa: E402
from pairs import shards  # noqa: E402

SEED = 20


def members(shard):
    """`[(name, bytes)]` of a tar's files, in order."""
    with tarfile.open(shard) as tar:
        return [(m.name, tar.extractfile(m).read()) for m in tar if m.isfile()]


def split_name(name):
    """Key and extension, WebDataset's way: at the first dot of the last path part."""
    folder, slash, base = name.rpartition("/")
    key, _, extension = base.partition(".")
    return folder + slash + key, extension.lower()


def deranged(keys, captions, rng):
    """A caption for every key that is not its own text: `{key: key it borrows from}`."""
    order = keys[:]
    rng.shuffle(order)
    for start in range(len(order)):
        lender = order[start:] + order[:start]
        if start and all(captions[a] != captions[b] for a, b in zip(order, lender)):
            return dict(zip(order, lender))
    # Texts repeat too often for one rotation to serve; take one, leaving repeats as they fall.
    return dict(zip(order, order[1:] + order[:1]))


def shuffled(files, rng):
    """The same files with `.txt` and the json's captions exchanged between samples."""
    texts, metas = {}, {}
    for name, content in files:
        key, extension = split_name(name)
        if extension == "txt":
            texts[key] = content
        elif extension == "json":
            metas[key] = json.loads(content)
    captions = {k: texts.get(k) or metas.get(k, {}).get("caption", "").encode()
                for k in {**texts, **metas}}
    lender = deranged([k for k in captions if captions[k].strip()], captions, rng)
    out = []
    for name, content in files:
        key, extension = split_name(name)
        source = lender.get(key, key)
        if extension == "txt":
            content = texts.get(source, content)
        elif extension == "json":
            content = exchanged(metas[key], metas.get(source, {}))
        out.append((name, content))
    return out


def exchanged(own, other):
    """One sample's json with another's captions."""
    merged = dict(own)
    for field in ("caption", "captions"):
        if field in own:
            merged[field] = other.get(field, own[field])
    return json.dumps(merged, ensure_ascii=False).encode()


def scores(gate, shard, out):
    """`[scores]` of the samples that have one, and how many have none."""
    lines = gate.run(shard, out)
    found = [row["score"] for row in lines if row.get("score") is not None]
    return found, len(lines) - len(found)


def judge(gate, shard, folder):
    """One row of the table."""
    rng = random.Random(SEED)
    original, copy = folder / "a.tar", folder / "b.tar"
    files = members(shard)
    write_tar(original, files)
    write_tar(copy, shuffled(files, rng))
    matched, unscored = scores(gate, original, folder / "a.jsonl")
    others, _ = scores(gate, copy, folder / "b.jsonl")
    for path in folder.iterdir():
        path.unlink()
    row = {"shard": str(shard), "scored": len(matched), "shuffled": len(others),
           "unscored": unscored, "auc": None, "mean_matched": None, "mean_shuffled": None}
    if matched and others:
        row.update(auc=auc(np.array(matched), np.array(others)),
                   mean_matched=float(np.mean(matched)), mean_shuffled=float(np.mean(others)))
    return row


def table(rows):
    """Rows as aligned text."""
    print(f"{'AUC':>7} {'scored':>7} {'unscored':>8} {'matched':>8} {'shuffled':>8}  shard")
    for r in rows:
        cells = [f"{r[k]:.4f}" if r[k] is not None else "-"
                 for k in ("auc", "mean_matched", "mean_shuffled")]
        print(f"{cells[0]:>7} {r['scored']:>7} {r['unscored']:>8} {cells[1]:>8} {cells[2]:>8}  "
              f"{r['shard']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairgate", required=True, help="path of the pairgate program")
    parser.add_argument("--model", help="bundle in place of the one in the program")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    parser.add_argument("paths", nargs="+", help="tar shards, or folders of them")
    given = parser.parse_args()
    gate = Gate(given.pairgate, given.model)
    with tempfile.TemporaryDirectory() as folder:
        rows = [judge(gate, shard, Path(folder)) for shard in shards(given.paths)]
    print(json.dumps(rows, indent=1)) if given.json else table(rows)


if __name__ == "__main__":
    main()
