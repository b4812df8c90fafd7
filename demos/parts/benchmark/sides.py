"""What the benchmark times in NumPy: our LSTM, and the matrix products that it cannot do without.

A training step is forward and backward with a dense gradient on every output, to the gradients of
every parameter, of the input and of the initial states; new outputs and caches at every call, as a
user calls it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from npslstm import LSTM
from parts.benchmark.workers import Side

__all__ = ["BLOCKED", "FLOOR", "Case", "Problem", "bare_products", "npslstm_side"]

FLOOR, BLOCKED = "floor", "blocked floor"
WITHOUT_PACKING = 1_000_000  # OpenBLAS multiplies m·k·n of at most this without packing first
SMALLEST_BLOCK = 4  # rows; fewer are slower than packing
BLOCK_COLUMNS = 256  # steps × batch of a weight gradient whose factors stay in cache


class Case(NamedTuple):
    """A size of problem, in the order T, N, D, H, layers, and its dtype."""

    steps: int
    batch: int
    features: int
    hidden: int
    layers: int
    dtype: str = "float32"

    @property
    def size(self) -> str:
        """The five numbers."""
        return ",".join(map(str, self[:5]))

    @property
    def inputs(self) -> list[int]:
        """Features of each layer's input."""
        return [self.features] + [self.hidden] * (self.layers - 1)

    @property
    def operations(self) -> float:
        """Multiplications and additions in a training step's matrix products."""
        weights = sum(4 * self.hidden * (size + self.hidden) for size in self.inputs)
        return 3 * 2.0 * self.steps * self.batch * weights  # a, (dx, dh_prev) and dW


class Problem:
    """The same random problem for every side."""

    def __init__(self, case: Case) -> None:
        rng = np.random.default_rng(0)

        def draw(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape).astype(case.dtype)

        self.lstm = LSTM(case.features, case.hidden, case.layers, dtype=case.dtype, rng=rng)
        self.x = draw(case.steps, case.batch, case.features)
        self.state = (
            draw(case.layers, case.batch, case.hidden),
            draw(case.layers, case.batch, case.hidden),
        )
        self.dout = draw(case.steps, case.batch, case.hidden)

    def rows(self, part: slice) -> Problem:
        """Return the same problem for some rows of the batch, with the very same parameters."""
        some = object.__new__(Problem)
        some.lstm = self.lstm
        some.x, some.dout = self.x[:, part].copy(), self.dout[:, part].copy()
        some.state = self.state[0][:, part].copy(), self.state[1][:, part].copy()
        return some

    def step(self, **options: Any) -> dict[str, np.ndarray]:
        """Take a training step."""
        out, _, cache = self.lstm.forward(self.x, self.state, **options)
        dx, (dh_0, dc_0), grads = self.lstm.backward(cache, self.dout)
        return {"out": out, "dx": dx, "dh_0": dh_0, "dc_0": dc_0, **grads}

    def inference(self) -> np.ndarray:
        """Run forward only."""
        return self.lstm(self.x, self.state)[0]


def npslstm_side(case: Case, checkpoint_every: int | None = None) -> Side:
    """Return our LSTM as a user calls it."""
    problem = Problem(case)
    tasks = {"step": problem.step, "inference": problem.inference}
    if checkpoint_every:
        tasks["checkpointed"] = lambda: problem.step(checkpoint_every=checkpoint_every)
    return Side(tasks, problem.step())


class Product(NamedTuple):
    """A matrix product that a step needs a number of times."""

    times: int
    left: np.ndarray
    right: np.ndarray
    out: np.ndarray


def bare_products(case: Case) -> Side:
    """Return the matrix products of a training step, on arrays that are ready, and nothing else.

    "floor" is one ``np.matmul(..., out=)`` for each product: a, dh_prev and dx at every step, and
    one weight gradient over all of them. "blocked floor" is the same in blocks that BLAS likes
    better; the weight gradient's are as many steps as stay in cache, as if just calculated.
    """
    rng = np.random.default_rng(0)

    def product(times: int, m: int, k: int, n: int) -> Product:
        shapes = (m, k), (k, n), (m, n)
        return Product(times, *(rng.standard_normal(shape).astype(case.dtype) for shape in shapes))

    rows, columns = 4 * case.hidden, case.steps * case.batch
    blocks, rest = divmod(columns, BLOCK_COLUMNS)
    plain, blocked = [], []
    for size in case.inputs:
        every_step = [
            product(case.steps, rows, size + case.hidden, case.batch),  # a
            product(case.steps, case.hidden, rows, case.batch),  # dh_prev
            product(case.steps, size, rows, case.batch),  # dx
        ]
        plain += [*every_step, product(1, rows, columns, size + case.hidden)]  # dW
        in_blocks = [
            product(times, rows, width, size + case.hidden)
            for times, width in ((blocks, BLOCK_COLUMNS), (1, rest))
            if times and width
        ]
        blocked += map(cut, every_step + in_blocks)

    def multiply(products: list[Product]) -> None:
        for times, left, right, out in products:
            for _ in range(times):
                np.matmul(left, right, out=out)

    return Side({FLOOR: lambda: multiply(plain), BLOCKED: lambda: multiply(blocked)}, {})


def cut(product: Product) -> Product:
    """View a product's left side as blocks of rows that BLAS multiplies without packing."""
    times, left, right, out = product
    (m, k), n = left.shape, right.shape[1]
    for blocks in range(2, m // SMALLEST_BLOCK + 1):
        if m % blocks == 0 and m // blocks * k * n <= WITHOUT_PACKING < m * k * n:
            shape = blocks, m // blocks
            return Product(times, left.reshape(*shape, k), right, out.reshape(*shape, n))
    return product
