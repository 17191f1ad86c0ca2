"""Native half of `pairgate_dfn`: import from there.

Each text here is also the object's `__doc__`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, final, overload

import numpy as np
from numpy.typing import NDArray

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
_Value: TypeAlias = bool | int | float | str | Sequence[str]
_Config: TypeAlias = str | os.PathLike[str] | Mapping[str, Mapping[str, _Value]]
_Verdict: TypeAlias = Literal["kept", "rejected", "failed"]

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

__version__: str
__all__ = [
    "Decision",
    "Gate",
    "Model",
    "ModelError",
    "__version__",
    "decision_of",
    "gate_of",
    "model_of",
    "run_cli",
]

class ModelError(ValueError):
    """A model bundle that cannot be loaded, or is another one than that which was pickled."""

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
    def to_dict(self) -> dict[str, Any]:
        """All of the above by name; `broken_rules` is a list.

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

    Raises:
        ValueError: A setting is unknown or out of range; the text names key, value and range.
        ModelError: The bundle cannot be loaded.

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
    def __call__(self, image: _Image, caption: _Caption, *, metadata: _Metadata = None) -> Decision:
        """Judges one pair, on the calling thread.

        Args:
            image: A file's bytes (bytes, bytearray, memoryview), its path (str, os.PathLike), pixels (NumPy
                uint8 [H, W], [H, W, 3] or [H, W, 4]; opacity is laid over white), an image of Pillow's
                (turned as its EXIF says), or None. Pixels are not encoded, but prepared as decoded files are.
            caption: str, bytes in UTF-8, or None. A byte order mark in front of bytes is left out.
            metadata: What the sample's `.json` says (a dict, JSON, or None): a `uid` of 32 hex digits is the
                pair's, `original_width` and `original_height` are what the rules on sizes ask for, and a
                `caption` is taken where `caption` is None.

        None, NaN and pandas.NA are a missing image or caption.

        Returns:
            A Decision, whatever is wrong with the pair: what is broken, too large or missing is its reason.

        Raises:
            TypeError: Image or caption are none by their type.

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
        threads: int | None = None,
        columns: bool = False,
    ) -> list[Decision] | _Columns:
        """Judges many pairs; Python's lock is released meanwhile.

        Args:
            images: One for each pair, each as in a call.
            captions: One for each pair, each as in a call.
            metadata: One for each pair, each as in a call.
            threads: Threads to work on, the calling one among them, 1 to 1024. Default: the gate's. No
                decision depends on it.
            columns: Whether columns are returned instead of decisions.

        Returns:
            A list of N decisions in the pairs' order; or a dict by the names of their attributes, of NumPy
            arrays [N] (`kept` bool; `score`, `threshold` float32, NaN where there is none; `width`, `height`,
            `caption_length` uint32) and lists of text.

        Raises:
            TypeError: An image or a caption is none by its type; the text names its place.
            ValueError: The lists are not of one length.
            KeyboardInterrupt: Ctrl-C; it is looked for ten times a second.

        >>> gate = Gate()
        >>> [decision.reason for decision in gate.judge([None, b""], ["a red ball", "a red ball"])]
        ['image_missing', 'unknown_format']
        >>> gate.judge([None], ["a red ball"], columns=True)["kept"]
        array([False])
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
    def pandas(self, frame: Any, image: str = "image", caption: str = "caption", **settings: Any) -> Any: ...

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
) -> Gate:
    """A gate from its parts: what pickles hold."""

def model_of(path: str | None, threads: int | None, digest: str) -> Model:
    """A model from its parts: what pickles hold."""
