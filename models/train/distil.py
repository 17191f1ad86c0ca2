"""Stage 2: the image tower learns the teacher's features, crop for crop, and of them above all what
captions speak of."""

import threading
from queue import Queue

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import data
import stage
import towers

TARGET_SIZE = 512  # dimensions kept of the teacher's 1280
BATCH = 128
PEAK_RATE = 2.5e-3
TEACHER_SHARE = 0.5  # weight of the plain features beside what captions speak of
SIZES = ((0.75, 80), (2.0, towers.IMAGE_SIZE))  # (until this share, pixels a side)
WEIGHT = {"flickr8k": 1.5, "coco_unlabelled": 1.3, "openstax": 1.0, "alt": 1.0,
          "ikea": 0.6, "drinks": 0.8, "fashion": 0.5, "tinyimagenet": 0.5}


def targets(work):
    """Unit targets `[M, 512]` of the cached teacher features `[M, 1280]`, made the first time."""
    path = work / "cache/targets.npy"
    if not path.exists():
        features = np.load(work / "cache/features.npy", mmap_mode="r")
        np.save(path, to_targets(features, *basis(features)).astype(np.float16))
    return np.load(path, mmap_mode="r")


def basis(features):
    """Mean `[1280]` and principal components `[1280, 512]`, half whitened, of the features."""
    x = features.astype(np.float32)
    mean = x.mean(0)
    x -= mean
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return mean, vectors[:, ::-1][:, :TARGET_SIZE] / np.sqrt(np.sqrt(values[::-1][:TARGET_SIZE]))


def to_targets(features, mean, components):
    """Unit targets of features."""
    z = (features.astype(np.float32) - mean) @ components
    return z / (np.linalg.norm(z, axis=1, keepdims=True) + 1e-6)


def row_weights(samples):
    """How often each cached crop is drawn, `[M]`, summing to one."""
    weights = np.concatenate([
        np.full(s["count"], 0.0 if s["held"] else WEIGHT[s["source"]]) for s in samples])
    return weights / weights.sum()


def jittered(crops, rows, rng):
    """Cached crops `rows` cut to the tower's size at random and flipped: `[N, S, S, 3]` u8."""
    size, spare = towers.IMAGE_SIZE, data.CROP_SIZE - towers.IMAGE_SIZE
    out = np.empty((len(rows), size, size, 3), np.uint8)
    for slot, row in zip(out, rows):
        y, x = rng.integers(0, spare + 1, 2)
        view = crops[row, y : y + size, x : x + size]
        slot[:] = view[:, ::-1] if rng.random() < 0.5 else view
    return out


def prefetch(make, depth=3):
    """Run `make()` in a thread; iterate over what it returns, for ever."""
    queue = Queue(depth)

    def work():
        while True:
            queue.put(make())

    threading.Thread(target=work, daemon=True).start()
    while True:
        yield queue.get()


def tint(x):
    """Random brightness and contrast per image, `[N, 3, S, S]`."""
    gain = 1 + 0.2 * (torch.rand(len(x), 1, 1, 1) * 2 - 1)
    shift = 0.15 * (torch.rand(len(x), 3, 1, 1) * 2 - 1)
    return x * gain + shift


def to_tower(pixels, size):
    """`[N, S, S, 3]` u8 to the tower's tinted `[N, 3, size, size]`: small is fast, early on."""
    x = tint(data.normalise(torch.from_numpy(pixels)))
    if size != x.shape[-1]:
        x = F.interpolate(x, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


def resume(path, tower, head, optimizer):
    """Load a checkpoint if there is one; `(share done, steps done)`."""
    if not path.exists():
        return 0.0, 0
    held = torch.load(path)
    for name, part in (("tower", tower), ("head", head), ("optimizer", optimizer)):
        part.load_state_dict(held[name])
    return held["share"], held["step"]


def read_bridge(work):
    """The linear map of targets that captions were matched with."""
    bridge = nn.Linear(TARGET_SIZE, towers.EMBEDDING_SIZE, bias=False)
    bridge.load_state_dict(torch.load(work / "words.pt")["bridge"])
    return bridge.requires_grad_(False)


def train(team, work, minutes, make_tower=towers.ImageTower, name="distil.pt", bridge=None):
    """One worker's share of the stage. With a `bridge` the embedding learns too, what lies beyond."""
    path = work / name
    crops = np.load(work / "cache/crops.npy", mmap_mode="r")
    z = targets(work)
    cumulative = np.cumsum(row_weights(data.load_samples(work)))
    torch.manual_seed(1)
    tower = make_tower().to(memory_format=torch.channels_last)
    head = nn.Linear(towers.HEAD_WIDTH, TARGET_SIZE)
    optimizer = stage.optimizer_of([(tower, PEAK_RATE), (head, PEAK_RATE)])
    done, step = resume(path, tower, head, optimizer)
    # A resumed run goes on with other draws than it began with.
    rng = np.random.default_rng([1, team.rank, int(1e6 * done)])
    clock, means, saved = stage.Clock(minutes, done), stage.Means(["teacher", "bridge"]), done

    def make():
        rows = np.searchsorted(cumulative, rng.random(BATCH)).clip(0, len(cumulative) - 1)
        return jittered(crops, rows, rng), np.asarray(z[rows], np.float32)

    for pixels, target in prefetch(make):
        share = clock.share()
        x = to_tower(pixels, next(side for until, side in SIZES if share < until))
        with stage.halves():
            seen = tower.features(x)
            out, embedding = head(seen), tower.project(seen)
        target = torch.from_numpy(target)
        loss = beyond = (1 - F.cosine_similarity(out.float(), target)).mean()
        if bridge is not None:
            beyond = (1 - F.cosine_similarity(embedding.float(), bridge(target))).mean()
            loss = TEACHER_SHARE * loss + beyond
        stage.descend(optimizer, loss, share)
        means.add(loss, beyond)
        step += 1
        if team.rank == 0 and step % 50 == 0:
            stage.log(f"distil: step {step}, share {share:.3f}, {means}")
        if not team.due():
            continue
        finished = team.average([tower, head], share >= 1)
        if team.rank == 0 and (finished or share - saved > 0.08):
            saved = share
            stage.save(path, tower=tower, head=head, optimizer=optimizer, step=step,
                       share=1.0 if finished else share)
        if finished:
            return


def run(work, minutes, workers):
    """Train for `minutes`; writes distil.pt with the tower and the target head."""
    path = work / "distil.pt"
    if path.exists() and torch.load(path)["share"] >= 1:
        return
    stage.together(workers, train, work, minutes, towers.ImageTower, path.name, read_bridge(work))
