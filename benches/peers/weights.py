"""Random weights for an open_clip model with batch norms: `python weights.py MODEL -o FILE`.

With weights and norms both at random, int8 is hopeless, which no trained network is. So the norms'
statistics are taken from pictures, as training would have left them. The file is for
`open_clip_export.py MODEL --pretrained FILE`.

Example: python weights.py MobileCLIP2-S0 --pairs 00000.tar -o mobileclip.pt
"""

import argparse
import io
from pathlib import Path

import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from prepare import pairs

PICTURES = 48


def pictures(model: torch.nn.Module, shards: list[Path]) -> torch.Tensor:
    """`[N, 3, S, S]` as open_clip prepares them."""
    prepare = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    jpegs = [jpeg for _, jpeg, _ in pairs(shards)]
    chosen = jpegs[::max(1, len(jpegs) // PICTURES)][:PICTURES]
    return torch.stack([prepare(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in chosen])


def fit_norms(module: torch.nn.Module, inputs: torch.Tensor) -> None:
    """Set the statistics of every batch norm to those of its inputs."""
    norms = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        module(inputs)
    module.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an open_clip name")
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, metavar="SHARD")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    import open_clip_export  # found since prepare was imported
    torch.manual_seed(given.seed)
    model = open_clip_export.load(given.model, None, True)[0]
    fit_norms(model.visual, pictures(model, given.pairs))
    torch.save(model.state_dict(), given.out)


if __name__ == "__main__":
    main()
