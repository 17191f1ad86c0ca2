"""The towers that were compared before one of each was chosen: see `compare.py`.

All image towers map `[N, 3, S, S]` to features `[N, HEAD_WIDTH]` by `features`, and to `[N, D]`.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

import towers
from towers import EMBEDDING_SIZE, HEAD_WIDTH, IMAGE_SIZE, ConvNorm, TextBlock, TextTower


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then two linears, round a skip."""

    def __init__(self, width):
        super().__init__()
        self.mix = ConvNorm(width, width, 3, 1, groups=width)
        self.up = ConvNorm(width, 3 * width, 1, 1)
        self.down = ConvNorm(3 * width, width, 1, 1)
        nn.init.zeros_(self.down.norm.weight)

    def forward(self, x):
        return x + self.down(F.relu(self.up(self.mix(x))))


class SeparableTower(nn.Module):
    """Depthwise-separable blocks at strides 4 to 32."""

    STAGES = ((48, 2), (96, 3), (192, 5), (320, 2))

    def __init__(self):
        super().__init__()
        body, width = [ConvNorm(3, self.STAGES[0][0], 4, 4)], self.STAGES[0][0]
        for outputs, blocks in self.STAGES:
            if outputs != width:
                body += [ConvNorm(width, outputs, 2, 2)]
            body += [Separable(outputs) for _ in range(blocks)]
            width = outputs
        self.body = nn.Sequential(*body)
        self.head = ConvNorm(width, HEAD_WIDTH, 1, 1)
        self.project = nn.Linear(HEAD_WIDTH, EMBEDDING_SIZE)

    def features(self, pixels):
        return F.relu(self.head(self.body(pixels))).mean((2, 3))

    def forward(self, pixels):
        return self.project(self.features(pixels))


class VitTower(nn.Module):
    """A transformer over patches of 16 pixels; its positions are stretched to smaller images."""

    PATCH, WIDTH, LAYERS, HEADS = 16, 192, 6, 6

    def __init__(self):
        super().__init__()
        side = IMAGE_SIZE // self.PATCH
        self.stem = nn.Conv2d(3, self.WIDTH, self.PATCH, self.PATCH)
        self.position = nn.Parameter(torch.randn(1, self.WIDTH, side, side) * 0.02)
        self.blocks = nn.ModuleList(
            TextBlock(self.WIDTH, self.HEADS, 4 * self.WIDTH) for _ in range(self.LAYERS))
        self.norm = nn.LayerNorm(self.WIDTH)
        self.head = nn.Linear(self.WIDTH, HEAD_WIDTH)
        self.project = nn.Linear(HEAD_WIDTH, EMBEDDING_SIZE)

    def features(self, pixels):
        x = self.stem(pixels)
        position = self.position
        if x.shape[-1] != position.shape[-1]:
            position = F.interpolate(position, x.shape[-2:], mode="bilinear", align_corners=False)
        x = (x + position).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x, 0.0)
        return F.relu(self.head(self.norm(x))).mean(1)

    def forward(self, pixels):
        return self.project(self.features(pixels))


IMAGE = {"residual": towers.ImageTower, "separable": SeparableTower, "vit": VitTower}
TEXT = {"2 layers, hidden 768": partial(TextTower, layers=2, hidden=768),
        "3 layers, hidden 384": partial(TextTower, layers=3, hidden=384)}
