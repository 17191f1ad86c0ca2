"""Pairs a second, one at a time: a process a pair, against `pairgate serve` asked by Python's standard
library, without storing and with it (each answer waits for its own sync).

    python3 benches/serve_one.py target/release/pairgate [SHARD.tar...]
"""

import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from client import Gate  # noqa: E402

SECONDS = 6


def pairs(paths):
    if not paths:
        folder = ROOT / "tests/data/pairs"
        return [(path.read_bytes(), path.with_suffix(".txt").read_text()) for path in folder.glob("*.jpg")]
    found = {}
    for path in paths:
        with tarfile.open(path) as tar:
            for member in tar:
                key, extension = member.name.split(".", 1)
                if extension in ("jpg", "txt"):
                    found.setdefault((path, key), {})[extension] = tar.extractfile(member).read()
    return [(pair["jpg"], pair["txt"].decode()) for pair in found.values() if len(pair) == 2]


def rate(ask, pairs):
    """Pairs a second of `ask`, over and over for some seconds."""
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        ask(*pairs[count % len(pairs)])
        count += 1
    return count / (time.perf_counter() - start)


def main():
    program, given = str(Path(sys.argv[1]).resolve()), pairs(sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        image = folder / "image.jpg"

        def by_process(data, caption):
            image.write_bytes(data)
            command = [program, "score", image, "--caption", caption]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

        socket = folder / "serve.sock"
        command = [program, "serve", "-o", folder / "kept", "--socket", socket, "-t=-1", "--rules", "none"]
        service = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not socket.exists():
            time.sleep(0.01)
        gate = Gate(str(socket), timeout=60)

        def judged(data, caption, store):
            status, answer = gate.judge(data, caption, store=store)
            assert status == 200, answer

        process, only, stored = [], [], []
        for _ in range(3):
            process.append(rate(by_process, given))
            only.append(rate(lambda *pair: judged(*pair, 0), given))
            stored.append(rate(lambda *pair: judged(*pair, 1), given))
        service.terminate()
        assert service.wait() == 0
    middle = lambda rates: sorted(rates)[1]
    base = middle(process)
    print(f"{len(given)} pairs, median of 3 rounds of {SECONDS} s each, in turns")
    print(f"process a pair    {base:8.1f} pairs/s")
    for name, rates in [("serve, store=0", only), ("serve, store=1", stored)]:
        print(f"{name}    {middle(rates):8.1f} pairs/s, {middle(rates) / base:.1f} times")


if __name__ == "__main__":
    main()
