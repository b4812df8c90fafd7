"""Which memory an object keeps alive."""

from __future__ import annotations

import numpy as np

from npslstm.kernel import memory


def buffers(value):
    """Yield the arrays that own the memory behind every array in nested tuples and lists."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from buffers(part)


def alignment(cache):
    """Bytes by which arrays were made longer, to begin at a multiple of 64: 64 each.

    They are the two that are kept of a block, and large outputs of each layer but the last.
    """
    blocks = [saved for layer in cache.layers for segment in layer.blocks for saved in segment]
    large = [layer for layer in cache.layers[1:] if layer.x.nbytes >= memory.UNALIGNED]
    return memory.ALIGNMENT * (2 * len(blocks) + len(large))
