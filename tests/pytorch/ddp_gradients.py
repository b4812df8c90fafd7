"""What each process of test_torch_ddp.py runs: ``torchrun ddp_gradients.py FOLDER``.

Every process writes its loss and gradients of each batch to FOLDER/RANK-ROWS.npz.
"""

import sys
from pathlib import Path

import numpy as np

from npslstm import LSTMModel

BATCHES = 8, 7, 1  # rows: equal shares, unequal shares, and nothing for the second process


def problem(rows):
    """A model with dropout, a batch of this many rows, and the generator of the masks."""
    rng = np.random.default_rng(rows)
    model = LSTMModel(
        3, 4, 5, 2, batch_first=True, dropout=0.4, bidirectional=True, dtype=np.float64, rng=rng
    )
    x, y = rng.normal(size=(rows, 6, 3)), rng.integers(5, size=rows)
    return model, x, y, np.random.default_rng(0)


def main(folder):
    sys.path.insert(0, str(Path(__file__).parents[2] / "demos"))
    from parts.mnist import torch as mnist_torch
    from parts.mnist.torch_training import Twin, processes

    device = mnist_torch.start("cpu", seed=0)
    rank, _ = processes()
    for rows in BATCHES:
        model, x, y, rng = problem(rows)
        seen = []
        loss, grads = Twin(model, device).loss_and_grads(
            x, y, loss=lambda logits, labels, seen=seen: seen.append(logits), rng=rng
        )
        np.savez(folder / f"{rank}-{rows}.npz", loss=loss, logits=seen[0], **grads)
    print("done")  # by the first process alone


if __name__ == "__main__":
    main(Path(sys.argv[1]))
