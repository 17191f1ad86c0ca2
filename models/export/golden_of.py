"""A golden file of an ONNX folder that has none, by onnxruntime and transformers' own processors.

`python golden_of.py FOLDER` reads a folder of optimum or transformers.js (config.json,
preprocessor_config.json, tokenizer.json, onnx/vision_model.onnx with onnx/text_model.onnx, or one
model.onnx) and writes FOLDER/golden.json; with --form F, of vision_model_F.onnx and so on,
FOLDER/golden_F.json. `pairgate model import` finds them there.

Example: python golden_of.py Xenova/clip-vit-base-patch32 --form quantized
"""

import argparse
import sys
from pathlib import Path

import onnxruntime
import transformers
from transformers import AutoTokenizer

import golden
import quantize
from transformers_export import CAPTIONS


def input_size(folder):
    """Sides of the square that the image tower takes."""
    told = quantize.read_json(folder / "preprocessor_config.json")
    size = told.get("crop_size") or told.get("size")
    return size if isinstance(size, int) else size.get("height") or size["shortest_edge"]


def rows(folder):
    """Made pictures, captions and their ids, in golden.py's form without embeddings."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = quantize.read_json(folder / "config.json")
    context = config.get("text_config", {}).get("max_position_embeddings")
    for source, caption in zip(golden.pictures(input_size(folder)), CAPTIONS, strict=True):
        ids = tokenizer(caption, truncation=True,
                        max_length=context or tokenizer.model_max_length).input_ids
        yield {"picture": source, "caption": caption, "ids": ids}


def graphs(folder, form):
    """The files of the two towers, or of the one graph that holds both."""
    suffix = f"_{form}" if form else ""
    for layout in quantize.LAYOUTS:
        paths = [folder / name.replace(".onnx", f"{suffix}.onnx") for name in layout]
        if all(path.exists() for path in paths):
            return paths
    raise SystemExit(f"{folder}: no towers called *{suffix}.onnx")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", help="the form of the towers [default: the plain one]")
    given = parser.parse_args()
    folder, form = given.folder, given.form
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    sessions = [quantize.open_session(path, level) for path in graphs(folder, form)]
    prepare, pairs = quantize.preparer(folder), []
    for row in rows(folder):
        found = {}
        for session in sessions:
            found |= quantize.embeddings(session, quantize.feed(session, folder, prepare, row))
        pairs.append(golden.pair(row["picture"], row["caption"], row["ids"], found["image"],
                                 found["text"]))
    out = folder / (f"golden_{form}.json" if form else "golden.json")
    made_by = (f"golden_of.py, onnxruntime {onnxruntime.__version__}, ORT_DISABLE_ALL, "
               f"transformers {transformers.__version__}")
    golden.write(out, made_by, pairs)
    print(f"{out}: {len(pairs)} pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
