"""A graph of floats from one with quantized weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def floats(path: Path) -> onnx.ModelProto:
    """The graph with its weights as floats: DequantizeLinear of a constant is computed."""
    model = onnx.load(path)
    values = {tensor.name: tensor for tensor in model.graph.initializer}
    kept, gone = [], set()
    for node in model.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in values:
            kept.append(node)
            continue
        q, scale, zero = (numpy_helper.to_array(values[name]) for name in node.input)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if at == axis else 1 for at in range(q.ndim)] if scale.ndim else []
        wide = (q.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
        values[node.output[0]] = numpy_helper.from_array(wide, node.output[0])
        gone |= set(node.input)
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(t for name, t in values.items() if name not in gone)
    return model
