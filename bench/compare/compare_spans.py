"""onoma's head of spans against the same head and recipe in PyTorch, run in turn.

Usage: python bench/compare/compare_spans.py ONOMA --encoder FOLDER --train F --test F [--seeds 1 2 3]
           [--epochs N] [--width W] [--form biaffine|concatenation] [--json FILE]
ONOMA is the command of the preset release. Files are JSON lines of words with spans, or columns with a layer of tags
in each but the first. Both sides train with AdamW (learning rate 1e-4, weight decay 0.01), batches of 16 texts, 10 %
warm-up, 256 tokens at most, words read at their first pieces, all spans up to the width in the loss, and decode nested
spans by score. Prints a Markdown table of F1 over spans and seconds of training. `--form concatenation` gives the peer
another head: a layer over both words, and the width, for each span. Needs torch, transformers.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import nn


def read(path):
    """Texts as (words, set of (first, last, label))."""
    texts = []
    if str(path).endswith(".jsonl"):
        for line in open(path, encoding="utf-8"):
            entry = json.loads(line)
            texts.append((entry["tokens"], {(s[0], s[1] - 1, s[2]) for s in entry["spans"]}))
        return texts
    blocks = open(path, encoding="utf-8").read().split("\n\n")
    for rows in ([line.split("\t") for line in block.splitlines() if line.strip()] for block in blocks):
        if not rows:
            continue
        spans = set()
        for layer in range(1, len(rows[0])):
            start = None
            for i in range(len(rows) + 1):
                tag = rows[i][layer] if i < len(rows) else "O"
                if start is not None and not (tag.startswith("I-") and tag[2:] == rows[start][layer][2:]):
                    spans.add((start, i - 1, rows[start][layer][2:]))
                    start = None
                if tag != "O" and start is None:
                    start = i
        texts.append(([row[0] for row in rows], spans))
    return texts


class Scorer(nn.Module):
    """Scores [B, N, W, L] of spans that begin with word n and have w + 1 words, from [B, N, H]."""

    def __init__(self, hidden, labels, width, size, form):
        super().__init__()
        self.form, self.width_count, self.labels, self.size = form, width, labels, size
        self.begin, self.end = nn.Linear(hidden, size), nn.Linear(hidden, size)
        if form == "biaffine":
            self.pair, self.label = nn.Linear(size, labels * size), nn.Linear(size, labels)
            self.width = nn.Parameter(torch.empty(width, labels))
        else:
            self.width = nn.Parameter(torch.empty(width, size))
            self.label = nn.Linear(size, labels)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
            else:
                nn.init.zeros_(p)

    def forward(self, x):
        b, n, _ = x.shape
        gelu = nn.functional.gelu
        begin, end = self.begin(x), self.end(x)
        behind = nn.functional.pad(gelu(end) if self.form == "biaffine" else end, (0, 0, 0, self.width_count - 1))
        behind = behind.unfold(1, self.width_count, 1).transpose(2, 3)  # [B, N, W, D]
        if self.form == "concatenation":
            return self.label(gelu(begin[:, :, None] + behind + self.width))
        s = gelu(begin)
        pair = self.pair(s).view(b, n, self.labels, self.size)
        return torch.einsum("bnld,bnwd->bnwl", pair, behind) + self.label(s)[:, :, None] + self.width


def encode(tokenizer, texts, ids, width):
    """Token ids, rows of first pieces, and the labels of spans of the words that fit."""
    examples = []
    for words, spans in texts:
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=256)
        rows, places, previous = [], {}, None
        for i, word in enumerate(encoded.word_ids()):
            if word is not None and word != previous:
                places[word] = len(rows)
                rows.append(i)
            previous = word
        targets = {}
        for first, last, label in sorted(spans):
            if first in places and last in places and places[last] - places[first] < width and label in ids:
                targets.setdefault((places[first], places[last] - places[first]), ids[label])
        examples.append((encoded["input_ids"], rows, targets, {v: k for k, v in places.items()}, spans))
    return examples


def score(encoder, scorer, batch):
    """Scores, and which of them are of spans."""
    longest = max(len(e[0]) for e in batch)
    most = max(max(len(e[1]) for e in batch), 1)
    tokens = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    rows = torch.zeros(len(batch), most, dtype=torch.long)
    fits = torch.zeros(len(batch), most, scorer.width_count, dtype=torch.bool)
    for b, (ids, words, *_) in enumerate(batch):
        tokens[b, : len(ids)], mask[b, : len(ids)] = torch.tensor(ids), 1
        rows[b, : len(words)] = torch.tensor(words, dtype=torch.long)
        for n in range(len(words)):
            fits[b, n, : len(words) - n] = True
    hidden = encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
    hidden = hidden.gather(1, rows[:, :, None].expand(-1, -1, hidden.shape[-1]))
    return scorer(nn.functional.dropout(hidden, 0.1, scorer.training)), fits


@torch.no_grad()
def evaluate(encoder, scorer, examples, names):
    encoder.eval(), scorer.eval()
    right = found = there = 0
    for start in range(0, len(examples), 32):
        batch = examples[start : start + 32]
        logits, fits = score(encoder, scorer, batch)
        best, label = logits.softmax(-1)[..., 1:].max(-1)
        for b, (_, _, _, words, spans) in enumerate(batch):
            candidates = [(-best[b, n, w].item(), n, -w, label[b, n, w].item() + 1)
                          for n, w in ((best[b] >= 0.5) & fits[b]).nonzero().tolist()]
            kept = []
            for _, n, w, l in sorted(candidates):
                end = n - w
                if all(not (o < n <= e < end or n < o <= end < e) for o, e, _ in kept):
                    kept.append((n, end, l))
            predicted = {(words[n], words[e], names[l]) for n, e, l in kept}
            right += len(predicted & spans)
            found += len(predicted)
            there += len(spans)
    return 2 * right / max(found + there, 1)


def peer(args):
    from transformers import AutoModel, AutoTokenizer, get_linear_schedule_with_warmup

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    train, test = read(args.train), read(args.test)
    names = ["O"] + sorted({label for _, spans in train for _, _, label in spans})
    ids = {name: i for i, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(args.encoder)
    encoder = AutoModel.from_pretrained(args.encoder)
    scorer = Scorer(encoder.config.hidden_size, len(names), args.width, 128, args.form)
    examples = encode(tokenizer, train, ids, args.width)
    named = [*encoder.named_parameters(), *scorer.named_parameters()]
    no_decay = ("bias", "LayerNorm.weight")
    optimizer = torch.optim.AdamW([
        {"params": [p for n, p in named if not n.endswith(no_decay)], "weight_decay": 0.01},
        {"params": [p for n, p in named if n.endswith(no_decay)], "weight_decay": 0.0}], lr=1e-4, fused=True)
    total = math.ceil(len(examples) / 16) * args.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(0.1 * total), total)
    start = time.perf_counter()
    for _ in range(args.epochs):
        encoder.train(), scorer.train()
        order = list(range(len(examples)))
        random.shuffle(order)
        for first in range(0, len(order), 16):
            batch = [examples[i] for i in order[first : first + 16]]
            logits, fits = score(encoder, scorer, batch)
            labels = torch.full(logits.shape[:3], -100)
            labels[fits] = 0
            for b, example in enumerate(batch):
                for (n, w), label in example[2].items():
                    labels[b, n, w] = label
            words = max(sum(len(e[1]) for e in batch), 1)
            loss = nn.functional.cross_entropy(logits.reshape(-1, len(names)), labels.reshape(-1), reduction="sum")
            (loss / words).backward()
            nn.utils.clip_grad_norm_([p for _, p in named if p.grad is not None], 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    seconds = time.perf_counter() - start
    print(json.dumps({"f1": evaluate(encoder, scorer, encode(tokenizer, test, ids, args.width), names),
                      "seconds": seconds}))


def run_onoma(args, seed, folder):
    command = [args.onoma, "train", "--head", "span", "--span-width", args.width, "--encoder", args.encoder, "--train",
               args.train, "--test", args.test, "--output", folder / f"onoma-{seed}", "--json", "--quiet", "--threads",
               args.threads, "--seed", seed, "--epochs", args.epochs, "--learning-rate", 1e-4, "--batch-size", 16,
               "--max-length", 256]
    result = json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True).stdout)
    return {"f1": result["test"]["micro"]["f1"], "seconds": result["train_seconds"]}


def run_peer(args, seed):
    options = ["--encoder", args.encoder, "--train", args.train, "--test", args.test, "--epochs", args.epochs,
               "--width", args.width, "--threads", args.threads, "--form", args.form]
    command = [sys.executable, __file__, "--peer", "--seed", seed, *options]
    out = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onoma", nargs="?", help="without: the peer alone")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--width", type=int, default=12)
    parser.add_argument("--form", choices=["biaffine", "concatenation"], default="biaffine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--json", help="file for all numbers")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        print("| seed | F1 onoma | F1 PyTorch | s onoma | s PyTorch |\n|---|---|---|---|---|")
        for seed in args.seeds:
            mine = run_onoma(args, seed, Path(folder)) if args.onoma else {"f1": math.nan, "seconds": math.nan}
            other = run_peer(args, seed)
            rows.append({"seed": seed, "onoma": mine, "peer": other})
            print(f"| {seed} | {100 * mine['f1']:.2f} | {100 * other['f1']:.2f} | {mine['seconds']:.0f} | "
                  f"{other['seconds']:.0f} |", flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")
    return None


if __name__ == "__main__":
    main()
