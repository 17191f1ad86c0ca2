"""Int8 forms that engines take as they are: what `benches/instructions.sh` gives to tract.

`python integer.py BUNDLE -o OUT` reads image.onnx and text.onnx of BUNDLE, makes weights behind
DequantizeLinear float again, and writes for each TOWER

  TOWER_f32.onnx        the float graph
  TOWER_dynamic.onnx    DynamicQuantizeLinear before MatMulInteger and ConvInteger
  TOWER_qoperator.onnx  QLinearMatMul and QLinearConv, calibrated on noise: the work does not depend
                        on the scales

Example: python integer.py ../../models/default -o ../../forms
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from floats import floats

LINEAR = ["MatMul", "Conv"]


class Noise(CalibrationDataReader):
    """A few inputs of a graph's own shape; captions have 16 tokens."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        given = graph.input[0]
        dims = [d.dim_value for d in given.type.tensor_type.shape.dim]
        rng = np.random.default_rng(0)
        if given.type.tensor_type.elem_type == onnx.TensorProto.INT64:
            inputs = [rng.integers(3, 500, (1, dims[1] or 16)) for _ in range(4)]
        else:
            inputs = [rng.uniform(-1, 1, (1, *dims[1:])).astype(np.float32) for _ in range(4)]
        self.rest = iter([{given.name: one} for one in inputs])

    def get_next(self) -> dict | None:
        return next(self.rest, None)


def forms(bundle: Path, tower: str, out: Path) -> None:
    source = out / f"{tower}_f32.onnx"
    onnx.save(floats(bundle / f"{tower}.onnx"), source)
    quantize_dynamic(source, out / f"{tower}_dynamic.onnx", weight_type=QuantType.QInt8,
                     op_types_to_quantize=LINEAR)
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        quantize_static(ready, out / f"{tower}_qoperator.onnx", Noise(onnx.load(ready).graph),
                        quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8,
                        weight_type=QuantType.QInt8, op_types_to_quantize=LINEAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for tower in ("image", "text"):
        forms(given.bundle, tower, given.out)


if __name__ == "__main__":
    main()
