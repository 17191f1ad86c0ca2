"""Hugging Face datasets: a column of images and one of text, judged and filtered."""

from pathlib import Path

from datasets import Dataset, Features, Image, Value
from pairgate_dfn import Gate

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"

images = sorted(path for path in PAIRS.iterdir() if path.suffix in (".jpg", ".png"))
columns = {
    "image": [str(path) for path in images],
    "text": [path.with_suffix(".txt").read_text() for path in images],
}
# Undecoded: the gate takes the files as they are, broken ones too.
features = Features({"image": Image(decode=False), "text": Value("string")})
dataset = Dataset.from_dict(columns, features=features)

gated = Gate(keep=0.5).datasets(image="image", caption="text", threads=2)
told = dataset.map(gated, batched=True, batch_size=64)
for row in told:
    print(f"{row['verdict']:9}{row['reason']:20}{row['text'].strip()}")

kept = dataset.filter(gated.kept, batched=True, batch_size=64)
print(len(kept), "of", len(dataset))
