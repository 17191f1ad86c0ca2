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
    parser.add_argument("--minutes-distil", type=float, default=33)
    parser.add_argument("--minutes-english", type=float, default=3)
    parser.add_argument("--minutes-match", type=float, default=8)
    parser.add_argument("--minutes-contrast", type=float, default=35)
    return parser.parse_args()


def main():
    given = arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    data.build(given.data, given.work, given.threads)
    make_tokenizer(given.data, given.work)
    stage.log("stage distil")
    distil.run(given.work, given.minutes_distil, given.threads)
    stage.log("stage words")
    words.run(given.data, given.work, (given.minutes_english, given.minutes_match),
              given.threads)
    stage.log("stage contrast")
    contrast.run(given.data, given.work, given.minutes_contrast, given.threads)
    stage.log("stage bundle")
    calibrate.run(given.data, given.work, given.out or given.work / "bundle")
    stage.log("done")


if __name__ == "__main__":
    main()
