"""A gate for image-text pairs: keeps those whose caption fits the image.

    from pairgate_dfn import Gate

    gate = Gate()
    decision = gate(open("photo.jpg", "rb").read(), "a dog on a beach")
    decision.kept, decision.reason, decision.score
"""

from pairgate_dfn import _adapters, select
from pairgate_dfn._embeddings import Embeddings, read_embeddings
from pairgate_dfn._native import (
    ArrowStream,
    Choice,
    Decision,
    Gate,
    Journal,
    Model,
    ModelError,
    Record,
    Sketch,
    State,
    StateError,
    __version__,
    journal_table,
    read_journal,
    read_sketch,
)
from pairgate_dfn._tools import Calibration, Replay, calibrate, cli, replay, subset

__all__ = [
    "ArrowStream",
    "Calibration",
    "Choice",
    "Decision",
    "Embeddings",
    "Gate",
    "Journal",
    "Model",
    "ModelError",
    "Record",
    "Replay",
    "Sketch",
    "State",
    "StateError",
    "__version__",
    "calibrate",
    "cli",
    "journal_table",
    "read_embeddings",
    "read_journal",
    "read_sketch",
    "replay",
    "select",
    "subset",
]

_adapters.attach()
