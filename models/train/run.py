"""Train the default towers and write the bundle: `python run.py --data DIR --work DIR --out DIR`.

Every stage leaves a file in the work folder and is skipped, or resumed, when it is there.
"""

import argparse
import shutil
import tomllib
from pathlib import Path

import calibrate
import captions
import contrast
import data
import distil
import restore
import stage
import text
import words


REOPENED = 0.5  # the share done of a stage that is trained on: its rate rises to half of its peak
# Stages that can be trained on, and what was made of their towers.
LEFT_BEHIND = {"captions": [], "contrast": ["image.onnx", "seen.npy", "captions.pt"]}
LEFT_BEHIND["distil"] = ["contrast.pt", *LEFT_BEHIND["contrast"]]


def make_tokenizer(data_folder, work):
    """The vocabulary, from the caption list and the training shards."""
    path = work / "tokenizer.json"
    if path.exists():
        return
    lines = text.plain_captions(data_folder / "captions-en.txt.gz")
    for sample in data.load_samples(work):
        if sample["source"] != "tinyimagenet":
            lines += sample["captions"]
    text.train_tokenizer(lines, path)


def take_bundle(bundle, work):
    """Leave what the stages up to contrast leave behind, out of a bundle's rounded weights."""
    if (work / "contrast.pt").exists():
        return
    for name in ("tokenizer.json", "image.onnx"):
        shutil.copyfile(bundle / name, work / name)
    manifest = tomllib.loads((bundle / "bundle.toml").read_text())
    stage.save(work / "contrast.pt", text=restore.text_tower(bundle / "text.onnx"),
               scale=manifest["logit_scale"], share=1.0)


def train_all(given):
    """The stages that lead to both towers."""
    make_tokenizer(given.data, given.work)
    stage.log("stage words")
    words.run(given.data, given.work, (given.minutes_english, given.minutes_match),
              given.threads)
    stage.log("stage distil")
    distil.run(given.work, given.minutes_distil, given.threads)
    stage.log("stage contrast")
    contrast.run(given.data, given.work, given.minutes_contrast, given.threads)


def train_again(name, work):
    """Open a finished stage anew, and forget what those behind it left."""
    stage.reopen(work / f"{name}.pt", REOPENED)
    for left in LEFT_BEHIND[name]:
        (work / left).unlink(missing_ok=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and dev/")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints")
    parser.add_argument("--out", type=Path, help="bundle folder; default WORK/bundle")
    parser.add_argument("--threads", type=int, default=2, help="workers, one core each")
    parser.add_argument("--continue", dest="again", choices=LEFT_BEHIND,
                        help="train a finished stage on, for half of its minutes, and those behind it")
    parser.add_argument("--from-bundle", type=Path, metavar="DIR",
                        help="begin with the towers of a bundle: only its text tower is trained on")
    parser.add_argument("--minutes-distil", type=float, default=60)
    parser.add_argument("--minutes-english", type=float, default=3)
    parser.add_argument("--minutes-match", type=float, default=6)
    parser.add_argument("--minutes-contrast", type=float, default=40)
    parser.add_argument("--minutes-captions", type=float, default=4)
    return parser.parse_args()


def main():
    given = arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    data.build(given.data, given.work, given.threads, taught=given.from_bundle is None)
    if given.again:
        train_again(given.again, given.work)
    if given.from_bundle:
        take_bundle(given.from_bundle, given.work)
    else:
        train_all(given)
    stage.log("stage captions")
    captions.run(given.data, given.work, given.minutes_captions, given.threads)
    stage.log("stage bundle")
    calibrate.run(given.data, given.work, given.out or given.work / "bundle")
    stage.log("done")


if __name__ == "__main__":
    main()
