"""The two towers: a residual convolutional image tower, a small bidirectional text tower.

Both return unnormalised embeddings, `[N, D]` f32; cosine similarity is taken afterwards.
"""

import torch
import torch.nn.functional as F
from torch import nn

EMBEDDING_SIZE = 256
IMAGE_SIZE = 112
CONTEXT_LENGTH = 48
VOCABULARY_SIZE = 8192
PAD_ID, SOT_ID, EOT_ID = 0, 1, 2
PIXEL_MEAN = [0.5, 0.5, 0.5]
PIXEL_STD = [0.5, 0.5, 0.5]

STEM_WIDTH = 48
# (width, width between the two convolutions of a block, residual blocks) at strides 4, 8, 16.
STAGES = ((48, 32, 1), (96, 96, 1), (192, 192, 2))
LAST_WIDTH, HEAD_WIDTH = 256, 768  # at stride 32: a residual pair of linears, then the features
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS, TEXT_HIDDEN = 192, 2, 6, 768


class ConvNorm(nn.Module):
    """Convolution and batch norm: `[N, in, H, W]` to `[N, out, H/stride, W/stride]`."""

    def __init__(self, inputs, outputs, kernel, stride, groups=1):
        super().__init__()
        padding = 1 if kernel == 3 else 0
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.norm(self.conv(x))


class Residual(nn.Module):
    """Two convolutions round a skip, `[N, C, H, W]` to the same shape."""

    def __init__(self, width, between, kernel=3):
        super().__init__()
        self.first = ConvNorm(width, between, kernel, 1)
        self.second = ConvNorm(between, width, kernel, 1)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x):
        return F.relu(x + self.second(F.relu(self.first(x))))


class ImageTower(nn.Module):
    """`[N, 3, S, S]` pixels with mean and std applied, to `[N, D]`."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, STEM_WIDTH, 4, 4)
        body, width = [], STEM_WIDTH
        for outputs, between, blocks in STAGES:
            if outputs != width:
                body += [ConvNorm(width, outputs, 3, 2), nn.ReLU()]
            body += [Residual(outputs, between) for _ in range(blocks)]
            width = outputs
        body += [ConvNorm(width, LAST_WIDTH, 3, 2), nn.ReLU()]
        body += [Residual(LAST_WIDTH, HEAD_WIDTH, kernel=1)]
        self.body = nn.Sequential(*body)
        self.head = ConvNorm(LAST_WIDTH, HEAD_WIDTH, 1, 1)
        self.project = nn.Linear(HEAD_WIDTH, EMBEDDING_SIZE)

    def features(self, pixels):
        """Pooled features, `[N, HEAD_WIDTH]`."""
        x = self.body(F.relu(self.stem(pixels)))
        return F.relu(self.head(x)).mean((2, 3))

    def forward(self, pixels):
        return self.project(self.features(pixels))


class TextBlock(nn.Module):
    """A pre-norm transformer block over `[N, L, W]`, with an additive mask `[N, 1, 1, L]`."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def attend(self, x, mask):
        n, length, width = x.shape
        size = width // self.heads
        qkv = self.qkv(x).reshape(n, length, 3, self.heads, size).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        weights = (q @ k.transpose(-2, -1) * size**-0.5 + mask).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, length, width))

    def forward(self, x, mask, drop=0.0):
        x = x + F.dropout(self.attend(self.norm1(x), mask), drop, self.training)
        y = self.down(F.relu(self.up(self.norm2(x))))
        return x + F.dropout(y, drop, self.training)


class TextTower(nn.Module):
    """`[N, L]` i64 token ids, padded with `PAD_ID`, to `[N, D]`; any padding gives the same."""

    def __init__(self, drop=0.0, layers=TEXT_LAYERS, hidden=TEXT_HIDDEN):
        super().__init__()
        self.drop = drop
        self.token = nn.Embedding(VOCABULARY_SIZE, TEXT_WIDTH)
        self.position = nn.Parameter(torch.randn(CONTEXT_LENGTH, TEXT_WIDTH) * 0.01)
        self.blocks = nn.ModuleList(
            TextBlock(TEXT_WIDTH, TEXT_HEADS, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(TEXT_WIDTH)
        self.project = nn.Linear(TEXT_WIDTH, EMBEDDING_SIZE)
        nn.init.normal_(self.token.weight, std=0.02)

    def states(self, ids):
        """Token states `[N, L, W]` and the 0/1 mask of real tokens `[N, L]`."""
        real = ids.float().clamp(0.0, 1.0)
        mask = ((real - 1.0) * 10000.0)[:, None, None, :]
        x = self.token(ids) + self.position[: ids.shape[1]]
        x = F.dropout(x, self.drop, self.training)
        for block in self.blocks:
            x = block(x, mask, self.drop)
        return self.norm(x), real

    def forward(self, ids):
        x, real = self.states(ids)
        real = real[:, :, None]
        return self.project((x * real).sum(1) / real.sum(1))


def fold_batch_norm(module):
    """Replace every `ConvNorm` inside by one biased convolution, in place; returns the module."""
    for name, child in module.named_children():
        if isinstance(child, ConvNorm):
            setattr(module, name, torch.nn.utils.fuse_conv_bn_eval(child.conv, child.norm))
        else:
            fold_batch_norm(child)
    return module
