"""A pool of pairs: recorded ones, and generated ones up to a number.

The pool is written as the program's own files are: scores (`pool.jsonl`), embeddings (`pool.npz`) and a tar of pairs,
whose pictures are bytes that nobody decodes. So the program fits, applies and cuts all of them alike.
"""

import hashlib
import io
import json
import subprocess
import tarfile

import numpy as np

# Shares of the generated pairs: nearly a recorded one, the same embeddings again, between two, anywhere.
NEAR, AGAIN, BETWEEN = 0.4, 0.05, 0.4


class Pool:
    """Embeddings in f16, scores in f32, captions, sources, uids; arrays have a row for each pair."""

    def __init__(self, images, texts, scores, captions, sources, uids, recorded, model):
        self.images, self.texts, self.scores = images, texts, scores
        self.captions, self.sources, self.uids = captions, sources, uids
        self.recorded, self.model = recorded, model

    def where(self, mask):
        """The pairs of a mask, in their order."""
        keep = np.flatnonzero(mask)
        pick = lambda values: [values[place] for place in keep]
        arrays = (self.images[keep], self.texts[keep], self.scores[keep])
        return Pool(*arrays, pick(self.captions), pick(self.sources), pick(self.uids), self.recorded, self.model)

    def __len__(self):
        return len(self.uids)

    def write(self, folder):
        """Scores, embeddings and the tar."""
        tar_path, lines = folder / "pool.tar", []
        with tarfile.open(tar_path, "w") as tar:
            for place, uid in enumerate(self.uids):
                key, picture = f"{place:06}", f"picture {place}".encode()
                about = {"uid": uid}
                if self.sources[place]:
                    about["source"] = self.sources[place]
                members = {"jpg": picture, "json": json.dumps(about).encode(), "txt": self.captions[place].encode()}
                for extension, data in members.items():
                    info = tarfile.TarInfo(f"{key}.{extension}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
                row = {"key": key, "shard": str(tar_path), "uid": uid, "score": float(str(self.scores[place]))}
                row |= {"reason": None, "caption_length": len(self.captions[place]), "width": 200, "height": 200}
                lines.append(json.dumps(row | {"sha256": hashlib.sha256(picture).hexdigest()}))
        (folder / "pool.jsonl").write_text("\n".join(lines) + "\n")
        uids = np.array([uid.encode() for uid in self.uids], "S32")
        covers, model = np.array(b"all", "S4"), np.array(self.model, "S64")
        arrays = {"image": self.images, "text": self.texts, "uid": uids, "model": model, "covers": covers}
        np.savez(folder / "pool.npz", **arrays)


def captions_of(shards):
    """Captions of all pairs by their keys, and the shard's folder, which is their source."""
    found = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            for member in tar:
                if member.name.endswith(".txt"):
                    caption = tar.extractfile(member).read().decode(errors="replace").strip()
                    found[(str(shard), member.name[:-4])] = caption
    return found


def recorded(program, shards, folder):
    """The pairs that the program scores and no rule rejects."""
    output = folder / "recorded.jsonl"
    command = [program, "score", *shards, "--embeddings", "-o", output]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode in (0, 1), done.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    with np.load(folder / "recorded.npz") as file:
        images, texts, model = file["image"], file["text"], file["model"].item()
    captions = captions_of(shards)
    good = [place for place, row in enumerate(rows) if row["reason"] is None and row["score"] is not None]
    keys = [(rows[place]["shard"], rows[place]["key"]) for place in good]
    scores = np.array([rows[place]["score"] for place in good], np.float32)
    # Several pairs may have one uid, as the same picture with the same caption does.
    uids = [hashlib.md5(f"{shard} {key}".encode()).hexdigest() for shard, key in keys]
    sources = [shard.split("/")[-2] for shard, _ in keys]
    return Pool(images[good], texts[good], scores, [captions[key] for key in keys], sources, uids, len(good), model)


def generated(of, count, draw):
    """Pairs that are unlike photos with captions: nearly others, others again, and noise."""
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    images, texts = of.images.astype(np.float64), of.texts.astype(np.float64)
    kind = draw.choice(4, count, p=[NEAR, AGAIN, BETWEEN, 1 - NEAR - AGAIN - BETWEEN])
    one, other = draw.integers(0, len(of), (2, count))
    noise = lambda: unit(draw.normal(size=(count, images.shape[1])))
    part = draw.uniform(0, 1, (count, 1))
    near = 10 ** draw.uniform(-3, -0.5, (count, 1))
    choose = lambda values: np.choose(kind[:, None], values)
    made_images = choose([images[one] + near * noise(), images[one], part * images[one] + (1 - part) * images[other], noise()])
    made_texts = choose([texts[one] + near * noise(), texts[one], part * texts[other] + (1 - part) * texts[one], noise()])
    again = (kind == 1)[:, None]
    made_images = np.where(again, images[one], unit(made_images)).astype(np.float16)
    made_texts = np.where(again, texts[one], unit(made_texts)).astype(np.float16)
    scores = (made_images.astype(np.float64) * made_texts.astype(np.float64)).sum(1).astype(np.float32)
    words = sorted({word for caption in of.captions for word in caption.split()})
    signs = [" ", ", ", ". ", ";", "\t", " \n", "! ", " : "]
    caption = lambda: "".join(words[draw.integers(len(words))] + signs[draw.integers(len(signs))] for _ in range(draw.integers(1, 15)))
    captions = [of.captions[place] if same else caption().strip() for place, same in zip(one, kind < 2)]
    sources = [None if number == 0 else f"made-{min(int(number), 30)}" for number in draw.zipf(1.6, count) - 1]
    uids = [draw.bytes(16).hex() for _ in range(count)]
    return Pool(made_images, made_texts, scores, captions, sources, uids, 0, of.model)


def make(program, shards, count, seed, folder):
    """The whole pool, recorded and generated pairs mixed."""
    draw = np.random.default_rng(seed)
    real = recorded(program, shards, folder)
    made = generated(real, max(0, count - len(real)), draw)
    order = draw.permutation(len(real) + len(made))[: max(count, 0)]
    rows = lambda name: np.concatenate([getattr(real, name), getattr(made, name)])[order]
    both = lambda name: [(getattr(real, name) + getattr(made, name))[place] for place in order]
    pool = Pool(*map(rows, ("images", "texts", "scores")), *map(both, ("captions", "sources", "uids")), int((order < len(real)).sum()), real.model)
    pool.write(folder)
    return pool
