"""img2dataset: shards go through a gate while they are downloaded.

What downloads is here a thread that writes shards as img2dataset does: a tar, then its `_stats.json`. With the real
one, start it by `subprocess.Popen(["img2dataset", ...])` and follow its output folder until it has ended.
"""

import io
import json
import tarfile
import threading
from pathlib import Path

from pairgate_dfn.img2dataset import filter_output, follow

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"
FOLDER = Path("download")


def download() -> None:
    FOLDER.mkdir(exist_ok=True)
    for number in range(2):
        with tarfile.open(FOLDER / f"{number:05}.tar", "w") as tar:
            for file in sorted(PAIRS.iterdir()):
                member = tarfile.TarInfo(f"{number:05}{file.stem}{file.suffix}")
                member.size = file.stat().st_size
                tar.addfile(member, io.BytesIO(file.read_bytes()))
        (FOLDER / f"{number:05}_stats.json").write_text(json.dumps({"count": 12, "successes": 12}))


if __name__ == "__main__":
    downloading = threading.Thread(target=download)
    downloading.start()
    for row in follow(FOLDER, "download-kept", until=lambda: not downloading.is_alive(), every=0.2, workers=1):
        print(row["input"], "kept", row["kept"], "of", row["read"], row["error"] or "")

    # Afterwards: nothing is left to do.
    print(filter_output(FOLDER, "download-kept", workers=1))
