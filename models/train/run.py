"""Train the default towers and write the bundle: `python run.py --data DIR --work DIR --out DIR`.

Every stage leaves a file in the work folder and is skipped, or resumed, when it is there.
"""

import argparse
from pathlib import Path

import calibrate
import contrast
import data
import distil
import stage
import text
import words


REOPENED = 0.5  # the share done of a stage that is trained on: its rate rises to half of its peak


def make_tokenizer(data_folder, work):
    """The vocabulary, from the caption list and the training shards."""
    path = work / "tokenizer.json"
    if path.exists():
        return
    captions = text.plain_captions(data_folder / "captions-en.txt.gz")
    for sample in data.load_samples(work):
        if sample["source"] != "tinyimagenet":
            captions += sample["captions"]
    text.train_tokenizer(captions, path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and dev/")
    parser.add_argument("--work", type=Path, required=True, help="caches and checkpoints")
    parser.add_argument("--out", type=Path, help="bundle folder; default WORK/bundle")
    parser.add_argument("--threads", type=int, default=2, help="workers, one core each")
    parser.add_argument("--continue", dest="again", choices=("distil", "contrast"),
                        help="train a finished stage on, for half of its minutes, and those behind it")
    parser.add_argument("--minutes-distil", type=float, default=60)
    parser.add_argument("--minutes-english", type=float, default=3)
    parser.add_argument("--minutes-match", type=float, default=6)
    parser.add_argument("--minutes-contrast", type=float, default=40)
    return parser.parse_args()


def main():
    given = arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    data.build(given.data, given.work, given.threads)
    make_tokenizer(given.data, given.work)
    if given.again:
        stage.reopen(given.work / f"{given.again}.pt", REOPENED)
    if given.again == "distil":
        (given.work / "contrast.pt").unlink(missing_ok=True)
    stage.log("stage words")
    words.run(given.data, given.work, (given.minutes_english, given.minutes_match),
              given.threads)
    stage.log("stage distil")
    distil.run(given.work, given.minutes_distil, given.threads)
    stage.log("stage contrast")
    contrast.run(given.data, given.work, given.minutes_contrast, given.threads)
    stage.log("stage bundle")
    calibrate.run(given.data, given.work, given.out or given.work / "bundle")
    stage.log("done")


if __name__ == "__main__":
    main()
