"""Does transformers load what onoma trains and saves, for every family and head, and compute the same?

Usage: python bench/compare/check_families.py build/bench/bench/train_and_save
Each tiny model of tests/golden/data is trained a few steps and saved by onoma. transformers must find
every tensor that it wants, no other but those of a chain, and its logits must be onoma's.

Needs: torch, transformers, safetensors.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

TOLERANCE = 1e-5  # of the largest logit: two float forwards of two or three layers


def check(program, folder, head):
    with tempfile.TemporaryDirectory() as scratch:
        saved = str(Path(scratch) / "saved")
        command = [program, str(folder), saved, head]
        mine = torch.tensor(json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        model, info = AutoModelForTokenClassification.from_pretrained(saved, output_loading_info=True)
    model.eval()
    golden = load_file(folder / "golden.safetensors")
    ids, offsets = golden["input_ids"].long(), golden["offsets"].tolist()
    with torch.no_grad():
        theirs = torch.cat([model(input_ids=ids[None, a:b]).logits[0]
                            for a, b in zip(offsets, offsets[1:])])
    error = ((mine.reshape(theirs.shape) - theirs).abs().max() / theirs.abs().max()).item()
    moved = ((golden["logits"] - theirs).abs().max() / theirs.abs().max()).item()
    others = [name for name in info["unexpected_keys"] if not (head == "crf" and name.startswith("crf."))]
    complete = not (info["missing_keys"] or info["mismatched_keys"] or others)
    good = complete and error <= TOLERANCE and moved > 100 * TOLERANCE
    print(f"{folder.name}, {head}: {type(model).__name__}, tensors {'complete' if complete else info}, "
          f"logits differ by {error:.1e} (training moved them by {moved:.1e}): "
          f"{'ok' if good else 'DIFFERENT'}")
    return good


def main():
    folders = sorted(path.parent for path in Path("tests/golden/data").glob("*-tiny/golden.safetensors"))
    results = [check(sys.argv[1], folder, head) for folder in folders for head in ("token", "crf")]
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
