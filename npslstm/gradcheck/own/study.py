"""Look at an LSTM that is not ours, once it is checked: its layout, its mistake, what is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...arguments import Array
from ..report import FAILED, OK
from ..subject import Arrays, Run, Subject, run_on_copies
from ..trees import leaves, like
from .layout import LSTMLayout, time_first
from .search import find_layout, refit
from .suspects import Evidence, Suspects, suspects
from .words import blocks_seen, patterns, steps_seen, the_rest_is_right

__all__ = ["Case", "Findings", "study"]

GATE_NAMES = ("the input gate", "the forget gate", "the candidate", "the output gate")
AFFORDABLE = 2000  # entries whose right gradients are taken one by one
COST = 1e7  # multiplications of one forward with which every known mistake is tried
FAULTS = {"writes to its arguments": "writes_to_dc", "called twice": "mutates_cache"}
QUARTERS = ("the first", "the second", "the third", "the last")


@dataclass(frozen=True)
class Case:
    """One check of gradients, and the means to repeat it."""

    subject: Subject
    given: Mapping[str, Array]  # the gradients that backward returned
    wrong: Sequence[str]  # whose gradients were found wrong
    faults: Sequence[str]  # what is wrong beside them
    numeric: Callable[[str], Array]  # the right gradient of one array, entry by entry
    judge: Callable[[Arrays], Mapping[str, str]]  # the verdict on each, for other arrays

    @property
    def arrays(self) -> Arrays:
        """Its parameters, states and x."""
        return self.subject.arrays

    def with_arrays(self, **changed: Array) -> Case:
        """Return the case with some arrays changed."""
        arrays = {**self.arrays, **changed}
        return replace(self, subject=self.subject._replace(arrays=arrays))

    def forward(self) -> list[Array]:
        """Return the outputs."""
        return list(map(np.asarray, leaves(self._run().outputs)))

    def backward(self, doutputs: Sequence[Array]) -> Arrays:
        """Return the gradients for gradients of the outputs."""
        run = self._run()
        found = run.backward(like(run.outputs, iter(doutputs)))
        # Copies, for backward may fill the same arrays at its next call.
        return {name: np.array(np.real(dy)) for name, dy in found.items() if dy is not None}

    def right(self, name: str) -> Array:
        """Return the right gradient of an array; what passed is right."""
        return self.numeric(name) if name in self.wrong else np.asarray(self.given[name])

    def _run(self) -> Run:
        return run_on_copies(self.subject, self.arrays)


@dataclass(frozen=True)
class Findings:
    """What a report says of it."""

    layout: str | None = None
    suspects: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


def study(case: Case, rng: np.random.Generator) -> Findings:
    """Find the layout; and where gradients are wrong, what leads to the mistake."""
    outputs = case.forward()
    layout = find_layout(case.arrays, outputs)
    text = layout.text if layout else None
    if not case.wrong:
        names = [name for fault, name in FAULTS.items() if any(fault in f for f in case.faults)]
        return Findings(text, names if layout else [])
    named, beside = Suspects([], ""), None
    if layout and layout.exact:
        evidence = []
        for first in (False, True):
            doutputs = layout.upstream(outputs, rng, first)
            evidence.append(Evidence(doutputs, case.backward(doutputs)))
        if layout.cost(case.arrays) <= COST:
            named = suspects(layout, case.arrays, evidence)
    if sum(case.arrays[name].size for name in case.wrong) <= AFFORDABLE:
        beside = case.given, {name: case.right(name) for name in case.given}
    elif layout and layout.exact:  # held to ours, which is quicker
        right = layout.gradients(case.arrays, evidence[0].doutputs)
        beside = evidence[0].wrong, {**evidence[0].wrong, **right}
    seen = _seen(case, layout, *beside, named.equal) if beside else ()
    return Findings(text, named.names, [*filter(None, [named.text]), *seen])


def _seen(
    case: Case,
    layout: LSTMLayout | None,
    given: Mapping[str, Array],
    right: Mapping[str, Array],
    explained: bool,
) -> Iterator[str]:
    """Say what the gradients show that were returned, beside the right ones.

    Where a known mistake has ``explained`` them, nobody need guess where it is.
    """
    axis = layout.axes.find("T") if layout else _time_axis(case)
    rows = time_first(case.arrays["x"], layout.axes).shape[1] if layout else 1
    yield from patterns(given, right, case.wrong, rows)
    if "x" in case.wrong and axis >= 0:
        yield from steps_seen(given["x"], right["x"], axis)
    if layout and layout.readout:
        readout = [name for name in (layout.readout.weight, layout.readout.bias) if name]
        yield from the_rest_is_right(list(given), case.wrong, readout)
    of_gates = _gates(case, layout, given, right) if layout else []
    yield from of_gates if layout else _quarters(given, right)
    if axis >= 0:
        yield from _by_length(case, axis, layout, explained)
        if layout and layout.exact and not of_gates:
            yield from _one_step(case, layout, axis)
    yield from _by_states(case, [name for name in layout.states if name] if layout else [])


def _gates(
    case: Case, layout: LSTMLayout, given: Mapping[str, Array], right: Mapping[str, Array]
) -> list[str]:
    """Say which gates' blocks are wrong, where the names of the arrays do not say so."""
    if layout.reading.keys:
        return []
    zeros = {name: np.zeros_like(array) for name, array in case.arrays.items()}
    ours, theirs = (layout.gates_of({**zeros, **gradients}) for gradients in (given, right))
    return blocks_seen(ours, theirs, GATE_NAMES)


def _one_step(case: Case, layout: LSTMLayout, axis: int) -> Iterator[str]:
    """Say which gates' blocks are wrong of one step, where other steps do not mix them."""
    one = case.with_arrays(x=case.arrays["x"].take([0], axis))
    rng = np.random.default_rng(0)
    try:
        outputs = one.forward()
        short = refit(layout, one.arrays, outputs)
        if short is None:
            return
        doutputs = short.upstream(outputs, rng)
        given = one.backward(doutputs)
    except Exception:  # somebody's code, which need not take one step
        return
    right = short.gradients(one.arrays, doutputs)
    for sentence in _gates(one, short, given, {**given, **right}):
        yield f"at T = 1, {sentence}"


def _time_axis(case: Case) -> int:
    """Return the axis of x that is time, or -1 if that cannot be told.

    Cut along time, x gives the same outputs, as far as it goes; so it does along the batch, where
    turned round it gives the outputs turned round, too.
    """
    x, y = case.arrays["x"], case.forward()[0]
    for axis in range(x.ndim):
        if x.shape[axis] > 1:
            try:
                short = case.with_arrays(x=x.take([0], axis)).forward()[0]
                turned = case.with_arrays(x=np.flip(x, axis)).forward()[0]
            except Exception:  # somebody's code, which need not take such an x
                continue
            for out in range(y.ndim):
                if _same(y.take([0], out), short) and not _same(np.flip(y, out), turned):
                    return axis
    return -1


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.allclose(one, other)


def _by_length(case: Case, axis: int, layout: LSTMLayout | None, explained: bool) -> Iterator[str]:
    """Say what one step shows, and what two."""
    steps = case.arrays["x"].shape[axis]
    if steps < 2:
        return
    one = _verdicts(case, x=case.arrays["x"].take([0], axis))
    wrong = [name for name in one if one[name] == FAILED]
    right = [name for name in case.wrong if one.get(name) == OK]
    if wrong and right:
        yield f"at T = 1, {', '.join(wrong)} wrong, {', '.join(right)} right"
    elif wrong:
        yield "wrong at T = 1 already: the mistake shows in a single step"
    elif one:
        two = _verdicts(case, x=case.arrays["x"].take([0, 1], axis))
        if FAILED in two.values():
            if not explained:
                yield (
                    "right at T = 1, wrong from T = 2 on: the mistake is in what goes from step "
                    f"to step{_hidden(case, layout)}"
                )
        elif two:
            yield f"right at T = 1 and T = 2, wrong at T = {steps}"


def _hidden(case: Case, layout: LSTMLayout | None) -> str:
    """Say what one step cannot show, because it is multiplied by a state that is 0."""
    h, c = layout.states if layout else (None, None)
    parts = {"the forget gate": c, "W_hh": h}
    hidden = [part for part, name in parts.items() if not name or not case.arrays[name].any()]
    where = " or ".join(hidden)
    return f", or in {where}, which one step from zero states cannot show" if hidden else ""


def _by_states(case: Case, states: Sequence[str]) -> Iterator[str]:
    """Say what starting from zeros shows."""
    if any(np.any(case.arrays[name]) for name in states):
        zeros = {name: np.zeros_like(case.arrays[name]) for name in states}
        found = _verdicts(case, **zeros)
        if found and FAILED not in found.values():
            yield f"right where {' and '.join(states)} are 0, wrong from other states"


def _verdicts(case: Case, **changed: Array) -> Mapping[str, str]:
    """Return the verdict on each gradient with some arrays changed; none if it does not run."""
    try:
        return case.judge({**case.arrays, **changed})
    except Exception:  # somebody's code, which need not take such arrays
        return {}


def _quarters(given: Mapping[str, Array], right: Mapping[str, Array]) -> Iterator[str]:
    """Say which quarters of an axis are wrong, where the layout is not known."""
    for name in given:
        for axis, length in enumerate(right[name].shape):
            if length % 4 == 0 and name != "x":
                ours, theirs = ({name: np.split(g[name], 4, axis)} for g in (given, right))
                names = [f"{word} quarter along axis {axis}" for word in QUARTERS]
                yield from blocks_seen(ours, theirs, names)
