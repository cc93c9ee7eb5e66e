"""Fine-tunes the same encoder with PyTorch and transformers, as the peer of `onoma train`.

The recipe is transformers' run_ner.py in a plain loop: first-piece labels, AdamW with weight decay
on everything but biases and LayerNorm, linear warm-up and decay, clipping at norm 1, batches padded
to their longest sentence, scores by seqeval in its default mode. Prints one JSON object.

Needs: torch, transformers, seqeval (a virtual environment; see bench/compare/README.md).
"""

import argparse
import json
import math
import random
import time

import torch
from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
from transformers import AutoModelForTokenClassification, AutoTokenizer
from transformers import get_linear_schedule_with_warmup


def read_conll(path):
    """Sentences as (words, tags): first and last column; blank or whitespace-only lines separate."""
    sentences, words, tags = [], [], []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            line = line.rstrip("\r\n")
            if not line.strip():
                if words:
                    sentences.append((words, tags))
                words, tags = [], []
                continue
            columns = line.split("\t") if "\t" in line else line.split(" ")
            words.append(columns[0])
            tags.append(columns[-1])
    if words:
        sentences.append((words, tags))
    return sentences


def encode(tokenizer, sentences, label_ids, max_length):
    """Ids, labels (-100 where a piece is not the first of its word) and word ids per sentence."""
    examples = []
    for words, tags in sentences:
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
        previous, labels = None, []
        for word in encoded.word_ids():
            first = word is not None and word != previous
            labels.append(label_ids[tags[word]] if first else -100)
            previous = word
        examples.append((encoded["input_ids"], labels, tags))
    return examples


def pad(batch):
    longest = max(len(ids) for ids, _, _ in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask = torch.zeros(len(batch), longest, dtype=torch.long)
    labels = torch.full((len(batch), longest), -100, dtype=torch.long)
    for row, (sequence, tags, _) in enumerate(batch):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = 1
        labels[row, : len(tags)] = torch.tensor(tags)
    return ids, mask, labels


@torch.no_grad()
def evaluate(model, examples, names):
    model.eval()
    gold, predicted = [], []
    for start in range(0, len(examples), 32):
        batch = examples[start : start + 32]
        ids, mask, labels = pad(batch)
        best = model(input_ids=ids, attention_mask=mask).logits.argmax(-1)
        for row, (_, _, tags) in enumerate(batch):
            found = [names[p] for p, l in zip(best[row].tolist(), labels[row].tolist()) if l != -100]
            # Words that truncation cut off count as O, so that nothing drops out of the score.
            predicted.append(found + ["O"] * (len(tags) - len(found)))
            gold.append(tags)
    return {
        "precision": precision_score(gold, predicted),
        "recall": recall_score(gold, predicted),
        "f1": f1_score(gold, predicted),
        "accuracy": accuracy_score(gold, predicted),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--dev")
    parser.add_argument("--test", required=True)
    parser.add_argument("--output")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--warmup", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-steps", type=int, default=0, help="stop early (timing only)")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    train, test = read_conll(args.train), read_conll(args.test)
    dev = read_conll(args.dev) if args.dev else []
    names = sorted({tag for _, tags in train for tag in tags})
    label_ids = {name: i for i, name in enumerate(names)}
    for _, tags in dev + test:
        for i, tag in enumerate(tags):
            label_ids.setdefault(tag, -100)

    tokenizer = AutoTokenizer.from_pretrained(args.encoder)
    model = AutoModelForTokenClassification.from_pretrained(
        args.encoder, num_labels=len(names), id2label=dict(enumerate(names)),
        label2id={name: i for i, name in enumerate(names)})
    examples = encode(tokenizer, train, label_ids, args.max_length)

    no_decay = ("bias", "LayerNorm.weight")
    groups = [
        {"params": [p for n, p in model.named_parameters() if not n.endswith(no_decay)],
         "weight_decay": args.weight_decay},
        {"params": [p for n, p in model.named_parameters() if n.endswith(no_decay)],
         "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, fused=True)
    steps_per_epoch = (len(examples) + args.batch_size - 1) // args.batch_size
    total = steps_per_epoch * args.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(args.warmup * total), total)

    tokens, steps, losses = 0, 0, []
    start = time.perf_counter()
    for _ in range(args.epochs):
        model.train()
        order = list(range(len(examples)))
        random.shuffle(order)
        for first in range(0, len(order), args.batch_size):
            batch = [examples[i] for i in order[first : first + args.batch_size]]
            ids, mask, labels = pad(batch)
            loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            tokens += int(mask.sum())
            losses.append(loss.item())
            steps += 1
            if steps == args.max_steps:
                break
        if steps == args.max_steps:
            break
    seconds = time.perf_counter() - start

    result = {"engine": f"torch {torch.__version__}", "seed": args.seed, "threads": args.threads,
              "steps": steps, "train_seconds": seconds, "tokens_per_second": tokens / seconds,
              "first_loss": losses[0], "last_loss": sum(losses[-20:]) / len(losses[-20:])}
    if not args.max_steps:
        if dev:
            result["dev"] = evaluate(model, encode(tokenizer, dev, label_ids, args.max_length), names)
        result["test"] = evaluate(model, encode(tokenizer, test, label_ids, args.max_length), names)
    if args.output:
        model.save_pretrained(args.output)
        tokenizer.save_pretrained(args.output)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
