"""How the benchmark speaks: tables in plain text, and what machine and libraries it ran on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import npslstm
from npslstm.kernel.blas import kernels
from parts.benchmark.sides import HAVE_ONNX, HAVE_TORCH, Case
from parts.benchmark.workers import HERE, cores

__all__ = ["Ratio", "Timing", "print_machine", "print_ratios", "print_sizes", "print_table"]


class Ratio(NamedTuple):
    """Quartiles of the ratios of two sides' times, round by round."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} {self.low:.2f}-{self.high:.2f}"


class Timing(NamedTuple):
    """The seconds a call of a side, and of each other, in pairs ``(rounds, 2)``."""

    case: Case
    side: str
    pairs: dict[str, np.ndarray]

    def ms(self, other: str | None = None) -> float:
        """Return the median of the side's time, or of another's, in milliseconds."""
        if other:
            return float(np.median(self.pairs[other][:, 1])) * 1e3
        return float(np.median(np.concatenate([p[:, 0] for p in self.pairs.values()]))) * 1e3

    def ratio(self, other: str) -> Ratio:
        """Return the side's time / the other's."""
        ours, theirs = self.pairs[other].T
        return Ratio(*np.quantile(ours / theirs, [0.25, 0.5, 0.75]).tolist())


def print_ratios(title: str, timings: Iterable[Timing]) -> list[Timing]:
    """Print the ratios of each size as it is measured, then their geometric means."""
    measured: list[Timing] = []
    for timing in timings:
        measured.append(timing)
        others = list(timing.pairs)
        if len(measured) == 1:
            print(f"\n{title}: ms, and its time / another's, median and quartiles")
            print_ratio_row("", timing.side, *(f"/ {other}" for other in others))
        print_ratio_row(str(timing.case), text(timing.ms()), *map(timing.ratio, others))
    means = [np.exp(np.mean([np.log(t.ratio(o).median) for t in measured])) for o in others]
    print_ratio_row("geometric mean", "-", *(f"{mean:.3f}{10 * ' '}" for mean in means))
    return measured


def print_ratio_row(name: str, ms: str, *ratios: object) -> None:
    """Print a row in columns wide enough for any size, since the rows below are not known yet."""
    line = "  ".join([f"{name:23}", f"{ms:>7}", *(f"{ratio!s:>14}" for ratio in ratios)])
    print(line.rstrip(), flush=True)


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: two spaces or more between columns; numbers shortened, - for None."""
    lines = [list(header), *([text(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print(f"\n{title}")
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join([first.strip().ljust(widths[0]), *others]).rstrip(), flush=True)


def text(cell: object) -> str:
    """Write a number in the digits that mean something, anything else as it is."""
    if cell is None:
        return "-"
    if not isinstance(cell, float):
        return str(cell)
    formats = {100: ".0f", 10: ".1f", 0.1: ".2f"}
    return format(cell, next((f for least, f in formats.items() if abs(cell) >= least), ".2g"))


def print_machine() -> None:
    """Print what the numbers depend on."""
    libraries = {"npslstm": npslstm.__version__, "NumPy": np.__version__}
    for name in ["torch"] * HAVE_TORCH + ["onnxruntime"] * HAVE_ONNX:
        libraries[name] = importlib.metadata.version(name)
    missing = ["torch"] * (not HAVE_TORCH) + ["onnxruntime and onnx"] * (not HAVE_ONNX)
    print(f"CPU:       {processor()}; {len(cores())} of {os.cpu_count()} cores may be used")
    print(f"BLAS:      {blas()}; one thread unless a table says otherwise")
    print(f"Libraries: Python {platform.python_version()} on {platform.system()}, ", end="")
    print(", ".join(f"{name} {version}" for name, version in libraries.items()))
    if missing:
        print(f"           not installed, so left out: {', '.join(missing)}")
    print(f"npslstm:   {HERE}", flush=True)


def print_sizes(cases: Iterable[Case]) -> None:
    """Print what the names of sizes mean."""
    print("\nSizes: T steps, N sequences, D features, H units, L layers")
    rows = [[str(case), *case[:5]] for case in cases]
    width = max(len(name) for name, *_ in rows)
    for name, *numbers in rows:
        sizes = zip("TNDHL", numbers, strict=True)
        print(f"{name:{width}}  " + ", ".join(f"{k} {n}" for k, n in sizes))


def blas() -> str:
    """Say which BLAS multiplies, and with which of its kernels."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    version = f"{built['name']} {built.get('version', '')}".rstrip()
    return f"{version}, kernels for {kernels() or 'a CPU that it does not tell'}"


def processor() -> str:
    """Return the CPU's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()
