"""onoma's linear chains against pytorch-crf: the same batches, in turn, results compared in the same run.

Usage: python bench/compare/compare_crf.py ENGINE [--pairs 15] [--threads 1] [--json FILE]
ENGINE is the program of bench/compare/crf_engine.cpp (preset bench). Two tasks: the best paths (pytorch-crf's
`decode`), and a training step (loss and all gradients). Both sides' numbers are compared with pytorch-crf's in double,
and onoma's may not be farther from them than 1e-5 of the largest; best paths must be equal, or of equal score as far
as float can tell. Prints Markdown.

Needs: torch, pytorch-crf, numpy.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torchcrf import CRF

CASES = {"32 x 64 words x 17 labels": (17, [64] * 32), "32 x 64 words x 9 labels": (9, [64] * 32),
         "32 of 1 to 64 words x 17 labels": (17, list(range(2, 65, 2))), "8 x 512 words x 17 labels": (17, [512] * 8),
         "32 x 64 words x 73 labels": (73, [64] * 32)}


class Batch:
    def __init__(self, labels, lengths, seed):
        random = np.random.default_rng(seed)
        self.lengths = np.array(lengths, np.int32)
        self.words = int(self.lengths.sum())
        self.labels = labels
        self.emissions = (2 * random.standard_normal((self.words, labels))).astype(np.float32)
        self.weights = [random.standard_normal(s).astype(np.float32) for s in ((labels, labels), labels, labels)]
        self.tags = random.integers(0, labels, self.words).astype(np.int32)

    def save(self, path):
        parts = [np.array([self.labels, len(self.lengths)], np.int32), self.lengths, *self.weights, self.emissions,
                 self.tags]
        Path(path).write_bytes(b"".join(p.tobytes() for p in parts))


class Peer:
    """pytorch-crf as its documentation uses it: padded, batch first."""

    def __init__(self, batch, dtype=torch.float32):
        self.crf = CRF(batch.labels, batch_first=True).to(dtype)
        with torch.no_grad():
            for own, given in zip((self.crf.transitions, self.crf.start_transitions, self.crf.end_transitions),
                                  batch.weights):
                own.copy_(torch.from_numpy(given))

        def pad(rows):
            return torch.nn.utils.rnn.pad_sequence(torch.from_numpy(rows).split(batch.lengths.tolist()), True)

        self.emissions = pad(batch.emissions).to(dtype).requires_grad_()
        self.tags = pad(batch.tags).long()
        self.mask = pad(np.ones(batch.words, bool))

    def viterbi(self):
        with torch.no_grad():
            self.best = self.crf.decode(self.emissions, mask=self.mask)

    def loss(self):
        self.emissions.grad = None
        self.crf.zero_grad()
        self.value = -self.crf(self.emissions, self.tags, mask=self.mask)
        self.value.backward()

    def found(self):
        """Loss and gradients."""
        crf = self.crf
        grads = [self.emissions.grad[self.mask], crf.transitions.grad, crf.start_transitions.grad,
                 crf.end_transitions.grad]
        return [np.array([self.value.item()]), *(g.numpy().ravel() for g in grads)]


def error(found, exact):
    """The largest difference, of the largest number of each array."""
    return max(np.abs(a - b).max() / max(1.0, np.abs(b).max()) for a, b in zip(found, exact))


def check(batch, peer, path):
    """Raises unless onoma found what is right. Returns how many best paths differ, and the errors of both sides."""
    data = Path(path).read_bytes()
    sizes = [batch.words * batch.labels, batch.labels ** 2, batch.labels, batch.labels]
    floats = np.split(np.frombuffer(data, np.float32, sum(sizes), 8), np.cumsum(sizes)[:-1])
    best = np.frombuffer(data, np.int32, batch.words, 8 + 4 * sum(sizes))
    exact = Peer(batch, torch.float64)
    exact.loss()
    errors = (error([np.frombuffer(data, np.float64, 1), *floats], exact.found()), error(peer.found(), exact.found()))
    assert errors[0] <= 1e-5, errors
    theirs = np.concatenate(peer.best)
    different = 0
    for begin, length in zip(np.cumsum(batch.lengths) - batch.lengths, batch.lengths):
        ours_path, their_path = best[begin:begin + length], theirs[begin:begin + length]
        if (ours_path == their_path).all():
            continue
        different += 1
        scores = [score(batch, begin, path) for path in (ours_path, their_path)]
        assert scores[0] >= scores[1] - 1e-6 * abs(scores[1]), scores
    return different, *errors


def score(batch, begin, path):
    transitions, start, end = (w.astype(np.float64) for w in batch.weights)
    rows = batch.emissions[begin:begin + len(path)].astype(np.float64)
    return (start[path[0]] + end[path[-1]] + rows[np.arange(len(path)), path].sum() +
            transitions[path[:-1], path[1:]].sum())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = []
    for case, (labels, lengths) in CASES.items():
        batch = Batch(labels, lengths, seed=len(rows))
        peer = Peer(batch)
        with tempfile.TemporaryDirectory() as folder:
            batch.save(f"{folder}/batch")
            engine = subprocess.Popen([args.engine, f"{folder}/batch", str(args.threads)], text=True,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)

            def ask(command):
                engine.stdin.write(command + "\n")
                engine.stdin.flush()
                return float(engine.stdout.readline())

            for task in ("viterbi", "loss"):
                def theirs():
                    start = time.perf_counter()
                    getattr(peer, task)()
                    return time.perf_counter() - start

                theirs(), ask(task), ask(task)
                pairs = [(statistics.median(ask(task) for _ in range(5)), theirs()) for _ in range(args.pairs)]
                ratios = [b / a for a, b in pairs]
                rows.append({"case": case, "task": {"viterbi": "best paths", "loss": "training step"}[task],
                             "onoma_ms": 1e3 * statistics.median(a for a, _ in pairs),
                             "peer_ms": 1e3 * statistics.median(b for _, b in pairs),
                             "ratio": statistics.median(ratios), "ratio_min": min(ratios), "ratio_max": max(ratios)})
            ask(f"dump {folder}/found")
            different, ours, theirs = check(batch, peer, f"{folder}/found")
            rows[-2]["check"] = f"{different} of {len(lengths)} paths differ, of equal score" if different else "equal"
            rows[-1]["check"] = f"{ours:.0e}, pytorch-crf {theirs:.0e}"
            engine.stdin.close()
            engine.wait()

    print(f"\npytorch-crf on torch {torch.__version__}, {args.threads} threads, {args.pairs} pairs, results compared\n")
    print("| batch | task | onoma, ms | pytorch-crf, ms | times faster (min - max) | paths, or largest error |")
    print("|---|---|---|---|---|---|")
    for r in rows:
        print(f"| {r['case']} | {r['task']} | {r['onoma_ms']:.3f} | {r['peer_ms']:.1f} | "
              f"{r['ratio']:.0f} ({r['ratio_min']:.0f} - {r['ratio_max']:.0f}) | {r['check']} |")
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
