"""Golden values of KenLM on a model that the caption language model learnt and wrote as an ARPA file.

    pip install kenlm==0.3.0
    python tests/golden/selection_kenlm.py tests/data/selection

Reads model.arpa, which the tests write (PAIRGATE_WRITE_ARPA=1), and the captions of language.json;
writes kenlm.json: log10 of each caption's probability, its start and its end included, by another
reader of such files.
"""

import json
import sys
from pathlib import Path

import kenlm


def main(folder):
    model = kenlm.Model(str(Path(folder) / "model.arpa"))
    asked = json.loads((Path(folder) / "language.json").read_text())["asked"]
    scores = [model.score(" ".join(f"t{token}" for token in tokens), bos=True, eos=True) for tokens in asked]
    (Path(folder) / "kenlm.json").write_text(json.dumps({"order": model.order, "log10": scores}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
