"""Kinds of recurrent cell, one small file each. README.md in this folder: how to add one.

* ``base.py``: what a kind is;
* ``standard.py``: the LSTM, with its fast form; its calculus is in ``gates.py``;
* ``initial.py``: the first values of a cell's parameters.
"""

from .base import Kind
from .standard import STANDARD

__all__ = ["VARIANTS", "Kind", "variant_named"]

VARIANTS: dict[str, Kind] = {kind.name: kind for kind in (STANDARD,)}  # of the LSTM


def variant_named(name: str) -> Kind:
    """Return the LSTM's variant of this name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in VARIANTS:
        known = ", ".join(map(repr, VARIANTS))
        raise ValueError(f"variant: expected one of {known}, given {name!r}")
    return VARIANTS[name]
