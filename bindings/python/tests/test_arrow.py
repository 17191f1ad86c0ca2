"""Tables of Arrow: every type of column, every library, and the answers of lists and of the program."""

import gc
import json
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import PAIRS
from pairgate_dfn import ArrowStream, Gate

pa = pytest.importorskip("pyarrow", reason="SKIPPED: pyarrow is not installed")

NAMES = ["verdict", "reason", "score", "threshold", "kept", "uid"]
BINARY = [pa.binary(), pa.large_binary(), pa.binary_view()]
TEXT = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()]


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(rules="none", threshold=0.2)


@pytest.fixture
def rows(pairs) -> dict[str, list]:
    """The sample pairs and some broken ones."""
    images = [path.read_bytes() for path, _ in pairs]
    captions = [caption.decode() for _, caption in pairs]
    images += [None, images[0], None, b"", b"no picture", b"short"]
    captions += ["nobody saw it", None, None, "an empty file", "a text instead", ""]
    return {"jpg": images, "txt": captions, "n": list(range(len(images)))}


@pytest.fixture
def expected(gate, rows):
    return gate.judge(rows["jpg"], rows["txt"])


def holds(table, expected, prefix: str = "") -> None:
    """Whether a table of pyarrow has these decisions, bit for bit."""
    assert table.column_names[-6:] == [prefix + name for name in NAMES]
    columns = {name: table[prefix + name].to_pylist() for name in NAMES}
    for name in NAMES:
        assert columns[name] == [getattr(decision, name) for decision in expected], name
    kinds = [table.schema.field(prefix + name).type for name in NAMES]
    assert kinds == [pa.string(), pa.string(), pa.float32(), pa.float32(), pa.bool_(), pa.string()]


def table_of(rows, image=pa.binary(), caption=pa.string()):
    columns = [pa.array(rows["jpg"], image), pa.array(rows["txt"], pa.string()).cast(caption), pa.array(rows["n"])]
    return pa.table(columns, names=["jpg", "txt", "n"])


@pytest.mark.parametrize("caption", TEXT, ids=str)
@pytest.mark.parametrize("image", BINARY, ids=str)
def test_types_of_bytes_and_text(gate, rows, expected, image, caption):
    table = table_of(rows, image, caption)
    judged = gate.judge_table(table)
    holds(judged, expected)
    assert judged.select(table.column_names).equals(table)


def test_equals_the_program(journal_of, pairs):
    records = {record["key"]: record for record in journal_of(PAIRS)}
    table = pa.table({"jpg": [path.read_bytes() for path, _ in pairs], "txt": [caption for _, caption in pairs]})
    judged = Gate().judge_table(table)
    for (path, _), row in zip(pairs, judged.to_pylist(), strict=True):
        record = records[path.stem]
        assert row["score"] == (None if record["score"] is None else float(np.float32(record["score"])))
        assert [row[name] for name in ("verdict", "reason", "uid")] == [
            record[name] for name in ("verdict", "reason", "uid")
        ]


def test_fixed_size_binary(gate, pairs):
    image = pairs[0][0].read_bytes()
    images = pa.array([image, None, image], pa.binary(len(image)))
    judged = gate.judge_table(pa.table({"jpg": images, "txt": ["a ball"] * 3}))
    holds(judged, gate.judge([image, None, image], ["a ball"] * 3))


def test_dictionaries(gate, rows, expected):
    table = table_of(rows)
    for column in ("jpg", "txt"):
        place = table.column_names.index(column)
        table = table.set_column(place, column, table[column].combine_chunks().dictionary_encode())
    holds(gate.judge_table(table), expected)
    nothing = pa.DictionaryArray.from_arrays(pa.array([None], pa.int32()), pa.array([], pa.string()))
    judged = gate.judge_table(pa.table({"jpg": pa.array([b"x"]), "txt": nothing}))
    assert judged["reason"].to_pylist() == ["caption_missing"]


def test_paths_and_structs(gate, pairs, expected, rows):
    paths, captions = [str(path) for path, _ in pairs], [caption for _, caption in pairs]
    by_path = gate.judge_table(pa.table({"jpg": paths, "txt": captions}))
    holds(by_path, expected[: len(pairs)])
    files = [path.read_bytes() if place % 2 else None for place, (path, _) in enumerate(pairs)]
    structs = [{"bytes": file, "path": path} for file, path in zip(files, paths)]
    structs += [None, {"bytes": None, "path": None}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(structs, kind), "text": [*captions, b"a ball", b"a ball"]})
    judged = gate.judge_table(table, image="image", caption="text")
    holds(judged.slice(0, len(pairs)), expected[: len(pairs)])
    assert judged["reason"].to_pylist()[-2:] == ["image_missing"] * 2
    only = pa.struct([("bytes", pa.binary())])
    assert gate.judge_table(pa.table({"jpg": pa.array([{"bytes": b""}], only), "txt": ["a ball"]})).num_rows == 1


def test_nothing_but_nulls(gate):
    judged = gate.judge_table(pa.table({"jpg": pa.nulls(3), "txt": pa.nulls(3)}))
    assert judged["reason"].to_pylist() == ["caption_missing"] * 3
    assert judged["score"].null_count == 3


def test_empty_tables(gate):
    table = table_of({"jpg": [], "txt": [], "n": []})
    assert gate.judge_table(table).num_rows == 0
    batch = pa.RecordBatch.from_arrays([pa.array([], pa.binary()), pa.array([], pa.string())], ["jpg", "txt"])
    judged = gate.judge_table(batch)
    assert isinstance(judged, pa.RecordBatch) and judged.num_rows == 0
    assert judged.schema.names == ["jpg", "txt", *NAMES]


@pytest.mark.parametrize("image", BINARY, ids=str)
def test_slices_and_chunks(gate, rows, expected, image):
    table = table_of(rows, image, pa.large_string())
    holds(gate.judge_table(table.slice(3, 4)), expected[3:7])
    chunked = pa.concat_tables([table.slice(2, 3), table.slice(0, 0), table.slice(5), table.slice(0, 2)])
    holds(gate.judge_table(chunked), expected[2:] + expected[:2])

    def parted(name, place):
        column = table[name].combine_chunks()
        return pa.chunked_array([column.slice(0, place), column.slice(place)])

    holds(gate.judge_table(pa.table({"jpg": parted("jpg", 2), "txt": parted("txt", 5)})), expected)


def test_record_batches_and_readers(gate, rows, expected):
    table = table_of(rows)
    (batch,) = table.to_batches()
    judged = gate.judge_table(batch)
    assert isinstance(judged, pa.RecordBatch)
    holds(pa.Table.from_batches([judged]), expected)
    reader = gate.judge_table(pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=4)))
    assert isinstance(reader, pa.RecordBatchReader)
    holds(reader.read_all(), expected)


class Rows:
    """A table of a library that nobody knows."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Columns:
    """The same with the other method alone."""

    def __init__(self, batch):
        self.batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


def test_any_library(gate, rows, expected):
    table = table_of(rows).replace_schema_metadata({"a": "b"})
    judged = gate.judge_table(Rows(table))
    assert isinstance(judged, ArrowStream) and judged.column_names == ["jpg", "txt", "n", *NAMES]
    assert pa.schema(judged).names == judged.column_names
    read = pa.table(judged)
    holds(read, expected)
    assert read.schema.metadata == {b"a": b"b"} and read.select(table.column_names).equals(table)
    with pytest.raises(ValueError, match="read already"):
        pa.table(judged)
    holds(pa.table(gate.judge_table(Columns(table.to_batches()[0]))), expected)


def test_metadata(gate, pairs):
    image, caption = pairs[0][0].read_bytes(), pairs[0][1].decode()
    metadata = [json.dumps({"uid": "0" * 31 + "7"}), None, json.dumps({"caption": "a ball"})]
    captions = [caption, caption, None]
    lists = gate.judge([image] * 3, captions, metadata=metadata)
    for kind in (pa.string(), pa.binary()):
        table = pa.table({"jpg": [image] * 3, "txt": captions, "json": pa.array(metadata).cast(kind)})
        judged = gate.judge_table(table, metadata="json")
        holds(judged, lists)
    assert judged["uid"][0].as_py() == "0" * 31 + "7"


def test_byte_order_mark(gate, pairs):
    image = pairs[0][0].read_bytes()
    caption = b"\xef\xbb\xbfa red ball"
    table = pa.table({"jpg": [image], "txt": pa.array([caption])})
    holds(gate.judge_table(table), gate.judge([image], [caption]))
    table = pa.table({"jpg": [image], "txt": [caption.decode()]})
    holds(gate.judge_table(table), gate.judge([image], [caption.decode()]))


def test_text_that_is_none(gate, pairs):
    """Text of Arrow need not be UTF-8 where nobody checked it."""
    image, buffer = pairs[0][0].read_bytes(), pa.py_buffer(b"\xff\xfe and more")
    offsets = pa.py_buffer(np.array([0, len(buffer)], np.int32))
    text = pa.StringArray.from_buffers(1, offsets, buffer)
    assert gate.judge_table(pa.table({"jpg": [image], "txt": text}))["reason"].to_pylist() == ["caption_not_utf8"]


def test_offsets_that_lead_nowhere(gate):
    offsets = pa.py_buffer(np.array([0, 900, 12], np.int32))
    text = pa.BinaryArray.from_buffers(pa.binary(), 2, [None, offsets, pa.py_buffer(b"twelve bytes")])
    with pytest.raises(ValueError, match="table"):
        gate.judge_table(pa.table({"jpg": text, "txt": ["a ball"] * 2}))


def test_names(gate, rows, expected):
    table = table_of(rows)
    judged = gate.judge_table(table)
    with pytest.raises(ValueError, match="verdict, reason, score, threshold, kept, uid.*prefix"):
        gate.judge_table(judged)
    twice = gate.judge_table(judged, prefix="gate_")
    holds(twice, expected, "gate_")
    with pytest.raises(ValueError, match="uid already"):
        gate.judge_table(Rows(table.append_column("uid", table["txt"])))
    with pytest.raises(ValueError, match='image="png": .* no such column, but jpg, txt, n'):
        gate.judge_table(table, image="png")
    with pytest.raises(ValueError, match='caption="jpg": .*more than one'):
        gate.judge_table(table.append_column("jpg", table["n"]), image="txt", caption="jpg")
    with pytest.raises(TypeError, match='image="n": a column of Int64'):
        gate.judge_table(table, image="n")
    with pytest.raises(TypeError, match='caption="n": a column of Int64'):
        gate.judge_table(table, caption="n")
    with pytest.raises(TypeError, match='metadata="n": a column of Int64'):
        gate.judge_table(table, metadata="n")
    with pytest.raises(ValueError, match="threads = 0"):
        gate.judge_table(table, threads=0)


@pytest.mark.parametrize("given", [None, [], {"jpg": [], "txt": []}, "table.parquet", 7])
def test_what_is_no_table(gate, given):
    with pytest.raises(TypeError, match="is no table of Arrow"):
        gate.judge_table(given)


def test_what_gives_no_table(gate):
    with pytest.raises(ValueError, match="table: "):
        gate.judge_table(Rows(pa.chunked_array([[1, 2]])))

    class Wrong:
        def __arrow_c_stream__(self, requested_schema=None):
            return pa.schema([]).__arrow_c_schema__()

    with pytest.raises(ValueError, match="arrow_array_stream|name"):
        gate.judge_table(Wrong())
    taken = pa.table({"jpg": [b""], "txt": [""]}).__arrow_c_stream__()

    class Taken:
        def __arrow_c_stream__(self, requested_schema=None):
            return taken

    pa.table(gate.judge_table(Taken()))
    with pytest.raises(ValueError, match="released"):
        gate.judge_table(Taken())


def test_errors_of_what_is_read_later(gate, rows):
    table = table_of(rows)

    def batches():
        yield table.to_batches()[0]
        raise RuntimeError("the disk is gone")

    reader = gate.judge_table(pa.RecordBatchReader.from_batches(table.schema, batches()))
    assert reader.read_next_batch().num_rows == table.num_rows
    with pytest.raises(Exception, match="the disk is gone"):
        reader.read_next_batch()


def test_threads(gate, rows, expected):
    table = table_of(rows)
    large = pa.concat_tables([table] * 20)
    for threads in (1, 2, 5):
        holds(gate.judge_table(large, threads=threads), expected * 20)


def test_a_batch_of_more_than_a_million_rows(gate):
    """It comes in parts, so that no column of texts outgrows what 32 bits count."""
    rows = (1 << 20) + 5
    table = pa.table({"jpg": pa.nulls(rows), "txt": pa.nulls(rows), "n": np.arange(rows)})
    for judged in (gate.judge_table(table), pa.table(gate.judge_table(Rows(table)))):
        assert [len(chunk) for chunk in judged["uid"].chunks] == [1 << 20, 5]
        assert judged["n"].to_numpy().tolist() == list(range(rows))
        assert judged["reason"].value_counts().to_pylist() == [{"values": "caption_missing", "counts": rows}]


class Enough(Exception):
    pass


@pytest.fixture
def alarm():
    """An exception by a signal, as Ctrl-C is one, a little later."""

    def raised(number, frame):
        raise Enough("enough of it")

    before = signal.signal(signal.SIGALRM, raised)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.2)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_signals_end_it(gate, ball, alarm):
    image, caption = ball
    images = pa.DictionaryArray.from_arrays(np.zeros(200_000, np.int32), pa.array([image]))
    table = pa.table({"jpg": images, "txt": [caption] * 200_000})
    alarm()
    with pytest.raises(Enough):
        gate.judge_table(table)
    reader = gate.judge_table(table.to_reader())
    alarm()
    with pytest.raises(Exception, match="enough of it"):
        reader.read_all()
    assert list(reader) == []


def test_ten_thousand_rows_in_bounded_memory(gate):
    """A stream is judged batch by batch: what was read is gone before the next."""
    batch = pa.record_batch({"jpg": [b"\x00" * 100_000] * 100, "txt": ["a red ball"] * 100})
    most = 0

    def batches():
        nonlocal most
        for _ in range(100):
            gc.collect()
            most = max(most, pa.total_allocated_bytes() - before)
            yield pa.record_batch(
                {"jpg": pa.concat_arrays([batch["jpg"], batch["jpg"].slice(0, 0)]), "txt": batch["txt"]}
            )

    before = pa.total_allocated_bytes()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader = gate.judge_table(pa.RecordBatchReader.from_batches(batch.schema, batches()))
    rows = sum(judged.num_rows for judged in reader)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert rows == 10_000
    assert most < 50 << 20, most  # a fifth of what all of it takes
    assert grown < 200 << 10, f"{grown} KB"


def test_nothing_is_held(gate, rows):
    table = table_of(rows)
    before = pa.total_allocated_bytes()
    for _ in range(20):
        gate.judge_table(table)
        gate.judge_table(Rows(table))
        pa.table(gate.judge_table(Rows(table)))
    gc.collect()
    assert pa.total_allocated_bytes() - before < 1 << 20


def test_polars(gate, rows, expected):
    pl = pytest.importorskip("polars", reason="SKIPPED: polars is not installed")
    frame = pl.DataFrame(rows)
    judged = gate.judge_table(frame)
    assert isinstance(judged, pl.DataFrame) and judged.columns == ["jpg", "txt", "n", *NAMES]
    assert judged.select(frame.columns).equals(frame)
    assert judged.schema["score"] == pl.Float32 and judged.schema["kept"] == pl.Boolean
    for name in NAMES:
        assert judged[name].to_list() == [getattr(decision, name) for decision in expected]
    many = gate.judge_table(frame.with_columns(pl.col("txt").cast(pl.Categorical)).vstack(
        frame.with_columns(pl.col("txt").cast(pl.Categorical))
    ))
    assert many["uid"].to_list() == [decision.uid for decision in expected] * 2
    assert gate.judge_table(frame.clear()).height == 0
    assert gate.judge_table(frame.slice(2, 3))["uid"].to_list() == [decision.uid for decision in expected[2:5]]
    with_objects = frame.with_columns(pl.Series("o", [object()] * frame.height, dtype=pl.Object))
    assert gate.judge_table(with_objects).columns[-7:] == ["o", *NAMES]
    with pytest.raises(TypeError, match="collect"):
        gate.judge_table(frame.lazy())
    with pytest.raises(ValueError, match="verdict"):
        gate.judge_table(judged)
    with pytest.raises(ValueError, match="no such column"):
        gate.judge_table(frame, image="png")
    holds(pa.table(pl.DataFrame(gate.judge_table(Rows(table_of(rows)))).to_arrow()).cast(
        gate.judge_table(table_of(rows)).schema
    ), expected)


def test_pandas(gate, rows, expected):
    pd = pytest.importorskip("pandas", reason="SKIPPED: pandas is not installed")
    frame = pd.DataFrame(rows, index=[f"row {n}" for n in rows["n"]])
    judged = gate.judge_table(frame)
    assert isinstance(judged, pd.DataFrame) and list(judged.columns) == ["jpg", "txt", "n", *NAMES]
    pd.testing.assert_frame_equal(judged[list(frame.columns)], frame)
    assert list(frame.columns) == ["jpg", "txt", "n"]
    for name in ("verdict", "reason", "kept", "uid"):
        assert judged[name].to_list() == [getattr(decision, name) for decision in expected]
    scores = [np.nan if decision.score is None else decision.score for decision in expected]
    assert judged["score"].dtype == np.float32
    np.testing.assert_array_equal(judged["score"].to_numpy(), np.array(scores, np.float32))
    as_arrow = frame.astype({"jpg": pd.ArrowDtype(pa.binary()), "txt": pd.ArrowDtype(pa.string())})
    assert gate.judge_table(as_arrow)["uid"].to_list() == [decision.uid for decision in expected]
    structs = pd.DataFrame({"jpg": [{"bytes": image, "path": None} for image in rows["jpg"]], "txt": rows["txt"]})
    assert gate.judge_table(structs)["uid"].to_list() == [decision.uid for decision in expected]
    assert gate.judge_table(frame.iloc[:0]).shape == (0, 9)
    assert list(gate.judge_table(judged, prefix="again_").columns[-6:]) == ["again_" + name for name in NAMES]
    with pytest.raises(ValueError, match="verdict"):
        gate.judge_table(judged)
    with pytest.raises(ValueError, match="no such column"):
        gate.judge_table(frame, caption="text")


def test_no_library_is_imported():
    """What the user does not have is not asked for."""
    code = (
        "import sys, pairgate_dfn\n"
        "try: pairgate_dfn.Gate().judge_table(None)\n"
        "except TypeError: pass\n"
        "print([name for name in ('pyarrow', 'polars', 'pandas') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
