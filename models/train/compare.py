"""Which towers to train: `python compare.py --data DIR --work DIR --engine PROGRAM`.

Every candidate of `candidates.py` is trained for the same minutes on one core: image towers learn the
teacher's features, text towers to match them. What counts is how well an image tower and the
best text tower tell matched from other pairs, and what a picture costs in the gate's own engine.
Needs the caches of `run.py`. PROGRAM is the bench that `cargo bench --bench engine --no-run` names.
"""

import argparse
import json
import subprocess
import tempfile
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import calibrate
import candidates
import data
import distil
import evaluate
import export
import stage
import text
import towers
import words

ROUNDS = 300


def job(kind, name, given):
    """Train one candidate on one core, unless it was before."""
    path = f"compare/{kind}-{name.replace(' ', '-')}.pt"
    if (given.work / path).exists() and torch.load(given.work / path).get("share", 1) >= 1:
        return
    if kind == "image":
        stage.together(1, distil.train, given.work, given.minutes, candidates.IMAGE[name], path)
    else:
        minutes = (given.minutes / 6, given.minutes / 3)
        stage.together(1, words.train, given.data, given.work, minutes, candidates.TEXT[name], path)


def take_jobs(jobs, given):
    while True:
        kind_and_name = jobs.get()
        if kind_and_name is None:
            return
        job(*kind_and_name, given)


def train_all(given):
    """All candidates, two at a time, each on one core."""
    context = get_context("spawn")
    jobs = context.Queue()
    for kind, names in (("image", candidates.IMAGE), ("text", candidates.TEXT)):
        for name in names:
            jobs.put((kind, name))
    workers = [context.Process(target=take_jobs, args=(jobs, given)) for _ in range(2)]
    for worker in workers:
        jobs.put(None)
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0, "a candidate failed"


def load(kind, name, given):
    """A trained candidate and the linear behind it."""
    held = torch.load(given.work / f"compare/{kind}-{name.replace(' ', '-')}.pt")
    tower = (candidates.IMAGE if kind == "image" else candidates.TEXT)[name]()
    tower.load_state_dict(held["tower"])
    if kind == "image":
        last = nn.Linear(towers.HEAD_WIDTH, distil.TARGET_SIZE)
        last.load_state_dict(held["head"])
    else:
        last = nn.Linear(distil.TARGET_SIZE, towers.EMBEDDING_SIZE, bias=False)
        last.load_state_dict(held["bridge"])
    return tower.eval(), last


@torch.no_grad()
def held_crops(work):
    """Pixels and targets of the crops that no training saw."""
    crops = np.load(work / "cache/crops.npy", mmap_mode="r")
    z = distil.targets(work)
    rows = [s["start"] for s in data.load_samples(work) if s["held"]]
    spare = (data.CROP_SIZE - towers.IMAGE_SIZE) // 2
    view = crops[rows][:, spare : spare + towers.IMAGE_SIZE, spare : spare + towers.IMAGE_SIZE]
    return data.normalise(torch.from_numpy(view)), torch.from_numpy(np.float32(z[rows]))


@torch.no_grad()
def judge_text(given):
    """`{name: AUC}` against the teacher's own features of held-out pairs, and the best name."""
    rows = [s for s in data.load_samples(given.work) if s["held"]]
    _, target = held_crops(given.work)
    tokenizer = text.load_tokenizer(given.work / "tokenizer.json")
    ids = torch.from_numpy(text.pad([text.encode(tokenizer, s["captions"][0]) for s in rows]))
    found = {}
    for name in candidates.TEXT:
        tower, bridge = load("text", name, given)
        seen, said = F.normalize(bridge(target)), evaluate.embed(tower, ids)
        found[name] = evaluate.measure(seen, said)["auc"]
    return found, max(found, key=found.get)


@torch.no_grad()
def judge_image(name, best_text, devs, crops, given):
    """Cosine to the teacher, and what it filters with the best text tower."""
    tower, head = load("image", name, given)
    text_tower, bridge = load("text", best_text, given)
    guess = torch.cat([head(tower.features(part)) for part in crops[0].split(128)])
    cosine = F.cosine_similarity(guess, crops[1]).mean().item()
    tower.project = nn.Sequential(head, bridge)
    return {"cosine": cosine} | evaluate.figures(tower, text_tower, devs)["flickr8k"]


def milliseconds(image, text_tower, given):
    """Medians of `(a picture, a caption of 16 tokens)` in int8 on one thread."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        written = export.write_image(image, folder), export.write_text(text_tower, folder)
        export.finish_bundle(folder, written, given.work / "tokenizer.json",
                             np.linspace(0, 1, 101), 0.0, calibrate.LICENCE, 20.0)
        np.random.default_rng(0).standard_normal(
            (1, 3, towers.IMAGE_SIZE, towers.IMAGE_SIZE)).astype("<f4").tofile(folder / "pixels")
        np.arange(3, 19).astype("<i8").tofile(folder / "ids")
        server = subprocess.Popen([given.engine, "--serve", str(folder)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

        def ask(request):
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            return json.loads(server.stdout.readline())["ms"]

        requests = ({"tower": "image", "batch": 1, "input": str(folder / "pixels")},
                    {"tower": "text", "batch": 1, "length": 16, "input": str(folder / "ids")})
        times = [float(np.median([ask(request) for _ in range(ROUNDS)])) for request in requests]
        server.stdin.close()
        server.wait()
    return times


def multiply_adds(module, example):
    """Of one input, convolutions and linears."""
    total = [0]

    def count(layer, _, out):
        if isinstance(layer, nn.Conv2d):
            total[0] += out[0].numel() * layer.weight[0].numel()
        elif out.dim() > 1:
            total[0] += out[0].numel() * layer.in_features

    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module(example)
    return total[0]


def report(given):
    """The tables of the model card."""
    devs = evaluate.load_devs(given.data, text.load_tokenizer(given.work / "tokenizer.json"),
                              ("flickr8k",))
    crops = held_crops(given.work)
    matched, best_text = judge_text(given)
    chosen, image = load("text", best_text, given)[0], load("image", "residual", given)[0]
    print("| image tower | million multiply-adds | parameters | ms a picture | "
          "cosine to the teacher | AUC | R@10 |\n|---|---|---|---|---|---|---|")
    for name, make in candidates.IMAGE.items():
        found = judge_image(name, best_text, devs, crops, given)
        time, _ = milliseconds(load("image", name, given)[0], chosen, given)
        macs = multiply_adds(make().eval(), torch.zeros(1, 3, *[towers.IMAGE_SIZE] * 2))
        size = sum(p.numel() for p in make().parameters())
        print(f"| {name} | {macs / 1e6:.0f} | {size / 1e6:.2f} M | {time:.2f} | "
              f"{found['cosine']:.3f} | {found['auc']:.3f} | "
              f"{found['i2t@10']:.3f} / {found['t2i@10']:.3f} |")
    print("\n| text tower | million multiply-adds, 16 tokens | ms a caption | AUC against the "
          "teacher's features |\n|---|---|---|---|")
    for name, make in candidates.TEXT.items():
        _, time = milliseconds(image, load("text", name, given)[0], given)
        macs = multiply_adds(make().eval(), torch.ones(1, 16, dtype=torch.long))
        print(f"| {name} | {macs / 1e6:.1f} | {time:.3f} | {matched[name]:.3f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--engine", type=Path, required=True, help="the built engine bench")
    parser.add_argument("--minutes", type=float, default=6, help="for each image tower")
    given = parser.parse_args()
    (given.work / "compare").mkdir(exist_ok=True)
    distil.targets(given.work)  # made before there are workers that need them
    train_all(given)
    torch.set_num_threads(2)
    report(given)


if __name__ == "__main__":
    main()
