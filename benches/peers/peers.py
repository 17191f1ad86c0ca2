"""What the three scripts share: the model's folder and bundle, inputs, sessions, the host."""

import hashlib
import html
import importlib.metadata
import json
import math
import os
import platform
import re
import string
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import ftfy
import numpy as np
import onnxruntime
from PIL import Image
from tokenizers import Tokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models/export"))
sys.path.append(str(ROOT / "models/train"))

import golden
import quantize

LIBRARIES = ("onnxruntime", "openvino", "nncf", "torch", "open_clip_torch", "numpy", "pillow")
TEXT = ("a narrow street in an old town, with two bicycles that lean on a yellow wall and a woman "
        "who carries a basket of oranges past the open door of a bakery in the morning sun while "
        "three children play with a small brown dog near the fountain and the bells ring for noon ")


def say(text: str) -> None:
    """One line of progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


# The bundle: how its model wants pictures and captions.

CLEANING: dict[str, Callable[[str], str]] = {
    "ftfy": ftfy.fix_text,
    "html_unescape": html.unescape,
    "strip": str.strip,
    "collapse_whitespace": lambda text: " ".join(text.split()),
    "lowercase": str.lower,
    "underscores_to_spaces": lambda text: text.replace("_", " "),
    "remove_punctuation": lambda text: re.sub(f"[{re.escape(string.punctuation)}]", "", text),
}


class Bundle:
    """Preprocessing of a pairgate bundle, in Python."""

    def __init__(self, folder: Path) -> None:
        manifest = (folder / "bundle.toml").read_text()
        told = tomllib.loads(manifest)
        self.folder = folder
        self.name: str = f"{told['name']} {told['version']}"
        self.digest: str = digest(folder / "bundle.toml")
        self.image, self.text = told["image"], told["text"]
        self.tokenizer = Tokenizer.from_file(str(folder / self.text["tokenizer"]))
        self.clean = [CLEANING[step] for step in self.text["cleaning"]]

    @property
    def context(self) -> int:
        return self.text["context_length"]

    def prepare(self, picture: Image.Image) -> np.ndarray:
        """`[3, S, S]` f32, mean and std applied."""
        config = {**self.image, "resize_mode": self.image["resize"],
                  "fill_color": self.image.get("fill", [0])[0]}
        return quantize.prepare_open_clip(config, picture)[0]

    def ids(self, caption: str) -> list[int]:
        """Token ids at the caption's own length, cut to the context."""
        for step in self.clean:
            caption = step(caption)
        inner = self.tokenizer.encode(caption, add_special_tokens=False).ids
        first, last = self.text.get("sot_id"), self.text.get("eot_id")
        ids = ([] if first is None else [first]) + inner
        return ids[:self.context] if last is None else ids[:self.context - 1] + [last]

    def padded(self, rows: list[list[int]], length: int) -> np.ndarray:
        """`[N, length]` i64."""
        table = np.full((len(rows), length), self.text.get("pad_id", 0), np.int64)
        for line, ids in zip(table, rows):
            line[:len(ids)] = ids
        return table

    def pictures(self, count: int, seed: int) -> np.ndarray:
        """`[count, 3, S, S]` f32: made pictures of several sizes."""
        sizes = [(320, 240), (240, 320), (500, 375), (257, 301)]
        made = [golden.picture(*sizes[k % 4], seed + k) for k in range(count)]
        return np.stack([self.prepare(Image.fromarray(one)) for one in made])

    def captions(self, count: int, length: int, seed: int) -> np.ndarray:
        """`[count, length]` i64 without padding: the words of TEXT from other places on."""
        words = TEXT.split()
        rows = []
        for k in range(count):
            at = (seed + 3 * k) % len(words)
            ids = self.ids(" ".join((words[at:] + words[:at]) * 2))
            rows.append(ids[:length - 1] + ids[-1:])
        return self.padded(rows, length)


def digest(path: Path) -> str:
    """The first 16 digits of a file's SHA-256; of bundle.toml, those of the model's digest."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def about(folder: Path) -> dict:
    """What prepare.py says of the forms in a folder."""
    return json.loads((folder / "model.json").read_text())


# Sessions.

def session(path: Path, threads: int, sizes: dict[str, int]) -> onnxruntime.InferenceSession:
    """An onnxruntime session of `threads`, for inputs of fixed `sizes` such as `{"N": 8}`.

    Its threads spin inside a run, as they do by default, and not between runs, where they would
    take the cores from the next engine.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def runner(path: Path, threads: int, sizes: dict[str, int]) -> Callable[[np.ndarray], np.ndarray]:
    """A function from inputs to embeddings, by onnxruntime."""
    made = session(path, threads, sizes)
    (given,), (answer,) = made.get_inputs(), made.get_outputs()
    return lambda inputs: made.run([answer.name], {given.name: inputs})[0]


# PyTorch.

def torch_towers(folder: Path) -> dict[str, "torch.nn.Module"]:  # noqa: F821
    """The eager PyTorch towers with the weights of `folder`, as model.json says to make them."""
    import logging
    import warnings
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    told = about(folder)
    made = open_clip_towers(told["open_clip"]) if told["open_clip"] else own_towers(folder)
    return {tower: module.eval().requires_grad_(False) for tower, module in made.items()}


def open_clip_towers(told: dict) -> dict[str, "torch.nn.Module"]:  # noqa: F821
    """Towers of open_clip, branches folded where the model has such."""
    import open_clip_export
    import torch
    torch.manual_seed(told["seed"])
    random = told["pretrained"] == "random"
    model = open_clip_export.load(told["model"], None if random else told["pretrained"], random)[0]
    return {"image": open_clip_export.ImageTower(model), "text": open_clip_export.TextTower(model)}


def own_towers(folder: Path) -> dict[str, "torch.nn.Module"]:  # noqa: F821
    """The towers of models/train with the weights of the float graphs."""
    import onnx
    import torch
    import towers
    from onnx import numpy_helper
    image, text = towers.fold_batch_norm(towers.ImageTower().eval()), towers.TextTower()
    for tower, module in (("image", image), ("text", text)):
        graph = onnx.load(folder / f"{tower}_f32.onnx").graph
        values = {t.name: torch.tensor(numpy_helper.to_array(t)) for t in graph.initializer}
        linears = [values[n.input[1]].T for n in graph.node
                   if n.op_type == "MatMul" and n.input[1] in values]
        parts = ("qkv", "out", "up", "down")
        names = [f"blocks.{k // 4}.{parts[k % 4]}.weight" for k in range(len(linears))]
        values |= dict(zip(names, linears))
        module.load_state_dict({name: values[name] for name in module.state_dict()})
    return {"image": image, "text": text}


# The host.

def cores(count: int) -> list[int]:
    """`count` CPUs that this process may use, on different cores where there are as many."""
    allowed = sorted(os.sched_getaffinity(0))
    first = {}
    for cpu in allowed:
        path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        first.setdefault(path.read_text() if path.exists() else str(cpu), cpu)
    distinct = list(first.values())
    chosen = (distinct + [cpu for cpu in allowed if cpu not in distinct])[:count]
    if len(chosen) < count:
        raise SystemExit(f"{count} threads asked for, {len(chosen)} CPUs there")
    return chosen


def commit() -> str:
    """The commit of this checkout, with a plus sign where files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.check_output([*git, "rev-parse", "--short=12", "HEAD"], text=True)
        changed = subprocess.check_output([*git, "status", "--porcelain"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.strip() + ("+" if changed.strip() else "")


def host() -> dict:
    """What a reader of the figures has to know of the machine."""
    info = Path("/proc/cpuinfo").read_text()

    def field(name: str) -> str:
        found = re.search(rf"^{name}\s*: (.*)$", info, re.MULTILINE)
        return found[1] if found else "unknown"

    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "asimddp",
              "i8mm")
    flags = set((field("flags") + " " + field("Features")).split())
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {
        "cpu": field("model name"), "family": f"{field('cpu family')}/{field('model')}",
        "cpus": os.cpu_count(), "flags": [name for name in wanted if name in flags],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(), **versions,
    }


# Figures and reports.

def quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(values, (25, 50, 75))
    return float(low), float(middle), float(high)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest cosine between rows of `a` and of `b`; 0 where one is not finite."""
    least = np.min((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))
    return float(least) if math.isfinite(least) else 0.0


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, columns after the first aligned to the right."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(bundle: Bundle, commit_named: str | None, rounds: int) -> dict:
    """The part of a report that says what was measured, and on what."""
    return {"host": host(), "model": f"{bundle.name} ({bundle.digest})",
            "commit": commit_named or commit(), "rounds": rounds,
            "command": "python " + " ".join(sys.argv)}


def footing(told: dict) -> str:
    """The same as a paragraph below a table."""
    on = told["host"]
    versions = ", ".join(f"{name} {on[name]}" for name in LIBRARIES)
    return (f"{on['cpu']} ({on['family']}; {' '.join(on['flags'])}), load {on['load'][0]}; "
            f"{versions}; model {told['model']}; commit {told['commit']}; medians of "
            f"{told['rounds']} rounds, ratios paired, with quartiles; `{told['command']}`")


def write(told: dict, text: str, out: Path | None) -> None:
    """Print the tables; with a name, write NAME.json and NAME.md too."""
    print(text)
    if out:
        out.with_suffix(".json").write_text(json.dumps(told, indent=1) + "\n")
        out.with_suffix(".md").write_text(text)
