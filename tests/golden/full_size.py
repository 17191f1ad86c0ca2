"""Numbers at full size, too big to commit: `python full_size.py --data DIR --work DIR`.

Exports ViT-B-32 with random weights to WORK/export, then lets open_clip judge 256 real pairs of
the WebDataset shards under DATA/dev: WORK/golden.json names lossless pictures (images/NNN.png),
WORK/golden_jpeg.json the original files (jpeg/NNN.jpg). With --tokens it writes WORK/tokens.json
in place of that: thousands of captions with their ids by open_clip and by transformers, and the
two tokenizers as WORK/tokenizer_open_clip.json and WORK/tokenizer_transformers.json.

Example: python full_size.py --data data --work /tmp/full --tokens
"""

import argparse
import ast
import gzip
import io
import json
import logging
import sys
import tarfile
import warnings
from pathlib import Path

import open_clip
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models/export"))

import golden
import open_clip_export

MODEL = "ViT-B-32"
SHARDS = ("flickr8k", "alt", "openstax")  # pairs are taken from these in turn
PAIRS = 256
CAPTIONS = 6000
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]  # as transformers spells them
MORE_HOSTILE = [
    "<start_of_text> a <end_of_text> b", "a<end_of_text>b", "<START_OF_TEXT>", "<|endoftext|>",
    "<|startoftext|> cat", "<end_of_text", "!<end_of_text>", "'S 'T 'RE 'LL", "it'\u017f 'd've",
    "12345 1st 2nd \u00bd \u216b", "A" * 300, "\U0001f355" * 100, "</w> a</w>", "\u0120 \u010a",
]


# Real pairs.

def samples(shard):
    """`(jpeg bytes, contents of the json)` of every sample of a shard, in its order."""
    with tarfile.open(shard) as tar:
        parts = {}
        for member in tar:
            key, _, kind = member.name.partition(".")
            parts.setdefault(key, {})[kind] = tar.extractfile(member).read()
    for part in parts.values():
        yield part["jpg"], json.loads(part["json"])


def shards(data, names):
    return [path for name in names for path in sorted((data / "dev" / name).glob("*.tar"))]


def chosen_pairs(data):
    """The first pairs of each shard, dealt in turn."""
    every = [list(samples(path)) for path in shards(data, SHARDS)]
    dealt = [group[i] for i in range(PAIRS) for group in every if i < len(group)]
    return dealt[:PAIRS]


def write_pictures(work, pairs):
    """`[(png source, jpeg source, RGB image)]`; both files of every pair are written."""
    (work / "images").mkdir(parents=True, exist_ok=True)
    (work / "jpeg").mkdir(exist_ok=True)
    out = []
    for i, (jpeg, _) in enumerate(pairs):
        picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
        png, original = f"images/{i:03}.png", f"jpeg/{i:03}.jpg"
        picture.save(work / png)
        (work / original).write_bytes(jpeg)
        out.append(({"file": png}, {"file": original}, picture))
    return out


def write_pairs(data, work):
    """The export, then both golden files; whether the export is right."""
    torch.manual_seed(0)
    print(f"{MODEL}: making", flush=True)
    model, model_cfg, tokenizer = open_clip_export.load(MODEL, None, True)
    about = {"model": MODEL, "pretrained": "random", "licence": None}
    right = open_clip_export.export(work / "export", model, model_cfg, tokenizer, about)
    pairs = chosen_pairs(data)
    pictures = write_pictures(work, pairs)
    captions = [meta["caption"] for _, meta in pairs]
    facts = open_clip_export.describe_tokenizer(tokenizer)[1]
    print(f"{work}: {len(pairs)} pairs through PyTorch", flush=True)
    rows = open_clip_export.golden_pairs(
        model, tokenizer, facts, [(png, picture) for png, _, picture in pictures], captions)
    golden.write(work / "golden.json", open_clip_export.made_by(), rows)
    rows = [{**row, "picture": jpeg} for row, (_, jpeg, _) in zip(rows, pictures)]
    golden.write(work / "golden_jpeg.json", open_clip_export.made_by(), rows)
    return right


# Captions and ids.

def hostile():
    """The hostile captions of models/train/parity.py, read without its imports, and some more."""
    tree = ast.parse((ROOT / "models/train/parity.py").read_text())
    value = next(node.value for node in tree.body if isinstance(node, ast.Assign)
                 and node.targets[0].id == "HOSTILE")
    return eval(compile(ast.Expression(value), "HOSTILE", "eval"), {}) + MORE_HOSTILE


def all_captions(data):
    """Hostile ones, every caption of every dev shard, and plain ones up to CAPTIONS."""
    found = dict.fromkeys(hostile())
    for path in sorted((data / "dev").glob("*/*.tar")):
        for _, meta in samples(path):
            found.update(dict.fromkeys([meta["caption"], *meta["captions"]]))
    found = [caption for caption in found if isinstance(caption, str)]
    with gzip.open(data / "captions-en.txt.gz", "rt") as lines:
        found += [line.rstrip("\n") for line, _ in zip(lines, range(CAPTIONS - len(found)))]
    return found


def transformers_tokenizer(simple, folder):
    """transformers' CLIPTokenizer from vocab.json and merges.txt of open_clip's vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    names = dict(zip((simple.decoder[i] for i in simple.all_special_ids), SPECIAL))
    vocab = {names.get(piece, piece): i for piece, i in simple.encoder.items()}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    merges = ["#version: 0.2"] + [" ".join(merge) for merge in simple.bpe_ranks]
    (folder / "merges.txt").write_text("\n".join(merges) + "\n")
    return transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def write_tokens(data, work):
    """tokens.json: captions, open_clip's cleaned text and ids, transformers' ids, all unpadded."""
    work.mkdir(parents=True, exist_ok=True)
    captions = all_captions(data)
    simple = open_clip.get_tokenizer(MODEL)
    hf = transformers_tokenizer(simple, work / "clip_tokenizer")
    made, facts = open_clip_export.describe_tokenizer(simple)
    (work / "tokenizer_open_clip.json").write_text(made, encoding="utf-8")
    made = Tokenizer.from_str(made)
    hf.backend_tokenizer.save(str(work / "tokenizer_transformers.json"), pretty=False)
    told = {
        "made_by": f"open_clip {open_clip.__version__}, transformers {transformers.__version__}",
        "captions": captions,
        "cleaned": [simple.clean_fn(caption) for caption in captions],
        "open_clip": [open_clip_export.own_ids(row, facts) for row in simple(captions)],
        "transformers": hf(captions, truncation=True, max_length=77).input_ids,
    }
    (work / "tokens.json").write_text(json.dumps(told))
    differ = [caption for caption in captions if not agrees(simple, made, facts, caption)]
    print(f"{work}/tokens.json: {len(captions)} captions; tokenizer.json differs from open_clip's "
          f"own on {len(differ)}: {differ[:20]}", flush=True)


def agrees(simple, made, facts, caption):
    try:
        open_clip_export.check_tokenizer(simple, made, facts, [caption])
    except open_clip_export.Refused:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tokens", action="store_true", help="write tokens.json only")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(2)
    if given.tokens:
        write_tokens(given.data, given.work)
        return 0
    return 0 if write_pairs(given.data, given.work) else 1


if __name__ == "__main__":
    sys.exit(main())
