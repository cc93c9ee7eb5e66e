"""What the comparisons share: random models of true shapes, ONNX Runtime at its best, onoma's engine.

Needs: torch, transformers, onnx, onnxruntime, onnxscript (imported where they are used, so that a process
that measures one program does not load the others).
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

# hidden size, layers, heads, inner size
SHAPES = {"minilm": (384, 6, 12, 1536), "distilbert": (768, 6, 12, 3072),
          "base": (768, 12, 12, 3072), "large": (1024, 24, 16, 4096)}
LABELS = ["O"] + [f"{p}-{t}" for t in ("PER", "ORG", "LOC", "MISC") for p in "BI"]


def make_model(shape, folder, dropout=0.1, vocabulary=None):
    """A random token classifier, saved to `folder` with `vocabulary` (a vocab.txt) or a stub of one."""
    import torch
    from transformers import (BertConfig, BertForTokenClassification, DistilBertConfig,
                              DistilBertForTokenClassification)

    hidden, layers, heads, inner = SHAPES[shape]
    common = {"vocab_size": 30522, "num_labels": len(LABELS), "id2label": dict(enumerate(LABELS)),
              "label2id": {name: i for i, name in enumerate(LABELS)}, "attn_implementation": "eager"}
    torch.manual_seed(1)
    if shape == "distilbert":
        config = DistilBertConfig(dim=hidden, n_layers=layers, n_heads=heads, hidden_dim=inner,
                                  dropout=dropout, attention_dropout=dropout, **common)
        model = DistilBertForTokenClassification(config).eval()
    else:
        config = BertConfig(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                            intermediate_size=inner, hidden_dropout_prob=dropout,
                            attention_probs_dropout_prob=dropout, **common)
        model = BertForTokenClassification(config).eval()
    model.save_pretrained(folder)
    text = Path(vocabulary).read_text() if vocabulary else "[UNK]\n[CLS]\n[SEP]\n"
    (Path(folder) / "vocab.txt").write_text(text)
    return model, config


def ids_of(sequences, length):
    b, i = np.arange(sequences)[:, None], np.arange(length)[None]
    return 1000 + (7919 * b + 104729 * i) % 20000


def export(model, config, folder):
    """The path of the graph that onnxruntime.transformers.optimizer fuses."""
    import torch
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    bert = config.model_type == "bert"

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids=None):
            types = {"token_type_ids": token_type_ids} if bert else {}
            return self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits

    raw, fused = f"{folder}/raw.onnx", f"{folder}/fused.onnx"
    ids = torch.from_numpy(ids_of(2, 16))
    inputs = [ids, torch.ones_like(ids)] + ([torch.zeros_like(ids)] if bert else [])
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if bert else [])
    torch.onnx.export(Wrapped(), tuple(inputs), raw, input_names=names, output_names=["logits"],
                      opset_version=17, dynamo=False,
                      dynamic_axes={n: {0: "b", 1: "s"} for n in [*names, "logits"]})
    best = optimizer.optimize_model(raw, model_type="bert", num_heads=config.num_attention_heads,
                                    hidden_size=config.hidden_size,
                                    optimization_options=FusionOptions("bert"))
    print("fused:", {k: v for k, v in best.get_fused_operator_statistics().items() if v})
    best.save_model_to_file(fused)
    Path(raw).unlink()
    return fused


def session_of(path, threads):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    settings.add_session_config_entry("session.intra_op.allow_spinning", "1")
    return onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])


def feed_of(session, ids, mask=None):
    """What a session reads, whichever of the inputs it has."""
    ids = ids.astype(np.int64)
    every = {"input_ids": ids, "attention_mask": np.ones_like(ids) if mask is None else mask,
             "token_type_ids": np.zeros_like(ids)}
    return {i.name: every[i.name] for i in session.get_inputs()}


def make_folder(shape, folder, dropout=0.1, vocabulary="", graph=False):
    """As `make_model` and `export`, in a process of its own: its gigabytes are gone afterwards."""
    command = [sys.executable, __file__, shape, folder, dropout, vocabulary, int(graph)]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)


class Server:
    """A process that answers a line with a line of JSON: engine.cpp or peer_step.py."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{command[0]} did not start")

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


if __name__ == "__main__":
    shape, folder, dropout, vocabulary, graph = sys.argv[1:]
    made = make_model(shape, folder, float(dropout), vocabulary)
    if int(graph):
        export(*made, folder)
