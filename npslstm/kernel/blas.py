"""Which matrix products NumPy's BLAS does without packing its operands first.

OpenBLAS holds kernels for many CPUs and chooses when it is loaded. Those for AVX-512 multiply small
matrices as they lie; the others copy every operand into their own order first, however small.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["kernels", "largest_unpacked"]

UNPACKING = "skylakex", "cooperlake", "sapphirerapids"  # OpenBLAS's names for AVX-512
LARGEST = 1_000_000  # m·k·n of the largest product (m, k) @ (k, n) that those do not pack


def kernels() -> str:
    """Return OpenBLAS's name for the kernels it has chosen; "" for another BLAS, or if unknown."""
    try:
        import ctypes  # some builds of Python have none

        for library in _libraries():
            for prefix in "scipy_openblas", "openblas":
                for suffix in "64_", "":
                    name = getattr(library, f"{prefix}_get_corename{suffix}", None)
                    if name is not None:
                        name.restype = ctypes.c_char_p
                        return name().decode()
    except Exception:  # to know is to be faster: without it all is as right
        pass
    return ""


def largest_unpacked() -> int:
    """Return m·k·n of the largest product that is not packed; 0 if all are."""
    return LARGEST if kernels().lower() in UNPACKING else 0


def _libraries() -> Iterator[Any]:
    """Yield what may hold OpenBLAS: NumPy's extension, with all it is linked with; then wheels'."""
    import ctypes

    from numpy.linalg import _umath_linalg  # linked with BLAS, in every version of NumPy

    beside = Path(np.__file__).parents[1] / "numpy.libs"
    for path in Path(_umath_linalg.__file__), *sorted(beside.glob("*openblas*")):
        try:
            yield ctypes.CDLL(str(path))  # it is loaded: nothing new comes in
        except OSError:
            continue
