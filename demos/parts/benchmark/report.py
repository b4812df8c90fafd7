"""How the benchmark speaks: tables in plain text, and what machine and libraries it ran on."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

try:
    from threadpoolctl import threadpool_info
except ImportError:
    threadpool_info = list  # knows of no library

__all__ = ["HAVE_TORCH", "cores", "print_machine", "print_table"]

HAVE_TORCH = importlib.util.find_spec("torch") is not None


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
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    torch = f"PyTorch {importlib.metadata.version('torch')}" if HAVE_TORCH else "no PyTorch"
    print(
        f"Machine:   {processor()}, {cores()} of {os.cpu_count()} cores, {platform.system()}\n"
        f"Libraries: Python {platform.python_version()}, NumPy {np.__version__}, "
        f"BLAS {blas['name']} {blas.get('version', '')}, {torch}"
    )
    for library in threadpool_info():
        if library["user_api"] == "blas":
            # The configuration that NumPy shows names the CPU that OpenBLAS was built for.
            kernels = library.get("architecture", "unknown")
            print(f"BLAS:      {library['internal_api']} {library['version']}, kernels {kernels}")
    print(
        "Threads:   one a side, unless a table says otherwise; every side in its own process, in "
        "turns"
    )


def processor() -> str:
    """Return the CPU's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
