"""Stage 3: both towers on the pairs, the teacher's features still in view."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import distil
import evaluate
import junk
import stage
import text
import towers
import words

BATCH = 128
IMAGE_RATE, TEXT_RATE = 8e-4, 8e-4
TEACHER_SHARE = 1.0  # weight of the distillation loss
WEIGHT = {"flickr8k": 1.0, "openstax": 0.5, "alt": 0.4, "ikea": 0.25, "drinks": 0.25,
          "fashion": 0.1, "tinyimagenet": 0.02}
LAST_WEIGHT = {"flickr8k": 1.0, "openstax": 0.5, "alt": 0.35, "ikea": 0.15, "drinks": 0.15,
               "fashion": 0.05, "tinyimagenet": 0.0}
SWAPPED, JUNK = 64, 64  # captions of a batch that match nothing
BLANK, SHRUNK = 4, 4  # its pictures that match nothing
JUNK_SHARE = 0.5  # weight of the loss that holds what matches nothing below the worst that match:
JUNK_COSINE, JUNK_SCALE = -0.2, 20.0  # the cosine it should not exceed, and how sharply
NEIGHBOURS_FROM, NEAREST = 0.25, (4, 24)  # from this share on; the ranks they are drawn from
ALIKE = ("flickr8k", "openstax", "alt")  # sources whose neighbours have captions of their own
SIGMOID_SHARE = 0.3  # weight of the loss that every pair has by itself: scores compare across pairs
SIZES = ((0.45, 80), (0.8, 96), (2.0, towers.IMAGE_SIZE))  # (until this share, pixels a side)
LAST_SHARE = 0.8  # from here on the pairs are drawn by LAST_WEIGHT


def start(work):
    """Towers as the earlier stages left them."""
    image, text_tower = towers.ImageTower(), towers.TextTower(words.DROP)
    head = nn.Linear(towers.HEAD_WIDTH, distil.TARGET_SIZE)
    learned, read = torch.load(work / "distil.pt"), torch.load(work / "words.pt")
    image.load_state_dict(learned["tower"])
    head.load_state_dict(learned["head"])
    text_tower.load_state_dict(read["tower"])
    return image.to(memory_format=torch.channels_last), text_tower, head, read["scale"]


class Learner:
    """One worker's towers, head, scale, optimizer and averages."""

    def __init__(self, work):
        self.path = work / "contrast.pt"
        self.image, self.text, self.head, scale = start(work)
        self.heat, self.bias = words.Heat(scale), Bias()
        self.optimizer = stage.optimizer_of(
            [(self.image, IMAGE_RATE), (self.text, TEXT_RATE), (self.head, IMAGE_RATE),
             (self.heat, IMAGE_RATE), (self.bias, IMAGE_RATE)])
        self.averages = stage.Average(self.image), stage.Average(self.text)
        self.done = 0.0

    def parts(self):
        return {"image": self.averages[0].module, "text": self.averages[1].module,
                "image_now": self.image, "text_now": self.text, "head": self.head,
                "heat": self.heat, "bias": self.bias, "optimizer": self.optimizer}

    def resume(self):
        if self.path.exists():
            held = torch.load(self.path)
            for name, part in self.parts().items():
                part.load_state_dict(held[name])
            self.done = held["share"]

    def save(self, share):
        stage.save(self.path, scale=self.heat().item(), share=share, **self.parts())

    def losses(self, pixels, target, ids, size):
        """Matching loss and distillation loss of one batch, its images shrunk to `size`.

        The first pictures and captions match; what is left of both matches nothing.
        """
        x = distil.to_tower(pixels, size)
        with stage.halves():
            seen = self.image.features(x)
            images, guess = self.image.project(seen), self.head(seen)
            texts = words.read(self.text, torch.from_numpy(ids))
        target = torch.from_numpy(target)
        match = matching_loss(images, texts, len(target), self.heat(), self.bias.value)
        keep = (1 - F.cosine_similarity(guess[: len(target)].float(), target)).mean()
        return match, keep

    def meet(self, team, finished):
        """Average with the team, then move the running averages."""
        finished = team.average(
            [self.image, self.text, self.head, self.heat, self.bias], finished)
        self.averages[0].update(self.image)
        self.averages[1].update(self.text)
        return finished


class Bias(nn.Module):
    """The learnt bias of the sigmoid's logits."""

    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.tensor([-6.0]))


def matching_loss(images, texts, count, scale, bias):
    """InfoNCE of the first `count` pictures and captions, each against all of the other side; the
    sigmoid loss of SigLIP over the same logits; and what holds junk down: the last JUNK captions and
    all pictures after `count`, against everything."""
    logits = scale * F.normalize(images.float()) @ F.normalize(texts.float()).t()
    goal = torch.arange(count)
    rows, columns = logits[:count], logits[:, :count].t()
    softmax = (F.cross_entropy(rows, goal) + F.cross_entropy(columns, goal)) / 2
    sign = -torch.ones_like(logits)
    sign[goal, goal] = 1.0
    sigmoid = F.softplus(-sign * (logits + bias)).sum() / count
    cosines = logits / scale
    junk_scores = torch.cat([cosines[:, -JUNK:].flatten(), cosines[count:, :-JUNK].flatten()])
    return softmax + SIGMOID_SHARE * sigmoid + JUNK_SHARE * excess(junk_scores)


def excess(cosines):
    """How far the cosines of what matches nothing lie above what they should not exceed."""
    return F.softplus(JUNK_SCALE * (cosines - JUNK_COSINE)).mean()


def neighbours(pairs, bridge, z):
    """For each sample those that look most like it, within its source: `[S, ranks]`, or None."""
    out = [None] * len(pairs.samples)
    for source in ALIKE:
        places = [i for i, s in enumerate(pairs.samples) if s["source"] == source]
        rows = [pairs.samples[i]["start"] for i in places]
        with torch.no_grad():
            seen = F.normalize(bridge(torch.from_numpy(np.asarray(z[rows], np.float32))))
            best = (seen @ seen.t()).topk(min(NEAREST[1], len(places))).indices[:, NEAREST[0]:]
        for place, ranked in zip(places, best.numpy()):
            out[place] = [places[k] for k in ranked]
    return out


def with_neighbours(picked, near, rng):
    """The same number of distinct samples, up to half of them neighbours of the others."""
    half = list(picked[: len(picked) // 2])
    near = [near[i][rng.integers(len(near[i]))] for i in half if near[i]]
    every = np.array(half + near + list(picked[len(half):]))
    _, first = np.unique(every, return_index=True)
    return every[np.sort(first)][: len(picked)]


class Batches:
    """Makes batches; `drawn`, the samples to draw and their neighbours or None, may be changed."""

    def __init__(self, pairs, crops, z, rng):
        self.drawn, self.crops, self.z, self.rng = (pairs, None), crops, z, rng
        self.swap = junk.Swap(c for s in pairs.samples for c in s["captions"])

    def __call__(self):
        """Pixels `[N + BLANK + SHRUNK, S, S, 3]`, targets `[N, T]`, ids `[N + SWAPPED + JUNK, L]`."""
        (pairs, near), rng = self.drawn, self.rng
        picked = pairs.draw(BATCH, rng)
        if near is not None:
            picked = with_neighbours(picked, near, rng)
        rows = pairs.rows(picked, rng)
        plain, ids = pairs.choose(picked, rng)
        strange = junk.captions(rng, plain, self.swap, SWAPPED, JUNK)
        ids += [pairs.encode(text.clean(one)) for one in strange]
        crops = distil.jittered(self.crops, rows, rng)
        shrunk = [junk.shrunk(crops[rng.integers(len(crops))], rng) for _ in range(SHRUNK)]
        pixels = np.concatenate([crops, junk.pictures(BLANK, towers.IMAGE_SIZE, rng), shrunk])
        return pixels, np.asarray(self.z[rows], np.float32), text.pad(ids)


def train(team, data_folder, work, minutes):
    """One worker's share of the stage."""
    torch.manual_seed(4)
    learner = Learner(work)
    learner.resume()
    devs = None
    if team.rank == 0:
        devs = evaluate.load_devs(data_folder, text.load_tokenizer(work / "tokenizer.json"),
                                  ("flickr8k",))
        stage.log("contrast: dev " + evaluate.line(
            evaluate.figures(*[a.module for a in learner.averages], devs)))
    crops = np.load(work / "cache/crops.npy", mmap_mode="r")
    z = distil.targets(work)
    # A resumed run goes on with other draws than it began with.
    rng = np.random.default_rng([4, team.rank, int(1e6 * learner.done)])
    torch.manual_seed(int(rng.integers(1 << 30)))
    pairs, last = words.Pairs(work, WEIGHT, words.LONGEST), words.Pairs(work, LAST_WEIGHT)
    bridge = distil.read_bridge(work)
    near, last_near = neighbours(pairs, bridge, z), neighbours(last, bridge, z)
    batches = Batches(pairs, crops, z, rng)
    learner.image.train(), learner.text.train()
    team.average([learner.image])  # all begin, and the clock starts, together
    clock, means = stage.Clock(minutes, learner.done), stage.Means(["match", "teacher"])
    looked = learner.done
    for batch in distil.prefetch(batches):
        share = clock.share()
        size = next(side for until, side in SIZES if share < until)
        if share > LAST_SHARE:
            batches.drawn = last, last_near
        elif share > NEIGHBOURS_FROM:
            batches.drawn = pairs, near
        match, keep = learner.losses(*batch, size)
        stage.descend(learner.optimizer, match + TEACHER_SHARE * keep, share)
        means.add(match, keep)
        if team.rank == 0 and means.steps % 40 == 0:
            stage.log(f"contrast: step {means.steps}, share {share:.3f}, {means}, "
                      f"scale {learner.heat().item():.2f}")
        if not team.due():
            continue
        finished = learner.meet(team, share >= 1)
        if team.rank == 0 and (finished or share - looked > 0.3):
            looked = share
            learner.save(1.0 if finished else share)
            stage.log(f"contrast: dev at {share:.3f}: " + evaluate.line(
                evaluate.figures(*[a.module for a in learner.averages], devs)))
        if finished:
            return


def run(data_folder, work, minutes, workers):
    """Train for `minutes`; writes contrast.pt with the averaged towers."""
    path = work / "contrast.pt"
    if not (path.exists() and torch.load(path)["share"] >= 1):
        stage.together(workers, train, data_folder, work, minutes)
