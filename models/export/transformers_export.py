"""Export a CLIP or SigLIP model of `transformers` to ONNX, in the layout of optimum and
transformers.js: config.json, preprocessor_config.json, the tokenizer's files,
onnx/vision_model.onnx, onnx/text_model.onnx and, if asked for, the combined onnx/model.onnx.

Beside them: export.json (licence, logit scale and bias) and golden.json (made pictures and
captions with the embeddings that PyTorch gives). The graphs are checked against PyTorch;
exit code 1 says that they differ.

Example: python transformers_export.py openai/clip-vit-base-patch32 -o exported/clip \\
             --licence MIT
"""

import argparse
import json
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from PIL import Image, __version__ as pillow_version
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoImageProcessor, AutoModel, AutoTokenizer

import golden

KINDS = ("clip", "siglip")
ENOUGH = 0.9999  # least cosine between PyTorch and the exported graph
TWO_GIB = 2 << 30  # what one protobuf file may hold
EMBEDDINGS = ("class_embedding", "token_embedding.weight", "position_embedding.weight", "probe")
SHARP = ("q_proj.weight", "k_proj.weight", "in_proj_weight")  # for attention that chooses
CAPTIONS = (
    "a dog",
    "Two cats asleep on a red sofa, by the window.",
    "A LARGE Yellow TRUCK, parked (badly)!",
    "caf&eacute; &amp; bar &lt;open&gt; &#39;til late",
    "Zoë's crème brûlée 🍮 and a   cat\t🐈 in São Paulo",
    "a street market " + "with fruit, fish and 12 kinds of bread, " * 40 + "at dawn",
    "x",
    "  photo of\nthe old harbour at night; boats, lamps and 2 gulls  ",
)


def quiet():
    """No chatter of the libraries, only their errors."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()


def step(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


# The towers: one graph each, unnormalized embeddings.

class ClipImage(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model.visual_projection(self.model.vision_model(pixel_values).pooler_output)


class ClipText(ClipImage):
    def forward(self, input_ids, attention_mask):
        told = self.model.text_model(input_ids=input_ids, attention_mask=attention_mask)
        return self.model.text_projection(told.pooler_output)


class SiglipImage(ClipImage):
    def forward(self, pixel_values):
        return self.model.vision_model(pixel_values).pooler_output


class SiglipText(ClipImage):
    def forward(self, input_ids):
        return self.model.text_model(input_ids=input_ids).pooler_output


class Combined(ClipImage):
    """Both towers with the similarities; embeddings have length one."""

    names = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")

    def forward(self, input_ids, pixel_values, attention_mask=None):
        given = {} if attention_mask is None else {"attention_mask": attention_mask}
        told = self.model(input_ids=input_ids, pixel_values=pixel_values, **given)
        return tuple(getattr(told, name) for name in self.names)


# What is exported: the model with its processors.

class Source:
    """A model in evaluation mode with its tokenizer and image processor."""

    def __init__(self, model, tokenizer, images):
        self.model, self.tokenizer, self.images = model.eval(), tokenizer, images
        self.is_clip = model.config.model_type == "clip"
        self.context = model.config.text_config.max_position_embeddings
        self.size = model.config.vision_config.image_size

    def towers(self):
        """The image tower and the text tower."""
        if self.is_clip:
            return ClipImage(self.model).eval(), ClipText(self.model).eval()
        return SiglipImage(self.model).eval(), SiglipText(self.model).eval()

    def ids(self, captions):
        """`{input: array}` for the text tower, padded as the model was trained."""
        padding = "longest" if self.is_clip else "max_length"
        told = self.tokenizer(list(captions), padding=padding, truncation=True,
                              max_length=self.context, return_attention_mask=self.is_clip)
        names = ("input_ids", "attention_mask") if self.is_clip else ("input_ids",)
        return {name: np.array(told[name], np.int64) for name in names}

    def own_ids(self, caption):
        """The ids of one caption without padding."""
        return self.tokenizer(caption, truncation=True, max_length=self.context)["input_ids"]

    def pixels(self, pictures):
        """`{"pixel_values": [N, 3, S, S] f32}`."""
        return {"pixel_values": self.images(pictures, return_tensors="np")["pixel_values"]}


def load_model(chosen):
    """The model, from weights or, with --random-init, from its configuration alone."""
    config = AutoConfig.from_pretrained(chosen.config or chosen.model)
    if config.model_type not in KINDS:
        raise SystemExit(f"{chosen.model} is a {config.model_type} model, not one of "
                         f"{', '.join(KINDS)}")
    if not chosen.random_init:
        return AutoModel.from_pretrained(chosen.model, config=config, dtype=torch.float32,
                                         attn_implementation=chosen.attention)
    model = AutoModel.from_config(config, dtype=torch.float32,
                                  attn_implementation=chosen.attention)
    jiggle(model)
    return model


def jiggle(model):
    """Random weights that let errors show: no zero bias, no unit norm, no equal outputs."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name == "logit_scale":
                value.fill_(3.0)
            elif name == "logit_bias":
                value.fill_(-7.5)
            elif name.endswith(EMBEDDINGS):
                value.copy_(torch.randn_like(value) * (1.0 if "token" in name else 0.3))
            elif value.dim() == 1 and name.endswith("weight"):
                value.mul_(torch.exp(0.3 * torch.randn_like(value)))
            elif value.dim() == 1:
                value.add_(0.1 * torch.randn_like(value))
            else:
                sharp = 2.0 if name.endswith(SHARP) else 1.0
                value.copy_(sharp * torch.randn_like(value) * value[0].numel() ** -0.5)


def load(chosen):
    return Source(load_model(chosen), AutoTokenizer.from_pretrained(chosen.model),
                  AutoImageProcessor.from_pretrained(chosen.model, backend="pil"))


# The graphs.

def dynamic(names, batch, length):
    """The dynamic dimensions of each input; `length` is None for a fixed number of ids."""
    text = {0: batch} if length is None else {0: batch, 1: length}
    return {name: {0: batch} if name == "pixel_values" else dict(text) for name in names}


def example(source, names):
    """Inputs to trace with, as tensors: two pictures, two captions."""
    given = source.ids(CAPTIONS[:2])
    side = source.size
    given["pixel_values"] = np.linspace(-2, 2, 6 * side * side, dtype=np.float32)
    given["pixel_values"] = given["pixel_values"].reshape(2, 3, side, side)
    return {name: torch.from_numpy(given[name]) for name in names}


def write_graph(source, module, inputs, outputs, path, opset):
    """Trace `module` and write it to `path`."""
    batch = torch.export.Dim("batch_size")
    length = torch.export.Dim("sequence_length", max=source.context) if source.is_clip else None
    names = [name for name in inputs if source.is_clip or name != "attention_mask"]
    path.parent.mkdir(parents=True, exist_ok=True)
    big = 4 * sum(p.numel() for p in module.parameters()) >= TWO_GIB
    torch.onnx.export(
        module, (), path, kwargs=example(source, names), input_names=names,
        output_names=list(outputs), dynamic_shapes=dynamic(names, batch, length),
        opset_version=opset, dynamo=True, external_data=big, verbose=False)
    if not big:
        tidy(path)


def tidy(path):
    """Drop what only describes the Python source; check what is left."""
    model = onnx.load(path)
    del model.graph.value_info[:], model.metadata_props[:], model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_graphs(source, folder, combined, opset):
    image, text = source.towers()
    output = ("image_embeds", "text_embeds") if source.is_clip else ("pooler_output",) * 2
    step("onnx/vision_model.onnx")
    write_graph(source, image, ["pixel_values"], output[:1], folder / "onnx/vision_model.onnx",
                opset)
    step("onnx/text_model.onnx")
    write_graph(source, text, ["input_ids", "attention_mask"], output[1:],
                folder / "onnx/text_model.onnx", opset)
    if combined:
        step("onnx/model.onnx")
        write_graph(source, Combined(source.model).eval(),
                    ["input_ids", "pixel_values", "attention_mask"], Combined.names,
                    folder / "onnx/model.onnx", opset)


# The tokenizer and the configuration files.

def siglip_tokenizer(spiece):
    """A tokenizer.json for SigLIP from its sentencepiece file, cleaning included.

    SigLIP's cleaning: lower case, no ASCII punctuation, single spaces, as
    transformers does it.
    """
    from sentencepiece import sentencepiece_model_pb2
    proto = sentencepiece_model_pb2.ModelProto.FromString(Path(spiece).read_bytes())
    tokenizer = Tokenizer(models.Unigram([(p.piece, p.score) for p in proto.pieces],
                                         unk_id=proto.trainer_spec.unk_id))
    rules = [normalizers.Replace("▁", " "), normalizers.Lowercase(),
             normalizers.Replace(Regex(r"[!-/:-@\[-`{-~]"), ""),
             normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(left=False)]
    if proto.normalizer_spec.precompiled_charsmap:
        rules.append(normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap))
        rules += [normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip(left=False)]
    # transformers marks the start of the text before it strips: a leading space is one more piece.
    rules.append(normalizers.Replace(Regex("^ "), "  "))
    tokenizer.normalizer = normalizers.Sequence(rules)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    end = "</s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", pair=f"$A {end} $B {end}",
        special_tokens=[(end, tokenizer.token_to_id(end))])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in (end, "<unk>")])
    return tokenizer


def write_tokenizer(source, folder):
    """The tokenizer's files; says so if tokenizer.json gives other ids than transformers."""
    tokenizer = source.tokenizer
    tokenizer.save_pretrained(folder)
    special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()
               if isinstance(token, str)}
    write_json(folder / "special_tokens_map.json", special)
    if not (folder / "tokenizer.json").exists():
        siglip_tokenizer(tokenizer.vocab_file).save(str(folder / "tokenizer.json"))
    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.enable_truncation(source.context)
    plain.no_padding()
    for caption in CAPTIONS:
        if plain.encode(caption).ids != source.own_ids(caption):
            step(f"warning: tokenizer.json and transformers differ for {caption[:60]!r}")


def write_json(path, told):
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def write_settings(source, folder, name, licence):
    """The configuration files and export.json."""
    source.model.config.save_pretrained(folder)
    source.images.save_pretrained(folder)
    bias = getattr(source.model, "logit_bias", None)
    write_json(folder / "export.json", {
        "format": 1, "exporter": Path(__file__).name, "model": name, "licence": licence,
        "logit_scale": round(float(source.model.logit_scale.detach().exp()), 6),
        "logit_bias": None if bias is None else round(float(bias), 6)})


# The check against PyTorch, and the golden file.

def embed(tower, inputs):
    with torch.no_grad():
        return tower(**{name: torch.from_numpy(v) for name, v in inputs.items()}).numpy()


def compare(name, found, wanted, worst):
    """Fold one comparison into `worst[name]` = (largest difference, smallest cosine)."""
    cosine = (found * wanted).sum(-1) / (np.linalg.norm(found, axis=-1)
                                         * np.linalg.norm(wanted, axis=-1))
    far, least = worst.get(name, (0.0, 1.0))
    worst[name] = (max(far, float(np.abs(found - wanted).max())), min(least, float(cosine.min())))


def cases(source):
    """Inputs for the check: batches of one and three, short and long captions."""
    rows = [(0,), (6,), (5,), (0, 1, 6), (3, 5, 7)]
    made = [picture(source_of) for source_of in golden.pictures(source.size)]
    for row in rows:
        yield source.ids([CAPTIONS[i] for i in row]), source.pixels([made[i] for i in row])


def check(source, folder):
    """Compare the graphs with PyTorch; true if all are near enough."""
    image, text = source.towers()
    open_ = lambda name: onnxruntime.InferenceSession(folder / "onnx" / f"{name}.onnx",
                                                      providers=["CPUExecutionProvider"])
    vision_model, text_model = open_("vision_model"), open_("text_model")
    combined = open_("model") if (folder / "onnx/model.onnx").exists() else None
    worst = {}
    for ids, pixels in cases(source):
        wanted = {"image": embed(image, pixels), "text": embed(text, ids)}
        compare("vision_model", vision_model.run(None, pixels)[0], wanted["image"], worst)
        compare("text_model", text_model.run(None, ids)[0], wanted["text"], worst)
        if combined:
            told = dict(zip(Combined.names, combined.run(list(Combined.names), ids | pixels)))
            for side, values in wanted.items():
                unit = values / np.linalg.norm(values, axis=-1, keepdims=True)
                compare(f"model, {side}", told[f"{side}_embeds"], unit, worst)
    for name, (far, least) in worst.items():
        step(f"check {name}: largest difference {far:.2e}, smallest cosine {least:.7f}")
    return all(least >= ENOUGH for _, least in worst.values())


def picture(made):
    return Image.fromarray(golden.picture(**made))


def write_golden(source, folder):
    """Eight pairs through transformers' processors and PyTorch, one pair a run."""
    image, text = source.towers()
    pairs = []
    for made, caption in zip(golden.pictures(source.size), CAPTIONS, strict=True):
        pairs.append(golden.pair(made, caption, source.own_ids(caption),
                                 embed(image, source.pixels([picture(made)])),
                                 embed(text, source.ids([caption]))))
    golden.write(folder / "golden.json",
                 f"transformers_export.py, transformers {transformers.__version__}, "
                 f"torch {torch.__version__.split('+')[0]}, pillow {pillow_version}", pairs)


def export(source, folder, name, licence, combined=False, opset=18):
    """Write everything; true if the graphs agree with PyTorch."""
    folder.mkdir(parents=True, exist_ok=True)
    write_settings(source, folder, name, licence)
    write_tokenizer(source, folder)
    write_graphs(source, folder, combined, opset)
    step("golden.json")
    write_golden(source, folder)
    return check(source, folder)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="hub id or folder of a CLIPModel or SiglipModel")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--random-init", action="store_true", help="random weights, for tests")
    parser.add_argument("--config", help="config.json to use in place of the model's own")
    parser.add_argument("--combined", action="store_true", help="also write onnx/model.onnx")
    parser.add_argument("--licence", help="of the weights, as their model card names it")
    parser.add_argument("--opset", type=int, default=18)
    parser.add_argument("--seed", type=int, default=0, help="for --random-init")
    parser.add_argument("--attention", choices=("eager", "sdpa"), default="eager",
                        help="transformers' implementation to trace")
    return parser.parse_args()


def main():
    chosen = arguments()
    quiet()
    torch.manual_seed(chosen.seed)
    step(f"loading {chosen.model}")
    agrees = export(load(chosen), chosen.out, chosen.model, chosen.licence, chosen.combined,
                    chosen.opset)
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
