"""Stage 1: the text tower learns English, then to match captions with the teacher's features."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import data
import distil
import stage
import text
import towers

MASK_ID = towers.EOT_ID  # a hidden word looks like an end mark inside the caption
BATCH = 192
LONGEST = 32  # tokens of a caption while most of the training is done
PEAK_RATE = 1.5e-3
DROP = 0.1
# How often a captioned image of each source is drawn.
WEIGHT = {"flickr8k": 1.0, "openstax": 0.5, "alt": 0.4, "ikea": 0.25, "drinks": 0.25,
          "fashion": 0.1, "tinyimagenet": 0.03}


class Pairs:
    """Captioned training samples and their token ids, drawn at random by source weight."""

    def __init__(self, work, weight=WEIGHT, longest=towers.CONTEXT_LENGTH):
        self.tokenizer, self.longest = text.load_tokenizer(work / "tokenizer.json"), longest
        self.samples = [s for s in data.load_samples(work)
                        if s["captions"] and not s["held"] and weight.get(s["source"], 0)]
        self.ids = [[self.encode(c) for c in s["captions"]] for s in self.samples]
        share = np.array([weight[s["source"]] for s in self.samples])
        self.cumulative = np.cumsum(share / share.sum())

    def encode(self, caption):
        return cut(text.encode(self.tokenizer, caption), self.longest)

    def draw(self, count, rng):
        """`count` distinct sample indices."""
        picked = np.searchsorted(self.cumulative, rng.random(count * 3))
        picked = np.minimum(picked, len(self.samples) - 1)
        _, first = np.unique(picked, return_index=True)
        return picked[np.sort(first)][:count]

    def rows(self, picked, rng):
        """One cached crop of each sample."""
        chosen = [self.samples[i] for i in picked]
        return np.array([s["start"] + rng.integers(s["count"]) for s in chosen])

    def choose(self, picked, rng):
        """One caption of each sample: its text, and its ids less a few words."""
        which = [rng.integers(len(self.ids[i])) for i in picked]
        plain = [self.samples[i]["captions"][k] for i, k in zip(picked, which)]
        return plain, [drop_words(self.ids[i][k], rng) for i, k in zip(picked, which)]

    def captions(self, picked, rng):
        """One caption of each sample, `[N, L]`, a few words dropped."""
        return text.pad(self.choose(picked, rng)[1])


def cut(ids, longest):
    """A caption of at most `longest` tokens, its end mark kept."""
    return ids if len(ids) <= longest else ids[: longest - 1] + [towers.EOT_ID]


def drop_words(ids, rng, share=0.08):
    """A caption less some of its tokens, never the marks at its ends."""
    keep = rng.random(len(ids)) > share
    keep[0] = keep[-1] = True
    return [i for i, k in zip(ids, keep) if k] if len(ids) > 4 else ids


def hide(ids, rng, share=0.2):
    """Ids with hidden words, and the mask of hidden places, both `[N, L]`."""
    hidden = (rng.random(ids.shape) < share) & (ids > towers.EOT_ID)
    return np.where(hidden, MASK_ID, ids), hidden


def learn_english(team, tower, captions, minutes):
    """Masked language modelling over lists of ids."""
    rng = np.random.default_rng([2, team.rank])
    predict = nn.Linear(towers.TEXT_WIDTH, towers.TEXT_WIDTH)
    optimizer = stage.optimizer_of([(tower, PEAK_RATE), (predict, PEAK_RATE)], 0.01)
    clock, means, finished = stage.Clock(minutes), stage.Means(["hidden word"]), False
    while not finished:
        share = clock.share()
        ids = text.pad([captions[i][:32] for i in rng.integers(len(captions), size=BATCH)])
        seen, hidden = hide(ids, rng)
        with stage.halves():
            states, _ = tower.states(torch.from_numpy(seen))
            logits = predict(states[torch.from_numpy(hidden)]) @ tower.token.weight.t()
        loss = F.cross_entropy(logits.float(), torch.from_numpy(ids[hidden]))
        stage.descend(optimizer, loss, share)
        means.add(loss)
        if team.rank == 0 and means.steps % 40 == 0:
            stage.log(f"english: step {means.steps}, share {share:.3f}, {means}")
        if team.due():
            finished = team.average([tower, predict], share >= 1)


def read(tower, ids, parts=2):
    """Embeddings `[N, D]` of padded ids `[N, L]`: short and long parts apart, to pad less."""
    lengths = (ids != towers.PAD_ID).sum(1)
    order = lengths.argsort()
    out = torch.cat([tower(ids[part, : int(lengths[part].max())]) for part in order.chunk(parts)])
    return out[order.argsort()]


class Heat(nn.Module):
    """The learnt scale of the logits, kept as its logarithm."""

    def __init__(self, scale):
        super().__init__()
        self.value = nn.Parameter(torch.tensor([math.log(scale)]))

    def forward(self):
        return self.value.exp().clamp(max=50.0)


def contrast(a, b, scale):
    """Symmetric InfoNCE of `[N, D]` against `[N, D]`."""
    logits = scale * F.normalize(a.float()) @ F.normalize(b.float()).t()
    goal = torch.arange(len(a))
    return (F.cross_entropy(logits, goal) + F.cross_entropy(logits.t(), goal)) / 2


def match_teacher(team, tower, bridge, pairs, z, minutes):
    """Contrast captions with a linear map of the teacher's targets; returns the scale."""
    rng = np.random.default_rng([3, team.rank])
    heat = Heat(15.0)
    optimizer = stage.optimizer_of(
        [(tower, PEAK_RATE * 0.8), (bridge, PEAK_RATE), (heat, PEAK_RATE)])
    clock, means, finished = stage.Clock(minutes), stage.Means(["match"]), False
    while not finished:
        share = clock.share()
        picked = pairs.draw(BATCH, rng)
        target = torch.from_numpy(np.asarray(z[pairs.rows(picked, rng)], np.float32))
        ids = torch.from_numpy(pairs.captions(picked, rng))
        with stage.halves():
            said = read(tower, ids)
        loss = contrast(bridge(F.dropout(target, 0.1)), said, heat())
        stage.descend(optimizer, loss, share)
        means.add(loss)
        if team.rank == 0 and means.steps % 40 == 0:
            stage.log(f"match: step {means.steps}, share {share:.3f}, {means}, "
                      f"scale {heat().item():.1f}")
        if team.due():
            finished = team.average([tower, bridge, heat], share >= 1)
    return heat().item()


def train(team, data_folder, work, minutes, make_tower=towers.TextTower, name="words.pt"):
    """One worker's share of both parts."""
    torch.manual_seed(2)
    tokenizer = text.load_tokenizer(work / "tokenizer.json")
    pairs = Pairs(work, WEIGHT, LONGEST)
    plain = text.plain_captions(data_folder / "captions-en.txt.gz")
    captions = [text.encode(tokenizer, c) for c in plain]
    captions += [ids for rows in pairs.ids for ids in rows]
    z = distil.targets(work)
    tower = make_tower(DROP).train()
    bridge = nn.Linear(distil.TARGET_SIZE, towers.EMBEDDING_SIZE, bias=False)
    learn_english(team, tower, captions, minutes[0])
    scale = match_teacher(team, tower, bridge, pairs, z, minutes[1])
    if team.rank == 0:
        stage.save(work / name, tower=tower, bridge=bridge, scale=scale)


def run(data_folder, work, minutes, workers):
    """Both parts, `minutes` = (english, match); writes words.pt."""
    distil.targets(work)  # made before there are workers that need them
    if not (work / "words.pt").exists():
        stage.together(workers, train, data_folder, work, minutes)
