"""Which memory an object keeps alive."""

from __future__ import annotations

import numpy as np


def buffers(value):
    """Yield the arrays that own the memory behind every array in nested tuples and lists."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from buffers(part)
