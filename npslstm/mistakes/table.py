"""Seeded mistakes: wrong gradients of the kinds that people have shipped, for the checks to catch.

A check that has never failed proves little. ``with mistake("drop_dc"):`` makes one of the mistakes
in the code under study for as long as the block runs, and ``python -m npslstm gradcheck --mutate
drop_dc`` shows the check catching it. The code itself knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .around import AROUND
from .kinds import KINDS
from .many_steps import MANY_STEPS
from .mistake import Mistake
from .one_step import ONE_STEP
from .wrong_forward import WRONG_FORWARD

__all__ = ["MISTAKES", "mistake"]

MISTAKES: dict[str, Mistake] = {**ONE_STEP, **MANY_STEPS, **AROUND, **WRONG_FORWARD, **KINDS}


@contextmanager
def mistake(name: str) -> Iterator[None]:
    """Make this mistake inside the ``with`` block.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in MISTAKES:
        raise ValueError(f"mistake: expected one of {', '.join(MISTAKES)}, given {name!r}")
    with ExitStack() as stack:
        for patch in MISTAKES[name].patches:
            stack.enter_context(patch.apply())
        yield
