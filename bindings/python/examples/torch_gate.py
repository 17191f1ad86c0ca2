"""PyTorch: batches of pairs that a gate keeps, judged in a DataLoader's workers."""

from pathlib import Path

from pairgate_dfn import Gate
from pairgate_dfn.torch import Collate, kept_indices
from torch.utils.data import DataLoader, Dataset, Subset

PAIRS = Path(__file__).resolve().parents[3] / "tests" / "data" / "pairs"


class Pairs(Dataset):
    """Files and captions."""

    def __init__(self) -> None:
        self.images = sorted(PAIRS.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, object]:
        image = self.images[index]
        return {"image": image.read_bytes(), "caption": image.with_suffix(".txt").read_text()}


if __name__ == "__main__":
    gate = Gate()
    collate = Collate(gate, image="image", caption="caption", collate=list)
    for batch in DataLoader(Pairs(), batch_size=4, num_workers=2, collate_fn=collate):
        print("kept:", [item["caption"] for item in batch or []])

    subset = Subset(Pairs(), kept_indices(Pairs(), gate, "image", "caption"))
    print(len(subset), "of", len(Pairs()))
