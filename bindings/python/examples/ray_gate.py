"""Ray: shards filtered by actors, the best half of all pairs, and a judge for Ray Data."""

import io
import sys
import tarfile
from pathlib import Path

import ray
from pairgate_dfn.ray import Judge, filter_shards

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"
SHARDS = Path("shards")


def make_shards() -> None:
    SHARDS.mkdir(exist_ok=True)
    for number in range(4):
        with tarfile.open(SHARDS / f"{number:05}.tar", "w") as tar:
            for file in sorted(PAIRS.iterdir()):
                member = tarfile.TarInfo(f"{number:05}-{file.name}")
                member.size = file.stat().st_size
                tar.addfile(member, io.BytesIO(file.read_bytes()))


if __name__ == "__main__":
    # A short path: sockets lie below it.
    temporary = sys.argv[1] if len(sys.argv) > 1 else "/tmp/ray-gate"
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200 << 20, _temp_dir=temporary)
    make_shards()
    print(filter_shards(SHARDS, "kept", keep=0.5))
    print(filter_shards(SHARDS, "kept", keep=0.5))

    images = sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png"))
    rows = [{"jpg": path.read_bytes(), "txt": path.with_suffix(".txt").read_text()} for path in images]
    judged = ray.data.from_items(rows).map_batches(
        Judge,
        batch_format="pyarrow",
        batch_size=64,
        num_cpus=0.5,
        compute=ray.data.ActorPoolStrategy(size=2),
        fn_constructor_kwargs={"image": "jpg", "caption": "txt"},
    )
    for row in judged.iter_rows():
        print(row["verdict"], row["reason"], row["txt"].strip())
