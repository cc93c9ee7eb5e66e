"""Long texts: ModernBERT-base of random weights, one sequence of up to 8,192 tokens, against transformers
(torch, its fused attention) and ONNX Runtime. Each program runs in a process of its own, so that its peak
memory is known; runs are in turn.

Two of three layers see 64 tokens to either side: what they cost should grow with the length, and no more.

python bench/compare/long_texts.py --engine build/bench/bench/engine --work /tmp/long
Needs: torch, transformers; onnx and onnxruntime unless --peers torch.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from measure import row, run_process
from models import LABELS, feed_of, ids_of, session_of


def make(folder, layers, graph):
    import torch
    from transformers import ModernBertConfig, ModernBertForTokenClassification

    torch.manual_seed(1)
    config = ModernBertConfig(num_hidden_layers=layers, num_labels=len(LABELS),
                              id2label=dict(enumerate(LABELS)),
                              label2id={name: i for i, name in enumerate(LABELS)},
                              attn_implementation="eager")
    model = ModernBertForTokenClassification(config).eval()
    model.save_pretrained(folder)
    if graph:
        ids = torch.from_numpy(ids_of(1, 300))  # longer than a window
        names = ["input_ids", "attention_mask"]
        torch.onnx.export(model, (ids, torch.ones_like(ids)), f"{folder}/model.onnx", input_names=names,
                          output_names=["logits"], opset_version=17, dynamo=False,
                          dynamic_axes={n: {0: "b", 1: "s"} for n in [*names, "logits"]})


def answer(seconds, logits):
    print(json.dumps({"seconds": seconds, "logits": [float(x) for x in logits]}))


def timed(work, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return times, result


def peer(name, folder, threads, length, repeats):
    """One program alone: its times and the last token's logits."""
    ids = ids_of(1, length)
    if name == "onnx":
        session = session_of(f"{folder}/model.onnx", threads)
        feed = feed_of(session, ids)
        times, logits = timed(lambda: session.run(None, feed)[0], repeats)
        return answer(times, logits[0, -1])
    import torch
    from transformers import AutoModelForTokenClassification

    torch.set_num_threads(threads)
    model = AutoModelForTokenClassification.from_pretrained(folder, attn_implementation="sdpa").eval()
    with torch.inference_mode():
        times, logits = timed(lambda: model(input_ids=torch.from_numpy(ids)).logits, repeats)
    return answer(times, logits[0, -1].numpy())


def measured(command, stdin=""):
    """(seconds of the best pass, peak memory in bytes, logits)"""
    _, memory, output = run_process(command, stdin)
    found = json.loads(output.strip().splitlines()[-1])
    return min(found["seconds"]), memory, np.array(found["logits"])


def compare(args, name, length):
    ours, theirs, memory = [], [], []
    for _ in range(args.pairs):
        mine = measured([args.engine, args.work, args.threads], f"1 {length} {args.repeats}\n")
        other = measured([sys.executable, __file__, "--peer", name, "--work", args.work, "--threads",
                          args.threads, "--lengths", length, "--repeats", args.repeats])
        ours.append(mine[0])
        theirs.append(other[0])
        memory.append((mine[1], other[1]))
        # Both compute in float: 22 layers of random weights stay well inside 1e-3.
        error = float(np.abs(mine[2] - other[2]).max() / np.abs(other[2]).max())
        if not error < 1e-3:
            raise RuntimeError(f"{name}, {length} tokens: logits differ by {error:.1e}")
    best = [statistics.median(m) / 1e6 for m in zip(*memory)]
    found = row(f"{length} tokens", list(zip(ours, theirs)), name, check=f"logits differ by {error:.0e}")
    print(f"| {length} | {found['onoma']:.0f} ms, {best[0]:.0f} MB | {name} | "
          f"{found['theirs']:.0f} ms, {best[1]:.0f} MB | {found['ratio']:.2f} | {found['check']} |", flush=True)
    return found | {"memory": best}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", help="the program of engine.cpp")
    parser.add_argument("--work", required=True, help="folder of the model; made where it is missing")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=22)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 2048, 8192])
    parser.add_argument("--peers", nargs="+", default=["torch", "onnx"])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--peer", help="run this peer alone, once")
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer, args.work, args.threads, args.lengths[0], args.repeats)
    if not (Path(args.work) / "config.json").exists():
        make(args.work, args.layers, "onnx" in args.peers)
    print("| tokens | onoma | peer | its | times as fast | checked |\n|---|---|---|---|---|---|")
    rows = [compare(args, name, length) for length in args.lengths for name in args.peers]
    (Path(args.work) / "long_texts.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
