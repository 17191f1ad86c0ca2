"""Towers out of a bundle's files, their weights as they are stored: rounded."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper

import towers


def weights(path):
    """Every weight of a file that `export.py` wrote, by its name in the tower."""
    graph = onnx.load(path).graph
    out = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    source = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":
            q, scale, _ = (out[name] for name in node.input)
            shape = [1] * q.ndim
            shape[node.attribute[0].i] = -1
            out[node.output[0]] = q.astype(np.float32) * scale.reshape(shape)
    for node in graph.node:
        # The exporter turns a linear's weight and names it anew; the bias added next keeps its name.
        for bias, product in (node.input, node.input[::-1]) if node.op_type == "Add" else ():
            if bias.endswith(".bias") and source[product].op_type == "MatMul":
                out[bias.replace(".bias", ".weight")] = out[source[product].input[1]].T
    return out


def fill(tower, path):
    """The tower, for evaluation, with the weights of a file."""
    held = weights(path)
    tower.load_state_dict({name: torch.from_numpy(held[name].copy()) for name in tower.state_dict()})
    return tower.eval()


def image_tower(path):
    """The picture tower of an image.onnx, norms folded."""
    return fill(towers.fold_batch_norm(towers.ImageTower().eval()), path)


def text_tower(path):
    return fill(towers.TextTower(), path)
