"""Quantized forms of an export folder, each with a golden file of onnxruntime's own answers.

`python quantize.py FOLDER` reads the float towers of FOLDER (image.onnx and text.onnx, or
onnx/vision_model.onnx and onnx/text_model.onnx, or one combined model.onnx) with FOLDER's
golden.json, and writes NAME_FORM.onnx beside each NAME.onnx and golden_FORM.json in FOLDER.

Forms:
  fp16       float16 inside, float32 inputs and outputs
  fp16io     float16 throughout
  dynamic    quantize_dynamic's defaults: u8 weights per tensor, Conv and Gather too
  dynamic_s8 s8 weights per channel, MatMul and Gemm only
  qdq        calibrated; every operator the tool knows, attention masks apart, u8 activations,
             s8 weights per channel
  qdq_s8     calibrated; MatMul, Gemm and Conv, s8 activations, s8 weights per tensor
  qoperator  like qdq, as QLinearMatMul, QGemm, QLinearConv, QLinearAdd ...
  q4, q8     MatMulNBits, blocks of 32
  weights8   s8 weights per channel behind DequantizeLinear, float arithmetic

Example: python quantize.py exported/clip --forms dynamic,qdq
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static,
)
from onnxruntime.quantization.matmul_nbits_quantizer import (
    DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from PIL import Image

import golden

LAYOUTS = (("image.onnx", "text.onnx"), ("onnx/vision_model.onnx", "onnx/text_model.onnx"),
           ("onnx/model.onnx",), ("model.onnx",))
LINEAR = ["MatMul", "Gemm", "Conv"]
SMALL = 256  # weights with fewer elements than this stay float in `weights8`
INTERPOLATION = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC,
                 "lanczos": Image.LANCZOS}


# The forms: each function writes `out` from the float model at `path`.

class Reader(CalibrationDataReader):
    """Feeds a list of `{input name: array}` to the calibrator."""

    def __init__(self, rows):
        self.rows = iter(rows)

    def get_next(self):
        return next(self.rows, None)


def write_float16(path, out, keep_io_types):
    half = convert_float_to_float16(onnx.load(path), keep_io_types=keep_io_types)
    sorted_half = OnnxModel(half)
    sorted_half.topological_sort()  # the tool puts the casts of inputs last
    onnx.save(sorted_half.model, out)


def write_dynamic(path, out, **options):
    quantize_dynamic(path, out, extra_options={"EnableSubgraph": True}, **options)


def ancestors(name, makers_of):
    """Every node that the tensor `name` depends on, by first output."""
    found, open_names = {}, [name]
    while open_names:
        node = makers_of.get(open_names.pop())
        if node is not None and node.output[0] not in found:
            found[node.output[0]] = node
            open_names += node.input
    return found


def mask_nodes(path):
    """Names of the nodes that make or apply attention masks, and their Softmax.

    A mask holds minus infinity or the lowest float: with 8 bits for it, nothing is left.
    """
    graph = onnx.load(path).graph
    makers_of = {name: node for node in graph.node for name in node.output}
    names = set()
    for softmax in (node for node in graph.node if node.op_type == "Softmax"):
        masked = makers_of.get(softmax.input[0])
        if masked is None or masked.op_type not in ("Add", "Where"):
            continue
        names |= {masked.name, softmax.name}
        for side in masked.input:
            above = ancestors(side, makers_of).values()
            if not any(node.op_type == "MatMul" for node in above):
                names |= {node.name for node in above}
    return sorted(names)


def write_static(path, out, calibration, quant_format, activations, per_channel, ops=None):
    """Calibrated form; shapes are inferred first, as the tool's manual asks."""
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        try:
            quant_pre_process(path, ready, skip_symbolic_shape=True)
        except Exception as problem:  # some graphs cannot be inferred; the tool runs without
            print(f"{path}: not preprocessed: {problem}", file=sys.stderr)
            shutil.copyfile(path, ready)
        quantize_static(ready, out, Reader(calibration), quant_format=quant_format,
                        per_channel=per_channel, activation_type=activations,
                        weight_type=QuantType.QInt8, op_types_to_quantize=ops,
                        nodes_to_exclude=mask_nodes(ready))


def write_blocks(path, out, bits):
    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, bits=bits)
    quantizer = MatMulNBitsQuantizer(onnx.load(path), algo_config=config)
    quantizer.process()
    onnx.save(quantizer.model.model, out)


def channel_axis(node):
    """The axis of output channels in the weight that `node` reads."""
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 1 if node.op_type == "MatMul" or (node.op_type == "Gemm" and not transposed) else 0


def weight_of(node):
    """The name of the weight that `node` reads, or None."""
    if node.op_type in LINEAR:
        return node.input[1]
    return node.input[0] if node.op_type == "Gather" else None


def big_weights(graph):
    """`{initializer name: channel axis}` of the float weights worth a byte each."""
    axes = {weight_of(node): channel_axis(node) for node in graph.node if weight_of(node)}
    return {t.name: axes[t.name] for t in graph.initializer
            if t.name in axes and t.data_type == onnx.TensorProto.FLOAT and len(t.dims) > 1
            and np.prod(t.dims) >= SMALL}


def write_weights8(path, out):
    model = onnx.load(path)
    graph, axes = model.graph, big_weights(model.graph)
    kept, nodes = [], []
    for tensor in graph.initializer:
        if tensor.name not in axes:
            kept.append(tensor)
            continue
        axis, values = axes[tensor.name], numpy_helper.to_array(tensor)
        others = tuple(i for i in range(values.ndim) if i != axis)
        top = np.abs(values).max(axis=others, keepdims=True)
        scales = np.maximum(top / np.float32(127), np.float32(1e-12))
        rounded = np.clip(np.rint(values / scales), -127, 127).astype(np.int8)
        zeros = np.zeros(scales.size, np.int8)
        names = [tensor.name + end for end in ("_s8", "_scale", "_zero")]
        kept += [numpy_helper.from_array(a, n)
                 for a, n in zip((rounded, scales.reshape(-1), zeros), names)]
        nodes.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    body = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes + body)
    onnx.save(model, out)


def makers(calibration):
    """`{form: function(path, out)}`."""
    u8, s8 = QuantType.QUInt8, QuantType.QInt8
    static = lambda *options: lambda path, out: write_static(path, out, calibration, *options)
    return {
        "fp16": lambda path, out: write_float16(path, out, True),
        "fp16io": lambda path, out: write_float16(path, out, False),
        "dynamic": lambda path, out: write_dynamic(path, out, weight_type=u8),
        "dynamic_s8": lambda path, out: write_dynamic(
            path, out, weight_type=s8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"]),
        "qdq": static(QuantFormat.QDQ, u8, True),
        "qdq_s8": static(QuantFormat.QDQ, s8, False, LINEAR),
        "qoperator": static(QuantFormat.QOperator, u8, True),
        "q4": lambda path, out: write_blocks(path, out, 4),
        "q8": lambda path, out: write_blocks(path, out, 8),
        "weights8": write_weights8,
    }


FORMS = tuple(makers(None))


def forms(onnx_path, calibration_inputs, out_prefix, only=None):
    """Write `{out_prefix}_{form}.onnx` for every form, or those in `only`; `{form: path}`.

    `calibration_inputs` is a list of `{input name: array}`. A form that the tools cannot make
    of this graph is reported and left out.
    """
    table, paths = makers(calibration_inputs), {}
    for form in FORMS if only is None else only:
        out = Path(f"{out_prefix}_{form}.onnx")
        try:
            table[form](str(onnx_path), str(out))
            paths[form] = out
        except Exception as problem:
            out.unlink(missing_ok=True)
            print(f"{Path(onnx_path).name}: no {form}: {problem!r}", file=sys.stderr)
    return paths


# The folder: its pictures prepared, its captions padded, its graphs run.

def read_json(path):
    return json.loads(path.read_text()) if path.exists() else {}


def load_picture(folder, source):
    """The picture of a golden pair, as an RGB image."""
    if "file" in source:
        return Image.open(folder / source["file"]).convert("RGB")
    return Image.fromarray(golden.picture(source["width"], source["height"], source["seed"]))


def resized(picture, size, mode, filter):
    """`shortest`: that side becomes `size`; `longest`: that side does; `squash`: both do."""
    if mode == "squash":
        return picture.resize((size, size), filter)
    if mode == "longest":
        scale = size / max(picture.size)
        return picture.resize([max(1, round(side * scale)) for side in picture.size], filter)
    short = min(picture.size)
    return picture.resize([int(size * side / short) for side in picture.size], filter)


def centred(picture, size, fill):
    """A square of `size` from the middle; what lies outside the picture is `fill`."""
    left, top = (int(round((side - size) / 2)) if side > size else -((size - side) // 2)
                 for side in picture.size)
    square = Image.new("RGB", (size, size), (fill,) * 3)
    square.paste(picture, (-left, -top))
    return square


def prepare_open_clip(config, picture):
    """`[1, 3, S, S]` f32 as open_clip's evaluation transform gives it."""
    size = config.get("size", 224)
    size = size if isinstance(size, int) else size[0]
    filter = INTERPOLATION[config.get("interpolation", "bicubic")]
    small = resized(picture, size, config.get("resize_mode", "shortest"), filter)
    square = np.asarray(centred(small, size, config.get("fill_color", 0)), np.float32) / 255
    mean = np.array(config.get("mean", (0.48145466, 0.4578275, 0.40821073)), np.float32)
    std = np.array(config.get("std", (0.26862954, 0.26130258, 0.27577711)), np.float32)
    return np.ascontiguousarray(((square - mean) / std).transpose(2, 0, 1)[None])


def preparer(folder):
    """The folder's own preprocessing: a function from picture to pixel values."""
    config = read_json(folder / "open_clip_config.json")
    if config:
        return lambda picture: prepare_open_clip(config.get("preprocess_cfg", {}), picture)
    from transformers import AutoImageProcessor
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return lambda picture: processor(picture, return_tensors="np")["pixel_values"]


def pad_id(folder):
    """The id that fills a caption up, from the first file that names it."""
    exported = read_json(folder / "export.json").get("text")
    if exported:
        return exported["pad_id"]
    told = read_json(folder / "tokenizer_config.json").get("pad_token")
    token = told.get("content") if isinstance(told, dict) else told
    tokenizer = read_json(folder / "tokenizer.json")
    found = [a["id"] for a in tokenizer.get("added_tokens", []) if a["content"] == token]
    if found:
        return found[0]
    if tokenizer.get("padding"):
        return tokenizer["padding"]["pad_id"]
    text = read_json(folder / "open_clip_config.json").get("model_cfg", {}).get("text_cfg", {})
    return text.get("pad_id", 0)


def least_length(folder, inputs):
    """How long ids must be: the graph's fixed length, or the context of a text tower without
    a causal mask, else 0."""
    ids = next((i for i in inputs if "int" in i.type), None)
    if ids is not None and isinstance(ids.shape[1], int):
        return ids.shape[1]
    told = read_json(folder / "config.json")
    if "siglip" in told.get("model_type", ""):
        return told["text_config"].get("max_position_embeddings", 64)
    text = read_json(folder / "open_clip_config.json").get("model_cfg", {}).get("text_cfg", {})
    return text.get("context_length", 77) if text.get("no_causal_mask") else 0


def feed(session, folder, prepare, row):
    """`{input name: array}` of one golden pair, a batch of one, for whatever `session` asks."""
    inputs, values = session.get_inputs(), {}
    length = least_length(folder, inputs)
    own = len(row["ids"])
    ids = row["ids"] + [pad_id(folder)] * max(0, length - own)
    for one in inputs:
        if "float" in one.type:
            kind = np.float16 if "float16" in one.type else np.float32
            values[one.name] = prepare(load_picture(folder, row["picture"])).astype(kind)
        else:
            kind = np.int32 if "int32" in one.type else np.int64
            mask = one.name == "attention_mask"
            line = [1] * own + [0] * (len(ids) - own) if mask else ids
            values[one.name] = np.array([line], kind)
    return values


def open_session(path, level=None):
    """An onnxruntime session, with default options unless an optimization level is given."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if level is not None:
        options.graph_optimization_level = level
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def embeddings(session, values):
    """`{"image": ..., "text": ...}`: what the outputs of one run give, by their names."""
    names = [o.name for o in session.get_outputs()]
    kinds = {"image": "image_embeds", "text": "text_embeds"}
    if not set(kinds.values()) & set(names):  # one tower with an output of another name
        only = "image" if any("float" in i.type for i in session.get_inputs()) else "text"
        kinds = {only: next((n for n in names if n == "pooler_output"), names[0])}
    kinds = {kind: name for kind, name in kinds.items() if name in names}
    return dict(zip(kinds, session.run(list(kinds.values()), values)))


def towers(folder):
    """The float graphs of the folder: two towers, or one combined model."""
    for layout in LAYOUTS:
        if all((folder / name).exists() for name in layout):
            return [folder / name for name in layout]
    raise SystemExit(f"{folder}: no {' nor '.join(' + '.join(names) for names in LAYOUTS)}")


def write_golden(folder, form, paths, rows, prepare):
    """Write golden_FORM.json; the smallest cosine with golden.json, image and text.

    onnxruntime runs each graph as it is written: its optimizer turns quantized weights into integer
    arithmetic with rounded activations, moves roundings, and crashes on some float16 graphs (1.32).
    """
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = [open_session(path, level) for path in paths]
    out, least = [], {"image": 1.0, "text": 1.0}
    for row in rows:
        found = {}
        for session in sessions:
            found |= embeddings(session, feed(session, folder, prepare, row))
        made = golden.pair(row["picture"], row["caption"], row["ids"], found["image"],
                           found["text"])
        out.append(made)
        least = {k: min(v, float(np.dot(made[k], row[k]))) for k, v in least.items()}
    made_by = (f"quantize.py, {form}, onnxruntime {onnxruntime.__version__}, ORT_DISABLE_ALL, "
               "one pair a run")
    golden.write(folder / f"golden_{form}.json", made_by, out)
    return least


def quantize(folder, only):
    """Make the forms of one folder; how many could not be made or run."""
    rows = read_json(folder / "golden.json")["pairs"]
    prepare, wanted, failed = preparer(folder), {form: [] for form in only}, 0
    graphs = towers(folder)
    for path in graphs:
        session = open_session(path)
        calibration = [feed(session, folder, prepare, row) for row in rows]
        for form, made in forms(path, calibration, path.with_suffix(""), only).items():
            wanted[form].append(made)
    for form, paths in wanted.items():
        if len(paths) < len(graphs):
            failed += 1
            continue
        try:
            least = write_golden(folder, form, paths, rows, prepare)
            size = sum(path.stat().st_size for path in paths) / 1024
            print(f"{form:<11} {size:9.0f} KiB   smallest cosine with float: "
                  f"image {least['image']:.6f}, text {least['text']:.6f}", flush=True)
        except Exception as problem:
            failed += 1
            print(f"{form:<11} onnxruntime does not run it: {problem}", file=sys.stderr)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--forms", default="all", help="all, or names with commas between")
    chosen = parser.parse_args()
    only = FORMS if chosen.forms == "all" else tuple(chosen.forms.split(","))
    unknown = set(only) - set(FORMS)
    if unknown:
        parser.error(f"--forms: {', '.join(sorted(unknown))} is not one of {', '.join(FORMS)}")
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    return 1 if quantize(chosen.folder, only) else 0


if __name__ == "__main__":
    sys.exit(main())
