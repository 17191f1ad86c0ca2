"""Reads the tables of `pairgate score` with pandas, polars and DuckDB (requirements.txt beside):

    for form in jsonl parquet csv; do pairgate score IN -o FOLDER/scores.$form; done
    python tests/interop/read_scores.py FOLDER

Checks the types of all columns, and that every reader finds in each row of either table what the
JSON line of the same pair says: score to the bit, nulls, and all of the metadata.
"""

import json
import struct
import sys
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

OURS = ["uid", "key", "shard", "score", "reason", "width", "height", "caption_length", "sha256"]
REST = "metadata_other"
POLARS = {"string": pl.String, "json": pl.String, "float32": pl.Float32, "float64": pl.Float64,
          "int64": pl.Int64, "uint32": pl.UInt32, "bool": pl.Boolean}
DUCKDB = {"string": "VARCHAR", "json": "VARCHAR", "float32": "FLOAT", "float64": "DOUBLE",
          "int64": "BIGINT", "uint32": "UINTEGER", "bool": "BOOLEAN"}
ARROW = {"string": "string", "json": "string", "float32": "float", "float64": "double",
         "int64": "int64", "uint32": "uint32", "bool": "bool"}


def single(value):
    """The 32-bit float nearest to a number, as its bits."""
    return None if value is None else struct.pack("<f", value)


def without_nulls(metadata):
    return {field: value for field, value in metadata.items() if value is not None}


def field_of(column, metadata):
    """The field that a column is for: a name that was taken has a prefix."""
    while column not in metadata and column.startswith("metadata_"):
        column = column.removeprefix("metadata_")
    return column


def check_row(row, line, kinds, reader):
    about = f"{reader}, {line['key']!r}"
    for name in OURS:
        wanted, found = line[name], row[name]
        same = single(found) == single(wanted) if name == "score" else found == wanted
        assert same, f"{about}: {name} is {found!r}, not {wanted!r}"
    wanted = without_nulls(line.get("metadata", {}))
    found = json.loads(row[REST]) if row[REST] is not None else {}
    for name, kind in kinds.items():
        if name in OURS or name == REST or row[name] is None:
            continue
        value = json.loads(row[name]) if kind == "json" else row[name]
        found[field_of(name, wanted)] = value
    assert found == wanted, f"{about}: {found} is not {wanted}"


def from_text(row, kinds):
    """A row of a CSV, all text, as the types say."""
    read = {"string": str, "json": str, "float32": float, "float64": float, "int64": int,
            "uint32": int, "bool": {"true": True, "false": False}.__getitem__}
    return {name: None if text in (None, "") else read[kinds[name]](text)
            for name, text in row.items()}


def none_for_nan(frame):
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def select(table):
    cursor = duckdb.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


def main(folder):
    folder = Path(folder)
    parquet, table = folder / "scores.parquet", folder / "scores.csv"
    lines = [json.loads(line) for line in (folder / "scores.jsonl").open(encoding="utf-8")]
    about = {key.decode(): value.decode() for key, value in pq.read_metadata(parquet).metadata.items()}
    kinds = json.loads(about["pairgate.columns"])
    schema = pq.read_schema(parquet)
    assert {field.name: str(field.type) for field in schema} == {n: ARROW[k] for n, k in kinds.items()}
    print(f"{len(lines)} pairs, {len(kinds)} columns, version {about['pairgate.version']}")

    as_polars = pl.read_parquet(parquet)
    assert dict(as_polars.schema) == {name: POLARS[kinds[name]] for name in as_polars.columns}
    described = duckdb.execute(f"DESCRIBE SELECT * FROM '{parquet}'").fetchall()
    assert {row[0]: row[1] for row in described} == {n: DUCKDB[k] for n, k in kinds.items()}
    as_pandas = pd.read_parquet(parquet, dtype_backend="numpy_nullable")
    plain = pd.read_parquet(parquet)
    assert plain["score"].dtype == "float32" and plain["width"].dtype == "uint32", plain.dtypes

    text = dict(dtype=str, keep_default_na=False)
    all_text = f"read_csv('{table}', all_varchar=true)"
    readers = {
        "pandas, Parquet": none_for_nan(as_pandas),
        "polars, Parquet": as_polars.to_dicts(),
        "DuckDB, Parquet": select(f"'{parquet}'"),
        "pandas, CSV": [from_text(row, kinds) for row in pd.read_csv(table, **text).to_dict("records")],
        "polars, CSV": [from_text(row, kinds) for row in pl.read_csv(table, infer_schema=False).to_dicts()],
        "DuckDB, CSV": [from_text(row, kinds) for row in select(all_text)],
    }
    for reader, rows in readers.items():
        assert len(rows) == len(lines), f"{reader}: {len(rows)} rows"
        for row, line in zip(rows, lines):
            check_row(row, line, kinds, reader)
        print(f"{reader}: {len(rows)} rows agree with the lines")
    query = f"SELECT count(*), count(score), round(avg(score), 4), count(reason) FROM '{parquet}'"
    print("DuckDB, rows, scores, their mean, reasons:", *duckdb.execute(query).fetchone())
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
