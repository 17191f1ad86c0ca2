"""The towers in pairgate and in its peers, by turns: which is how much faster.

Every round gives each engine one turn, in an order that rotates; a turn is one call, or the median
of as many as 20 ms hold. Nobody starts before the others' threads have gone to sleep. All run on
the same CPUs (one a thread, the process is held on them) with the same inputs, and none is timed
before its embeddings agree with onnxruntime's in f32: cosine 0.9999 for f32, 0.98 for int8.

Where a peer has several int8 forms (prepare.py writes them) or precisions, each is tried for the
case at hand, and the fastest takes part. The ratio of a round is the time of the best int8 peer,
that with the lower median, by pairgate's: above 1, pairgate is faster.

Example: python engine.py --bundle bundles/vit --onnx peers/vit --threads 1 -o vit
         writes vit.json and vit.md, and the tables to standard output
"""

import argparse
import contextlib
import gc
import json
import multiprocessing
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import peers
from peers import Bundle, say

FAMILIES = {  # name: the least cosine with onnxruntime f32
    "onnxruntime f32": 0.9999, "onnxruntime dynamic int8": 0.98, "onnxruntime static int8": 0.98,
    "OpenVINO int8": 0.98, "PyTorch f32": 0.9999, "pairgate": 0.98,
}
INT8_PEERS = [name for name in FAMILIES if name.endswith("int8")]
TURN_MS = 20
TRIALS = 5
FAR = 1.3
SETTLE_S = 0.002

Run = Callable[[np.ndarray], np.ndarray]


@dataclass
class Case:
    """One tower, batch and length, and its inputs: `[N, 3, S, S]` f32 or `[N, L]` i64."""

    tower: str
    batch: int
    length: int | None
    inputs: np.ndarray

    @property
    def sizes(self) -> dict[str, int]:
        return {"N": self.batch} | ({"L": self.length} if self.length else {})

    def __str__(self) -> str:
        return f"{self.tower} {self.batch}" + (f" x {self.length}" if self.length else "")


@dataclass
class Engine:
    """One way to run a case."""

    family: str
    form: str
    embed: Callable[[], np.ndarray]
    call: Callable[[], float]  # ms of one call
    ms: list[float] = field(default_factory=list)
    cosine: float = 0.0

    @property
    def median(self) -> float:
        return peers.quartiles(self.ms)[1]


# The engines.

def local(family: str, form: str, run: Run, inputs: np.ndarray, clock: Callable) -> Engine:
    """An engine inside this process."""

    def call() -> float:
        start = clock()
        run(inputs)
        return 1000 * (clock() - start)

    return Engine(family, form, lambda: np.array(run(inputs)), call)


def openvino_runner(path: Path, threads: int, shape: list[int], precision: str) -> Run:
    """OpenVINO for inputs of a shape, in which -1 is any size."""
    import openvino
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(shape)
    options = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
               "ENABLE_CPU_PINNING": False}
    if precision != "default":
        options["INFERENCE_PRECISION_HINT"] = precision
    request = core.compile_model(model, "CPU", options).create_infer_request()
    return lambda inputs: request.infer({0: inputs}, share_inputs=True, share_outputs=True)[0]


def torch_runner(module: "torch.nn.Module", threads: int) -> Run:  # noqa: F821
    import torch
    torch.set_num_threads(threads)

    def run(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(inputs)).numpy()

    return run


class Server:
    """The Rust bench as a server: pairgate in a process of its own."""

    def __init__(self, program: str, bundle: Path, threads: int) -> None:
        self.process = subprocess.Popen(
            [program, "--serve", str(bundle), "--threads", str(threads)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.folder = tempfile.TemporaryDirectory()

    def ask(self, **request: object) -> dict:
        if self.process.poll() is not None:
            raise RuntimeError(f"pairgate ended with {self.process.returncode}")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": "it ended"}
        if "ms" not in answer:
            raise RuntimeError(f"pairgate: {answer.get('error', line)}")
        return answer

    def cpu_ms(self, request: dict) -> float:
        start = cpu_seconds(self.process.pid)
        self.ask(**request)
        return 1000 * (cpu_seconds(self.process.pid) - start)

    def engine(self, case: Case, cpu_time: bool) -> Engine:
        file, out = Path(self.folder.name) / "inputs", Path(self.folder.name) / "out.f32"
        case.inputs.tofile(file)
        asked = {"tower": case.tower, "batch": case.batch, "input": str(file)}
        if case.length:
            asked["length"] = case.length

        def embed() -> np.ndarray:
            self.ask(**asked, output=str(out))
            return np.fromfile(out, np.float32).reshape(case.batch, -1)

        call = (lambda: self.cpu_ms(asked)) if cpu_time else (lambda: self.ask(**asked)["ms"])
        return Engine("pairgate", "", embed, call)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def program() -> str:
    """The Rust bench, built by cargo."""
    say("building the Rust bench")
    made = subprocess.run(["cargo", "bench", "--bench", "engine", "--no-run",
                           "--message-format=json"], cwd=peers.ROOT, check=True,
                          stdout=subprocess.PIPE, text=True)
    told = [json.loads(line) for line in made.stdout.splitlines()]
    return next(one["executable"] for one in told
                if one.get("executable") and one["target"]["name"] == "engine")


@dataclass
class Stand:
    """What one process holds to measure cases: the forms, the towers, the server."""

    forms: Path
    threads: int
    server: Server | None
    torch: dict[str, "torch.nn.Module"]  # noqa: F821
    cpu_time: bool

    def entrants(self, case: Case, family: str) -> dict[str, Callable[[], Engine]]:
        """The forms of a family for this case, each with what makes it."""
        if family == "pairgate":
            return {"": lambda: self.server.engine(case, self.cpu_time)} if self.server else {}
        clock = time.process_time if self.cpu_time else time.perf_counter
        return {form: lambda form=form, run=run: local(family, form, run(), case.inputs, clock)
                for form, run in self.runs(case, family).items()}

    def runs(self, case: Case, family: str) -> dict[str, Callable[[], Run]]:
        if family == "PyTorch f32":
            made = {case.tower: lambda: torch_runner(self.torch[case.tower], self.threads)}
            return {"eager": made[case.tower]} if self.torch else {}
        if family == "OpenVINO int8":
            files = self.files(case, "openvino.xml") + self.files(case, "static*.onnx")
            return {f"{path.stem}, {precision}": lambda path=path, precision=precision:
                    openvino_runner(path, self.threads, list(case.inputs.shape), precision)
                    for path in files for precision in ("default", "f32")}
        return {path.stem: lambda path=path: peers.runner(path, self.threads, case.sizes)
                for path in self.files(case, f"{family.split()[1]}*.onnx")}

    def files(self, case: Case, pattern: str) -> list[Path]:
        return sorted(self.forms.glob(f"{case.tower}_{pattern}"))


# Measuring.

def cpu_seconds(pid: int) -> float:
    """CPU time of a process; the clock of another one is named by its id."""
    return time.clock_gettime(~pid << 3 | 2)


def settle(pids: list[int]) -> None:
    """Wait until the threads of these processes sleep: some spin after a call."""
    for _ in range(500):
        before = [cpu_seconds(pid) for pid in pids]
        time.sleep(SETTLE_S)
        if all(cpu_seconds(pid) - at < SETTLE_S / 8 for pid, at in zip(pids, before)):
            return


def turn(engine: Engine) -> float:
    """Milliseconds of a call: the median of as many as fit into TURN_MS."""
    calls = [engine.call()]
    while sum(calls) < TURN_MS:
        calls.append(engine.call())
    return float(np.median(calls))


def alternate(engines: list[Engine], rounds: int, pids: list[int]) -> None:
    """Give each engine one turn a round; the order rotates."""
    for engine in engines:
        engine.ms = []
        engine.call()
    for number in range(rounds):
        first = number % len(engines)
        for engine in engines[first:] + engines[:first]:
            settle(pids)
            engine.ms.append(turn(engine))


def right(makers: dict[str, Callable[[], Engine]], family: str, expected: np.ndarray,
          refused: dict[str, str]) -> list[Engine]:
    """Those engines of a family whose answers are right; why the others are not."""
    engines = []
    for form, make in makers.items():
        name = f"{family} ({form})" if form else family
        try:
            engine = make()
            engine.cosine = peers.cosine(engine.embed(), expected)
        except Exception as problem:  # noqa: BLE001  (libraries raise their own)
            refused[name] = repr(problem)[:120]
            continue
        if engine.cosine >= FAMILIES[family]:
            engines.append(engine)
        else:
            refused[name] = f"cosine {engine.cosine:.4f}"
    return engines


def entrant(engines: list[Engine], pids: list[int]) -> list[Engine]:
    """The fastest form of a family, in a list; with none, none."""
    for rounds in (1, TRIALS):  # after one, those far behind are left out
        if len(engines) > 1:
            alternate(engines, rounds, pids)
            least = min(engine.median for engine in engines)
            engines = [engine for engine in engines if engine.median <= FAR * least]
    return [min(engines, key=lambda engine: engine.median)] if len(engines) > 1 else engines


def measure(stand: Stand, case: Case, rounds: int, only: list[str]) -> dict:
    """All of one case."""
    expected = stand.entrants(case, "onnxruntime f32")[f"{case.tower}_f32"]().embed()
    refused, engines, tried, pids = {}, [], {}, [os.getpid()]
    if stand.server and stand.server.process.poll() is None:
        pids.append(stand.server.process.pid)
    for family in FAMILIES:
        if not wanted(family, only):
            continue
        found = right(stand.entrants(case, family), family, expected, refused)
        engines += entrant(found, pids)
        tried |= {f"{family} ({e.form})": round(min(e.ms), 3) for e in found if e.ms}
        del found
        gc.collect()
    for name, why in refused.items():
        say(f"{case}: refused {name}: {why}")
    alternate(engines, rounds, pids)
    return {"case": str(case), "tower": case.tower, "batch": case.batch, "length": case.length,
            "threads": stand.threads, "engines": {e.family: summary(e) for e in engines},
            "tried": tried, "refused": refused, "ratio": ratio(engines)}


def summary(engine: Engine) -> dict:
    low, middle, high = peers.quartiles(engine.ms)
    return {"form": engine.form, "cosine": round(engine.cosine, 6), "median_ms": round(middle, 4),
            "quartiles_ms": [round(low, 4), round(high, 4)], "ms": np.round(engine.ms, 4).tolist()}


def ratio(engines: list[Engine]) -> dict | None:
    """Rounds of the best int8 peer by those of pairgate."""
    own = next((e for e in engines if e.family == "pairgate"), None)
    others = [e for e in engines if e.family in INT8_PEERS]
    if own is None or not others:
        return None
    best = min(others, key=lambda engine: engine.median)
    low, middle, high = peers.quartiles([a / b for a, b in zip(best.ms, own.ms)])
    return {"peer": best.family, "median": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)]}


# The cases, one process for each number of threads.

def cases(given: argparse.Namespace, bundle: Bundle) -> list[Case]:
    fixed = peers.about(given.onnx)["fixed_length"]
    lengths = {fixed} if fixed else {min(length, bundle.context) for length in given.lengths}
    out = []
    if "image" in given.towers:
        out += [Case("image", n, None, bundle.pictures(n, seed=100)) for n in given.batches]
    if "text" in given.towers:
        out += [Case("text", n, length, bundle.captions(n, length, seed=5))
                for length in sorted(lengths) for n in given.batches]
    return out


def wanted(family: str, only: list[str]) -> bool:
    return not only or any(part in family for part in only)


def run_threads(given: argparse.Namespace, threads: int) -> list[dict]:
    """All cases with so many threads, in a process that may use as many CPUs."""
    server = None
    if wanted("pairgate", given.only):
        server = Server(given.program, given.bundle, threads)
    torch = peers.torch_towers(given.onnx) if wanted("PyTorch", given.only) else {}
    stand, rows = Stand(given.onnx, threads, server, torch, given.cpu_time), []
    for case in cases(given, Bundle(given.bundle)):
        say(f"{threads} threads: {case}")
        rows.append(measure(stand, case, given.rounds, given.only))
    if server:
        server.close()
    return rows


def pinned(given: argparse.Namespace, threads: int) -> list[dict]:
    """`run_threads` in a new process, for libraries count the CPUs when they are loaded."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, peers.cores(threads))  # children inherit it
    try:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return pool.apply(run_threads, (given, threads))
    finally:
        os.sched_setaffinity(0, allowed)


# The report.

def cell(row: dict, family: str) -> str:
    told = row["engines"].get(family)
    if told:
        return f"{told['median_ms']:.2f}"
    return "refused" if any(name.startswith(family) for name in row["refused"]) else "-"


def ratio_cell(row: dict) -> str:
    told = row["ratio"]
    return f"{told['median']:.2f} ({told['quartiles'][0]:.2f} to {told['quartiles'][1]:.2f})" \
        if told else "-"


def markdown(report: dict) -> str:
    """The tables, and what they were measured with."""
    parts = []
    shown = [f for f in FAMILIES if any(cell(row, f) != "-" for row in report["rows"])]
    for threads in sorted({row["threads"] for row in report["rows"]}):
        rows = [[row["case"], *(cell(row, f) for f in shown), ratio_cell(row)]
                for row in report["rows"] if row["threads"] == threads]
        parts.append(f"{report['unit']} a call, {threads} thread{'s' * (threads > 1)}\n\n" +
                     peers.table(["tower, batch x length", *shown, "best int8 peer / pairgate"],
                                 rows))
    parts.append(peers.footing(report))
    return "\n\n".join(parts) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: text.split(",")
    numbers = lambda text: [int(part) for part in text.split(",")]
    parser.add_argument("--bundle", type=Path, required=True, help="for pairgate")
    parser.add_argument("--onnx", type=Path, required=True, metavar="FOLDER",
                        help="the same model's forms, made by prepare.py")
    parser.add_argument("--towers", type=names, default=["image", "text"])
    parser.add_argument("--batches", type=numbers, default=[1, 8, 32])
    parser.add_argument("--lengths", type=numbers, default=[16, 77],
                        help="tokens a caption, at most the model's context [default: 16,77]")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", type=names, default=[], metavar="PARTS",
                        help="engines whose names hold one of these, such as int8,pairgate")
    parser.add_argument("--cpu-time", action="store_true",
                        help="CPU time in place of wall time, for a busy machine; that of pairgate "
                             "then holds the reading of its inputs")
    parser.add_argument("--program", help="the Rust bench [default: cargo builds it]")
    parser.add_argument("--commit", help="for the report [default: git is asked]")
    parser.add_argument("-o", "--out", type=Path, help="OUT.json and OUT.md")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    bundle = Bundle(given.bundle)
    if wanted("pairgate", given.only) and not given.program:
        given.program = program()
    report = peers.report(bundle, given.commit, given.rounds)
    report |= {"unit": "CPU ms" if given.cpu_time else "ms", "rows": []}
    for threads in given.threads:
        report["rows"] += pinned(given, threads)
    peers.write(report, markdown(report), given.out)


if __name__ == "__main__":
    main()
