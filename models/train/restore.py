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


def put(tower, path, to):
    """Write the graph of a file to another file with a tower's weights in it, rounded where it has int8."""
    model, state = onnx.load(path), tower.state_dict()
    graph = model.graph
    held = {t.name: t for t in graph.initializer}
    source = {node.output[0]: node for node in graph.node}
    # By the initializer, or the DequantizeLinear's output, that holds it: its name, and whether it is turned.
    places = {name: (name, False) for name in state if name in held or name in source}
    for node in graph.node:
        for bias, product in (node.input, node.input[::-1]) if node.op_type == "Add" else ():
            if bias.endswith(".bias") and source[product].op_type == "MatMul":
                places[bias.replace(".bias", ".weight")] = source[product].input[1], True
    for name, values in state.items():
        place, turned = places[name]
        values = values.detach().float().numpy()
        values = np.ascontiguousarray(values.T if turned else values)
        if place in held:
            held[place].CopyFrom(numpy_helper.from_array(values, place))
            continue
        node = source[place]
        axis = node.attribute[0].i
        others = tuple(i for i in range(values.ndim) if i != axis)
        scale = np.maximum(np.abs(values).max(others) / np.float32(127), np.float32(1e-12)).astype(np.float32)
        wide = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        codes = np.clip(np.rint(values / wide), -127, 127).astype(np.int8)
        for part, array in zip(node.input, (codes, scale)):
            held[part].CopyFrom(numpy_helper.from_array(array, part))
    onnx.save(model, to)


def image_tower(path):
    """The picture tower of an image.onnx, norms folded."""
    return fill(towers.fold_batch_norm(towers.ImageTower().eval()), path)


def text_tower(path):
    return fill(towers.TextTower(), path)
