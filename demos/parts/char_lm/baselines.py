"""What predicts text without a network: counts of n-grams, and compressors.

All of them know the text up to ``cut`` and are judged, in bits per character, by the rest.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
from collections import Counter, defaultdict

__all__ = ["compressor_bits", "ngram_bits"]


def ngram_bits(text: str, cut: int, max_order: int, alphabet_size: int) -> list[float]:
    """Return the bits per character of n-gram models of order 0 to ``max_order``.

    A model of order n predicts a character x from the n before it, its context. With N and D the
    number of characters, and of different ones, that followed that context before ``cut``::

        p_n(x) = (count(x) + D p_(n-1)(x)) / (N + D)        p_-1(x) = 1 / alphabet_size

    so the more varied the sequels, the more the next shorter context is trusted: interpolation by
    Witten and Bell (1991), as in Chen and Goodman (1999). A context never seen changes nothing.
    Like the LSTM, the models learn nothing from the text after ``cut``.
    """
    followers: dict[str, Counter[str]] = defaultdict(Counter)
    for end in range(cut):
        for order in range(min(max_order, end) + 1):
            followers[text[end - order : end]][text[end]] += 1
    sizes = {context: (seen.total(), len(seen)) for context, seen in followers.items()}

    bits = [0.0] * (max_order + 1)
    for end in range(cut, len(text)):
        p = 1 / alphabet_size
        for order in range(max_order + 1):
            context = text[end - order : end]
            if order <= end and context in followers:
                total, different = sizes[context]
                p = (followers[context][text[end]] + different * p) / (total + different)
            bits[order] -= math.log2(p)
    return [total / (len(text) - cut) for total in bits]


def compressor_bits(text: str, cut: int) -> dict[str, float]:
    """Return by how much the rest lengthens the compressed text, in bits per character.

    Compressors learn as they go, from the rest, too, which is to their advantage. Where the longer
    text takes fewer bytes, as one that only repeats itself may, that is 0.
    """
    compressors = {
        "gzip -9": lambda data: gzip.compress(data, 9),
        "bzip2 -9": bz2.compress,
        "lzma -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    }
    whole, known = text.encode(), text[:cut].encode()
    characters = len(text) - cut
    return {
        name: 8 * max(0, len(compress(whole)) - len(compress(known))) / characters
        for name, compress in compressors.items()
    }
