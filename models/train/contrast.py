"""Stage 3: both towers on the pairs, the teacher's features still in view."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import distil
import evaluate
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
SIZES = ((0.45, 80), (0.8, 96), (2.0, towers.IMAGE_SIZE))  # (until this share, pixels a side)
LAST_SHARE = 0.8  # from here on the pairs are drawn by LAST_WEIGHT


def start(work):
    """Towers as the earlier stages left them; the bridge is folded into the image projection."""
    image, text_tower = towers.ImageTower(), towers.TextTower(words.DROP)
    head = nn.Linear(towers.HEAD_WIDTH, distil.TARGET_SIZE)
    bridge = nn.Linear(distil.TARGET_SIZE, towers.EMBEDDING_SIZE, bias=False)
    learned, read = torch.load(work / "distil.pt"), torch.load(work / "words.pt")
    image.load_state_dict(learned["tower"])
    head.load_state_dict(learned["head"])
    text_tower.load_state_dict(read["tower"])
    bridge.load_state_dict(read["bridge"])
    with torch.no_grad():
        image.project.weight.copy_(bridge.weight @ head.weight)
        image.project.bias.copy_(bridge.weight @ head.bias)
    return image.to(memory_format=torch.channels_last), text_tower, head, read["scale"]


class Learner:
    """One worker's towers, head, scale, optimizer and averages."""

    def __init__(self, work):
        self.path = work / "contrast.pt"
        self.image, self.text, self.head, scale = start(work)
        self.heat = words.Heat(scale)
        self.optimizer = stage.optimizer_of(
            [(self.image, IMAGE_RATE), (self.text, TEXT_RATE), (self.head, IMAGE_RATE),
             (self.heat, IMAGE_RATE)])
        self.averages = stage.Average(self.image), stage.Average(self.text)
        self.done = 0.0

    def parts(self):
        return {"image": self.averages[0].module, "text": self.averages[1].module,
                "image_now": self.image, "text_now": self.text, "head": self.head,
                "heat": self.heat, "optimizer": self.optimizer}

    def resume(self):
        if self.path.exists():
            held = torch.load(self.path)
            for name, part in self.parts().items():
                part.load_state_dict(held[name])
            self.done = held["share"]

    def save(self, share):
        stage.save(self.path, scale=self.heat().item(), share=share, **self.parts())

    def losses(self, pixels, target, ids, size):
        """Matching loss and distillation loss of one batch, its images shrunk to `size`."""
        x = distil.to_tower(pixels, size)
        with torch.autocast("cpu", torch.bfloat16):
            seen = self.image.features(x)
            images, guess = self.image.project(seen), self.head(seen)
            texts = words.read(self.text, torch.from_numpy(ids))
        match = words.contrast(images, texts, self.heat())
        keep = (1 - F.cosine_similarity(guess.float(), torch.from_numpy(target))).mean()
        return match, keep

    def meet(self, team, finished):
        """Average with the team, then move the running averages."""
        finished = team.average([self.image, self.text, self.head, self.heat], finished)
        self.averages[0].update(self.image)
        self.averages[1].update(self.text)
        return finished


def batch_maker(pairs, crops, z, rng):
    """A function that makes one batch from the sampler now in `pairs`."""
    def make():
        sampler = pairs[0]
        picked = sampler.draw(BATCH, rng)
        rows = sampler.rows(picked, rng)
        return (distil.jittered(crops, rows, rng), np.asarray(z[rows], np.float32),
                sampler.captions(picked, rng))
    return make


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
    z = distil.targets(None, work / "cache/targets.npy")
    # A resumed run goes on with other draws than it began with.
    rng = np.random.default_rng([4, team.rank, int(1e6 * learner.done)])
    torch.manual_seed(int(rng.integers(1 << 30)))
    pairs, last = [words.Pairs(work, WEIGHT, words.LONGEST)], words.Pairs(work, LAST_WEIGHT)
    learner.image.train(), learner.text.train()
    team.average([learner.image])  # all begin, and the clock starts, together
    clock, means = stage.Clock(minutes, learner.done), stage.Means(["match", "teacher"])
    looked = learner.done
    for batch in distil.prefetch(batch_maker(pairs, crops, z, rng)):
        share = clock.share()
        size = next(side for until, side in SIZES if share < until)
        if share > LAST_SHARE:
            pairs[0] = last
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
