"""pandas: a frame of paths and captions."""

from pathlib import Path

import pandas as pd
from pairgate_dfn import Gate

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"

images = sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png"))
frame = pd.DataFrame(
    {
        "path": [str(path) for path in images],
        "text": [path.with_suffix(".txt").read_text().strip() for path in images],
    }
)
frame = Gate().judge_table(frame, image="path", caption="text")
print(frame[["text", "verdict", "reason", "score"]].to_string())
print(frame.reason.value_counts().to_string())
frame[frame.kept].to_csv("kept.csv", index=False)
