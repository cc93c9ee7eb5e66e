"""Makes tests/golden/data/loss/golden.safetensors: cross-entropies of random logits with class weights and label
smoothing as torch.nn.CrossEntropyLoss has them, and focal losses by torch's autograd, all computed in double from
numbers that float holds. Each case has the mean, as torch divides it, and the gradient of the logits.

Needs torch and safetensors. Run from the repository's root: python scripts/goldens/make_loss_goldens.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

# Labels, rows, class weights, label smoothing, gamma of the focal loss.
CASES = [(2, 7, False, 0.1, 0.0), (5, 9, True, 0.0, 0.0), (9, 12, True, 0.1, 0.0), (17, 6, True, 0.35, 0.0),
         (5, 9, False, 0.0, 2.0), (9, 12, True, 0.0, 0.5)]
IGNORED = -100


def focal(logits, labels, weights, gamma):
    """Lin et al., ICCV 2017, equation 5: -alpha (1 - p)^gamma log p, divided as the weighted cross-entropy is."""
    known = labels != IGNORED
    log_p = logits.log_softmax(1)[known].gather(1, labels[known, None])[:, 0]
    alpha = torch.ones_like(log_p) if weights is None else weights[labels[known]]
    return -(alpha * (1 - log_p.exp()) ** gamma * log_p).sum() / alpha.sum()


def main():
    generator = torch.Generator().manual_seed(7)
    tensors = {}
    for number, (labels, rows, weighted, smoothing, gamma) in enumerate(CASES):
        logits = (3 * torch.randn(rows, labels, generator=generator)).double().requires_grad_()
        weights = (torch.rand(labels, generator=generator) + 0.25).double() if weighted else None
        targets = torch.randint(labels, (rows,), generator=generator)
        targets[::4] = IGNORED
        if gamma > 0:
            loss = focal(logits, targets, weights, gamma)
        else:
            loss = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(logits, targets)
        loss.backward()
        found = {"logits": logits, "labels": targets.int(), "mean": loss[None], "gradient": logits.grad,
                 "smoothing": torch.tensor([smoothing], dtype=torch.float64),
                 "focus": torch.tensor([gamma], dtype=torch.float64)}
        if weights is not None:
            found["weights"] = weights
        tensors.update({f"{number}.{name}": value.detach().contiguous() for name, value in found.items()})
    path = Path("tests/golden/data/loss/golden.safetensors")
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
