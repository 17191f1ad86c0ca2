"""The forms of a model that its peers run best: onnxruntime's int8 forms and OpenVINO's.

`python prepare.py FOLDER --bundle BUNDLE -o OUT` reads image.onnx and text.onnx of FOLDER (an
export folder, or a bundle) and writes into OUT, for each tower:

  TOWER_f32.onnx           the float graph; weights behind DequantizeLinear are made float
  TOWER_dynamic.onnx       quantize_dynamic: MatMul and Gemm, s8 weights per channel
  TOWER_static.onnx        QDQ: u8 activations, s8 weights per channel, operators with weights only
  TOWER_static-all.onnx    QDQ of every operator that the tool knows, attention masks apart
  TOWER_openvino.xml       nncf's quantization of the float graph

and for towers with grouped convolutions, which gain from it (transformers lose):

  TOWER_FORM-fused.onnx    f32, dynamic and static after onnxruntime's transformer optimizer
  TOWER_static-dense.onnx  static-fused with the grouped convolutions left in f32

and model.json. What is there already for the same graphs is kept. The static forms are calibrated
on made pictures and captions, and on those of --pairs, which a trained model needs.

Example: python prepare.py exported/vit --bundle bundles/vit -o peers/vit --pairs 00000.tar
"""

import argparse
import io
import json
import logging
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

from floats import floats
from peers import Bundle, digest, quantize, say

PAIRS = 48  # taken from the shards for calibration
LINEAR = ["MatMul", "Gemm", "Conv"]
UNKNOWN_TYPE = {"DefaultTensorType": onnx.TensorProto.FLOAT}  # behind fused operators


# Calibration.

def pairs(shards: list[Path]) -> Iterator[tuple[str, bytes, str]]:
    """`(key, JPEG, caption)` of WebDataset shards, in their order."""
    for shard in shards:
        parts: dict[str, dict[str, bytes]] = {}
        with tarfile.open(shard) as tar:
            for member in tar:
                key, _, kind = member.name.partition(".")
                parts.setdefault(key, {})[kind] = tar.extractfile(member).read()
        for key, part in parts.items():
            if "jpg" in part and "txt" in part:
                yield key, part["jpg"], part["txt"].decode()


def calibration(bundle: Bundle, shards: list[Path], fixed: int | None) -> dict[str, list]:
    """`{tower: [inputs of one]}`; captions at their own length unless the tower's is fixed."""
    images = [one[None] for one in bundle.pictures(8, seed=0)]
    rows = [bundle.captions(1, length, seed=length) for length in (8, 16, bundle.context)]
    each = [list(pairs([shard])) for shard in shards]
    for group in each:
        for _, jpeg, caption in group[::max(1, len(group) * len(each) // PAIRS)]:
            picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
            images.append(bundle.prepare(picture)[None])
            rows.append(np.array([bundle.ids(caption)], np.int64))
    if fixed:
        rows = [bundle.padded(row.tolist(), fixed) for row in rows]
    return {"image": images, "text": rows}


# The float graph.

def heads(path: Path) -> tuple[int, int]:
    """`(heads, width)` of the attention, for the optimizer; zeros where it is not a transformer."""
    told = quantize.read_json(path.parent / "open_clip_config.json").get("model_cfg", {})
    config = told.get("text_cfg" if path.stem == "text" else "vision_cfg", {})
    width = config.get("width", 0)
    return config.get("heads", width // 64), width


def fuse(path: Path, out: Path, attention: tuple[int, int]) -> None:
    """onnxruntime's transformer optimizer: GELU with bias, skip with layer norm, where it can."""
    from onnxruntime.transformers.optimizer import optimize_model
    made = optimize_model(str(path), model_type="clip", num_heads=attention[0],
                          hidden_size=attention[1], opt_level=1)
    made.save_model_to_file(str(out))


# The int8 forms.

def write_dynamic(path: Path, out: Path) -> None:
    quantize_dynamic(path, out, per_channel=True, weight_type=QuantType.QInt8,
                     op_types_to_quantize=["MatMul", "Gemm"], extra_options=UNKNOWN_TYPE)


def between_activations(graph: onnx.GraphProto) -> list[str]:
    """Names of the matrix products without a weight: attention's."""
    constants = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node
            if node.op_type == "MatMul" and not constants & set(node.input)]


def depthwise(graph: onnx.GraphProto) -> list[str]:
    """Names of the grouped convolutions."""
    return [node.name for node in graph.node if node.op_type == "Conv"
            and any(a.name == "group" and a.i > 1 for a in node.attribute)]


def name_types(path: Path) -> None:
    """Say that what linear operators read and write is float: the calibrator skips what it does
    not know, and shape inference ends at fused operators."""
    model = onnx.load(path)
    known = {info.name for info in model.graph.value_info}
    for node in model.graph.node:
        for name in (node.input[0], node.output[0]) if node.op_type in LINEAR else ():
            if name not in known:
                known.add(name)
                model.graph.value_info.append(
                    onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    onnx.save(model, path)


def write_static(path: Path, out: Path, samples: list[np.ndarray], operators: str) -> None:
    """QDQ, u8 activations and s8 weights per channel, of `operators`: "linear", "dense", "all"."""
    name = onnx.load(path, load_external_data=False).graph.input[0].name
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        quant_pre_process(path, ready, skip_symbolic_shape=True)
        name_types(ready)
        graph = onnx.load(ready, load_external_data=False).graph
        left_out = quantize.mask_nodes(ready) if operators == "all" else between_activations(graph)
        left_out += depthwise(graph) if operators == "dense" else []
        quantize_static(
            ready, out, quantize.Reader([{name: one} for one in samples]),
            quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8, nodes_to_exclude=left_out,
            op_types_to_quantize=None if operators == "all" else LINEAR, extra_options=UNKNOWN_TYPE,
        )


def write_openvino(path: Path, out: Path, samples: list[np.ndarray]) -> None:
    """nncf's post-training quantization, told that it is a transformer where it is one."""
    import nncf
    import openvino
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    nncf.set_log_level(logging.ERROR)
    graph = onnx.load(path, load_external_data=False).graph
    transformer = any(node.op_type == "LayerNormalization" for node in graph.node)
    whole_range = nncf.AdvancedQuantizationParameters(
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX)
    model = nncf.quantize(
        openvino.Core().read_model(path), nncf.Dataset(samples), subset_size=len(samples),
        preset=nncf.QuantizationPreset.MIXED, advanced_parameters=whole_range,
        model_type=nncf.ModelType.TRANSFORMER if transformer else None)
    openvino.save_model(model, out, compress_to_fp16=False)


def write_forms(tower: str, out: Path, samples: list[np.ndarray], attention: tuple[int, int],
                only: list[str] | None) -> None:
    """Every form of one tower that is not there yet."""
    source, fused = out / f"{tower}_f32.onnx", out / f"{tower}_f32-fused.onnx"
    makers = {
        "f32-fused.onnx": lambda path: fuse(source, path, attention),
        "dynamic.onnx": lambda path: write_dynamic(source, path),
        "dynamic-fused.onnx": lambda path: write_dynamic(fused, path),
        "static.onnx": lambda path: write_static(source, path, samples, "linear"),
        "static-fused.onnx": lambda path: write_static(fused, path, samples, "linear"),
        "static-dense.onnx": lambda path: write_static(fused, path, samples, "dense"),
        "static-all.onnx": lambda path: write_static(source, path, samples, "all"),
        "openvino.xml": lambda path: write_openvino(source, path, samples),
    }
    if not depthwise(onnx.load(source, load_external_data=False).graph):
        makers = {form: write for form, write in makers.items()
                  if "fused" not in form and "dense" not in form}
    for form, write in makers.items():
        path = out / f"{tower}_{form}"
        if path.exists() or (only and form.split(".")[0] not in only):
            continue
        say(f"{path}: making")
        try:
            write(path)
        except Exception as problem:  # noqa: BLE001  (a form that the tools cannot make)
            path.unlink(missing_ok=True)
            print(f"{path}: not made: {problem!r}", file=sys.stderr)


# The folder.

def fixed_length(path: Path) -> int | None:
    """The length of captions where the text graph has only one."""
    size = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[1]
    return size.dim_value or None


def describe(folder: Path, seed: int) -> dict:
    """The contents of model.json."""
    about = quantize.read_json(folder / "export.json")
    known = about.get("exporter") == "open_clip_export.py"
    return {
        "digests": {t: digest(folder / f"{t}.onnx") for t in ("image", "text")},
        "fixed_length": fixed_length(folder / "text.onnx"),
        "open_clip": {"model": about["model"], "pretrained": about["pretrained"], "seed": seed}
        if known else None,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where image.onnx and text.onnx are")
    parser.add_argument("--bundle", type=Path, required=True, help="for its preprocessing")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], metavar="SHARD",
                        help="WebDataset shards to calibrate with")
    parser.add_argument("--seed", type=int, default=0,
                        help="of random weights, as given to open_clip_export.py")
    parser.add_argument("--only", help="forms, with commas between [default: all]")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    given.out.mkdir(parents=True, exist_ok=True)
    told, about = describe(given.folder, given.seed), given.out / "model.json"
    if quantize.read_json(about) != told:
        for old in given.out.glob("*_*.*"):
            old.unlink()
        about.write_text(json.dumps(told, indent=2) + "\n")
    samples = calibration(Bundle(given.bundle), given.pairs, told["fixed_length"])
    for tower in ("image", "text"):
        source, plain = given.folder / f"{tower}.onnx", given.out / f"{tower}_f32.onnx"
        if not plain.exists():
            onnx.save(floats(source), plain)
        write_forms(tower, given.out, samples[tower], heads(source),
                    given.only.split(",") if given.only else None)


if __name__ == "__main__":
    main()
