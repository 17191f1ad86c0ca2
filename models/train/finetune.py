"""Fine-tune the default towers on your own good pairs, blend them with what they were, judge all as filters.

    python models/train/finetune.py --pairgate target/release/pairgate --pairs GOOD/ --out DIR \\
        --judge OTHER/ --teacher FILE.tflite

As data filtering networks are made: a short training on few pairs that are surely good, then the mean of
the weights with those it began from. Which one filters best is told by a probe that learns from what each
lets through, never by accuracy. The shards to judge on must not be those trained on.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import torch

import contrast
import data
import distil
import export
import junk
import restore
import stage
import text
import towers
import words

sys.path.append(str(Path(__file__).resolve().parent.parent / "quality"))
import measures  # noqa: E402
import noise  # noqa: E402
import pairs as reading  # noqa: E402
from gate import Gate  # noqa: E402

RATE = 1e-4  # a tenth of what the towers were trained with
MOST = 20_000  # pairs that are held, 43 KB each
BATCH = 128
LONGEST = 0.93  # of the running average, what stays at a round
SEEDS = (1, 2, 3, 4, 5)
NOISE, TEST_SHARE = 0.7, 0.3  # of a pool, and of the clean pairs that the probe is tested on


def gather(shards, tokenizer, work):
    """Write crops.npy, `[N, 120, 120, 3]` u8, and captions.json of pairs that are surely good."""
    crops, captions = [], []
    for pair in reading.load(shards)[:MOST]:
        caption = text.clean(pair.caption)
        if caption:
            crops.append(data.prepare(data.decode(pair.image), data.CROP_SIZE))
            captions.append(caption)
    if len(crops) < 2 * BATCH:
        sys.exit(f"{len(crops)} pairs with a picture and a caption: {2 * BATCH} are needed")
    work.mkdir(parents=True)
    np.save(work / "crops.npy", np.stack(crops))
    (work / "captions.json").write_text(json.dumps(captions))
    stage.log(f"{len(captions)} pairs")


class Batches:
    """Makes batches of the gathered pairs."""

    def __init__(self, bundle, work, rng):
        self.crops, self.rng = np.load(work / "crops.npy", mmap_mode="r"), rng
        self.captions = json.loads((work / "captions.json").read_text())
        self.swap, self.tokenizer = junk.Swap(self.captions), text.load_tokenizer(bundle / "tokenizer.json")

    def __call__(self):
        """Pixels `[N + BLANK + SHRUNK, S, S, 3]`, ids `[N + SWAPPED + JUNK, L]`; what is behind the first N of
        both matches nothing."""
        rng = self.rng
        picked = rng.choice(len(self.crops), BATCH, replace=False)
        crops = distil.jittered(self.crops, picked, rng)
        shrunk = [junk.shrunk(crops[rng.integers(BATCH)], rng) for _ in range(contrast.SHRUNK)]
        pixels = np.concatenate([crops, junk.pictures(contrast.BLANK, towers.IMAGE_SIZE, rng), shrunk])
        plain = [self.captions[i] for i in picked]
        strange = junk.captions(rng, plain, self.swap, contrast.SWAPPED, contrast.JUNK)
        return pixels, text.pad([text.encode(self.tokenizer, text.clean(one)) for one in plain + strange])


def train(team, bundle, work, minutes, seed):
    """One worker's share: both towers of a bundle, trained on. Leaves tuned.pt: their running averages."""
    torch.manual_seed(seed)
    scale = tomllib.loads((bundle / "bundle.toml").read_text())["logit_scale"]
    image = restore.image_tower(bundle / "image.onnx").to(memory_format=torch.channels_last).train()
    text_tower, bias = restore.text_tower(bundle / "text.onnx").train(), contrast.Bias()
    optimizer = stage.optimizer_of([(image, RATE), (text_tower, RATE), (bias, 10 * RATE)])
    averages, rounds = [stage.Average(image), stage.Average(text_tower)], 0
    batches = Batches(bundle, work, np.random.default_rng([seed, team.rank]))
    team.average([image])  # all begin, and the clock starts, together
    clock, means = stage.Clock(minutes), stage.Means(["match"])
    for pixels, ids in distil.prefetch(batches):
        share = clock.share()
        with stage.halves():
            images = image(distil.to_tower(pixels, towers.IMAGE_SIZE))
            texts = words.read(text_tower, torch.from_numpy(ids))
        loss = contrast.matching_loss(images, texts, BATCH, scale, bias.value)
        stage.descend(optimizer, loss, share)
        means.add(loss)
        if team.rank == 0 and means.steps % 20 == 0:
            stage.log(f"fine-tuning: step {means.steps}, share {share:.3f}, {means}")
        if not team.due():
            continue
        finished, rounds = team.average([image, text_tower, bias], share >= 1), rounds + 1
        for average, tower in zip(averages, (image, text_tower)):
            # Over the last half of the rounds while they are few: what it began with would weigh on it.
            average.keep = min(LONGEST, 1 - 1 / (rounds / 2 + 1))
            average.update(tower)
        if finished:
            if team.rank == 0:
                stage.save(work / "tuned.pt", image=averages[0].module, text=averages[1].module)
                stage.log(f"fine-tuning: {means.steps} steps a worker, {means}")
            return


def trained(bundle, work):
    """The towers that `train` left."""
    held = torch.load(work / "tuned.pt")
    pair = restore.image_tower(bundle / "image.onnx"), restore.text_tower(bundle / "text.onnx")
    for tower, name in zip(pair, ("image", "text")):
        tower.load_state_dict(held[name])
    return pair


def write(bundle, pair, out):
    """The bundle with other weights in the same graphs, so that it can be blended with it."""
    out.mkdir(parents=True)
    shutil.copyfile(bundle / "tokenizer.json", out / "tokenizer.json")
    for name, tower in zip(("image.onnx", "text.onnx"), pair):
        restore.put(tower, bundle / name, out / name)
    # What is written is rounded: the golden pairs are said by that.
    export.write_golden(restore.image_tower(out / "image.onnx"), restore.text_tower(out / "text.onnx"), out)
    told = (bundle / "bundle.toml").read_text()
    told = re.sub(r"(?m)^(recommended_threshold|score_quantiles) = .*\n", "", told)
    told = re.sub(r"(?m)^# (Tells matched|Scores of matched) .*\n", "", told)
    told = re.sub(r'(?m)^version = "(.*)"', r'version = "\1+tuned"', told)
    digest = lambda found: hashlib.sha256((out / found[1]).read_bytes()).hexdigest()
    told = re.sub(r'(?m)^"(.*)" = "[0-9a-f]{64}"', lambda found: f'"{found[1]}" = "{digest(found)}"', told)
    (out / "bundle.toml").write_text(told)


def blend(program, start, tuned, weight, out):
    done = subprocess.run([program, "model", "blend", start, tuned, "--weight", str(weight), "-o", out],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def judge(program, bundles, shards, teacher):
    """What a probe learns from the pairs that each bundle lets through: for each the share of them that match,
    and of each test pair of each pool how many of the other captions score lower."""
    from probe import Eyes, Probe
    every, eyes = reading.load(shards), Eyes(teacher)
    found = {name: {"matched": [], "each": []} for name in [*bundles, "random", "oracle"]}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        order, cut = rng.permutation(len(every)), round(TEST_SHARE * len(every))
        test, clean = ([every[i] for i in part] for part in (order[:cut], order[cut:]))
        mixed = noise.pool(clean, NOISE, seed)
        pool, matched = [pair for pair, _ in mixed], np.array([kind == "matched" for _, kind in mixed])
        count = round((1 - NOISE) * len(pool))
        choices = {name: np.argsort(Gate(program, path).score(pool)[0])[::-1][:count]
                   for name, path in bundles.items()}
        choices |= {"random": rng.permutation(len(pool))[:count], "oracle": np.flatnonzero(matched)}
        for name, chosen in choices.items():
            matrix = Probe([pool[i] for i in chosen], eyes).scores(test, eyes)
            found[name]["each"] += ((matrix < np.diag(matrix)[:, None]).sum(1) / (len(test) - 1)).tolist()
            found[name]["matched"].append(float(matched[chosen].mean()))
        stage.log(f"judged: seed {seed} of {len(SEEDS)}")
    return found


def table(found):
    """A line a filter, with the difference from the first one, pair by pair."""
    rng, lines = np.random.default_rng(0), ["filter          matched %   probe AUC   less start (95 % interval)"]
    first = np.array(next(iter(found.values()))["each"])
    for name, row in found.items():
        each = np.array(row["each"])
        mean, low, high = measures.interval(each - first, rng)
        lines.append(f"{name:<15} {100 * np.mean(row['matched']):>9.1f} {each.mean():>11.4f}   "
                     f"{mean:+.4f} ({low:+.4f} to {high:+.4f})")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairgate", required=True, type=Path, help="the program")
    parser.add_argument("--pairs", required=True, nargs="+", type=Path, help="shards of surely good pairs")
    parser.add_argument("--out", required=True, type=Path, help="a new folder for the bundles")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent / "default",
                        help="what to begin from, of the default architecture [default: models/default]")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--weights", type=float, nargs="+", default=[0.25, 0.5, 0.75],
                        help="shares of the tuned weights to blend [default: 0.25 0.5 0.75]")
    parser.add_argument("--judge", type=Path, nargs="+", help="shards of other matched pairs")
    parser.add_argument("--teacher", type=Path, help="an ImageNet MobileNetV2 as .tflite: the probe's eyes")
    parser.add_argument("--threads", type=int, default=2, help="workers, one core each")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if bool(given.judge) != bool(given.teacher):
        parser.error("--judge and --teacher go together")
    if given.out.exists():
        parser.error(f"{given.out} is there already")
    return given


def main():
    given = arguments()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        gather(given.pairs, text.load_tokenizer(given.bundle / "tokenizer.json"), work)
        stage.together(given.threads, train, given.bundle, work, given.minutes, given.seed)
        write(given.bundle, trained(given.bundle, work), given.out / "tuned")
    bundles = {"start": given.bundle, "tuned": given.out / "tuned"}
    for weight in given.weights:
        name = f"blend {weight:g}"
        bundles[name] = given.out / f"blend-{weight:g}"
        blend(given.pairgate, given.bundle, given.out / "tuned", weight, bundles[name])
    if given.judge:
        told = table(judge(given.pairgate, bundles, given.judge, given.teacher))
        print(told)
        (given.out / "judged.txt").write_text(told + "\n")
    print(f"no threshold yet: {given.pairgate} calibrate SHARDS --model BUNDLE --from {given.bundle} --into BUNDLE")


if __name__ == "__main__":
    main()
