"""Every architecture at full size, in every form, through `pairgate model import`: a long check.

`python tests/golden/architectures.py --pairgate target/release/pairgate --work DIR` exports each
model with random weights, quantizes it, imports each form and compares it with its golden file:
a line a form, exit code 1 if one fails. DIR needs some GB; what is done is removed.
Install models/export/requirements.txt first.

Example: python tests/golden/architectures.py --pairgate target/release/pairgate --work /tmp/w \\
             --only RN50,ViT-B-32 --forms dynamic,qdq
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPORT = ROOT / "models/export"
OPEN_CLIP = ("RN50", "MobileCLIP2-S0", "ViT-B-32", "ViT-B-32-quickgelu", "ViT-B-16", "ViT-L-14")
SIGLIP = "SigLIP-B-16"
FORMS = ("dynamic", "dynamic_s8", "qdq", "qoperator", "fp16", "q4", "q8", "weights8")


def siglip_checkpoint(folder):
    """A folder that says SigLIP-B/16, with the tokenizer of the test's small one."""
    small = ROOT / "tests/data/models/transformers-siglip"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(small / name, folder / name)
    told = json.loads((small / "preprocessor_config.json").read_text())
    told["size"] = {"height": 224, "width": 224}
    (folder / "preprocessor_config.json").write_text(json.dumps(told))
    text = {"max_position_embeddings": 64, "vocab_size": 32000, "pad_token_id": 1, "eos_token_id": 1,
            "bos_token_id": None}
    config = {"model_type": "siglip", "text_config": text,
              "vision_config": {"image_size": 224, "patch_size": 16}}
    (folder / "config.json").write_text(json.dumps(config))


def export(name, work):
    """The export folder of one model."""
    folder = work / name
    if name == SIGLIP:
        siglip_checkpoint(work / "checkpoint")
        command = ["transformers_export.py", work / "checkpoint", "-o", folder]
    else:
        command = ["open_clip_export.py", name, "-o", folder]
    run([sys.executable, EXPORT / command[0], *command[1:], "--random-init", "--licence", "none"])
    return folder


def run(command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def check(pairgate, folder, form, work):
    """One line about a form; whether it imports and agrees with its golden file."""
    bundle, golden = work / "bundle", folder / (f"golden_{form}.json" if form else "golden.json")
    shutil.rmtree(bundle, ignore_errors=True)
    variant = ["--variant", form] if form else []
    made = subprocess.run([pairgate, "model", "import", folder, "-o", bundle, *variant],
                          capture_output=True, text=True, check=False)
    label = f"{folder.name:<20} {form or 'float':<11}"
    if made.returncode:
        print(f"{label} REFUSED {made.stderr.strip().splitlines()[-1]}", flush=True)
        return False
    told = subprocess.run([pairgate, "model", "verify", bundle, "--golden", golden, "--json"],
                          capture_output=True, text=True, check=False)
    told = json.loads(told.stdout)
    least = [told[side]["min_cosine"] for side in ("image", "text")]
    print(f"{label} image {least[0]:.6f}  text {least[1]:.6f}  largest score difference "
          f"{told['score_differences'][3]:.1e}  other ids {len(told['ids_differ'])}", flush=True)
    return not told["ids_differ"]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairgate", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", help="names, with commas between them")
    parser.add_argument("--forms", default=",".join(FORMS), help="forms, with commas between them")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else [*OPEN_CLIP, SIGLIP]
    given.work.mkdir(parents=True, exist_ok=True)
    good = True
    for name in names:
        started = time.time()
        folder = export(name, given.work)
        good &= check(given.pairgate, folder, None, given.work)
        for form in filter(None, given.forms.split(",")):
            run([sys.executable, EXPORT / "quantize.py", folder, "--forms", form])
            good &= check(given.pairgate, folder, form, given.work)
            for made in folder.rglob(f"*_{form}.onnx*"):
                made.unlink()
        print(f"{name}: {time.time() - started:.0f} s", flush=True)
        shutil.rmtree(folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
