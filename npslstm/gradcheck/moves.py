"""What rounding does to each entry of each gradient of a subject: measured when it is asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import Array
from .differences import EPS
from .rounding import MAGNIFIED, PROBES, rounding
from .shaken import Shake, unit_of
from .subject import Arrays, Subject, gradients_of, run_on_copies
from .trees import leaves, like

__all__ = ["Moves"]


class Moves:
    """How far the gradients of a subject move when every result is rounded once more.

    Parameters
    ----------
    subject, doutputs
        What is run.
    rng : numpy.random.Generator
    repeats : bool
        Whether a second run gives the same gradients; if not, nothing can be measured, and no move
        is allowed for.
    """

    def __init__(
        self, subject: Subject, doutputs: Any, rng: np.random.Generator, repeats: bool
    ) -> None:
        self.subject, self.doutputs, self.rng, self.repeats = subject, doutputs, rng, repeats
        self._known: dict[float, Arrays] = {}  # the moves by the unit
        self._by_locals = rounding(lambda: gradients_of(subject, doutputs), rng)

    def rounding(self, name: str) -> Array:
        """Return the largest move of each entry of the gradient ``name``, in float64."""
        if not self.repeats:
            return np.zeros(self.subject.arrays[name].shape)
        return np.maximum(self._shaken(EPS)[name], self._by_locals(name))

    def coarse(self, name: str, own: float) -> tuple[Array, float] | None:
        """Return the same for the unit of float32, and the unit, where float32 was seen.

        It counts where forward computes in it, or where it is the gradient's ``own`` type.
        """
        unit = EPS if self.subject.in_float64 else max(own, self._seen_forward)
        if unit <= EPS or not self.repeats:
            return None
        return self._shaken(unit)[name], unit

    @functools.cached_property
    def _seen_forward(self) -> float:
        """The largest unit in the last place of what forward computes with."""
        shake = Shake(self.rng, EPS, own=True)
        run = run_on_copies(self.subject, self.subject.arrays)
        units = [unit_of(leaf) for leaf in leaves((run.outputs, run.cache))]
        try:
            self.subject.run({n: shake(array) for n, array in self.subject.arrays.items()})
        except Exception:  # code that takes no other kind of array
            shake.coarsest = 0.0
        return max(shake.coarsest, *units)

    def _shaken(self, unit: float) -> Arrays:
        """Return the largest moves of some probes, for a unit in the last place."""
        if unit not in self._known:
            exact = gradients_of(self.subject, self.doutputs)
            worst = {name: np.zeros(np.shape(gradient)) for name, gradient in exact.items()}
            for magnified in (1.0, max(1.0, MAGNIFIED / unit)):
                for _ in range(PROBES):
                    for name, moved in self._probe(unit, magnified).items():
                        distance = np.abs(np.real(moved).astype(float) - np.real(exact[name]))
                        worst[name] = np.maximum(worst[name], distance / magnified)
            self._known[unit] = worst
        return self._known[unit]

    def _probe(self, unit: float, magnified: float) -> Arrays:
        """Return the gradients of a run that rounds otherwise."""
        own = magnified == 1 and not self.subject.in_float64
        shake = Shake(self.rng, unit, own, magnified)

        def gradients(move: Callable[[Any], Array]) -> Arrays:
            arrays = {name: move(array) for name, array in self.subject.arrays.items()}
            doutputs = like(self.doutputs, (move(dy) for dy in leaves(self.doutputs)))
            return gradients_of(self.subject, doutputs, arrays)

        with np.errstate(all="ignore"):
            try:
                return gradients(shake)
            except Exception:  # code that takes no other kind of array: the arguments alone move
                return gradients(lambda array: np.array(shake(array)))
