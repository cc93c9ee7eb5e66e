"""onoma's int8 inference against ONNX Runtime's: the same random model, run in turn, outputs compared.

Usage: python bench/compare/compare_int8.py ENGINE ONOMA [--threads 2] [--pairs 7] [--shape base|minilm]
ENGINE is the program of bench/compare/engine.cpp, ONOMA is the command (build/release/onoma). ONNX Runtime gets
its best setting: the graph that onnxruntime.transformers.optimizer fuses, then quantize_dynamic, with
weights per tensor and per channel; each case counts against the faster of the two. Both sides'
logits are compared with those of the float model. Prints Markdown; --json writes a file.

Needs: torch, transformers, onnx, onnxruntime, onnxscript.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic

from models import SHAPES, export, ids_of, make_model, session_of

CASES = [(1, 16), (1, 128), (16, 128)]


def quantized_peers(fused, folder, threads):
    """Sessions by name. Weights are signed: what the int8 kernels of ONNX Runtime prefer. Shape inference
    knows nothing of fused nodes, so the type of their results is given."""
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    peers = {}
    for name, per_channel in (("per tensor", False), ("per channel", True)):
        path = f"{folder}/{'channel' if per_channel else 'tensor'}.onnx"
        quantize_dynamic(fused, path, per_channel=per_channel, weight_type=QuantType.QInt8,
                         extra_options=options)
        peers[name] = session_of(path, threads)
    return peers


class Engine:
    def __init__(self, program, folder, threads):
        self.process = subprocess.Popen([program, folder, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def run(self, sequences, length, repeats):
        self.process.stdin.write(f"{sequences} {length} {repeats}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return statistics.median(answer["seconds"]), np.array(answer["logits"])


def run_peer(session, feed, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        logits = session.run(None, feed)[0]
        times.append(time.perf_counter() - start)
    return statistics.median(times), logits[-1, -1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("onoma")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--json", default="")
    args = parser.parse_args()

    rows = []
    with tempfile.TemporaryDirectory() as root:
        folder, small = f"{root}/float", f"{root}/int8"
        model, config = make_model(args.shape, folder)
        fused = export(model, config, root)
        model.eval()  # the exporter leaves it in training mode
        peers = quantized_peers(fused, root, args.threads)
        subprocess.run([args.onoma, "quantize", "--model", folder, "--output", small], check=True,
                       stdout=subprocess.DEVNULL)
        engine = Engine(args.engine, small, args.threads)

        for sequences, length in CASES:
            ids = ids_of(sequences, length).astype(np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids),
                    "token_type_ids": np.zeros_like(ids)}
            with torch.no_grad():
                exact = model(torch.from_numpy(ids)).logits[-1, -1].numpy()

            def error(logits, exact=exact):
                return float(np.abs(logits - exact).max() / np.abs(exact).max())

            repeats = 15 if sequences * length <= 256 else 3
            for session in peers.values():
                run_peer(session, feed, repeats)
            mine = engine.run(sequences, length, repeats)[1]
            times = {name: [] for name in ("onoma", *peers)}
            errors = {"onoma": error(mine)}
            for _ in range(args.pairs):
                times["onoma"].append(engine.run(sequences, length, repeats)[0])
                time.sleep(0.2)
                for name, session in peers.items():
                    seconds, logits = run_peer(session, feed, repeats)
                    times[name].append(seconds)
                    errors[name] = error(logits)
                    time.sleep(0.2)
            # Both round weights and activations to 8 bits, and this is the error of one token: it differs by
            # a factor of two between the peer's own schemes. A wrong scale gives errors near 1.
            assert errors["onoma"] < 1.5 * max(errors[name] for name in peers) < 0.2, errors
            best = min(peers, key=lambda name: statistics.median(times[name]))
            ratios = [a / b for a, b in zip(times["onoma"], times[best])]
            rows.append({"case": f"{sequences} x {length}", "best_peer": best,
                         "ms": {k: 1e3 * statistics.median(v) for k, v in times.items()},
                         "ratio": statistics.median(ratios), "ratio_min": min(ratios),
                         "ratio_max": max(ratios), "errors": errors})

    print(f"\n{args.shape}, int8, {args.threads} thread(s), ONNX Runtime {onnxruntime.__version__}\n")
    print("| sequences x tokens | onoma, ms | ONNX Runtime per tensor / per channel, ms |"
          " time ratio to the faster (min - max) | error of the logits: onoma, ONNX Runtime |")
    print("|---|---|---|---|---|")
    for r in rows:
        ms, errors = r["ms"], r["errors"]
        print(f"| {r['case']} | {ms['onoma']:.1f} | {ms['per tensor']:.1f} / "
              f"{ms['per channel']:.1f} | {r['ratio']:.2f} ({r['ratio_min']:.2f} - "
              f"{r['ratio_max']:.2f}) | {errors['onoma']:.3f}, {errors[r['best_peer']]:.3f} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
