"""Writes small tables of pairs with the tools that people make them with, and what Python's own
readers read in them: tests/data/tables.

    python tests/golden/tables.py

Needs what requirements-tables.txt names.
"""

import base64
import csv
import hashlib
import io
import json
import pathlib

import pandas
import pyarrow
import pyarrow.parquet as parquet
from PIL import Image

FOLDER = pathlib.Path(__file__).parent.parent / "data" / "tables"
CAPTIONS = [
    "a red square, nothing else",
    'a green one that says "go"',
    "a blue one\nin two lines",
    "ein gelbes Kästchen 🟨",
]
COLOURS = [(255, 0, 0), (0, 160, 0), (0, 0, 255), (250, 220, 0)]
CODECS = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]


def picture(colour):
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


PICTURES = [picture(colour) for colour in COLOURS]
NAMES = [f"p{i}.png" for i in range(4)]
KEYS = [f"00000000{i}" for i in range(4)]
UIDS = [hashlib.md5(picture).hexdigest() for picture in PICTURES]

OTHERS = {
    "uid": UIDS,
    "original_width": pandas.array([640.0, None, 32.0, 8.0]),
    "count": [1, -2, 3, 4_000_000_000],
    "similarity": [0.25, 1e-9, -1.5, 3.0],
    "flag": [True, False, None, True],
    "empty": [None, None, None, None],
    "tags": [["a", "b"], [], None, ["c"]],
    "about": [{"by": "x", "year": 1}, {"by": None, "year": 2}, None, {"by": "y", "year": None}],
}


def arrow(columns, **more):
    types = {
        "original_width": pyarrow.float64(), "empty": pyarrow.string(), "count": pyarrow.int64(),
        "tags": pyarrow.list_(pyarrow.string()), "captions": pyarrow.list_(pyarrow.string()),
        "about": pyarrow.struct([("by", pyarrow.string()), ("year", pyarrow.int32())]),
    }
    arrays = {
        name: pyarrow.array(list(values), types.get(name), from_pandas=True)
        for name, values in columns.items()
    }
    return pyarrow.table(arrays), more


def parquets():
    """Tables by name, with how they are written."""
    whole = {"key": KEYS, "image": PICTURES, "caption": CAPTIONS, **OTHERS}
    for codec in CODECS:
        yield f"{codec}.parquet", *arrow(whole, compression=codec)
        yield f"{codec}-v2.parquet", *arrow(whole, compression=codec, data_page_version="2.0")
    yield "groups.parquet", *arrow(whole, row_group_size=1)
    delta = {"caption": "DELTA_BYTE_ARRAY", "uid": "DELTA_LENGTH_BYTE_ARRAY", "count": "DELTA_BINARY_PACKED"}
    yield "delta.parquet", *arrow(whole, use_dictionary=False, column_encoding=delta)
    hf = [{"bytes": data, "path": name} for data, name in zip(PICTURES, NAMES)]
    yield "hf.parquet", *arrow({"image": hf, "text": CAPTIONS})
    paths = [{"bytes": None, "path": name} for name in NAMES]
    yield "hf-paths.parquet", *arrow({"image": paths, "text": CAPTIONS})
    yield "paths.parquet", *arrow({"FILE_NAME": NAMES, "TEXT": CAPTIONS, "width": [8, 8, 8, 8]})
    several = [[caption, "another"] for caption in CAPTIONS]
    yield "several.parquet", *arrow({"image": PICTURES, "captions": several})
    made = {
        "url": ["https://example.org/a"] * 4, "key": KEYS, "status": ["success"] * 4,
        "error_message": [None] * 4, "width": [8] * 4, "height": [8] * 4, "jpg": PICTURES,
        "caption": CAPTIONS, "sha256": [hashlib.sha256(picture).hexdigest() for picture in PICTURES],
    }
    yield "img2dataset.parquet", *arrow(made)
    yield "urls.parquet", *arrow({"url": ["https://example.org/a"] * 4, "caption": CAPTIONS})
    yield "nothing.parquet", *arrow({"a": [1], "b": ["x"]})
    # Little in the file, and much in memory.
    much = {"image": PICTURES[:1], **{f"c{i}": ["x" * (8 << 20)] for i in range(36)}}
    few = {"compression": "zstd", "compression_level": 19, "use_dictionary": False}
    yield "bomb.parquet", *arrow(much, **few, write_statistics=False)


def expected(rows):
    """What the rows are to be: key, caption, picture and the other fields."""
    found = []
    for i, row in enumerate(rows):
        fields = {name: value for name, value in row.items() if not isinstance(value, bytes)}
        if isinstance(row.get("image"), dict) and row["image"].get("bytes"):
            fields.pop("image")
        found.append({
            "key": row.get("key") or f"{i:09}",
            "caption": CAPTIONS[i],
            "image": hashlib.sha256(PICTURES[i]).hexdigest(),
            "fields": fields,
        })
    return found


def write_parquets():
    found = {}
    for name, table, options in parquets():
        path = FOLDER / name
        parquet.write_table(table, path, **{"compression": "snappy", **options})
        if name not in ("urls.parquet", "nothing.parquet", "bomb.parquet"):
            found[name] = expected(parquet.read_table(path).to_pylist())
    return found


def write_texts():
    rows = [
        {"key": key, "file_name": name, "title": caption, "uid": uid, "original_width": 640 + i}
        for i, (key, name, caption, uid) in enumerate(zip(KEYS, NAMES, CAPTIONS, UIDS))
    ]
    frame = pandas.DataFrame(rows)
    frame.to_csv(FOLDER / "pandas.csv", index=False)
    frame.to_csv(FOLDER / "pandas.tsv", index=False, sep="\t")
    frame.to_csv(FOLDER / "index.csv", sep="\t", encoding="utf-8-sig")
    frame.to_json(FOLDER / "pandas.jsonl", orient="records", lines=True)
    frame.to_json(FOLDER / "pandas.json", orient="records")
    with open(FOLDER / "quoted.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    inlined = [
        {"image": base64.b64encode(data).decode(), "caption": caption, "key": key}
        for data, caption, key in zip(PICTURES, CAPTIONS, KEYS)
    ]
    (FOLDER / "base64.jsonl").write_text("".join(json.dumps(row) + "\n" for row in inlined))
    url = "data:image/png;base64,"
    urls = [{**row, "image": url + row["image"]} for row in inlined]
    (FOLDER / "urls.json").write_text(json.dumps(urls, indent=1))
    found = {}
    for name, separator in [("pandas.csv", ","), ("pandas.tsv", "\t"), ("index.csv", "\t"), ("quoted.csv", ",")]:
        with open(FOLDER / name, newline="", encoding="utf-8-sig") as file:
            found[name] = expected(list(csv.DictReader(file, delimiter=separator)))
        for row in found[name]:
            row["fields"]["original_width"] = int(row["fields"]["original_width"])
            if "" in row["fields"]:
                row["fields"][""] = int(row["fields"][""])
    found["pandas.jsonl"] = expected(
        json.loads(line) for line in (FOLDER / "pandas.jsonl").read_text().splitlines()
    )
    found["pandas.json"] = expected(json.loads((FOLDER / "pandas.json").read_text()))
    for name in ["base64.jsonl", "urls.json"]:
        found[name] = expected([{**row, "image": None} for row in inlined])
    return found


def write_coco():
    images = [
        {"license": 1, "file_name": name, "height": 8, "width": 8, "id": 100 + i}
        for i, name in enumerate(NAMES)
    ]
    annotations = [
        {"image_id": 100 + i, "id": 10 * n + i, "caption": caption}
        for n, captions in enumerate([CAPTIONS, ["another"] * 4])
        for i, caption in enumerate(captions)
    ]
    whole = {"info": {"year": 2014}, "images": images, "licenses": [], "annotations": annotations}
    (FOLDER / "coco.json").write_text(json.dumps(whole))
    rows = expected([{**image, "captions": [caption, "another"]} for image, caption in zip(images, CAPTIONS)])
    return {"coco.json": [{**row, "key": name[:-4]} for row, name in zip(rows, NAMES)]}


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, data in zip(NAMES, PICTURES):
        (FOLDER / name).write_bytes(data)
    found = {**write_parquets(), **write_texts(), **write_coco()}
    (FOLDER / "expected.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(sum(file.stat().st_size for file in FOLDER.iterdir()), "bytes")


main()
