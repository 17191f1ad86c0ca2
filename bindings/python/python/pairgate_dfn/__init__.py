"""A gate for image-text pairs: keeps those whose caption fits the image.

    from pairgate_dfn import Gate

    gate = Gate()
    decision = gate(open("photo.jpg", "rb").read(), "a dog on a beach")
    decision.kept, decision.reason, decision.score
"""

from pairgate_dfn import _adapters
from pairgate_dfn._native import Decision, Gate, Model, ModelError, __version__

__all__ = ["Decision", "Gate", "Model", "ModelError", "__version__"]

_adapters.attach()
