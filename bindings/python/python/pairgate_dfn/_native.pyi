"""Native half of `pairgate_dfn`: import from there.

Each text here is also the object's `__doc__`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NotRequired, Protocol, TypeAlias, TypedDict, final, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairgate_dfn.datasets import GatedBatches
from pairgate_dfn.webdataset import GatedSamples

class _PilImage(Protocol):
    """An image of Pillow's, as far as it is looked at."""

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def mode(self) -> str: ...
    def tobytes(self) -> bytes: ...

# A str is the path of a file. What has one dimension is a file's bytes, what has two or three is pixels.
_Image: TypeAlias = (
    bytes | bytearray | memoryview | str | os.PathLike[str] | NDArray[np.uint8] | _PilImage | None
)
_Caption: TypeAlias = str | bytes | bytearray | None
# What a sample's .json says; of a str or bytes it is the JSON.
_Metadata: TypeAlias = Mapping[str, Any] | str | bytes | None
# That of all pairs, or one for each.
_Shards: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str] | None]
_Value: TypeAlias = bool | int | float | str | Sequence[str]
_Config: TypeAlias = str | os.PathLike[str] | Mapping[str, Mapping[str, _Value]]
_Verdict: TypeAlias = Literal["kept", "rejected", "failed"]

class _ArrowStreamable(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class _Columns(TypedDict):
    kept: NDArray[np.bool_]
    verdict: list[_Verdict]
    reason: list[str]
    score: NDArray[np.float32]
    threshold: NDArray[np.float32]
    uid: list[str]
    width: NDArray[np.uint32]
    height: NDArray[np.uint32]
    caption_length: NDArray[np.uint32]
    sha256: list[str]
    broken_rules: list[list[str]]
    measures: NotRequired[NDArray[np.float32]]

__version__: str
__all__ = [
    "ArrowStream",
    "Choice",
    "Decision",
    "Gate",
    "Journal",
    "Model",
    "ModelError",
    "Record",
    "Sketch",
    "State",
    "StateError",
    "__version__",
    "choice_of",
    "decision_of",
    "gate_of",
    "journal_table",
    "judge_arrow",
    "judged_names",
    "model_of",
    "read_journal",
    "read_sketch",
    "reason_names",
    "run_cli",
    "select_apply",
    "select_fit",
    "state_of",
]

class ModelError(ValueError):
    """A model bundle that cannot be loaded, or is another one than that which was pickled."""

class StateError(ValueError):
    """A state that cannot be read, is of another model, or is another one than that which was pickled."""

@final
class Choice:
    """What the decision of a gate with a state rested on, beside threshold and rules.

    It can be pickled and compared; what has no measure (NaN) is equal to itself.
    """

    @property
    def measures(self) -> tuple[float, ...]:
        """What the state measured: a value for each of `State.measures`, 32-bit floats, exactly; NaN for none."""
    @property
    def group(self) -> int | None:
        """The concept cluster or the source that the pair was counted in, by its number in the state."""
    @property
    def like(self) -> int | None:
        """The earlier pair that this one is like: its place, from 0, among all that the gate has judged."""
    @property
    def flags(self) -> tuple[str, ...]:
        """Reasons that speak against the pair and decide nothing."""
    def to_dict(self) -> dict[str, Any]:
        """All of the above by name; tuples are lists."""
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Decision:
    """What a gate answers for one pair.

    It can be pickled and compared. Ask for `kept`: a Decision itself is always true.

    >>> decision = Gate()(None, "a dog on a beach")
    >>> decision.kept, decision.verdict, decision.reason, decision.score
    (False, 'failed', 'image_missing', None)
    """

    @property
    def kept(self) -> bool:
        """Whether the pair is to be stored."""
    @property
    def verdict(self) -> _Verdict:
        """`"kept"`, `"rejected"` (judged, and not found good enough) or `"failed"` (could not be judged)."""
    @property
    def reason(self) -> str:
        """`"passed"`, or the first thing that speaks against the pair; docs/reasons.md has them all."""
    @property
    def score(self) -> float | None:
        """Cosine of the two embeddings, -1 to 1: a 32-bit float, exactly. None where the model was not asked."""
    @property
    def threshold(self) -> float | None:
        """Lowest score that passes, -1 to 1: a 32-bit float, exactly."""
    @property
    def uid(self) -> str:
        """The pair's identity, 32 hex digits: the first half of SHA-256(image's SHA-256 || caption)."""
    @property
    def width(self) -> int:
        """Columns of the image in pixels, its EXIF orientation applied; 0 where its header was not read."""
    @property
    def height(self) -> int:
        """Rows of the image in pixels, its EXIF orientation applied; 0 where its header was not read."""
    @property
    def caption_length(self) -> int:
        """Code points in the caption; 0 where there is none or it is not UTF-8."""
    @property
    def sha256(self) -> str:
        """SHA-256 of the image file, 64 hex digits; zeros where there is none.

        Of pixels: of width and height, 32 bits each, little-endian, and of the RGB bytes.
        """
    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The rules that the pair breaks, as far as they were asked: names of reasons."""
    @property
    def choice(self) -> Choice | None:
        """What a state's choice rested on; None where no state was asked: without one, and of pairs that
        threshold or rules reject."""
    def to_dict(self) -> dict[str, Any]:
        """All of the above by name; `broken_rules` is a list, `choice` a dict or None.

        >>> Gate()(None, None).to_dict()["reason"]
        'caption_missing'
        """
    def _repr_html_(self) -> str:
        """How a notebook shows it."""
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Gate:
    """Scores image-text pairs and decides which are kept.

    A gate decides as `pairgate filter` does with the same settings: scores and decisions are equal, bit for
    bit. It may be called from any number of threads, before and after a fork, and is pickled by its
    parameters. Models are loaded once a process.

    Args:
        threshold: Lowest score that passes, -1 to 1. Default: the config's, else the model's own.
        keep: Share of the pairs to keep, above 0, at most 1: the threshold is what the best share of the
            pairs reach that the model was calibrated on. Not beside `threshold`.
        model: Path of a bundle (a folder or a tar), or a Model. Default: the config's, else the model in
            the package.
        config: Path of a TOML file as `pairgate --config` reads it, or a dict of its tables. Rules, limits
            of images and samples, `[policy]`, `model.bundle` and `pipeline.workers` are looked at.
        rules: `"basic"` (3 words, 6 characters, 200 pixels, aspect 3) or `"none"`. Default: the config's,
            else basic.
        threads: Threads of `judge`, 1 to 1024. Default: the config's, else the cores that this process may
            use.
        scaled: Whether large JPEGs are decoded at a half, a quarter or an eighth, which is faster and moves
            scores a little. Default: the config's, else not.
        score_all: Whether pairs that break a rule are scored as well. They are rejected all the same.
        select: Path of a state (`NAME.pgsel`), or a State: selects among the pairs that threshold and rules
            let pass, as `pairgate filter --select` does, in the order in which they are given. Default: the
            config's `select.state`, else none.

    A state's duplicates, and its sources that follow their scores, depend on the pairs before
    (`gate.state.moving` names them): the gate remembers what it has judged for as long as it lives, or until
    `forget`. So judge each pair once: the second time it is a duplicate of itself. Calls of several threads are
    decided on one after the other, as they come; up to 4096 pairs of a call stay together. A process that was
    forked, and a gate that was pickled (workers of loaders, Ray), begin with the frozen state: each has a
    memory of its own, and none sees the duplicates of another. A pickle holds the state's path and digest; the
    file must be there.

    Raises:
        ValueError: A setting is unknown or out of range; the text names key, value and range.
        ModelError: The bundle cannot be loaded.
        StateError: The state cannot be read, or was fitted on another model.

    >>> gate = Gate(keep=0.15, rules="none")
    >>> gate(None, "a dog on a beach").reason
    'image_missing'
    """

    def __new__(
        cls,
        *,
        threshold: float | None = None,
        keep: float | None = None,
        model: str | os.PathLike[str] | Model | None = None,
        config: _Config | None = None,
        rules: Literal["basic", "none"] | None = None,
        threads: int | None = None,
        scaled: bool | None = None,
        score_all: bool = False,
        select: str | os.PathLike[str] | State | None = None,
    ) -> Gate: ...
    @property
    def threshold(self) -> float | None:
        """Lowest score that passes, -1 to 1: a 32-bit float, exactly."""
    @property
    def threads(self) -> int:
        """Threads of `judge`, where it is not told otherwise."""
    @property
    def model(self) -> Model:
        """The model that is asked."""
    @property
    def settings(self) -> dict[str, str]:
        """Settings that can change a decision and are not the default, by their names in a config."""
    @property
    def settings_digest(self) -> str:
        """SHA-256 of the settings, 64 hex digits, as journals hold it."""
    @property
    def state(self) -> State | None:
        """The state that selects. Its digest is in `settings` as `select.state`."""
    def forget(self) -> None:
        """Forgets all pairs that were judged in this process: the state is as it was frozen."""
    def __call__(
        self,
        image: _Image,
        caption: _Caption,
        *,
        metadata: _Metadata = None,
        shard: str | os.PathLike[str] | None = None,
    ) -> Decision:
        """Judges one pair, on the calling thread.

        Args:
            image: A file's bytes (bytes, bytearray, memoryview), its path (str, os.PathLike), pixels (NumPy
                uint8 [H, W], [H, W, 3] or [H, W, 4]; opacity is laid over white), an image of Pillow's
                (turned as its EXIF says), or None. Pixels are not encoded, but prepared as decoded files are.
            caption: str, bytes in UTF-8, or None. A byte order mark in front of bytes is left out.
            metadata: What the sample's `.json` says (a dict, JSON, or None): a `uid` of 32 hex digits is the
                pair's, `original_width` and `original_height` are what the rules on sizes ask for, and a
                `caption` is taken where `caption` is None.
            shard: The shard, folder or table that the pair comes from, for a state that selects by it
                (`sources by shard`): as it was named where the state was fitted.

        None, NaN and pandas.NA are a missing image or caption.

        Returns:
            A Decision, whatever is wrong with the pair: what is broken, too large or missing is its reason.

        Raises:
            TypeError: Image or caption are none by their type.
            ValueError: The gate's state selects by shard, and `shard` is not given.

        >>> gate = Gate()
        >>> gate(b"no image", "a dog on a beach").reason
        'unknown_format'
        """
    @overload
    def judge(
        self,
        images: Iterable[_Image],
        captions: Iterable[_Caption],
        *,
        metadata: Iterable[_Metadata] | None = None,
        shard: _Shards | None = None,
        threads: int | None = None,
        columns: Literal[False] = False,
    ) -> list[Decision]: ...
    @overload
    def judge(
        self,
        images: Iterable[_Image],
        captions: Iterable[_Caption],
        *,
        metadata: Iterable[_Metadata] | None = None,
        shard: _Shards | None = None,
        threads: int | None = None,
        columns: Literal[True],
    ) -> _Columns: ...
    @overload
    def judge(
        self,
        images: Iterable[_Image],
        captions: Iterable[_Caption],
        *,
        metadata: Iterable[_Metadata] | None = None,
        shard: _Shards | None = None,
        threads: int | None = None,
        columns: bool = False,
    ) -> list[Decision] | _Columns:
        """Judges many pairs; Python's lock is released meanwhile.

        Args:
            images: One for each pair, each as in a call.
            captions: One for each pair, each as in a call.
            metadata: One for each pair, each as in a call.
            shard: That of all pairs, or one for each.
            threads: Threads to work on, the calling one among them, 1 to 1024. Default: the gate's. No
                decision depends on it.
            columns: Whether columns are returned instead of decisions.

        Returns:
            A list of N decisions in the pairs' order; or a dict by the names of their attributes, of NumPy
            arrays [N] (`kept` bool; `score`, `threshold` float32, NaN where there is none; `width`, `height`,
            `caption_length` uint32) and lists of text. Of a gate with a state `measures`, float32 [N, M], are
            beside them, NaN where the state was not asked.

        Raises:
            TypeError: An image or a caption is none by its type; the text names its place.
            ValueError: The lists are not of one length; `shard` or `metadata` are not given, and the gate's
                state selects by them.
            KeyboardInterrupt: Ctrl-C; it is looked for ten times a second.

        >>> gate = Gate()
        >>> [decision.reason for decision in gate.judge([None, b""], ["a red ball", "a red ball"])]
        ['image_missing', 'unknown_format']
        >>> gate.judge([None], ["a red ball"], columns=True)["kept"]
        array([False])
        """
    def judge_table(
        self,
        table: Any,
        *,
        image: str = "jpg",
        caption: str = "txt",
        metadata: str | None = None,
        threads: int | None = None,
        prefix: str = "",
        shard: str | None = None,
    ) -> Any:
        """Judges the rows of a table; Python's lock is released meanwhile.

        Args:
            table: A Table, RecordBatch or RecordBatchReader of pyarrow, a DataFrame of polars or of pandas, or
                whatever has `__arrow_c_stream__` or `__arrow_c_array__`.
            image: Name of the column of images: of files (binary), of their paths (string), or of both
                (struct {bytes, path}, as the library `datasets` has them; the path where there are no bytes).
            caption: Name of the column of captions: string, or binary in UTF-8.
            metadata: Name of a column of what the samples' `.json` says, as JSON (string or binary).
            threads: Threads to work on, as of `judge`.
            prefix: What the names of the new columns begin with.
            shard: Name of a column of the rows' shards (string), for a state that selects by them.

        Columns may be large, views or dictionaries. Null is a missing image or caption.

        Returns:
            The table with its columns as they were, and behind them `verdict`, `reason`, `uid` (strings),
            `score`, `threshold` (float32, null where there is none) and `kept` (bool), the rows in their order.
            Of pyarrow, polars and pandas it is of the same library and kind; of a RecordBatchReader another,
            which judges batch by batch as it is read. Of anything else it is an ArrowStream, which does so too.

        Raises:
            TypeError: It is no table, or a column is none of images or captions by its type.
            ValueError: There is no such column, or there is one already with a new one's name.
            KeyboardInterrupt: Ctrl-C; it is looked for ten times a second.

        >>> Gate().judge_table([1, 2])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        TypeError: table: list is no table of Arrow: give one of ...
        """
    def __reduce__(self) -> tuple[Any, ...]: ...
    # Of Python: see _adapters.py.
    def webdataset(
        self,
        image: str | Sequence[str] | None = None,
        caption: str | Sequence[str] | None = None,
        metadata: str = "json",
    ) -> GatedSamples: ...
    def datasets(self, image: str = "image", caption: str = "caption", **settings: Any) -> GatedBatches: ...

@final
class Model:
    """The network by itself: embeddings of images and of captions.

    Args:
        path: Path of a bundle, a folder or a tar. Default: the model in the package.
        threads: Threads of each call, 1 to 1024. Default: the cores that this process may use.

    Raises:
        ModelError: The bundle cannot be loaded.

    >>> model = Model()
    >>> model.embed_captions(["a dog on a beach", "a red ball"]).shape
    (2, 256)
    """

    def __new__(cls, path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Model: ...
    @property
    def name(self) -> str:
        """Name and version."""
    @property
    def licence(self) -> str:
        """Licence of the weights."""
    @property
    def digest(self) -> str:
        """What names the model in journals: SHA-256 of its manifest, 64 hex digits."""
    @property
    def dimension(self) -> int:
        """Values of an embedding."""
    @property
    def context_length(self) -> int:
        """Most tokens of a caption; what follows is cut off."""
    @property
    def image_size(self) -> int:
        """Side of the square that it sees of an image, in pixels."""
    @property
    def recommended_threshold(self) -> float | None:
        """The threshold that the model recommends, -1 to 1: a 32-bit float, exactly."""
    def embed_images(self, images: Iterable[_Image], *, threads: int | None = None) -> NDArray[np.float32]:
        """Embeddings of images, each as in a gate's call: float32 [N, dimension], rows of unit length.

        Raises:
            ValueError: An image cannot be read; the text names its place and the reason.
            TypeError: An image is none by its type.

        >>> import numpy as np
        >>> Model().embed_images([np.zeros([64, 64, 3], np.uint8)]).shape
        (1, 256)
        """
    def embed_captions(self, captions: Iterable[_Caption], *, threads: int | None = None) -> NDArray[np.float32]:
        """Embeddings of captions: float32 [N, dimension], rows of unit length.

        Raises:
            ValueError: A caption is missing, too long or not UTF-8; the text names its place and the reason.
            TypeError: A caption is none by its type.

        >>> Model().embed_captions(["a dog on a beach"]).dtype
        dtype('float32')
        """
    def __reduce__(self) -> tuple[Any, ...]: ...

def run_cli(arguments: Sequence[str]) -> int:
    """Runs the program `pairgate` in this process; `arguments` begin with its name.

    It writes to the process's own standard output and error, and takes its signals.

    Returns:
        The exit code: 0 done, 1 some pairs could not be judged, 2 could not run, 130 interrupted.
    """

def decision_of(
    verdict: str,
    reason: str,
    score: float | None,
    threshold: float | None,
    uid: str,
    size: tuple[int, int],
    caption_length: int,
    sha256: str,
    broken_rules: Sequence[str],
    choice: Choice | None = None,
) -> Decision:
    """A decision from its parts: what pickles hold."""

def gate_of(
    threshold: float | None,
    keep: float | None,
    config: Any,
    rules: str | None,
    threads: int | None,
    scaled: bool | None,
    score_all: bool,
    path: str | None,
    digest: str,
    state: tuple[str, str] | None = None,
) -> Gate:
    """A gate from its parts: what pickles hold."""

def choice_of(
    measures: Sequence[float], group: int | None, like: int | None, flags: Sequence[str]
) -> Choice:
    """A choice from its parts: what pickles hold."""

def state_of(path: str, digest: str) -> State:
    """A state from its parts: what pickles hold."""

def model_of(path: str | None, threads: int | None, digest: str) -> Model:
    """A model from its parts: what pickles hold."""

@final
class State:
    """A frozen selection: methods that were fitted once, and the rule that combines them.

    `State.read(path)` reads one; `pairgate_dfn.select.fit` makes one. It can be pickled, by its path and its
    digest, and is equal to one of the same digest.
    """

    @staticmethod
    def read(path: str | os.PathLike[str]) -> State:
        """Reads a state that `select fit` wrote.

        Raises:
            StateError: It cannot be read, is none, or is damaged; the text names the file.

        >>> State.read("no.pgsel")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        StateError: reading no.pgsel: No such file or directory
        """
    @property
    def path(self) -> str:
        """Where it lies."""
    @property
    def digest(self) -> str:
        """SHA-256 that its file ends with, 64 hex digits: what journals name it by."""
    @property
    def expression(self) -> str:
        """The methods, and what combines them."""
    @property
    def model(self) -> str:
        """Name and version of the model that it was fitted on; empty where nobody told it."""
    @property
    def model_digest(self) -> str:
        """That model's digest, 64 hex digits. Gates on another one refuse the state."""
    @property
    def dimension(self) -> int:
        """Values of an embedding."""
    @property
    def seed(self) -> int:
        """What all that is drawn is drawn by."""
    @property
    def calibration(self) -> str:
        """SHA-256 over uids and scores of the pairs that it was fitted on, 64 hex digits."""
    @property
    def pairs(self) -> int:
        """How many they were."""
    @property
    def threshold(self) -> float | None:
        """The least score that they had: a 32-bit float, exactly; None where all scores were taken."""
    @property
    def moving(self) -> str | None:
        """The method whose decisions depend on the pairs before; None where each pair is decided by itself."""
    @property
    def memory(self) -> int:
        """Bytes that it takes once it is loaded."""
    @property
    def growth(self) -> int:
        """Bytes at most that a gate takes beside it for what it remembers."""
    @property
    def measures(self) -> tuple[str, ...]:
        """The method of each value that a gate measures, in the order of `Choice.measures`."""
    @property
    def parts(self) -> list[dict[str, Any]]:
        """What is frozen: for each method its name (`method`), and the shapes of its arrays by name (`arrays`)."""
    def to_dict(self) -> dict[str, Any]:
        """All of the above by name."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

def select_fit(
    runs: Mapping[str, Any], fitting: Mapping[str, Any], model: str | os.PathLike[str] | Model | None, out: str
) -> tuple[State, int, list[tuple[str, int, int, bool]]]:
    """Fits methods on runs, for `pairgate_dfn.select.fit`: the state, pairs kept, and what each method did."""

def select_apply(
    runs: Mapping[str, Any], state: State, model: str | os.PathLike[str] | Model | None, pair_by_pair: bool
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[tuple[str, int, int, bool]], NDArray[np.uint8] | None]:
    """Applies a state to runs, for `pairgate_dfn.select.apply`: uids [N, 16], which are kept [N], what each
    method did, and codes of reasons [N] where it was applied pair by pair."""

def reason_names() -> list[str]:
    """Names of all reasons, in the order of their codes."""

@final
class ArrowStream:
    """A table for whatever library takes one by Arrow's PyCapsule protocol.

    `pyarrow.table(stream)`, `pyarrow.RecordBatchReader.from_stream(stream)`, `polars.DataFrame(stream)` and
    `pandas.DataFrame.from_arrow(stream)` (3.0) are some. Where it is made as it is read it can be read once;
    an exception of Python's is then told in the library's own.
    """

    @property
    def column_names(self) -> list[str]:
        """Names of the columns."""
    def __arrow_c_schema__(self) -> object:
        """The columns' names and types."""
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows; the requested schema is not looked at."""

@final
class Record:
    """One decision of a journal: attributes, or a dict by their names.

    It is compared by its values; `dict(record)` and `record["score"]` work.
    """

    @property
    def ticket(self) -> int:
        """The pair's place among all of the run, from 0."""
    @property
    def uid(self) -> str:
        """The pair's identity, 32 hex digits."""
    @property
    def key(self) -> str:
        """The sample's key in its source, at most 4096 bytes of it."""
    @property
    def shard(self) -> str:
        """The shard, folder or manifest that it came from, at most 4096 bytes of it."""
    @property
    def input(self) -> int:
        """The input's place in the run's list, from 0; 0 in journals of formats 1 and 2."""
    @property
    def item(self) -> int:
        """The sample's place in its input, from 0; 0 in journals of formats 1 and 2."""
    @property
    def verdict(self) -> _Verdict:
        """`"kept"`, `"rejected"` or `"failed"`."""
    @property
    def reason(self) -> str:
        """`"passed"`, or the first thing that spoke against the pair."""
    @property
    def score(self) -> float | None:
        """Cosine, -1 to 1: a 32-bit float, exactly. None where the model was not asked."""
    @property
    def threshold(self) -> float | None:
        """Lowest score that passed then: a 32-bit float, exactly. None where pairs were only scored."""
    @property
    def width(self) -> int:
        """Columns of the image in pixels; 0 where its header was not read."""
    @property
    def height(self) -> int:
        """Rows of the image in pixels; 0 where its header was not read."""
    @property
    def caption_length(self) -> int:
        """Code points in the caption."""
    @property
    def sha256(self) -> str:
        """SHA-256 of the image file, 64 hex digits; zeros where there is none."""
    @property
    def image_bytes(self) -> int:
        """Bytes of the image file; 0 where there is none, and in journals of formats 1 and 2."""
    @property
    def broken_rules(self) -> tuple[str, ...]:
        """The rules that the pair breaks, as far as they were asked: names of reasons."""
    @property
    def stored_shard(self) -> str | None:
        """The shard that the pair is stored in; None where it is not, and in journals of formats 1 and 2."""
    @property
    def stored_key(self) -> str | None:
        """Its key there."""
    @property
    def recovered(self) -> bool:
        """Whether the record was made of a pair that was found stored without one."""
    @property
    def choice(self) -> Choice | None:
        """What a state's choice rested on, where one was asked. An attribute alone: tables have no column of it."""
    def keys(self) -> list[str]:
        """The names of all of the above but `choice`."""
    def to_dict(self) -> dict[str, Any]:
        """All of them by name; `broken_rules` is a list."""
    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[str]: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Journal:
    """Reads a journal, record by record, in the order of the run.

    What is known of the whole is of its first part before a record is read, and of the record that was read
    last from then on: another model or threshold may have taken over within a journal.
    """

    @property
    def model(self) -> str:
        """Name and version of the model; empty where it is not known."""
    @property
    def model_digest(self) -> str:
        """SHA-256 of the model's manifest, 64 hex digits."""
    @property
    def threshold(self) -> float | None:
        """Lowest score that passes; where it moves, the first one. None where pairs were only scored."""
    @property
    def settings(self) -> dict[str, str]:
        """Settings that are not the default, by their names in a config."""
    @property
    def program(self) -> str:
        """Version of the program that wrote it; empty where it is not known."""
    def columns(self) -> dict[str, Any]:
        """All records that were not read yet, as columns by the names of a Record's attributes.

        Numbers are NumPy arrays (`score` and `threshold` float32, NaN where there is none), texts lists.

        Raises:
            OSError: The journal is damaged.
        """
    def __iter__(self) -> Journal: ...
    def __next__(self) -> Record: ...

@final
class Sketch:
    """The distribution of any number of scores in less than 1 MB, which can be saved and merged.

    It is a t-digest: a share is off by less than 0.0005, and by less towards the ends. It depends a little on
    the order in which scores come.

    Args:
        scores: A list or an array of float32; what is no finite number says nothing.

    >>> sketch = Sketch([0.1, 0.2, 0.3, float("nan")])
    >>> sketch.count
    3
    """

    def __new__(cls, scores: ArrayLike | None = None) -> Sketch: ...
    def add(self, scores: ArrayLike) -> None:
        """Adds scores."""
    def merge(self, other: Sketch) -> None:
        """Adds what another sketch has seen.

        Raises:
            ValueError: They are scores of another model.
        """
    @property
    def count(self) -> int:
        """Scores seen."""
    @property
    def model_digest(self) -> str | None:
        """What names the model whose scores they are, where that is known: 64 hex digits."""
    def quantile(self, rank: float) -> float | None:
        """The score below which a share `rank` of the scores lies, 0 to 1; None without scores."""
    def share_kept(self, threshold: float) -> float | None:
        """The share of scores at or above a threshold; None without scores."""
    def threshold(self, keep: float) -> float | None:
        """The threshold that keeps a share of the scores, above 0, at most 1; None without scores."""
    def interval(self, keep: float, *, confidence: float = 0.95) -> tuple[float, float] | None:
        """Where that threshold lies with the probability `confidence`, if the scores are a random sample."""
    def calibration(self, keep: float, precision: float, confidence: float) -> dict[str, Any]:
        """What `calibrate` tells of them, by name."""
    def save(self, path: str | os.PathLike[str], *, model_digest: str | None = None) -> None:
        """Writes a file that `pairgate calibrate --merge` and `read_sketch` read.

        Args:
            path: The file; it appears whole or not at all.
            model_digest: Whose scores they are: `gate.model.digest`. Default: the one that is known.

        Raises:
            ValueError: It is not known whose scores they are.
        """
    def __len__(self) -> int: ...

def read_journal(path: str | os.PathLike[str]) -> Journal:
    """Opens a journal: an output folder, the folder `journal` in one, or a file.

    Raises:
        OSError: It cannot be read, there is none, or it is of a format that is not read.
    """

def journal_table(path: str | os.PathLike[str]) -> ArrowStream:
    """A journal as a table with the columns of a Record, read as it is asked for, once.

    Raises:
        OSError: As of `read_journal`.
    """

def read_sketch(path: str | os.PathLike[str]) -> Sketch:
    """Reads a sketch that `pairgate calibrate --sketch` or `Sketch.save` wrote.

    Raises:
        OSError: It cannot be read, is no sketch, damaged, or of another version.
    """

def judge_arrow(
    gate: Gate,
    table: _ArrowStreamable | _ArrowArray,
    image: str,
    caption: str,
    metadata: str | None,
    threads: int | None,
    prefix: str,
    shard: str | None = None,
    beside: Sequence[str] | None = None,
) -> ArrowStream:
    """What a gate says of a table's rows, for `Gate.judge_table`.

    With `beside`, the names of columns that it is put beside later, the new columns alone, made at once;
    without it the whole table, judged as it is read.
    """

def judged_names(prefix: str, beside: Sequence[str]) -> list[str]:
    """Names of the new columns, none of which is among those in `beside`."""
