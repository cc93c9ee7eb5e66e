"""onoma against ONNX Runtime: the same random model, run in turn, outputs compared.

Usage: python bench/compare/compare_inference.py ENGINE [--threads 2] [--pairs 7] [--shape base|distil|minilm]
ENGINE is the program of bench/compare/engine.cpp (preset bench). ONNX Runtime gets its best setting:
the graph that onnxruntime.transformers.optimizer fuses (Attention, SkipLayerNormalization, BiasGelu),
all graph optimisations, the same number of threads. Prints Markdown and writes a JSON file.

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
import onnxruntime
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import BertConfig, BertForTokenClassification

SHAPES = {"base": (768, 12, 12, 3072), "minilm": (384, 6, 12, 1536), "large": (1024, 24, 16, 4096)}
CASES = [(1, 16), (1, 128), (16, 128), (4, 512)]


def make_model(shape, folder):
    hidden, layers, heads, inner = SHAPES[shape]
    config = BertConfig(vocab_size=30522, hidden_size=hidden, num_hidden_layers=layers,
                        num_attention_heads=heads, intermediate_size=inner, num_labels=9,
                        attn_implementation="eager")
    torch.manual_seed(1)
    model = BertForTokenClassification(config).eval()
    model.save_pretrained(folder)
    (Path(folder) / "vocab.txt").write_text("[UNK]\n[CLS]\n[SEP]\n")
    return model, config


def ids_of(sequences, length):
    b, i = np.arange(sequences)[:, None], np.arange(length)[None]
    return 1000 + (7919 * b + 104729 * i) % 20000


class Wrapped(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids=input_ids, attention_mask=attention_mask,
                          token_type_ids=token_type_ids).logits


def export(model, config, folder):
    raw, fused = f"{folder}/raw.onnx", f"{folder}/fused.onnx"
    ids = torch.from_numpy(ids_of(2, 16))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(Wrapped(model), (ids, torch.ones_like(ids), torch.zeros_like(ids)), raw,
                      input_names=names, output_names=["logits"], opset_version=17, dynamo=False,
                      dynamic_axes={n: {0: "b", 1: "s"} for n in [*names, "logits"]})
    options = FusionOptions("bert")
    best = optimizer.optimize_model(raw, model_type="bert", num_heads=config.num_attention_heads,
                                    hidden_size=config.hidden_size, optimization_options=options)
    print("fused:", {k: v for k, v in best.get_fused_operator_statistics().items() if v})
    best.save_model_to_file(fused)
    return fused


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--shape", choices=SHAPES, default="base")
    parser.add_argument("--json", default="")
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        model, config = make_model(args.shape, folder)
        path = export(model, config, folder)
        del model
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = args.threads
        settings.inter_op_num_threads = 1
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Each side's threads must sleep while the other is timed.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "1")
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        engine = subprocess.Popen([args.engine, folder, str(args.threads)], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        assert engine.stdout.readline().strip() == "ready"

        rows = []
        for sequences, length in CASES:
            ids = ids_of(sequences, length).astype(np.int64)
            feed = {"input_ids": ids, "attention_mask": np.ones_like(ids),
                    "token_type_ids": np.zeros_like(ids)}
            repeats = 12 if sequences * length <= 256 else 2

            def theirs():
                times = []
                for _ in range(repeats):
                    start = time.perf_counter()
                    logits = session.run(None, feed)[0]
                    times.append(time.perf_counter() - start)
                return statistics.median(times), logits[-1, -1]

            def ours():
                engine.stdin.write(f"{sequences} {length} {repeats}\n")
                engine.stdin.flush()
                answer = json.loads(engine.stdout.readline())
                return statistics.median(answer["seconds"]), np.array(answer["logits"])

            theirs(), ours()
            ratios, a, b = [], [], []
            for _ in range(args.pairs):
                mine, my_logits = ours()
                time.sleep(0.3)
                other, their_logits = theirs()
                time.sleep(0.3)
                a.append(mine), b.append(other), ratios.append(mine / other)
            error = float(np.abs(my_logits - their_logits).max() / np.abs(their_logits).max())
            assert error < 1e-3, f"outputs differ: {error}"
            rows.append({"case": f"{sequences} x {length}", "onoma_ms": 1e3 * statistics.median(a),
                         "ort_ms": 1e3 * statistics.median(b), "ratio": statistics.median(ratios),
                         "ratio_min": min(ratios), "ratio_max": max(ratios), "difference": error})
        engine.stdin.close()

    print(f"\n{args.shape}, {args.threads} thread(s), ONNX Runtime {onnxruntime.__version__}\n")
    print("| sequences x tokens | onoma, ms | ONNX Runtime, ms | time ratio (min - max) | logits differ by |")
    print("|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['case']} | {r['onoma_ms']:.1f} | {r['ort_ms']:.1f} | {r['ratio']:.2f} "
              f"({r['ratio_min']:.2f} - {r['ratio_max']:.2f}) | {r['difference']:.0e} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
