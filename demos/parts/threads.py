"""Import this before NumPy: it chooses the number of BLAS threads, which cannot be chosen later.

An LSTM's products are small. Beside any other busy process two BLAS threads wait for each other in
a spinning loop, and a step can become 20 to 50 times slower; on an idle machine they win little.
So one thread is the default, and whoever has set one of the variables keeps what was set.
"""

from __future__ import annotations

import os
import sys

VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)


def choose() -> str:
    """Set one BLAS thread unless the user has chosen; say which it is."""
    chosen = [f"{name}={os.environ[name]}" for name in VARIABLES if name in os.environ]
    if chosen:
        return "BLAS threads as set: " + ", ".join(chosen)
    if "numpy" in sys.modules:
        return "BLAS threads: NumPy's default (it was imported before they could be chosen)"
    for name in VARIABLES[:-1]:  # OMP_NUM_THREADS binds far more than BLAS
        os.environ[name] = "1"
    return "BLAS threads: 1 (set OPENBLAS_NUM_THREADS for more)"


CHOICE = choose()
