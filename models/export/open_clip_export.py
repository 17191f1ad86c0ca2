"""Write an open_clip model as a folder that `pairgate model import` takes.

The folder: open_clip_config.json, image.onnx, text.onnx, tokenizer.json, export.json (what a
config does not say) and golden.json (what open_clip itself answers). Both graphs are run by
onnxruntime and compared with PyTorch before the program ends; it fails when they differ.

Example: python open_clip_export.py hf-hub:apple/DFN-public -o exported/dfn --licence "TEXT"
"""

import argparse
import contextlib
import copy
import json
import logging
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import open_clip
import PIL
import torch
import torch.nn.functional as F
from open_clip.hf_model import HFTextEncoder
from open_clip.tokenizer import HFTokenizer, SigLipTokenizer, SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import ResidualAttentionBlock, text_global_pool
from PIL import Image
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

import golden

FORMAT = 1
INLINE_BYTES = 1_900_000_000  # a protobuf file holds less than 2 GiB
LEAST_COSINE = 0.9999
NEWEST_PILLOW = (12, 1)  # later ones resize rows first at times, unlike what networks learned with
BASIC = ["ftfy", "html_unescape", "html_unescape", "strip"]
CLEANING = {
    "_clean_whitespace": BASIC + ["collapse_whitespace"],
    "_clean_lower": BASIC + ["collapse_whitespace", "lowercase"],
    "_clean_canonicalize": BASIC + ["underscores_to_spaces", "remove_punctuation", "lowercase",
                                    "collapse_whitespace"],
}
ACTIVATIONS = {"QuickGELU": "quick_gelu", "QuickGELUActivation": "quick_gelu", "ReLU": "relu",
               "GELUActivation": "gelu", "GELUTanh": "gelu_tanh", "NewGELUActivation": "gelu_tanh",
               "SiLU": "silu"}
CAPTIONS = [
    "a photo of a cat",
    "Two dogs run across a wide green field, late in the afternoon.",
    "caf\u00c3\u00a9 &amp; bar: \u201cOPEN\u201d 24/7 &lt;b&gt;SALE&lt;/b&gt; \U0001f355\U0001f389",
    "red",
    "A long description that goes on " + "and on, past one more hill and one more house, " * 9,
    "snake_case_file-name.JPG (1920x1080), it's   100% new! <end_of_text>!<end_of_text>",
    "\u65e5\u672c\u306e\u96fb\u8eca und ein gro\u00dfer Zug",
    "A small wooden boat on a quiet lake at sunrise, seen from above.",
]


class Refused(Exception):
    """The model does something that an export folder cannot say."""


# The towers.

def clean_attention(self, q_x, k_x=None, v_x=None, attn_mask=None):
    """A block's self-attention as plain operators: one linear for q, k and v."""
    attention = self.attn
    n, length, width = q_x.shape
    heads = attention.num_heads
    qkv = F.linear(q_x, attention.in_proj_weight, attention.in_proj_bias)
    qkv = qkv.reshape(n, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    q, k, v = qkv[0], qkv[1], qkv[2]
    scores = q @ k.transpose(-2, -1) * (width // heads) ** -0.5
    if attn_mask is not None:
        mask = attn_mask.reshape(n, heads, length, length) if attn_mask.dim() == 3 else attn_mask
        scores = scores + mask
    mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, length, width)
    return attention.out_proj(mixed)


@contextlib.contextmanager
def plain_blocks(module):
    """While it lasts, open_clip's residual blocks in `module` use `clean_attention`."""
    blocks = [m for m in module.modules()
              if isinstance(m, ResidualAttentionBlock) and not hasattr(m, "ln_1_kv")]
    for block in blocks:
        block.attention = types.MethodType(clean_attention, block)
    try:
        yield
    finally:
        for block in blocks:
            del block.attention


class ImageTower(torch.nn.Module):
    """Pixels `[N, 3, S, S]` to embeddings, branches of a re-parameterizable trunk folded."""

    def __init__(self, model):
        super().__init__()
        self.visual = model.visual
        if any(hasattr(m, "reparameterize") or hasattr(m, "fuse") for m in model.visual.modules()):
            from timm.utils.model import reparameterize_model
            self.visual = reparameterize_model(copy.deepcopy(model.visual), inplace=True)

    def forward(self, pixel_values):
        made = self.visual(pixel_values)
        return made[0] if isinstance(made, tuple) else made


class TextTower(torch.nn.Module):
    """Ids `[N, L]` to embeddings; L may be less than the context where `any_length` says so."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.text = text_of(model)
        self.any_length = any_length(self.text)

    def forward(self, input_ids):
        if not self.any_length:
            return self.model.encode_text(input_ids, normalize=False)
        text, length = self.text, input_ids.shape[1]
        x = text.token_embedding(input_ids) + text.positional_embedding[:length]
        x = text.transformer(x, attn_mask=text.attn_mask[:length, :length])
        x = text_global_pool(text.ln_final(x), input_ids, pooling(text), eos_of(text))
        if text.text_projection is None:
            return x
        linear = isinstance(text.text_projection, torch.nn.Linear)
        return text.text_projection(x) if linear else x @ text.text_projection


def text_of(model):
    """The module that holds the text tower: CLIP keeps its parts in itself."""
    return getattr(model, "text", model)


def pooling(text):
    if isinstance(text, HFTextEncoder):
        return type(text.pooler).__name__
    if getattr(text, "cls_emb", None) is not None:
        return "last"
    return text.text_pool_type if hasattr(text, "text_pool_type") else text.pool_type


def eos_of(text):
    return text.text_eos_id if hasattr(text, "text_eos_id") else text.eos_id


def attention_of(text):
    """What a token sees: those before it, all, or all but the padding."""
    if isinstance(text, HFTextEncoder) or getattr(text, "use_pad_mask", False):
        return "masked"
    return "full" if text.attn_mask is None else "causal"


def any_length(text):
    """Whether a caption's embedding is the same without its padding."""
    return (attention_of(text) == "causal" and getattr(text, "cls_emb", None) is None
            and pooling(text) in ("argmax", "eos", "first"))


def activation(module):
    """The name of the one activation that the tower's modules use; None if several or none."""
    found = set()
    for m in module.modules():
        if isinstance(m, torch.nn.GELU):
            found.add("gelu_tanh" if m.approximate == "tanh" else "gelu")
        elif type(m).__name__ == "GELU":
            found.add("gelu")
        elif type(m).__name__ in ACTIVATIONS:
            found.add(ACTIVATIONS[type(m).__name__])
    return found.pop() if len(found) == 1 else None


def text_activation(text):
    return activation(text if isinstance(text, HFTextEncoder) else text.transformer)


# Writing ONNX.

def strip(path, external):
    """Drop value infos, docs and traces: they hold no weights, and paths of this machine."""
    model = onnx.load(path, load_external_data=not external)
    del model.graph.value_info[:]
    items = [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output,
             *model.graph.initializer]
    for item in items:
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.save(model, path)


def write_onnx(tower, example, shapes, names, path, opset):
    """Export one tower; weights go beside the file only where it would be too big."""
    size = sum(p.numel() * p.element_size() for name, p in tower.named_parameters()
               if not name.startswith("model.visual."))
    with plain_blocks(tower), torch.no_grad():
        torch.onnx.export(
            tower, (example,), path, input_names=names[:1], output_names=names[1:],
            dynamic_shapes=(shapes,), opset_version=opset, dynamo=True, verbose=False,
            external_data=size > INLINE_BYTES,
        )
    strip(path, size > INLINE_BYTES)


def write_image(model, folder, opset):
    side = image_size(model)
    write_onnx(ImageTower(model).eval(), torch.randn(2, 3, side, side),
               {0: torch.export.Dim("N", min=1)}, ["pixel_values", "image_embeds"],
               folder / "image.onnx", opset)


def write_text(model, context, folder, opset):
    tower, shapes, length = TextTower(model).eval(), {0: torch.export.Dim("N", min=1)}, context
    if tower.any_length:
        shapes[1] = torch.export.Dim("L", min=2, max=context)
        length = max(3, context * 2 // 5)
    example = torch.randint(3, text_of(model).vocab_size, (2, length))
    write_onnx(tower, example, shapes, ["input_ids", "text_embeds"], folder / "text.onnx", opset)


# The tokenizer.

def bpe_tokenizer(simple):
    """open_clip's SimpleTokenizer as a tokenizer.json, from its own tables."""
    made = Tokenizer(models.BPE(vocab=simple.encoder, merges=list(simple.bpe_ranks),
                                continuing_subword_prefix="", end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(f"(?i:{simple.pat.pattern})"), "removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    told = json.loads(made.to_str())
    for i in simple.all_special_ids:
        add_special(told["model"], simple, i)
    return json.dumps(told, ensure_ascii=False)


def add_special(model, simple, special_id):
    """Let a special token that a caption spells out be read as open_clip reads it.

    It is one where a word can start, but not right behind punctuation, which takes the `<` along.
    An added token would be found there too. So it is a word like others, put together by merges of
    its own, which come last and all start with `<` and letters: no other word has that.
    """
    special = simple.decoder[special_id]
    cached = simple.cache.pop(special)
    pieces = simple.bpe(special).split(" ")
    simple.cache[special] = cached
    joined = pieces[0]
    for piece in pieces[1:]:
        model["merges"].append([joined, piece])
        joined += piece
        model["vocab"][joined] = special_id


def bare(tokenizer):
    """The tokenizer.json of a tokenizer, cutting, padding and adding nothing."""
    told = json.loads(tokenizer.to_str())
    told.update(truncation=None, padding=None, post_processor=None)
    return json.dumps(told, ensure_ascii=False)


def refuse_tokenizer(tokenizer):
    """Name what an export folder cannot express."""
    if isinstance(tokenizer, SimpleTokenizer):
        if tokenizer.reduction_fn is not None:
            raise Refused("the tokenizer drops tokens by a reduction mask")
        return
    if not isinstance(tokenizer, (HFTokenizer, SigLipTokenizer)):
        raise Refused(f"the tokenizer is a {type(tokenizer).__name__}")
    if getattr(tokenizer, "tokenizer_mode", ""):
        raise Refused(f"tokenizer_mode {tokenizer.tokenizer_mode!r}")
    if hasattr(tokenizer, "set_lang_fn"):
        raise Refused("the tokenizer marks the language of a caption (multi-language)")
    if not getattr(tokenizer.tokenizer, "is_fast", False):
        raise Refused(f"{type(tokenizer.tokenizer).__name__} has no fast form")
    if tokenizer.tokenizer.padding_side != "right":
        raise Refused("the tokenizer pads on the left")


def added_ids(hf):
    """The one id put before a caption and the one after it; None where there is none."""
    plain = hf("a", add_special_tokens=False).input_ids
    whole = hf("a").input_ids
    at = next(i for i in range(len(whole)) if whole[i:i + len(plain)] == plain)
    before, after = whole[:at], whole[at + len(plain):]
    if len(before) > 1 or len(after) > 1:
        raise Refused(f"the tokenizer puts {before} before and {after} after a caption")
    return (before or [None])[0], (after or [None])[0]


def describe_tokenizer(tokenizer):
    """`(contents of tokenizer.json, facts for export.json)`."""
    refuse_tokenizer(tokenizer)
    if isinstance(tokenizer, SimpleTokenizer):
        made, pad, sot, eot = (bpe_tokenizer(tokenizer), 0, tokenizer.sot_token_id,
                               tokenizer.eot_token_id)
    else:
        hf = tokenizer.tokenizer
        made, pad, (sot, eot) = bare(hf.backend_tokenizer), hf.pad_token_id, added_ids(hf)
        if getattr(tokenizer, "strip_sep_token", False) and eot == hf.sep_token_id:
            eot = 0
    cleaning = "_clean_canonicalize"
    if not isinstance(tokenizer, SigLipTokenizer):
        cleaning = tokenizer.clean_fn.__name__
    return made, {"context_length": tokenizer.context_length, "pad_id": pad, "sot_id": sot,
                  "eot_id": eot, "cleaning": CLEANING[cleaning]}


def own_ids(row, facts):
    """A padded row of ids at the caption's own length."""
    ids = [int(i) for i in row]
    length = max((i + 1 for i, v in enumerate(ids) if v != facts["pad_id"]), default=0)
    closes = facts["eot_id"] == facts["pad_id"] and length < len(ids)
    return ids[:length + closes]


def clean(tokenizer, caption):
    if isinstance(tokenizer, SigLipTokenizer):
        return open_clip.tokenizer._clean_canonicalize(caption)
    return tokenizer.clean_fn(caption)


def check_tokenizer(tokenizer, made, facts, captions):
    """Refuse a tokenizer.json that answers otherwise than open_clip's own tokenizer."""
    context = facts["context_length"]
    for caption, row in zip(captions, tokenizer(captions)):
        ids = made.encode(clean(tokenizer, caption), add_special_tokens=False).ids
        ids = [i for i in [facts["sot_id"]] if i is not None] + ids
        if facts["eot_id"] is not None:
            ids = ids[:context - 1] + [facts["eot_id"]]
        if ids[:context] != own_ids(row, facts):
            raise Refused(f"tokenizer.json gives other ids for {caption!r}: {ids} and "
                          f"{own_ids(row, facts)}")


# What the folder says of itself.

def image_size(model):
    size = model.visual.preprocess_cfg["size"]
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise Refused(f"the image tower takes pictures of {size}, not square ones")
    return sides.pop()


def preprocess_config(model):
    """open_clip's own description; "random" interpolation is bicubic outside training."""
    told = {**model.visual.preprocess_cfg, "size": image_size(model)}
    if told["interpolation"] == "random":
        told["interpolation"] = "bicubic"
    return told


def describe(model, facts, about):
    """The contents of export.json."""
    text = text_of(model)
    bias = getattr(model, "logit_bias", None)
    return {
        "format": FORMAT, "exporter": "open_clip_export.py", **about,
        "text": {**facts, "attention": attention_of(text), "pooling": pooling(text)},
        "activation": {"image": activation(model.visual), "text": text_activation(text)},
        "embedding_size": None,
        "logit_scale": model.logit_scale.exp().item(),
        "logit_bias": None if bias is None else bias.item(),
    }


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def golden_pairs(model, tokenizer, facts, pictures, captions):
    """Rows for golden.json by open_clip's own preprocessing, tokenizer and model.

    `pictures` yields `(source, RGB image)`.
    """
    refuse_pillow()
    prepare = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    rows = []
    for (source, picture), caption in zip(pictures, captions, strict=True):
        ids = tokenizer([caption])
        with torch.no_grad():
            image = model.encode_image(prepare(picture)[None], normalize=False)
            text = model.encode_text(ids, normalize=False)
        rows.append(golden.pair(source, caption, own_ids(ids[0], facts), image, text))
    return rows


def refuse_pillow():
    if tuple(int(part) for part in PIL.__version__.split(".")[:2]) > NEWEST_PILLOW:
        raise Refused(f"Pillow {PIL.__version__} resizes otherwise than the versions that networks "
                      "were trained with: pip install pillow==12.1.1")


def made_pictures(size):
    for source in golden.pictures(size):
        yield source, Image.fromarray(golden.picture(**source))


def made_by():
    return (f"open_clip {open_clip.__version__}, torch {torch.__version__.split('+')[0]}, "
            f"Pillow {PIL.__version__}")


# The check.

def check_inputs(model, facts):
    """`[(name of the tower, ONNX input, PyTorch input)]` of batches of 1 and 3."""
    side, context, text = image_size(model), facts["context_length"], text_of(model)
    lengths = [context]
    if any_length(text):
        lengths = sorted({2, min(5, context), context // 2, context})
    out = []
    for n in (1, 3):
        pixels = torch.randn(n, 3, side, side)
        out.append(("image", pixels, pixels))
        for length in lengths:
            whole = torch.stack([check_ids(facts, text.vocab_size, length - k % max(1, length - 1))
                                 for k in range(n)])
            out.append(("text", whole[:, :length], whole))
    return out


def check_ids(facts, vocabulary, length):
    """A row of random ids with `length` of them before the padding."""
    ids = torch.full((facts["context_length"],), facts["pad_id"])
    top = vocabulary if facts["eot_id"] is None else max(facts["eot_id"], 3)
    ids[:length] = torch.randint(2, max(3, top), (length,))
    if facts["sot_id"] is not None:
        ids[0] = facts["sot_id"]
    if facts["eot_id"] is not None:
        ids[length - 1] = facts["eot_id"]
    return ids


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def compare(folder, model, facts):
    """`{tower: (max abs difference, smallest cosine)}` of onnxruntime against PyTorch."""
    sessions = {name: onnxruntime.InferenceSession(folder / f"{name}.onnx",
                                                   providers=["CPUExecutionProvider"])
                for name in ("image", "text")}
    worst = {name: (0.0, 1.0) for name in sessions}
    for name, given, whole in check_inputs(model, facts):
        encode = model.encode_image if name == "image" else model.encode_text
        with torch.no_grad():
            expected = encode(whole, normalize=False).numpy()
        session = sessions[name]
        found = session.run(None, {session.get_inputs()[0].name: given.numpy()})[0]
        off, cosine = worst[name]
        worst[name] = (max(off, float(np.abs(found - expected).max())),
                       float(np.minimum(cosine, cosines(found, expected).min())))
    return worst


def check(folder, model, facts):
    """Print one line a tower; whether both are right."""
    right = True
    for name, (off, cosine) in compare(folder, model, facts).items():
        right &= cosine >= LEAST_COSINE
        print(f"{name}.onnx: max abs difference {off:.2e}, smallest cosine {cosine:.8f}",
              flush=True)
    if not right:
        print(f"{folder}: onnxruntime and PyTorch differ (cosine under {LEAST_COSINE}): "
              "do not use this folder", file=sys.stderr)
    return right


# The whole folder.

def export(folder, model, model_cfg, tokenizer, about, opset=18):
    """Write the folder of a model that is made and in evaluation mode; whether it is right.

    `about` holds "model", "pretrained" and "licence" for export.json.
    """
    refuse_pillow()
    folder.mkdir(parents=True, exist_ok=True)
    made, facts = describe_tokenizer(tokenizer)
    check_tokenizer(tokenizer, Tokenizer.from_str(made), facts, CAPTIONS)
    told = describe(model, facts, about)
    print(f"{folder}: image.onnx", flush=True)
    write_image(model, folder, opset)
    print(f"{folder}: text.onnx, attention {told['text']['attention']}, "
          f"pooling {told['text']['pooling']}", flush=True)
    write_text(model, facts["context_length"], folder, opset)
    (folder / "tokenizer.json").write_text(made, encoding="utf-8")
    write_json(folder / "open_clip_config.json",
               {"model_cfg": model_cfg, "preprocess_cfg": preprocess_config(model)})
    rows = golden_pairs(model, tokenizer, facts, made_pictures(image_size(model)), CAPTIONS)
    golden.write(folder / "golden.json", made_by(), rows)
    told["embedding_size"] = len(rows[0]["image"])
    write_json(folder / "export.json", told)
    return check(folder, model, facts)


def jiggle(model):
    """Move norm weights, biases and statistics off their first values, so that errors show."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.add_(0.02 * torch.randn_like(p))
            elif p.dim() and p.numel() == max(p.shape) and name.endswith(("weight", "gamma")):
                p.copy_(p.abs().clamp(min=0.3) * torch.exp(0.3 * torch.randn_like(p)))
        for name, b in model.named_buffers():
            if name.endswith("running_mean"):
                b.add_(0.1 * torch.randn_like(b))
            elif name.endswith("running_var"):
                b.mul_(torch.exp(0.3 * torch.randn_like(b)))


def refuse_mismatch(name, pretrained, model_cfg):
    """open_clip only warns when the weights were trained with another activation."""
    known = open_clip.get_pretrained_cfg(name, pretrained or "")
    if known and known.get("quick_gelu", False) != model_cfg.get("quick_gelu", False):
        raise Refused(f"{pretrained} was trained with {'quick' if known.get('quick_gelu') else ''}"
                      f" GELU and {name} has the other: take the model of the other name "
                      f"({name}-quickgelu, or the one without)")


def load(name, pretrained, random_init):
    """`(model, model_cfg, tokenizer)` as open_clip makes them."""
    model_cfg = open_clip.get_model_config(name)
    if model_cfg is None:
        raise Refused(f"open_clip has no model {name}")
    refuse_mismatch(name, pretrained, model_cfg)
    tokenizer = open_clip.get_tokenizer(name)
    model = open_clip.create_model(
        name, pretrained=pretrained, load_weights=not random_init, pretrained_text=False,
        require_pretrained=not random_init,
    ).eval()
    if random_init:
        jiggle(model)
    return model.requires_grad_(False), model_cfg, tokenizer


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="an open_clip name, hf-hub:OWNER/NAME or local-dir:FOLDER")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--pretrained", metavar="TAG|FILE", help="weights for a plain name")
    parser.add_argument("--random-init", action="store_true", help="random weights, for tests")
    parser.add_argument("--licence", metavar="TEXT", help="of the weights, for export.json")
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if ":" not in given.model and not (given.pretrained or given.random_init):
        tags = open_clip.list_pretrained_tags_by_model(given.model)
        parser.error(f"--pretrained is needed for {given.model}: {', '.join(tags) or 'a file'}")
    return given


def main():
    given = arguments()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(given.seed)
    try:
        refuse_pillow()
        print(f"{given.model}: loading", flush=True)
        model, model_cfg, tokenizer = load(given.model, given.pretrained, given.random_init)
        about = {"model": given.model, "licence": given.licence,
                 "pretrained": "random" if given.random_init else given.pretrained}
        return 0 if export(given.out, model, model_cfg, tokenizer, about, given.opset) else 1
    except Refused as why:
        print(f"{given.model}: {why}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
