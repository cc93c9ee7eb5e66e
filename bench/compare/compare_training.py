"""onoma against PyTorch and transformers: the same fine-tuning recipe, run in turn.

Usage: python bench/compare/compare_training.py ONOMA --encoder FOLDER --train F --test F [--dev F]
           [--seeds 1 2 3] [--keep FOLDER] [--json FILE]
ONOMA is the command of the preset release. Both sides train 3 epochs with AdamW (learning rate
1e-4, weight decay 0.01), batches of 16 sentences, 10 % warm-up, 256 tokens at most, labels on first
pieces, and report seqeval's default F1 on the test file. Prints a Markdown table: a row per seed, then
means. The peer is bench/compare/train_peer.py; needs torch, transformers, seqeval.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def run_onoma(program, args, seed, folder):
    command = [program, "train", "--encoder", args.encoder, "--train", args.train, "--test", args.test,
               "--output", folder / f"onoma-{seed}", "--overwrite", "--json", "--threads", args.threads, "--seed", seed,
               "--epochs", 3, "--learning-rate", 1e-4, "--batch-size", 16, "--warmup", 0.1,
               "--weight-decay", 0.01, "--max-length", 256]
    result = json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True).stdout)
    return result["test"]["micro"]["f1"], result


def run_peer(args, seed, folder):
    command = [sys.executable, Path(__file__).with_name("train_peer.py"), "--encoder", args.encoder,
               "--train", args.train, "--test", args.test, "--threads", args.threads, "--seed", seed]
    result = json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True,
                                       text=True).stdout.splitlines()[-1])
    return result["test"]["f1"], result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onoma")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--keep", help="folder for onoma's models")
    parser.add_argument("--json", help="file for all numbers")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print("| seed | F1 onoma | F1 transformers | s onoma | s transformers | time ratio |")
        print("|---|---|---|---|---|---|")

        def show(name, row):
            print(f"| {name} | {100 * row['f1']:.2f} | {100 * row['peer_f1']:.2f} | "
                  f"{row['seconds']:.0f} | {row['peer_seconds']:.0f} | "
                  f"{row['seconds'] / row['peer_seconds']:.2f} |", flush=True)

        for seed in args.seeds:
            f1, mine = run_onoma(args.onoma, args, seed, folder)
            peer_f1, peer = run_peer(args, seed, folder)
            rows.append({"seed": seed, "f1": f1, "peer_f1": peer_f1, "seconds": mine["train_seconds"],
                         "peer_seconds": peer["train_seconds"],
                         "tokens_per_second": mine["tokens_per_second"],
                         "peer_tokens_per_second": peer["tokens_per_second"],
                         "peer": peer["engine"]})
            show(seed, rows[-1])
        if len(rows) > 1:
            show("mean", {k: statistics.mean(r[k] for r in rows)
                          for k in ("f1", "peer_f1", "seconds", "peer_seconds")})
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
