"""A notebook's cells, each after `# %%`: a Decision at the end of a cell shows itself."""

# %%
from pathlib import Path

from pairgate_dfn import Gate

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"
gate = Gate()

# %% One pair
decision = gate(PAIRS / "beach.jpg", (PAIRS / "beach.txt").read_text())
decision  # noqa: B018

# %% What a notebook makes of it
print(decision._repr_html_())

# %% The same picture under other captions
for caption in ("a sandy beach by the sea", "a red ball on a table", "IMG_2071"):
    print(caption, "->", gate(PAIRS / "beach.jpg", caption))
