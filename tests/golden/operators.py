"""One small graph for each quantized operator, and what onnxruntime says of it.

`python tests/golden/operators.py` (onnx 1.23, onnxruntime 1.32, numpy) writes
tests/data/models/operators/NAME.onnx and golden.json there. Every graph looks like an image tower:
`pixel_values` [1, 3, 4, 4] to `image_embeds` [1, D]. Value i of the input is
`(37 i mod 101) / 50 - 1`. All optimizers of onnxruntime are off, so that it runs what is written.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parents[1] / "data/models/operators"
VALUES = 48
RNG = np.random.default_rng(7)
PIXELS = ((np.arange(VALUES) * 37 % 101) / 50 - 1).astype(np.float32).reshape(1, 3, 4, 4)


class Builder:
    """Nodes and constants of one graph; `flat` is the input as [1, 48]."""

    def __init__(self, opset=18):
        self.nodes, self.constants, self.opset = [], [], opset
        self.constants.append(numpy_helper.from_array(np.array([1, VALUES], np.int64), "flat_shape"))
        self.node("Reshape", ["pixel_values", "flat_shape"], "flat")

    def const(self, name, values, kind=None):
        values = np.asarray(values)
        if kind is None:
            tensor = numpy_helper.from_array(values, name)
        else:
            tensor = helper.make_tensor(name, kind, values.shape, values.reshape(-1).tolist())
        self.constants.append(tensor)
        return name

    def node(self, op, inputs, output, domain="", **attributes):
        outputs = [output] if isinstance(output, str) else output
        self.nodes.append(helper.make_node(op, inputs, outputs, f"{op}.{outputs[0]}", domain=domain,
                                           **attributes))
        return outputs[0]

    def quantized(self, x="flat", scale=0.01, zero=128, kind=np.uint8):
        """`x` in eight bits: the names of values, scale and zero point."""
        s, z = self.const(f"{x}_s", np.float32(scale)), self.const(f"{x}_z", kind(zero))
        return self.node("QuantizeLinear", [x, s, z], f"{x}_q"), s, z

    def scales(self, name, scale, zero, kind=np.uint8):
        return self.const(f"{name}_s", np.float32(scale)), self.const(f"{name}_z", kind(zero))

    def dequantized(self, q, s, z, output="image_embeds"):
        return self.node("DequantizeLinear", [q, s, z], output)

    def flatten(self, x, width):
        shape = self.const("end_shape", np.array([1, width], np.int64))
        return self.node("Reshape", [x, shape], "image_embeds")

    def model(self, width):
        graph = helper.make_graph(
            self.nodes, "operator",
            [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [1, 3, 4, 4])],
            [helper.make_tensor_value_info("image_embeds", TensorProto.FLOAT, [1, width])],
            self.constants)
        sets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=sets, ir_version=10)


def int8(*shape):
    return RNG.integers(-127, 128, shape).astype(np.int8)


def uint8(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def channel_scales(n):
    return (0.002 + 0.01 * RNG.random(n)).astype(np.float32)


def qlinear_matmul():
    b = Builder()
    w, ws, wz = b.const("w", int8(VALUES, 8)), b.const("ws", channel_scales(8)), b.const("wz", np.zeros(8, np.int8))
    ys, yz = b.scales("y", 0.05, 120)
    b.node("QLinearMatMul", [*b.quantized(), w, ws, wz, ys, yz], "y")
    b.dequantized("y", ys, yz)
    return b.model(8)


def qgemm(requantized):
    b = Builder()
    w, ws, wz = b.const("w", int8(8, VALUES)), b.const("ws", channel_scales(8)), b.const("wz", np.zeros(8, np.int8))
    c = b.const("c", RNG.integers(-900, 900, 8).astype(np.int32))
    ys, yz = b.scales("y", 0.05, 120)
    inputs = [*b.quantized(), w, ws, wz, c]
    out = "y" if requantized else "image_embeds"
    b.node("QGemm", inputs + ([ys, yz] if requantized else []), out, "com.microsoft", transB=1, alpha=0.75)
    if requantized:
        b.dequantized("y", ys, yz)
    return b.model(8)


def qlinear_conv():
    b = Builder()
    x, xs, xz = b.quantized("pixel_values")
    w, ws, wz = b.const("w", int8(4, 3, 2, 2)), b.const("ws", channel_scales(4)), b.const("wz", np.zeros(4, np.int8))
    bias = b.const("bias", RNG.integers(-900, 900, 4).astype(np.int32))
    ys, yz = b.scales("y", 0.04, 131)
    b.node("QLinearConv", [x, xs, xz, w, ws, wz, ys, yz, bias], "y", strides=[2, 2], pads=[1, 1, 1, 1])
    b.dequantized("y", ys, yz, "deep")
    b.flatten("deep", 36)
    return b.model(36)


def conv_integer():
    b = Builder()
    b.node("DynamicQuantizeLinear", ["pixel_values"], ["q", "s", "z"])
    w, wz, ws = b.const("w", uint8(4, 3, 2, 2)), b.const("wz", np.uint8(117)), b.const("ws", np.float32(0.01))
    b.node("ConvInteger", ["q", w, "z", wz], "y", pads=[1, 0, 0, 1])
    b.node("Cast", ["y"], "yf", to=TensorProto.FLOAT)
    b.node("Mul", ["s", ws], "scale")
    b.node("Mul", ["yf", "scale"], "deep")
    b.flatten("deep", 64)
    return b.model(64)


def matmul_integer():
    b = Builder()
    b.node("DynamicQuantizeLinear", ["flat"], ["q", "s", "z"])
    w, wz, ws = b.const("w", uint8(VALUES, 8)), b.const("wz", uint8(8)), b.const("ws", channel_scales(8))
    b.node("MatMulInteger", ["q", w, "z", wz], "y")
    b.node("Cast", ["y"], "yf", to=TensorProto.FLOAT)
    b.node("Mul", ["s", ws], "scale")
    b.node("Mul", ["yf", "scale"], "image_embeds")
    return b.model(8)


def matmul_integer_to_float():
    b = Builder()
    q, s, z = b.quantized()
    w, ws, wz = b.const("w", int8(VALUES, 8)), b.const("ws", channel_scales(8)), b.const("wz", np.zeros(8, np.int8))
    bias = b.const("bias", floats(8))
    b.node("MatMulIntegerToFloat", [q, w, s, ws, z, wz, bias], "image_embeds", "com.microsoft")
    return b.model(8)


def dynamic_quantize_matmul():
    b = Builder()
    w, ws, wz = b.const("w", int8(VALUES, 8)), b.const("ws", channel_scales(8)), b.const("wz", np.zeros(8, np.int8))
    bias = b.const("bias", floats(8))
    b.node("DynamicQuantizeMatMul", ["flat", w, ws, wz, bias], "image_embeds", "com.microsoft")
    return b.model(8)


def elementwise(op, operands, **attributes):
    b = Builder()
    inputs = list(b.quantized())
    if operands == 2:
        other = b.node("Sin", ["flat"], "other")
        inputs += b.quantized(other, 0.02, 100)
    low = op == "QLinearSigmoid" or op == "QLinearSoftmax"
    ys, yz = b.scales("y", 1 / 256 if low else 0.03, 0 if low else 125)
    b.node(op, [*inputs, ys, yz], "y", "com.microsoft", **attributes)
    b.dequantized("y", ys, yz)
    return b.model(VALUES)


def pooled(op, width, **attributes):
    b = Builder()
    ys, yz = b.scales("y", 0.012, 130)
    b.node(op, [*b.quantized("pixel_values"), ys, yz], "y", "com.microsoft", **attributes)
    b.dequantized("y", ys, yz, "deep")
    b.flatten("deep", width)
    return b.model(width)


def qlinear_concat():
    b = Builder()
    one = b.quantized()
    two = b.quantized(b.node("Sin", ["flat"], "other"), 0.02, 100)
    ys, yz = b.scales("y", 0.011, 127)
    b.node("QLinearConcat", [ys, yz, *one, *two], "y", "com.microsoft", axis=1)
    b.dequantized("y", ys, yz)
    return b.model(2 * VALUES)


def nbits(bits, block, zero=None, bias=False, rows=VALUES):
    b = Builder()
    x = "flat"
    if rows != VALUES:
        b.const("starts", np.array([0], np.int64)), b.const("ends", np.array([rows], np.int64))
        b.const("axes", np.array([1], np.int64))
        x = b.node("Slice", ["flat", "starts", "ends", "axes"], "part")
    blocks = -(-rows // block)
    w = b.const("w", uint8(8, blocks, block * bits // 8))
    s = b.const("s", (0.01 + 0.02 * RNG.random(8 * blocks)).astype(np.float32))
    inputs = [x, w, s]
    if zero == "packed":
        inputs.append(b.const("zp", uint8(8 * (-(-blocks * bits // 8)))))
    elif zero == "float":
        inputs.append(b.const("zp", (2 ** (bits - 1) + floats(8 * blocks)).astype(np.float32)))
    if bias:
        inputs += [""] * (5 - len(inputs)) + [b.const("bias", floats(8))]
    b.node("MatMulNBits", inputs, "image_embeds", "com.microsoft", K=rows, N=8, bits=bits, block_size=block)
    return b.model(8)


def blocked_dequantize(kind):
    b = Builder(opset=21)
    low, high = (-8, 8) if kind == TensorProto.INT4 else (0, 16)
    w = b.const("w", RNG.integers(low, high, (VALUES, 8)), kind)
    s = b.const("ws", (0.01 + 0.02 * RNG.random((3, 8))).astype(np.float32))
    z = b.const("wz", RNG.integers(low, high, (3, 8)), kind)
    b.node("DequantizeLinear", [w, s, z], "wf", axis=0, block_size=16)
    b.node("MatMul", ["flat", "wf"], "image_embeds")
    return b.model(8)


def half(kind):
    b = Builder()
    w = b.const("w", floats(VALUES, 8), kind)
    b.node("Cast", [w], "wf", to=TensorProto.FLOAT)
    b.node("MatMul", ["flat", "wf"], "image_embeds")
    return b.model(8)


def quantized_table():
    """An embedding as quantize_dynamic leaves it: bytes are picked, then dequantized."""
    b = Builder()
    table, s, z = b.const("table", uint8(16, 8)), b.const("ts", np.float32(0.02)), b.const("tz", np.uint8(119))
    picks = b.const("picks", np.array([[3, 0, 15]], np.int64))
    b.node("Gather", [table, picks], "picked")
    b.node("DequantizeLinear", ["picked", s, z], "rows")
    b.flatten("rows", 24)
    b.nodes[-1].output[0] = "flat_rows"
    b.const("front", np.array([0], np.int64)), b.const("back", np.array([24], np.int64))
    b.const("along", np.array([1], np.int64))
    b.node("Slice", ["flat", "front", "back", "along"], "part")
    b.node("Add", ["part", "flat_rows"], "image_embeds")
    return b.model(24)


def sixteen_bits():
    b = Builder(opset=21)
    s, z = b.const("s", np.float32(0.0001)), b.const("z", np.int16(-200))
    q = b.node("QuantizeLinear", ["flat", s, z], "q")
    b.dequantized(q, s, z)
    return b.model(VALUES)


GRAPHS = {
    "QLinearMatMul": qlinear_matmul,
    "QGemm": lambda: qgemm(True),
    "QGemm-float": lambda: qgemm(False),
    "QLinearConv": qlinear_conv,
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
    "QLinearAdd": lambda: elementwise("QLinearAdd", 2),
    "QLinearMul": lambda: elementwise("QLinearMul", 2),
    "QLinearSigmoid": lambda: elementwise("QLinearSigmoid", 1),
    "QLinearLeakyRelu": lambda: elementwise("QLinearLeakyRelu", 1, alpha=0.2),
    "QLinearSoftmax": lambda: elementwise("QLinearSoftmax", 1, axis=-1, opset=13),
    "QLinearAveragePool": lambda: pooled("QLinearAveragePool", 12, kernel_shape=[2, 2], strides=[2, 2]),
    "QLinearGlobalAveragePool": lambda: pooled("QLinearGlobalAveragePool", 3),
    "QLinearConcat": qlinear_concat,
    "MatMulNBits-2": lambda: nbits(2, 16),
    "MatMulNBits-4": lambda: nbits(4, 16),
    "MatMulNBits-4-zero": lambda: nbits(4, 16, "packed"),
    "MatMulNBits-4-ragged": lambda: nbits(4, 32, "packed", rows=41),
    "MatMulNBits-4-float-zero": lambda: nbits(4, 16, "float"),
    "MatMulNBits-8": lambda: nbits(8, 16),
    "MatMulNBits-8-zero-bias": lambda: nbits(8, 32, "packed", bias=True),
    "DequantizeLinear-int4-blocks": lambda: blocked_dequantize(TensorProto.INT4),
    "DequantizeLinear-uint4-blocks": lambda: blocked_dequantize(TensorProto.UINT4),
    "QuantizeLinear-int16": sixteen_bits,
    "float16": lambda: half(TensorProto.FLOAT16),
    "bfloat16": lambda: half(TensorProto.BFLOAT16),
    "quantized-table": quantized_table,
}


def run(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session.run(None, {"pixel_values": PIXELS})[0]


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, make in GRAPHS.items():
        model = make()
        try:
            output = run(model)
        except Exception as why:  # an operator that this onnxruntime has no CPU kernel for
            print(f"{name}: {why}")
            continue
        onnx.save(model, OUT / f"{name}.onnx")
        rows[name] = [round(float(v), 7) for v in output.reshape(-1)]
    made_by = f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    (OUT / "golden.json").write_text(json.dumps({"made_by": made_by, "outputs": rows}))
    print(f"{len(rows)} of {len(GRAPHS)} graphs")


if __name__ == "__main__":
    main()
