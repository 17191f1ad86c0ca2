"""Small open_clip models for the tests: `python open_clip_fixtures.py`.

Each is a real architecture of open_clip at a width that fits the repository, with random weights
and a small vocabulary, written by models/export/open_clip_export.py and then, in the forms that
FORMS names, by models/export/quantize.py. The same run gives the same files.
Install models/export/requirements.txt first.

Example: python open_clip_fixtures.py --only vit,siglip --no-forms
"""

import argparse
import contextlib
import functools
import gzip
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # a tokenizer trained in parallel is not always the same

import numpy as np
import open_clip
import timm
import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer, bytes_to_unicode
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models/export"))

import open_clip_export
import quantize

OUT = ROOT / "tests/data/models"
CONTEXT = 40
MERGES = 160
PIECES = 256
ALL_FORMS = quantize.FORMS
CONV_FORMS = ("dynamic", "qdq", "qoperator")  # all that treat a Conv differently
FORMS = {"vit": ALL_FORMS, "siglip": ALL_FORMS, "rn50": CONV_FORMS,
         "mobileclip": ("dynamic", "qoperator")}

CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
VISION = {"width": 24, "layers": 2, "head_width": 12, "mlp_ratio": 2.0}
TEXT = {"width": 12, "layers": 2, "heads": 2, "mlp_ratio": 2.0}
SHORT_TEXT = {**TEXT, "width": 8, "layers": 1}


def model_configs():
    """`{name: (model_cfg, preprocess_cfg)}`; the text tower's context and vocabulary come later."""
    return {
        "vit": ({"embed_dim": 16, "vision_cfg": {**VISION, "patch_size": 8, "image_size": 32},
                 "text_cfg": {**TEXT, "layers": 1}}, CLIP),
        "vit-quickgelu": ({
            "embed_dim": 16, "quick_gelu": True,
            "vision_cfg": {**VISION, "patch_size": 16, "image_size": 64},
            "text_cfg": TEXT}, {**CLIP, "resize_mode": "squash"}),
        "rn50": ({
            "embed_dim": 16, "text_cfg": SHORT_TEXT,
            "vision_cfg": {"layers": [1, 1, 1, 1], "width": 2, "head_width": 32, "patch_size": None,
                           "image_size": 64}}, {**CLIP, "resize_mode": "longest"}),
        "mobileclip": ({
            "embed_dim": 16, "custom_text": True,
            "vision_cfg": {"timm_model_name": "fastvit_mci0", "timm_model_pretrained": False,
                           "timm_pool": "avg", "timm_proj": None, "image_size": 64},
            "text_cfg": {**SHORT_TEXT, "no_causal_mask": True}},
            {**PLAIN, "interpolation": "bilinear"}),
        "siglip": ({
            "embed_dim": 24, "init_logit_bias": -10, "custom_text": True,
            "vision_cfg": {"timm_model_name": "vit_base_patch16_siglip_224",
                           "timm_model_pretrained": False, "timm_pool": "map",
                           "timm_proj": "none", "image_size": 32},
            "text_cfg": {**SHORT_TEXT, "width": 24, "hf_tokenizer_name": "made-up",
                         "tokenizer_kwargs": {"clean": "canonicalize"}, "no_causal_mask": True,
                         "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}}},
            {**HALF, "resize_mode": "squash"}),
    }


# timm's architectures at a small width, under their own names.
NARROW = {
    "fastvit_mci0": {"layers": (1, 1, 1, 1), "embed_dims": (4, 8, 16, 32)},
    "vit_base_patch16_siglip_224": {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 1,
                                    "num_heads": 2, "mlp_ratio": 2.0},
}


@contextlib.contextmanager
def narrow_timm():
    """While it lasts, timm makes the models of NARROW in their narrow form."""
    table = timm.models._registry._model_entrypoints
    before = dict(table)
    for name, options in NARROW.items():
        table[name] = functools.partial(before[name], **options)
    try:
        yield
    finally:
        table.update(before)


# Vocabularies, from made-up captions.

ADJECTIVES = ["small", "bright green", "rusty", "striped", "old", "wooden", "very tall", "broken"]
NOUNS = ["kettle", "bicycle", "lighthouse", "cat", "tram", "umbrella", "violin", "waterfall",
         "traffic cone", "notebook", "dog", "boat", "house", "photo of a field"]
PLACES = ["on a kitchen table", "in the snow", "under a bridge", "beside 3 chairs", "at 5:30 pm",
          "near the river's edge", "behind a fence, at dusk", "in a shop window (closed)",
          "late in the afternoon", "at sunrise, seen from above", "in the long grass"]


def captions():
    return [f"a {a} {n} {p}" for p in PLACES for n in NOUNS for a in ADJECTIVES]


def train_bpe(path):
    """Train merges and write them in the format of open_clip's own vocabulary."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(),
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    trainer = trainers.BpeTrainer(
        vocab_size=2000, end_of_word_suffix="</w>", min_frequency=2, show_progress=False,
        initial_alphabet=sorted(bytes_to_unicode().values()))
    tokenizer.train_from_iterator(captions(), trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"][:MERGES]
    lines = ["#version: made up"] + [" ".join(merge) for merge in merges]
    path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def in_order(tokenizer):
    """A copy with scores of four digits and equal ones in order: the trainer leaves them in any."""
    told = json.loads(tokenizer.to_str())
    pieces = [[piece, round(score, 4)] for piece, score in told["model"]["vocab"]]
    told["model"]["vocab"] = pieces[:3] + sorted(pieces[3:], key=lambda row: (-row[1], row[0]))
    return Tokenizer.from_str(json.dumps(told))


def train_pieces(folder):
    """Train a unigram vocabulary like SigLIP's and write it as a tokenizer folder."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=PIECES, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>",
        show_progress=False)
    tokenizer.train_from_iterator(captions(), trainer)
    tokenizer = in_order(tokenizer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>",
            "pad_token": "</s>", "unk_token": "<unk>", "padding_side": "right"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))


def make_tokenizer(folder, text_cfg):
    """open_clip's tokenizer over a vocabulary trained here, its files in `folder`."""
    if "hf_tokenizer_name" in text_cfg:
        train_pieces(folder)
        return HFTokenizer(str(folder), CONTEXT, **text_cfg["tokenizer_kwargs"])
    train_bpe(folder / "bpe.txt.gz")
    return SimpleTokenizer(folder / "bpe.txt.gz", context_length=CONTEXT)


# Models.

def golden_pixels(model):
    prepare = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    made = open_clip_export.made_pictures(open_clip_export.image_size(model))
    return torch.stack([prepare(picture) for _, picture in made])


def wake(model):
    """Make pictures look different to random weights, by what the golden pictures give: batch
    norms take their statistics, a pooling head's last bias most of what they have in common."""
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    with torch.no_grad():
        made = model.train(bool(norms)).encode_image(golden_pixels(model))
        pool = getattr(getattr(model.visual, "trunk", None), "attn_pool", None)
        if pool is not None:
            pool.mlp.fc2.bias.sub_(0.7 * made.mean(0))
    model.eval()


def make_model(folder, model_cfg, preprocess_cfg):
    """The model as open_clip makes it from a config in `folder`."""
    told = {"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(told))
    with narrow_timm():
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False).eval()
    open_clip_export.jiggle(model)
    wake(model)
    return model.requires_grad_(False)


def seed(value):
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def make_fixture(name, model_cfg, preprocess_cfg, out):
    """Write one export folder; whether it is right."""
    seed(7)
    shutil.rmtree(out, ignore_errors=True)
    text_cfg = model_cfg["text_cfg"] = dict(model_cfg["text_cfg"], context_length=CONTEXT)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = make_tokenizer(Path(scratch), text_cfg)
        text_cfg["vocab_size"] = len(getattr(tokenizer, "tokenizer", None)
                                     or tokenizer.encoder)
        model = make_model(Path(scratch), model_cfg, preprocess_cfg)
        about = {"model": f"fixture-{name}", "pretrained": "random", "licence": "Apache-2.0"}
        return open_clip_export.export(out, model, model_cfg, tokenizer, about)


def spread(folder):
    """The second highest cosine between golden embeddings of different pairs, by kind."""
    rows = json.loads((folder / "golden.json").read_text())["pairs"]
    found = {}
    for kind in ("image", "text"):
        made = np.array([row[kind] for row in rows])
        alike = np.sort((made @ made.T)[np.triu_indices(len(made), 1)])
        found[kind] = round(float(alike[-2]), 4)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names with commas between; all without")
    parser.add_argument("--no-forms", action="store_true", help="no quantized forms")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    configs = model_configs()
    failed = 0
    for name in given.only.split(",") if given.only else configs:
        out = given.out / f"open_clip-{name}"
        failed += not make_fixture(name, *configs[name], out)
        print(f"{name}: second highest cosine between pairs: {spread(out)}", flush=True)
        if name in FORMS and not given.no_forms:
            failed += quantize.quantize(out, FORMS[name])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
