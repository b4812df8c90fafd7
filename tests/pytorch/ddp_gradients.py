"""What each process of test_torch_ddp.py runs: ``torchrun ddp_gradients.py FOLDER``.

Every process writes its loss and gradients of each batch to FOLDER/RANK-ROWS.npz, and, when it has
left the others, the names of its threads to FOLDER/RANK-threads.txt.
"""

import atexit
import sys
from pathlib import Path

import numpy as np

from npslstm import LSTMModel
from npslstm.optim import Adam

BATCHES = 8, 7, 1  # rows: equal shares, unequal shares, and nothing for the second process


def problem(rows):
    """A model with dropout, a batch of this many rows, and the generator of the masks."""
    rng = np.random.default_rng(rows)
    model = LSTMModel(
        3, 4, 5, 2, batch_first=True, dropout=0.4, bidirectional=True, dtype=np.float64, rng=rng
    )
    x, y = rng.normal(size=(rows, 6, 3)), rng.integers(5, size=rows)
    return model, x, y, np.random.default_rng(0)


def note_threads(path):
    """Write the names of this process's threads, of which Python knows only its own."""
    threads = Path("/proc/self/task").glob("*/comm")  # none where that is not Linux
    path.write_text("".join(sorted(thread.read_text() for thread in threads)))


def main(folder):
    sys.path.insert(0, str(Path(__file__).parents[2] / "demos"))
    from parts.mnist import torch as mnist_torch
    from parts.mnist.torch_training import Twin, TwinOptimizer, processes

    atexit.register(lambda: note_threads(folder / f"{rank}-threads.txt"))  # the last thing done
    device = mnist_torch.start("cpu", seed=0)
    rank, _ = processes()
    for rows in BATCHES:
        model, x, y, rng = problem(rows)
        seen = []
        twin = Twin(model, device)
        loss, grads = twin.loss_and_grads(
            x, y, loss=lambda logits, labels, seen=seen: seen.append(logits), rng=rng
        )
        TwinOptimizer(Adam(), twin).step(twin.params, grads)
        np.savez(folder / f"{rank}-{rows}.npz", loss=loss, logits=seen[0], **grads)
    print("done")  # by the first process alone


if __name__ == "__main__":
    main(Path(sys.argv[1]))
