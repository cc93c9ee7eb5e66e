"""Makes tests/golden/data/crf/golden.safetensors: random linear chains with the log-likelihood, its gradients and
the best paths of pytorch-crf, all computed in double from numbers that float holds.

Needs torch, pytorch-crf, safetensors. Run from the repository's root: python scripts/goldens/make_crf_goldens.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torchcrf import CRF

# Labels, lengths of the sequences, scale of the scores.
CASES = [(1, [3, 1], 1.0), (2, [1, 2, 5], 1.0), (5, [7, 1, 12, 3], 2.0), (9, [20, 4], 5.0), (17, [6, 13, 1], 1.0),
         (33, [5, 8], 3.0)]


def numbers(generator, *shape, scale=1.0):
    return (scale * torch.randn(*shape, generator=generator, dtype=torch.float32)).double()


def padded(rows, lengths):
    """[B, longest, ...] from the rows of all sequences one behind another."""
    return torch.nn.utils.rnn.pad_sequence(list(rows.split(lengths)), batch_first=True)


def main():
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for number, (labels, lengths, scale) in enumerate(CASES):
        words = sum(lengths)
        crf = CRF(labels, batch_first=True).double()
        with torch.no_grad():
            crf.transitions.copy_(numbers(generator, labels, labels, scale=scale))
            crf.start_transitions.copy_(numbers(generator, labels, scale=scale))
            crf.end_transitions.copy_(numbers(generator, labels, scale=scale))
        emissions = numbers(generator, words, labels, scale=scale).requires_grad_()
        tags = torch.randint(labels, (words,), generator=generator)
        mask = padded(torch.ones(words, dtype=torch.bool), lengths)
        loss = -crf(padded(emissions, lengths), padded(tags, lengths), mask=mask, reduction="none")
        loss.sum().backward()
        best = crf.decode(padded(emissions, lengths), mask=mask)
        found = {
            "emissions": emissions, "transitions": crf.transitions, "start": crf.start_transitions,
            "end": crf.end_transitions, "loss": loss, "grad.emissions": emissions.grad,
            "grad.transitions": crf.transitions.grad, "grad.start": crf.start_transitions.grad,
            "grad.end": crf.end_transitions.grad,
            "offsets": torch.tensor([0] + lengths).cumsum(0).int(), "tags": tags.int(),
            "best": torch.tensor([label for path in best for label in path]).int(),
        }
        tensors.update({f"{number}.{name}": value.detach().contiguous() for name, value in found.items()})
    path = Path("tests/golden/data/crf/golden.safetensors")
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
