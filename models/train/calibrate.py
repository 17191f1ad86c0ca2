"""Stage 5: write the bundle, with quantiles and threshold from held-out scores, and check it."""

import shutil

import numpy as np
import onnxruntime
import torch

import data
import evaluate
import export
import restore
import stage
import text
import towers

LICENCE = ("Weights: non-commercial research and education only, after the terms of the training "
           "data (see MODEL_CARD.md)")


def trained(work):
    """The averaged text tower of the last stage, and the scale."""
    held = torch.load(work / "captions.pt")
    text_tower = towers.TextTower()
    text_tower.load_state_dict(held["text"])
    return text_tower.eval(), held["scale"]


def held_out(data_folder, work):
    """`(pixels [N, 3, S, S], ids [N, L])` of the training pairs that no stage saw."""
    wanted = {(s["source"], s["shard"], s["key"]): s["captions"]
              for s in data.load_samples(work) if s["held"]}
    tokenizer = text.load_tokenizer(work / "tokenizer.json")
    pixels, ids = [], []
    for source in sorted({source for source, _, _ in wanted}):
        for shard in data.shards(data_folder / "train" / source):
            for key, jpeg, _ in data.records(shard):
                captions = wanted.get((source, shard.name, key))
                if captions:
                    pixels.append(data.prepare(data.decode(jpeg)))
                    ids.append(text.encode(tokenizer, captions[0]))
    return data.normalise(torch.from_numpy(np.stack(pixels))), torch.from_numpy(text.pad(ids))


def score_pairs(image, text_tower, pixels, ids):
    """Cosines of the matched pairs, `[N]`, and of all others, `[N * (N - 1)]`."""
    scores = (evaluate.embed(image, pixels) @ evaluate.embed(text_tower, ids).T).numpy()
    return scores.diagonal(), scores[~np.eye(len(scores), dtype=bool)]


def separating_threshold(matched, others):
    """The score with the most matched pairs, less the share of others, at or above it."""
    at = np.sort(matched)
    kept = 1 - np.arange(len(at)) / len(at)
    let_in = 1 - np.searchsorted(np.sort(others), at, "left") / len(others)
    return float(at[np.argmax(kept - let_in)])


def session(path):
    """onnxruntime without the rewrite that turns int8-stored linears into integer arithmetic."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(str(path), options)


def smallest_cosine(path, name, module, inputs):
    """The worst agreement of the file with its reference, over a batch."""
    found = torch.from_numpy(session(path).run(None, {name: inputs.numpy()})[0])
    with torch.no_grad():
        return float(torch.cosine_similarity(found, module(inputs)).min())


def run(data_folder, work, out):
    """Write the bundle to `out`; refuses one that onnxruntime reads differently."""
    text_tower, scale = trained(work)
    pixels, ids = held_out(data_folder, work)
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(work / "image.onnx", out / "image.onnx")
    image, text_tower = restore.image_tower(out / "image.onnx"), export.write_text(text_tower, out)
    matched, others = score_pairs(image, text_tower, pixels, ids)
    quantiles = np.quantile(matched, np.linspace(0, 1, 101))
    threshold = separating_threshold(matched, others)
    export.finish_bundle(out, (image, text_tower), work / "tokenizer.json", quantiles, threshold,
                         LICENCE, scale)
    a = smallest_cosine(out / "image.onnx", "pixel_values", image, pixels[:64])
    b = smallest_cosine(out / "text.onnx", "input_ids", text_tower, ids[:64])
    stage.log(f"bundle: {len(pixels)} held-out pairs, onnxruntime cosine {a:.7f} and {b:.7f}")
    assert min(a, b) >= 0.9999
    torch.save({"image": image.state_dict(), "text": text_tower.state_dict()},
               work / "reference.pt")
