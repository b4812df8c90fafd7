"""Seeded mistakes, for the checks to catch. README.md in this folder has the table.

* ``one_step.py``: (9)-(18); ``many_steps.py``: (19), blocks of steps; ``around.py``: layers, model
  and loss; ``wrong_forward.py``: what no gradient check can see; ``kinds.py``: the other kinds of
  cell;
* ``table.py``: all of them, and ``mistake``, which makes one.
"""

import functools

from ..gradcheck.own.suspects import KNOWN, Known
from .mistake import Mistake
from .table import MISTAKES, mistake

__all__ = ["MISTAKES", "Mistake", "mistake"]

# gradcheck stands below this room and may not import it; it is handed what it compares with.
# A stranger's LSTM is compared with our standard one, which shows no mistake of the other kinds.
KNOWN.update(
    {
        name: Known(str(made), functools.partial(mistake, name))
        for name, made in MISTAKES.items()
        if made.kind == "standard"
    }
)
