"""Write a bundle: two ONNX files with int8 weights, the tokenizer, the manifest."""

import copy
import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from PIL import Image

import data
import text
import towers

sys.path.append(str(Path(__file__).resolve().parent.parent / "export"))
import golden  # noqa: E402

VERSION = "0.3.0"
FILES = ("image.onnx", "text.onnx", "tokenizer.json", "golden.json")
CAPTIONS = ("a dog runs over wet grass", "Two red chairs &amp; a table in the snow.",
            "figure 3 shows the orbit of the moon", "straw hat, natural, 57 cm")
SMALL = 2048  # tensors with fewer elements than this stay f32


def quantize_(module):
    """Round every big weight to per-output-channel int8, in place.

    Returns `[(dequantized f32, int8, scales)]`; afterwards the module holds exactly the
    dequantized weights, so it is the reference for the exported file.
    """
    table = []
    for child in module.modules():
        weight = getattr(child, "weight", None)
        if weight is None or weight.dim() < 2 or weight.numel() < SMALL:
            continue
        w = weight.detach().numpy()
        top = np.abs(w.reshape(len(w), -1)).max(1)
        scales = np.maximum(top / np.float32(127), np.float32(1e-12)).astype(np.float32)
        wide = scales.reshape(-1, *[1] * (w.ndim - 1))
        q = np.clip(np.rint(w / wide), -127, 127).astype(np.int8)
        w = q.astype(np.float32) * wide
        weight.data = torch.from_numpy(w.copy())
        table.append((w, q, scales))
    return table


def find(table, values):
    """The int8 form of an initializer: `(int8, scales, axis)`, or None."""
    for w, q, scales in table:
        if values.shape == w.shape and np.array_equal(values, w):
            return q, scales, 0
        if values.ndim == 2 and values.shape == w.T.shape and np.array_equal(values, w.T):
            return np.ascontiguousarray(q.T), scales, 1
    return None


def store_int8(model, table):
    """Replace big f32 initializers by int8 ones behind DequantizeLinear; how many were."""
    kept, nodes, done = [], [], 0
    for tensor in model.graph.initializer:
        found = find(table, numpy_helper.to_array(tensor))
        if found is None:
            kept.append(tensor)
            continue
        q, scales, axis = found
        names = [tensor.name + "_q", tensor.name + "_scale", tensor.name + "_zero"]
        zero = np.zeros(len(scales), np.int8)
        kept += [numpy_helper.from_array(a, n) for a, n in zip((q, scales, zero), names)]
        nodes.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
        done += 1
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    body = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes + body)
    return done


def strip(model):
    """Drop value infos, docs and metadata: they name no weights and make the file big."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for item in list(model.graph.input) + list(model.graph.output) + list(model.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    model.producer_name, model.producer_version = "pairgate", "1"


def write_onnx(module, example, shapes, names, path):
    """Quantize a folded module in place and write it to `path`."""
    table = quantize_(module)
    torch.onnx.export(
        module, (example,), path, input_names=names[:1], output_names=names[1:],
        dynamic_shapes=(shapes,), opset_version=18, dynamo=True, external_data=False,
        verbose=False,
    )
    model = onnx.load(path)
    done = store_int8(model, table)
    assert done == len(table), f"{path}: {done} of {len(table)} weights found in the graph"
    strip(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_image(image, folder):
    """Write image.onnx; returns its reference: a copy with norms folded and weights as stored."""
    image = towers.fold_batch_norm(copy.deepcopy(image).eval())
    pixels = torch.randn(2, 3, towers.IMAGE_SIZE, towers.IMAGE_SIZE)
    write_onnx(image, pixels, {0: torch.export.Dim("N", min=1)}, ["pixel_values", "image_embeds"],
               folder / "image.onnx")
    return image


def write_text(text_tower, folder):
    """Write text.onnx; returns its reference."""
    text_tower = copy.deepcopy(text_tower).eval()
    shapes = {0: torch.export.Dim("N", min=1), 1: torch.export.Dim("L", max=towers.CONTEXT_LENGTH)}
    ids = torch.randint(3, towers.VOCABULARY_SIZE, (2, 17))
    write_onnx(text_tower, ids, shapes, ["input_ids", "text_embeds"], folder / "text.onnx")
    return text_tower


def numbers(values, digits=5):
    return "[" + ", ".join(f"{float(v):.{digits}f}" for v in values) + "]"


def manifest(folder, licence, logit_scale, quantiles, threshold, version):
    """The text of bundle.toml; digests are taken from the files in `folder`."""
    digests = "\n".join(
        f'"{name}" = "{hashlib.sha256((folder / name).read_bytes()).hexdigest()}"' for name in FILES
    )
    return f'''format = 1
name = "pairgate-default"
version = "{version}"
licence = "{licence}"
embedding_size = {towers.EMBEDDING_SIZE}
logit_scale = {logit_scale:.4f}
logit_bias = 0.0
# Tells matched pairs held out of training best from shuffled ones (share kept less share let in).
recommended_threshold = {threshold:.4f}
# Scores of matched pairs held out of training, at 0 %, 1 % ... 100 %.
score_quantiles = {numbers(quantiles)}

[image]
file = "image.onnx"
size = {towers.IMAGE_SIZE}
resize = "shortest"
interpolation = "bicubic"
mean = {numbers(towers.PIXEL_MEAN, 1)}
std = {numbers(towers.PIXEL_STD, 1)}

[text]
file = "text.onnx"
tokenizer = "tokenizer.json"
context_length = {towers.CONTEXT_LENGTH}
pad_id = {towers.PAD_ID}
sot_id = {towers.SOT_ID}
eot_id = {towers.EOT_ID}
attention = "masked"
cleaning = ["html_unescape", "html_unescape", "collapse_whitespace", "lowercase"]

[golden]
file = "golden.json"
min_cosine = 0.999

[digests]
{digests}
'''


@torch.no_grad()
def write_golden(image, text_tower, folder):
    """What the towers say of a few made pictures and captions, for the check at each load."""
    tokenizer, pairs = text.load_tokenizer(folder / "tokenizer.json"), []
    for source, caption in zip(golden.pictures(towers.IMAGE_SIZE), CAPTIONS):
        made = Image.fromarray(golden.picture(**source))
        pixels = data.normalise(torch.from_numpy(data.prepare(made)[None].copy()))
        ids = text.encode(tokenizer, text.clean(caption))
        pairs.append(golden.pair(source, caption, ids, image(pixels),
                                 text_tower(torch.tensor([ids]))))
    golden.write(folder / "golden.json", f"PyTorch {torch.__version__}, models/train", pairs)


def finish_bundle(folder, towers_written, tokenizer, quantiles, threshold, licence, logit_scale):
    """Add tokenizer, golden pairs and manifest to a folder that holds the towers, whose references
    are given."""
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    write_golden(*towers_written, folder)
    told = manifest(folder, licence, logit_scale, quantiles, threshold, VERSION)
    (folder / "bundle.toml").write_text(told)
