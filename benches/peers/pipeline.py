"""JPEG in, score out: pairs a second in pairgate and in Python, on the same pairs and CPUs.

  PyTorch float  the float model (open_clip's, with its preprocessing and tokenizer) behind a
                 DataLoader
  Python int8    PIL, numpy, tokenizers and onnxruntime or OpenVINO, a process on each CPU; captions
                 are sorted by length and padded to the longest of their batch
  pairgate       `pairgate score`, a worker for each CPU

Those in Python are tried in several settings, and the fastest takes part. Rounds alternate. Loading
a model is not timed anywhere. Scores must have a rank correlation of 0.95 with PyTorch's.

Example: python pipeline.py --bundle bundles/vit --onnx peers/vit --shards a.tar b.tar --pairs 256
"""

import argparse
import io
import itertools
import json
import multiprocessing
import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

import engine
import peers
from peers import Bundle, say
from prepare import pairs

LEAST_CORRELATION = 0.95
WINDOW = 256  # captions that are sorted by length at once
FAMILIES = ("PyTorch float", "Python int8", "pairgate")

Scores = dict[str, float]  # by key


@dataclass
class Pipeline:
    """One way from a shard to scores."""

    family: str
    setting: str
    run: Callable[[], tuple[float, Scores]]  # seconds, scores
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return peers.quartiles(self.seconds)[1]


DRAFT = "PIPELINE_DRAFT"  # in the environment, which processes of their own have too


def picture(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    if side := int(os.environ.get(DRAFT, 0)):
        image.draft("RGB", (side, side))
    return image.convert("RGB")


def write_shard(out: Path, shards: list[Path], count: int) -> int:
    """A tar of the first pairs of the shards, dealt in turn; how many."""
    each = [pairs([shard]) for shard in shards]
    dealt = (one for group in itertools.zip_longest(*each) for one in group if one)
    written = 0
    with tarfile.open(out, "w") as tar:
        for number, (_, jpeg, caption) in enumerate(itertools.islice(dealt, count)):
            for kind, content in (("jpg", jpeg), ("txt", caption.encode())):
                member = tarfile.TarInfo(f"{number:06}.{kind}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            written += 1
    return written


# PyTorch.

def float_steps(bundle: Bundle, image: "torch.nn.Module", about: dict) -> tuple:  # noqa: F821
    """What makes a tensor of a picture, and padded ids of a caption."""
    import torch
    if not about["open_clip"]:
        return (lambda image: torch.from_numpy(bundle.prepare(image)),
                lambda text: torch.from_numpy(bundle.padded([bundle.ids(text)], bundle.context)[0]))
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2
    tokenizer = open_clip.get_tokenizer(about["open_clip"]["model"])
    config = PreprocessCfg(**image.visual.preprocess_cfg)
    return image_transform_v2(config, is_train=False), lambda text: tokenizer([text])[0]


def float_data(shard: Path, steps: tuple) -> "torch.utils.data.IterableDataset":  # noqa: F821
    """`(key, image, ids)` of a shard; of several workers, each gives its share."""
    import torch

    class Shard(torch.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[tuple]:
            worker = torch.utils.data.get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            for key, jpeg, caption in itertools.islice(pairs([shard]), first, None, step):
                yield key, steps[0](picture(jpeg)), steps[1](caption)

    return Shard()


def float_pipelines(given: argparse.Namespace, shard: Path) -> list[Pipeline]:
    import torch
    towers = peers.torch_towers(given.onnx)
    steps = float_steps(Bundle(given.bundle), towers["image"], peers.about(given.onnx))
    data, cpus = float_data(shard, steps), len(os.sched_getaffinity(0))

    def pipeline(workers: int, batch: int) -> Pipeline:
        loader = torch.utils.data.DataLoader(data, batch, num_workers=workers,
                                             persistent_workers=workers > 0)

        def run() -> tuple[float, Scores]:
            scores: Scores = {}
            start = time.perf_counter()
            with torch.inference_mode():
                for keys, images, ids in loader:
                    cosines = torch.cosine_similarity(towers["image"](images), towers["text"](ids))
                    scores |= zip(keys, cosines.tolist())
            return time.perf_counter() - start, scores

        return Pipeline("PyTorch float", f"{workers} loader workers, batch {batch}", run)

    torch.set_num_threads(cpus)
    return [pipeline(workers, batch) for workers, batch in ((0, 32), (0, 64), (1, 64), (cpus, 64))]


# Python with an int8 runtime, in worker processes.

@dataclass
class Worker:
    """What a worker process holds: the bundle, and a session for each file so far."""

    bundle: Bundle
    forms: Path
    fixed: int | None
    sessions: dict[str, engine.Run] = field(default_factory=dict)

    def session(self, name: str) -> engine.Run:
        if name not in self.sessions:
            path, side = self.forms / name, self.bundle.image["size"]
            shape = [-1, 3, side, side] if name.startswith("image") else [-1, self.fixed or -1]
            self.sessions[name] = engine.openvino_runner(path, 1, shape, "f32") \
                if path.suffix == ".xml" else peers.runner(path, 1, {})
        return self.sessions[name]

    def images(self, jpegs: list[bytes], run: engine.Run, batch: int) -> np.ndarray:
        """Embeddings of pictures."""
        out = []
        for at in range(0, len(jpegs), batch):
            ready = [self.bundle.prepare(picture(jpeg)) for jpeg in jpegs[at:at + batch]]
            out.append(np.array(run(np.stack(ready))))
        return np.concatenate(out)

    def texts(self, captions: list[str], run: engine.Run, batch: int) -> np.ndarray:
        """Embeddings of captions, those of like length together."""
        ids = [self.bundle.ids(caption) for caption in captions]
        order = sorted(range(len(ids)), key=lambda k: len(ids[k]))
        out = []
        for at in range(0, len(order), batch):
            rows = [ids[k] for k in order[at:at + batch]]
            out.append(np.array(run(self.bundle.padded(rows, self.fixed or len(rows[-1])))))
        return np.concatenate(out)[np.argsort(order)]


WORKER: Worker


def start_worker(bundle: Path, forms: Path, cpus: "multiprocessing.Queue[int]") -> None:
    """Hold this process on a CPU of its own."""
    global WORKER
    os.sched_setaffinity(0, {cpus.get()})
    WORKER = Worker(Bundle(bundle), forms, peers.about(forms)["fixed_length"])


def trial(name: str) -> tuple[str, float]:
    """Seconds of a batch of eight through the file of this name."""
    inputs = WORKER.bundle.pictures(8, seed=100) if name.startswith("image") else \
        WORKER.bundle.captions(8, WORKER.fixed or min(16, WORKER.bundle.context), seed=5)
    run = WORKER.session(name)
    run(inputs)
    times = [time.perf_counter()]
    for _ in range(3):
        run(inputs)
        times.append(time.perf_counter())
    return name, float(np.median(np.diff(times)))


def score_part(shard: Path, first: int, step: int, names: tuple[str, str], batch: int) -> Scores:
    """Scores of every `step`th pair of a shard."""
    runs, scores = [WORKER.session(name) for name in names], {}
    part = itertools.islice(pairs([shard]), first, None, step)
    while rows := list(itertools.islice(part, WINDOW)):
        keys, jpegs, captions = zip(*rows)
        embeddings = (WORKER.images(jpegs, runs[0], batch), WORKER.texts(captions, runs[1], batch))
        image, text = (e / np.linalg.norm(e, axis=1, keepdims=True) for e in embeddings)
        scores |= zip(keys, (image * text).sum(1).tolist())
    return scores


def int8_pipelines(given: argparse.Namespace, shard: Path) -> tuple[list[list[Pipeline]], Callable]:
    """The pipelines of each runtime, and what ends their processes."""
    cpus, context = sorted(os.sched_getaffinity(0)), multiprocessing.get_context("spawn")
    queue = context.Queue()
    for cpu in cpus:
        queue.put(cpu)
    pool = context.Pool(len(cpus), start_worker, (given.bundle, given.onnx, queue))

    def fastest(tower: str, pattern: str) -> str:
        names = [path.name for path in given.onnx.glob(f"{tower}_{pattern}")
                 if path.suffix in (".onnx", ".xml") and "_f32" not in path.name]
        return min(pool.imap(trial, names), key=lambda told: told[1])[0]

    def pipeline(family: str, names: tuple[str, str], batch: int) -> Pipeline:
        def run() -> tuple[float, Scores]:
            start = time.perf_counter()
            asked = [(shard, k, len(cpus), names, batch) for k in range(len(cpus))]
            scores = {k: v for part in pool.starmap(score_part, asked, 1) for k, v in part.items()}
            return time.perf_counter() - start, scores

        return Pipeline(f"Python, {family} int8", f"{' and '.join(names)}, batch {batch}", run)

    kinds = [(family, (fastest("image", pattern), fastest("text", pattern))) for family, pattern in
             (("onnxruntime", "[ds]*.onnx"), ("OpenVINO", "openvino.xml"))]
    return [[pipeline(*kind, batch) for batch in (8, 32)] for kind in kinds], pool.terminate


# pairgate.

def own_pipeline(given: argparse.Namespace, shard: Path) -> Pipeline:
    cpus, out = len(os.sched_getaffinity(0)), shard.with_suffix(".jsonl")
    command = [given.pairgate, "score", str(shard), "--model", str(given.bundle), "--workers",
               str(cpus), "--rules", "none", "--json", "--output", str(out)]
    command += ["--decode", "scaled"] if given.draft else []

    def run() -> tuple[float, Scores]:
        made = subprocess.run(command, check=True, capture_output=True, text=True)
        lines = map(json.loads, out.read_text().splitlines())
        return json.loads(made.stdout)["seconds"], {line["key"]: line["score"] for line in lines}

    return Pipeline("pairgate", f"{cpus} workers", run)


# Measuring.

def correlation(a: Scores, b: Scores) -> float:
    """Spearman's, over the keys of both; 0 where the keys differ."""
    if a.keys() != b.keys():
        return 0.0
    keys = sorted(a)
    ranks = [np.argsort(np.argsort([scores[key] for key in keys])) for scores in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


def fastest(pipelines: list[Pipeline], warm_up: bool) -> Pipeline:
    """The one that takes least in one run, after another that opens its sessions."""
    for one in pipelines:
        if warm_up:
            one.run()
        one.seconds = [one.run()[0]]
        say(f"{one.family}: {one.setting}: {one.seconds[0]:.2f} s")
    return min(pipelines, key=lambda one: one.seconds[0])


def alternate(pipelines: list[Pipeline], rounds: int) -> None:
    for one in pipelines:
        one.seconds = []
    for number in range(rounds):
        first = number % len(pipelines)
        for one in pipelines[first:] + pipelines[:first]:
            time.sleep(0.1)  # threads of the one before go to sleep
            one.seconds.append(one.run()[0])
        say(f"round {number + 1} of {rounds}")


def refuse_wrong(pipelines: list[Pipeline]) -> dict[str, float]:
    """Rank correlations with the first one; ends the program where one is too low."""
    scores = [one.run()[1] for one in pipelines]
    told = {one.family: round(correlation(found, scores[0]), 5)
            for one, found in zip(pipelines, scores)}
    say(f"rank correlation with {pipelines[0].family}: {told}")
    if min(told.values()) < LEAST_CORRELATION:
        raise SystemExit(f"scores differ too much to be timed: {told}")
    return told


def result(pipelines: list[Pipeline], correlations: dict[str, float], count: int) -> dict:
    own = pipelines[-1]
    return {one.family: {
        "setting": one.setting, "pairs_per_second": round(count / one.median, 2),
        "rank_correlation": correlations[one.family],
        "ratio": [round(x, 3) for x in
                  peers.quartiles([a / b for a, b in zip(one.seconds, own.seconds)])],
        "seconds": np.round(one.seconds, 4).tolist(),
    } for one in pipelines}


def measure(given: argparse.Namespace, shard: Path, count: int) -> dict:
    int8, end = int8_pipelines(given, shard)
    try:
        chosen = [fastest(float_pipelines(given, shard), False),
                  *(fastest(family, True) for family in int8), own_pipeline(given, shard)]
        correlations = refuse_wrong(chosen)
        alternate(chosen, given.rounds)
    finally:
        end()
    return result(chosen, correlations, count)


# The report.

def markdown(report: dict) -> str:
    rows = [[name, told["setting"], f"{told['pairs_per_second']:.1f}",
             "{1:.2f} ({0:.2f} to {2:.2f})".format(*told["ratio"]), str(told["rank_correlation"])]
            for name, told in report["result"].items()]
    head = ["", "fastest setting", "pairs/s", "pairgate is faster by", "rank correlation"]
    return f"{report['pairs']} pairs on {report['cpus']} CPUs\n\n" + peers.table(head, rows) + \
        "\n\n" + peers.footing(report) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--onnx", type=Path, required=True, metavar="FOLDER",
                        help="the same model's forms, made by prepare.py")
    parser.add_argument("--shards", type=Path, nargs="+", required=True, metavar="TAR")
    parser.add_argument("--pairs", type=int, default=256, help="how many of them [default: 256]")
    parser.add_argument("--draft", type=int, default=0, metavar="SIDE",
                        help="let Pillow decode JPEGs reduced, no side below SIDE (twice the model's "
                             "input), and pairgate too: --decode scaled")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairgate", default=str(peers.ROOT / "target/release/pairgate"),
                        help="the binary [default: that of cargo build --release]")
    parser.add_argument("--commit", help="for the report [default: git is asked]")
    parser.add_argument("-o", "--out", type=Path, help="OUT.json and OUT.md")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    os.environ[DRAFT] = str(given.draft)
    os.sched_setaffinity(0, peers.cores(given.cpus))
    report = peers.report(Bundle(given.bundle), given.commit, given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "pairs.tar"
        count = write_shard(shard, given.shards, given.pairs)
        report |= {"pairs": count, "cpus": given.cpus, "result": measure(given, shard, count)}
    peers.write(report, markdown(report), given.out)


if __name__ == "__main__":
    main()
