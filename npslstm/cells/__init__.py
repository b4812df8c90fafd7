"""Kinds of recurrent cell, one small file each. README.md in this folder: how to add one.

* ``base.py``: what a kind is;
* ``standard.py``: the LSTM, with its fast form; its calculus is in ``gates.py``;
* ``peephole.py``, ``cifg.py``, ``nig.py``, ``nfg.py``, ``nog.py``, ``niaf.py``, ``noaf.py``: the
  LSTM's variants; ``gru.py``, ``rnn.py``: kinds without a cell state;
* ``initial.py``: the first values of a cell's parameters; ``equations.py``: the docstrings'
  equations as data.
"""

from .base import Kind
from .cifg import CIFG
from .nfg import NFG
from .niaf import NIAF
from .nig import NIG
from .noaf import NOAF
from .nog import NOG
from .peephole import PEEPHOLE
from .standard import STANDARD

__all__ = ["VARIANTS", "Kind", "variant_named"]

KINDS_OF_LSTM = STANDARD, PEEPHOLE, CIFG, NIG, NFG, NOG, NIAF, NOAF
VARIANTS: dict[str, Kind] = {kind.name: kind for kind in KINDS_OF_LSTM}


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
