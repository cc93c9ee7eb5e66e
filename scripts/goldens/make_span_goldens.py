"""Makes tests/golden/data/span/golden.safetensors: a head of spans on random words, written down in plain PyTorch, with
scores, loss and gradients, all computed in double from numbers that float holds.

Needs torch, safetensors. Run from the repository's root: python scripts/goldens/make_span_goldens.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

# Hidden size, labels (with that of no span), width, elements of a word, words of the sequences.
CASES = [(6, 2, 1, 3, [2, 1]), (8, 4, 3, 5, [4, 1, 6]), (16, 5, 12, 8, [7, 13])]


def numbers(generator, *shape, scale=1.0):
    return (scale * torch.randn(*shape, generator=generator, dtype=torch.float32)).double().requires_grad_()


def score(p, hidden, first, last):
    """Of all labels of one span: s^T U_l e + a_l . s + c_l . e + b_l + width_l."""
    gelu = torch.nn.functional.gelu
    s = gelu(p["span.begin.weight"] @ hidden[first] + p["span.begin.bias"])
    e = gelu(p["span.end.weight"] @ hidden[last] + p["span.end.bias"])
    size = len(s)
    scores = []
    for label in range(len(p["span.label.bias"])):
        part = slice(label * size, (label + 1) * size)
        u = p["span.pair.weight"][part]  # [element of e, element of s]
        scores.append(e @ u @ s + p["span.pair.bias"][part] @ e + p["span.label.weight"][label] @ s
                      + p["span.label.bias"][label] + p["span.width"][last - first, label])
    return torch.stack(scores)


def main():
    generator = torch.Generator().manual_seed(4)
    tensors = {}
    for number, (hidden_size, labels, width, size, lengths) in enumerate(CASES):
        words = sum(lengths)
        shapes = {"begin.weight": (size, hidden_size), "begin.bias": (size,), "end.weight": (size, hidden_size),
                  "end.bias": (size,), "pair.weight": (labels * size, size), "pair.bias": (labels * size,),
                  "label.weight": (labels, size), "label.bias": (labels,), "width": (width, labels)}
        p = {f"span.{name}": numbers(generator, *shape, scale=0.5) for name, shape in shapes.items()}
        hidden = numbers(generator, words, hidden_size)
        offsets = torch.tensor([0] + lengths).cumsum(0)
        scores, targets, labelled, loss = [], {}, [], 0.0
        for begin, end in zip(offsets[:-1].tolist(), offsets[1:].tolist()):
            for first in range(begin, end):
                for last in range(first, min(first + width, end)):
                    if torch.rand(1, generator=generator) < 0.3:
                        label = int(torch.randint(1, labels, (1,), generator=generator))
                        targets[first, last] = label
                        labelled.append([first - begin, last - begin, label, begin])
                    scores.append(score(p, hidden, first, last))
                    target = torch.tensor(targets.get((first, last), 0))
                    loss = loss + torch.nn.functional.cross_entropy(scores[-1], target, reduction="sum")
        (loss / words).backward()
        found = {"hidden": hidden, "grad.hidden": hidden.grad, "loss": loss.reshape(1), "scores": torch.stack(scores),
                 "offsets": offsets.int(), "labelled": torch.tensor(labelled).int(),
                 "shape": torch.tensor([hidden_size, labels, width, size]).int()}
        for name, value in p.items():
            found[name] = value
            found[f"grad.{name}"] = value.grad
        tensors.update({f"{number}.{name}": value.detach().clone().contiguous() for name, value in found.items()})
    path = Path("tests/golden/data/span/golden.safetensors")
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
