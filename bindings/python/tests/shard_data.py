"""Shards of the sample pairs, many different pairs of few: captions vary, and with them keys and scores."""

import io
import json
import tarfile
from pathlib import Path

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"
# In front of captions: each makes another score of the same picture.
_WORDS = ["", "a photo of ", "a small painting of ", "old and faded: ", "my view of ", "somewhere far away, "]


def samples(shard: int, count: int) -> list[tuple[str, dict[str, bytes]]]:
    """Keys, unique over all shards, and files of `count` samples; two in twenty cannot be judged."""
    images = sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png"))
    found = []
    for place in range(count):
        number = shard * count + place
        image = images[number % len(images)]
        caption = image.with_suffix(".txt").read_text().strip()
        words = _WORDS[number // len(images) % len(_WORDS)]
        files = {
            image.suffix[1:]: image.read_bytes(),
            "txt": f"{words}{caption} {number}".encode(),
            "json": json.dumps({"number": number}).encode(),
        }
        if number % 20 == 7:
            files[image.suffix[1:]] = files[image.suffix[1:]][:300]
        if number % 20 == 13:
            del files["txt"]
        found.append((f"{shard:05}-{place:05}", files))
    return found


def write_shard(path: Path, contents: list[tuple[str, dict[str, bytes]]]) -> None:
    """A tar of samples, the same bytes each time."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, files in contents:
            for extension, data in files.items():
                member = tarfile.TarInfo(f"{key}.{extension}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


def make_shards(folder: Path, shards: int, count: int) -> list[str]:
    """Shards 00000.tar and so on of `count` samples each; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{shard:05}.tar" for shard in range(shards)]
    for shard, path in enumerate(paths):
        write_shard(path, samples(shard, count))
    return [str(path) for path in paths]


def keys_in(shard: Path) -> list[str]:
    """Keys of the samples in a shard, in their order."""
    with tarfile.open(shard) as tar:
        return list(dict.fromkeys(name.split(".")[0] for name in tar.getnames()))


def outputs_in(folder: Path) -> dict[str, bytes]:
    """All files of a one-to-one folder but what attempts left, by their names."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
