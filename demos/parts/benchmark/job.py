"""The whole job: an epoch of row-MNIST training, in NumPy and in PyTorch on the CPU.

The same model from the same weights, the same batches in the same order, cross-entropy, clipping,
Adam and one-cycle learning rates, with the defaults of ``mnist.py``; each side's loop is what its
users write. A task ``epoch`` takes one epoch and returns an :class:`Epoch`, ``accuracy`` tests.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from npslstm import LSTMModel
from npslstm.datasets import MNIST, as_sequences, load_embedded, load_mnist
from npslstm.optim import Adam
from npslstm.torch_parity import to_torch
from npslstm.training import SHUFFLE, evaluate, steps_per_epoch, training_steps
from npslstm.training.learning_rate import one_cycle
from parts.benchmark.report import print_table
from parts.benchmark.sides import HAVE_TORCH, OURS, THEIRS
from parts.benchmark.workers import Built, Side, Worker
from parts.mnist import options
from parts.plotting import progress

__all__ = ["Epoch", "Job", "numpy_job", "torch_job", "train"]

LEARNING_RATE, MAX_NORM, SEED = 5e-3, 1.0, 0


class Job(NamedTuple):
    """What to train on, and for how long the schedule is made."""

    root: str | None  # of the full MNIST; None for the images in the package
    epochs: int
    batch_size: int
    hidden: int = 128
    examples: int | None = None  # only so many

    def __str__(self) -> str:
        images = "the full MNIST" if self.root else "the images in the package"
        return f"{images}, {self.hidden} units, {self.batch_size} images a step"

    @classmethod
    def of(cls, root: str | None) -> Job:
        """Return the defaults of ``mnist.py``."""
        args = options.parse(["--data", root] if root else [], None)
        return cls(root, args.epochs, args.batch_size, args.hidden)

    def data(self) -> MNIST:
        """Load the images."""
        data = load_mnist(self.root) if self.root else load_embedded()
        some = slice(self.examples)
        return data._replace(
            train_images=data.train_images[some], train_labels=data.train_labels[some]
        )

    def model(self) -> LSTMModel:
        """Return the model, untrained."""
        return LSTMModel(28, self.hidden, 10, batch_first=True, forget_bias=1.0, rng=SEED)

    def schedule(self, examples: int) -> Callable[[int], float]:
        """Return the learning rate of every step."""
        return one_cycle(LEARNING_RATE, self.epochs * steps_per_epoch(examples, self.batch_size))


class Epoch(NamedTuple):
    """What one epoch took."""

    seconds: float
    loss: float  # mean over the epoch


def numpy_job(job: Job) -> Built:
    """Return training with ``npslstm.training.training_steps``, as ``mnist.py`` does it."""
    data, model = job.data(), job.model()
    records = training_steps(
        model,
        data.train_images,
        data.train_labels,
        optimizer=Adam(LEARNING_RATE),
        epochs=job.epochs,
        batch_size=job.batch_size,
        schedule=job.schedule(len(data.train_images)),
        max_norm=MAX_NORM,
        transform=as_sequences,
    )

    def epoch() -> Epoch:
        began = time.perf_counter()
        record = next(record for record in records if record.ends_epoch)
        return Epoch(time.perf_counter() - began, record.epoch_loss)

    def accuracy() -> float:
        test = data.test_images, data.test_labels
        return evaluate(model, *test, transform=as_sequences).accuracy

    return Built({"epoch": epoch, "accuracy": accuracy}, {})


def torch_job(job: Job) -> Built:
    """Return the usual training loop of PyTorch."""
    import torch

    torch.set_num_threads(1)
    data, model = job.data(), to_torch(job.model())
    images, labels, test_images, test_labels = map(torch.tensor, data[:4])
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)
    schedule = job.schedule(len(images))
    cross_entropy = torch.nn.functional.cross_entropy
    steps = iter(range(job.epochs * steps_per_epoch(len(images), job.batch_size)))
    epochs = iter(range(job.epochs))

    def epoch() -> Epoch:
        began, total = time.perf_counter(), 0.0
        order = np.random.default_rng([SEED, SHUFFLE, next(epochs)]).permutation(len(images))
        for rows in torch.from_numpy(order).split(job.batch_size):
            optimizer.param_groups[0]["lr"] = schedule(next(steps))
            optimizer.zero_grad()
            logits, _ = model(images[rows].float() / 255)
            loss = cross_entropy(logits, labels[rows])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
            optimizer.step()
            total += loss.item() * len(rows)
        return Epoch(time.perf_counter() - began, total / len(images))

    def accuracy() -> float:
        with torch.no_grad():
            logits = [model(part.float() / 255)[0] for part in test_images.split(1000)]
        return (torch.cat(logits).argmax(dim=1) == test_labels).double().mean().item()

    return Built({"epoch": epoch, "accuracy": accuracy}, {})


def train(job: Job, epochs: int, reach: float | None) -> None:
    """Time ``epochs`` epochs in turns, or all until a test accuracy, in percent, is reached."""
    jobs = {OURS: Side(numpy_job)} | ({THEIRS: Side(torch_job)} if HAVE_TORCH else {})
    taken: dict[str, list[Epoch]] = {name: [] for name in jobs}
    accuracies = dict.fromkeys(jobs, 0.0)
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker()) for name in jobs}
        for name, worker in workers.items():
            worker.prepare(jobs[name], job)
        for _ in progress(range(job.epochs if reach else epochs), "epochs"):
            for name, worker in workers.items():
                if not (reach and accuracies[name] >= reach):
                    taken[name].append(worker.run("epoch"))
                    accuracies[name] = 100 * worker.run("accuracy")
    rows = []
    for name, done in taken.items():
        seconds = [epoch.seconds for epoch in done]
        median = float(np.median(seconds))
        rows.append([name, len(done), median, sum(seconds), done[-1].loss, accuracies[name]])
        if reach and accuracies[name] < reach:
            rows[-1][0] += ", not reached"
    until = f", until {reach:g} % are right" if reach else ""
    print_table(
        f"The whole job, row-MNIST: {job}{until}",
        ["", "epochs", "s an epoch", "s in all", "loss", "accuracy %"],
        rows,
    )
    if HAVE_TORCH:
        pairs = zip(*taken.values(), strict=False)
        ratio = np.median([ours.seconds / theirs.seconds for ours, theirs in pairs])
        print(f"an epoch, {OURS} / {THEIRS}: {ratio:.2f}")
