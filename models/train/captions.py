"""Stage 4: the text tower alone learns to tell captions from what describes nothing.

Pictures are taken as the finished image tower sees them, each once. That tower knows the training
pictures by heart, so matching with them teaches nothing that holds elsewhere: what the captions
scored before is to be kept, but for captions that suit too many pictures.
"""

import numpy as np
import torch
import torch.nn.functional as F

import contrast
import data
import distil
import evaluate
import export
import junk
import restore
import stage
import text
import towers
import words

BATCH, SWAPPED, JUNK = 256, 64, 192  # captions of a batch: with a word swapped, of no picture
PICTURES, STRAY = 2048, 128  # pictures of a batch; pictures that match nothing
STRAYS = 1024  # such pictures to draw from, half of them blank, half shrunk
WEIGHT = {source: weight for source, weight in contrast.LAST_WEIGHT.items() if weight}
RATE = 4e-4
KEEP_SHARE, JUNK_SHARE = 300.0, 2.0  # weights of the scores to keep, and of what is held down
BEST, HUB_SHARE = 0.02, 0.5  # this much of what a caption scores with the best few pictures is taken off
PASS = 128  # pictures seen at a time
PARTS = 4  # captions are read in as many parts, by length


def freeze(work):
    """Write image.onnx, the finished image tower, unless it is there."""
    if not (work / "image.onnx").exists():
        image = towers.ImageTower()
        image.load_state_dict(torch.load(work / "contrast.pt")["image"])
        export.write_image(image, work)


@torch.no_grad()
def look(tower, pixels):
    """Embeddings `[N, D]` of pictures `[N, S, S, 3]` u8 of any size."""
    x = data.normalise(torch.from_numpy(pixels))
    if x.shape[-1] != towers.IMAGE_SIZE:
        x = F.interpolate(x, (towers.IMAGE_SIZE,) * 2, mode="bilinear", antialias=True)
    with stage.halves():
        return tower(x.contiguous(memory_format=torch.channels_last)).float().numpy()


def fill_seen(team, work, path):
    """One worker's share of the embeddings."""
    tower = restore.image_tower(work / "image.onnx").to(memory_format=torch.channels_last)
    crops, rng = np.load(work / "cache/crops.npy", mmap_mode="r"), np.random.default_rng([5, team.rank])
    seen = np.load(path, mmap_mode="r+")
    rows = np.array([s["start"] for s in data.load_samples(work)
                     if s["captions"] and not s["held"] and s["source"] in WEIGHT])
    for number, part in enumerate(np.array_split(rows[team.rank :: team.size], len(rows) // PASS)):
        seen[part] = look(tower, crops[part])
        if team.rank == 0 and number % 20 == 0:
            stage.log(f"captions: saw {number * len(part) * team.size} of {len(rows)} pictures")
    strays = np.arange(len(crops), len(seen))[team.rank :: team.size]
    blank = junk.pictures(len(strays) // 2, towers.IMAGE_SIZE, rng)
    some = distil.jittered(crops, rng.choice(rows, len(strays) - len(blank)), rng)
    shrunk = np.stack([junk.shrunk(one, rng) for one in some])
    seen[strays] = look(tower, np.concatenate([blank, shrunk]))


def see(work, workers):
    """Write seen.npy, unless it is there: embeddings `[M + STRAYS, D]` f16 of the cached crops, of each
    picture that is drawn the square in its middle, and of pictures that match nothing."""
    path, scratch = work / "seen.npy", work / "seen.part"
    if path.exists():
        return
    shape = (len(np.load(work / "cache/crops.npy", mmap_mode="r")) + STRAYS, towers.EMBEDDING_SIZE)
    np.lib.format.open_memmap(scratch, "w+", np.float16, shape).flush()
    stage.together(workers, fill_seen, work, scratch)
    scratch.replace(path)


class Learner:
    """One worker's text tower, as it was and as it is, optimizer and average."""

    def __init__(self, work):
        self.path, begun = work / "captions.pt", torch.load(work / "contrast.pt")
        self.scale, self.before, self.text = begun["scale"], towers.TextTower(), towers.TextTower()
        self.before.load_state_dict(begun["text"])
        self.text.load_state_dict(begun["text"])
        self.optimizer = stage.optimizer_of([(self.text, RATE)], 0.0)
        self.average, self.done = stage.Average(self.text), 0.0

    def parts(self):
        return {"text": self.average.module, "text_now": self.text, "optimizer": self.optimizer}

    def resume(self):
        if self.path.exists():
            held = torch.load(self.path)
            for name, part in self.parts().items():
                part.load_state_dict(held[name])
            self.done = held["share"]

    def save(self, share):
        stage.save(self.path, scale=self.scale, share=share, **self.parts())

    def losses(self, images, ids):
        """What is lost of the scores to keep, and how high junk lies; the last STRAY pictures and the
        last JUNK captions match nothing."""
        images, ids = F.normalize(torch.from_numpy(images)), torch.from_numpy(ids)
        with torch.no_grad(), stage.halves():
            before = words.read(self.before, ids[:-JUNK], PARTS)
        with stage.halves():
            now = words.read(self.text, ids, PARTS)
        before = F.normalize(before.float()) @ images[:-STRAY].t()
        now = F.normalize(now.float()) @ images.t()
        keep = (now[:-JUNK, :-STRAY] - less_popular(before)).square().mean()
        return keep, contrast.excess(torch.cat([now[-JUNK:].flatten(), now[:-JUNK, -STRAY:].flatten()]))

    def meet(self, team, finished):
        """Average with the team, then move the running average."""
        finished = team.average([self.text], finished)
        self.average.update(self.text)
        return finished


def less_popular(scores):
    """Scores `[captions, pictures]`, lower for captions that many pictures suit and the reverse."""
    best = scores.topk(int(BEST * scores.shape[1]), 1).values.mean(1, keepdim=True)
    return scores - HUB_SHARE * (best - best.mean())


class Batches:
    """Makes batches."""

    def __init__(self, work, rng):
        self.pairs, self.rng, self.seen = words.Pairs(work, WEIGHT), rng, np.load(work / "seen.npy")
        self.swap = junk.Swap(c for s in self.pairs.samples for c in s["captions"])

    def __call__(self):
        """Embeddings `[PICTURES + STRAY, D]`, ids `[BATCH + SWAPPED + JUNK, L]`."""
        pairs, rng = self.pairs, self.rng
        rows = [pairs.samples[i]["start"] for i in pairs.draw(PICTURES, rng)]
        strays = len(self.seen) - 1 - rng.integers(STRAYS, size=STRAY)
        plain, ids = pairs.choose(pairs.draw(BATCH, rng), rng)
        strange = junk.captions(rng, plain, self.swap, SWAPPED, JUNK)
        ids += [pairs.encode(text.clean(one)) for one in strange]
        return self.seen[np.concatenate([rows, strays])].astype(np.float32), text.pad(ids)


def train(team, data_folder, work, minutes):
    """One worker's share of the stage."""
    torch.manual_seed(5)
    learner = Learner(work)
    learner.resume()
    if team.rank == 0:
        image = restore.image_tower(work / "image.onnx")
        devs = evaluate.load_devs(data_folder, text.load_tokenizer(work / "tokenizer.json"),
                                  ("flickr8k",))
        look_at_dev = lambda: evaluate.line(evaluate.figures(image, learner.average.module, devs))
        stage.log("captions: dev " + look_at_dev())
    # A resumed run goes on with other draws than it began with.
    rng = np.random.default_rng([5, team.rank, int(1e6 * learner.done)])
    torch.manual_seed(int(rng.integers(1 << 30)))
    learner.text.train()
    team.average([learner.text])  # all begin, and the clock starts, together
    clock, means, looked = stage.Clock(minutes, learner.done), stage.Means(["kept", "junk"]), learner.done
    for batch in distil.prefetch(Batches(work, rng)):
        share = clock.share()
        keep, low = learner.losses(*batch)
        stage.descend(learner.optimizer, KEEP_SHARE * keep + JUNK_SHARE * low, share)
        means.add(keep, low)
        if team.rank == 0 and means.steps % 10 == 0:
            stage.log(f"captions: step {means.steps}, share {share:.3f}, {means}")
        if not team.due():
            continue
        finished = learner.meet(team, share >= 1)
        if team.rank == 0 and (finished or share - looked > 0.3):
            looked = share
            learner.save(1.0 if finished else share)
            stage.log(f"captions: dev at {share:.3f}: " + look_at_dev())
        if finished:
            return


def run(data_folder, work, minutes, workers):
    """Train for `minutes`; writes captions.pt with the averaged text tower."""
    path = work / "captions.pt"
    if path.exists() and torch.load(path)["share"] >= 1:
        return
    freeze(work)
    see(work, workers)
    stage.together(workers, train, data_folder, work, minutes)
