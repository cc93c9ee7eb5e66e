"""PyTorch's side of the training-step comparison: a process that times steps on request.

Usage: python peer_step.py MODEL_FOLDER THREADS eager|compile. Reads "SEQUENCES LENGTH STEPS" a line and
answers with one line of JSON: seconds and loss of each step. The step is that of engine.cpp: AdamW
(fused, PyTorch's fastest on the CPU) with rate 5e-5, decay 0.01 on all but biases and LayerNorm weights,
labels id mod the number of labels. Needs: torch, transformers.
"""

import json
import sys
import time

import torch
from transformers import AutoModelForTokenClassification

from models import ids_of


def main():
    folder, threads, mode = sys.argv[1:4]
    torch.set_num_threads(int(threads))
    model = AutoModelForTokenClassification.from_pretrained(folder).train()
    plain = ("bias", "LayerNorm.weight")
    groups = [{"params": [p for n, p in model.named_parameters() if n.endswith(plain) == is_plain],
               "weight_decay": 0.0 if is_plain else 0.01} for is_plain in (False, True)]
    optimizer = torch.optim.AdamW(groups, lr=5e-5, fused=True)
    forward = torch.compile(model) if mode == "compile" else model
    print("ready", flush=True)
    for line in sys.stdin:
        sequences, length, steps = map(int, line.split())
        ids = torch.from_numpy(ids_of(sequences, length))
        labels = ids % model.config.num_labels
        times, losses = [], []
        for _ in range(steps):
            start = time.perf_counter()
            loss = forward(input_ids=ids, labels=labels).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            times.append(time.perf_counter() - start)
        print(json.dumps({"seconds": times, "losses": losses}), flush=True)


if __name__ == "__main__":
    main()
