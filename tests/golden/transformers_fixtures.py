"""Tiny models of the transformers ecosystem for the tests, with random weights.

    pip install torch transformers onnx onnxscript onnxruntime sentencepiece pillow==12.1.1
    python -m venv optimum && optimum/bin/pip install "optimum-onnx[onnxruntime]"
    python tests/golden/transformers_fixtures.py tests/data/models --optimum optimum/bin/python

Optimum needs an older transformers, so it has an environment of its own. Pillow as in pil.py.
Writes, each with golden.json and, for its forms, golden_FORM.json:

    transformers-clip      models/export/transformers_export.py, all forms of quantize.py
    transformers-siglip    the same exporter, some forms
    optimum-clip           optimum's own export: one combined model.onnx, all forms
    optimum-clip-legacy77  split towers by PyTorch's older exporter, with the context length
                           baked in and LayerNorm spelled out, some forms
    optimum-siglip         optimum's own export, no forms
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer, SiglipConfig,
    SiglipImageProcessorPil, SiglipModel, SiglipTokenizer,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "export"))
import quantize  # noqa: E402
import transformers_export as exporter  # noqa: E402

SOME = ("fp16", "dynamic", "qdq", "qoperator")
CONTEXT = 32
LICENCE = "CC0-1.0"
SIDE, PATCH = 32, 8
WIDE, NARROW = 32, 16
# What sentencepiece normalizes in the SigLIP fixture, in place of 250 kB of Unicode tables.
RULES = (("\u2026", "..."), ("\ufb01", "fi"), ("\u00a0", " "), ("\u00bd", "1/2"),
         *((chr(0xff21 + i), chr(0x41 + i)) for i in range(26)))


# Made-up captions, tokenizers trained on them.

def captions():
    """Three hundred captions."""
    things = ("dog cat truck boat sofa street market harbour window loaf gull lamp bread fruit "
              "fish park bar horse bicycle kitchen tower bridge garden flower mountain river "
              "child woman painter guitar table cup book train station cloud").split()
    doing = "asleep on;parked by;painted beside;seen from;in front of;lost under".split(";")
    how = "a photo of;two;an old;the large;a small yellow;12 kinds of;a red".split(";")
    for i in range(300):
        one, other = things[i % len(things)], things[(i * 7 + 3) % len(things)]
        yield f"{how[i % 7]} {one} {doing[i // 6 % 6]} the {other} at {('night', 'dawn')[i % 2]}"


def byte_letters():
    """The 256 printable stand-ins for bytes."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def clip_tokenizer(count=64):
    """Byte-level BPE with end-of-word marks: 512 bytes, merges, two special tokens."""
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(words, "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=2000, end_of_word_suffix="</w>",
                                  initial_alphabet=byte_letters(), show_progress=False)
    tokenizer.train_from_iterator(captions(), trainer)
    merges = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"][:count]]
    letters = byte_letters()
    pieces = letters + [letter + "</w>" for letter in letters] + [a + b for a, b in merges]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges,
                         model_max_length=CONTEXT)


def siglip_tokenizer(scratch):
    """Unigram pieces by sentencepiece, ids as SigLIP has them."""
    rules = scratch / "rules.tsv"
    hexadecimal = lambda text: " ".join(f"{ord(letter):X}" for letter in text)
    rules.write_text("".join(f"{hexadecimal(a)}\t{hexadecimal(b)}\n" for a, b in RULES))
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=captions(), model_prefix=str(scratch / "spiece"), vocab_size=200,
        model_type="unigram", character_coverage=1.0, normalization_rule_tsv=str(rules),
        required_chars="abcdefghijklmnopqrstuvwxyz0123456789", pad_id=0, eos_id=1, unk_id=2,
        bos_id=-1, minloglevel=2, num_threads=1, hard_vocab_limit=False)
    forget_paths(scratch / "spiece.model")
    return SiglipTokenizer(vocab_file=str(scratch / "spiece.model"), model_max_length=CONTEXT)


def forget_paths(path):
    """Take the names of temporary files out of a sentencepiece model."""
    proto = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    proto.trainer_spec.model_prefix = "spiece"
    proto.normalizer_spec.normalization_rule_tsv = ""
    path.write_bytes(proto.SerializeToString(deterministic=True))


# The models.

def dimensions(width, layers):
    return {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": 2,
            "num_hidden_layers": layers}


def clip(width, layers, attention):
    """A CLIPModel with its processors."""
    torch.manual_seed(1)
    tokenizer = clip_tokenizer()
    end = tokenizer.eos_token_id
    tower = dimensions(width, layers) | {"hidden_act": "quick_gelu", "projection_dim": 24}
    text = tower | {"vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT,
                    "bos_token_id": tokenizer.bos_token_id, "eos_token_id": end,
                    "pad_token_id": end}
    vision = tower | {"image_size": SIDE, "patch_size": PATCH}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    model = CLIPModel._from_config(config, attn_implementation=attention)
    exporter.jiggle(model)
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE},
                                   crop_size={"height": SIDE, "width": SIDE})
    return exporter.Source(model, tokenizer, images)


def siglip(width, layers, attention, scratch):
    """A SiglipModel with its processors."""
    torch.manual_seed(2)
    tokenizer = siglip_tokenizer(scratch)
    tower = dimensions(width, layers) | {"hidden_act": "gelu_pytorch_tanh"}
    text = tower | {"vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT,
                    "projection_size": width, "pad_token_id": 1, "eos_token_id": 1,
                    "bos_token_id": None}
    vision = tower | {"image_size": SIDE, "patch_size": PATCH}
    config = SiglipConfig(text_config=text, vision_config=vision)
    model = SiglipModel._from_config(config, attn_implementation=attention)
    exporter.jiggle(model)
    images = SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE},
                                     image_mean=[0.5] * 3, image_std=[0.5] * 3)
    return exporter.Source(model, tokenizer, images)


# The folders.

def save(source, folder):
    """The folder that a hub checkpoint would be."""
    source.model.save_pretrained(folder)
    source.images.save_pretrained(folder)
    exporter.write_tokenizer(source, folder)


def write_exported(source, folder):
    agrees = exporter.export(source, folder, folder.name, LICENCE)
    assert agrees, f"{folder}: the graphs differ from PyTorch"


def write_optimum(source, folder, python):
    """Export through optimum's own code, in its own environment."""
    with tempfile.TemporaryDirectory() as checkpoint:
        save(source, Path(checkpoint))
        code = ("import sys; from optimum.exporters.onnx import main_export; main_export("
                "sys.argv[1], sys.argv[2], task='zero-shot-image-classification')")
        subprocess.run([python, "-W", "ignore", "-c", code, checkpoint, folder], check=True)
    if not (folder / "tokenizer.json").exists():  # SigLIP's: optimum's transformers is too old
        exporter.write_tokenizer(source, folder)
    exporter.write_golden(source, folder)


def write_legacy(source, folder):
    """Split towers by the TorchScript exporter: opset 14, batch alone dynamic."""
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    exporter.write_settings(source, folder, folder.name, LICENCE)
    exporter.write_tokenizer(source, folder)
    image, text = source.towers()
    full = source.tokenizer(list(exporter.CAPTIONS[:2]), padding="max_length",
                            max_length=CONTEXT, return_tensors="pt")
    pixels = exporter.example(source, ["pixel_values"])["pixel_values"]
    for tower, inputs, output, name in (
            (image, {"pixel_values": pixels}, "image_embeds", "vision_model"),
            (text, dict(full), "text_embeds", "text_model")):
        axes = {key: {0: "batch_size"} for key in [*inputs, output]}
        torch.onnx.export(tower, tuple(inputs.values()), folder / "onnx" / f"{name}.onnx",
                          input_names=list(inputs), output_names=[output], dynamic_axes=axes,
                          opset_version=14, dynamo=False)
    exporter.write_golden(source, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--optimum", help="a Python that has optimum-onnx; else those are left")
    parser.add_argument("--only", help="one fixture's name")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    exporter.quiet()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        plans = {
            "transformers-clip": (lambda f: write_exported(clip(WIDE, 2, "eager"), f),
                                  quantize.FORMS),
            "transformers-siglip": (
                lambda f: write_exported(siglip(WIDE, 1, "eager", scratch), f), SOME),
            "optimum-clip-legacy77": (lambda f: write_legacy(clip(NARROW, 1, "sdpa"), f),
                                      ("dynamic", "qdq")),
        }
        if chosen.optimum:
            plans["optimum-clip"] = (
                lambda f: write_optimum(clip(NARROW, 1, "sdpa"), f, chosen.optimum),
                (*SOME, "qdq_s8"))
            plans["optimum-siglip"] = (
                lambda f: write_optimum(siglip(NARROW, 1, "sdpa", scratch), f, chosen.optimum), ())
        for name, (write, forms) in plans.items():
            if chosen.only in (None, name):
                exporter.step(name)
                write(chosen.out / name)
                quantize.quantize(chosen.out / name, forms)


if __name__ == "__main__":
    main()
