"""Hold hand-derived gradients to the complex step: ours, or yours.

The outputs of what is checked are joined to one number, Σ upstream ⊙ output, with a random upstream
gradient on each of them: on out, h_n and c_n. Then each parameter, the input and each initial state
are moved by themselves, from initial states that are not zero. A check from zeros, over one step,
or of a loss that reads only the last h, is blind to most of the mistakes that are made in public.

A gradient check says nothing of the forward: backward may be the exact gradient of a wrong LSTM.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .. import losses
from ..arguments import Array, check_loss, generator
from ..kernel.layout import Layout
from .comparison import Comparison
from .differences import EPS, noise_of, typical_size
from .faults import behaviour_of, faults_of_none
from .found import UNDERFLOW, norm
from .intermediates import check_step
from .moves import Moves
from .own.study import Case, Findings, study
from .own.take import is_ours, taken
from .report import FAILED, SKIPPED, GradientReport, GradientRow
from .subject import (
    Arrays,
    Subject,
    check_params,
    gradients_of,
    run_on_copies,
    with_loss,
)
from .trees import in_double, is_single, leaves, like

__all__ = ["GradientReport", "check_gradients"]

AFFORDABLE = 2000  # entries that are taken one by one unless the caller says otherwise


def check_gradients(
    layer: Any,
    x: Array,
    state: Any = None,
    *,
    params: dict[str, Array] | None = None,
    names: Sequence[str | None] | None = None,
    skip: Collection[str] = (),
    lift: bool = False,
    y: Any = None,
    loss: Callable[..., tuple[Any, Array]] | None = None,
    mode: Literal["elementwise", "directional", "intermediates"] | None = None,
    at: tuple[int, ...] | None = None,
    tolerance: float = 1e-12,
    seed: np.random.Generator | int = 0,
    verbose: bool = True,
    **options: Any,
) -> GradientReport:
    """Compare every gradient of a layer with the complex step, and print the table.

    Parameters
    ----------
    layer : LSTMCell, LSTM, LSTMModel, RNN, Linear, or a pair of functions (forward, backward)
        Any object with ``params``, ``forward``, ``backward`` and ``astype`` after their pattern.
        Of a pair, ``forward(x, **params)`` returns one or more outputs and then a cache, and
        ``backward(cache, *doutputs)`` returns dx, or None for it, and a dictionary of the gradients
        of ``params``. An object that keeps its caches and gradients itself is taken as by
        :func:`of_object`.
    x : ndarray
        The input.
    state : as the layer's, optional
        The initial state; drawn from a normal distribution by default. A pair of functions has its
        initial states among ``params``.
    params : dict of ndarray
        Of a pair of functions alone: every other array to differentiate by.
    names : sequence of str, optional
        Of a backward that returns a tuple: whose gradient each is, ``("x", "W", "b")``; None for
        one to be passed over.
    skip : set of str
        Arrays whose gradients are not checked, or not given.
    lift : bool
        Let real or float32 buffers of functions hold complex numbers while the complex step runs.
    y, loss : optional
        Check under ``loss(output, y) -> (value, gradient)`` on the first output: cross-entropy if
        there is a ``y`` and no ``loss``. Other outputs get a random upstream gradient all the same.
    mode : {"elementwise", "directional", "intermediates"}, optional
        Compare every entry of every array; or one random direction in each array, at the cost of
        one complex forward; or, for an LSTM, every quantity of the derivation at one step, under
        random upstream gradients. By default every entry if there are at most 2,000.
    at : (layer, step) or (layer, step, direction), optional
        Where to take the derivation apart, in mode "intermediates": the bottom layer's middle step
        by default. Direction 1 is the reverse, whose steps count from each row's end.
    tolerance : float
        Largest relative error, of each entry, or along a direction of the array's norm; below 1.
    seed : numpy.random.Generator or int
        Draws directions, upstream gradients and states: the same seed, the same check.
    verbose : bool
        Whether to print the report.
    **options
        Passed to every forward: ``lengths``, ``dropout_masks``, ``checkpoint_every``, …; of an
        ``rng`` every call gets a copy, so that the dropout mask stays the same.

    Returns
    -------
    GradientReport
        True if all is right; ``rows`` holds the table as data, ``verdict`` is "passed", "FAILED",
        or "undecided" where rounding is amplified so much that no check could tell.

    Warns
    -----
    UserWarning
        Where the complex step does not apply, and central differences stand in.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit, a gradient is missing or has the wrong shape, or forward gives
        two answers for one input.

    Notes
    -----
    float32 is checked in float64: a complex step in float32 could not tell a mistake of relative
    size 1e-6 from rounding, and it is the same code. A pair of functions that computes in float32
    whatever it is given is held to the rounding of float32, and the report says so.

    What misses the tolerance is held to what rounding can do to it, as where gates are saturated.
    That is measured, for layers and for functions of yours that compute with NumPy's arrays
    (``shaken.py``); of numbers that leave NumPy, as in the math module, it sees nothing.

    Backward is also run with None for each upstream gradient for which its signature has None, as a
    default or in an annotation: that must be the same as zeros.

    Examples
    --------
    >>> from npslstm import LSTM
    >>> report = check_gradients(LSTM(3, 2, rng=0), np.ones((5, 1, 3)), verbose=False)
    >>> report.passed, [row.name for row in report.rows]  # doctest: +NORMALIZE_WHITESPACE
    (True, ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0', 'x', 'h_0', 'c_0'])
    """
    if mode not in (None, "elementwise", "directional", "intermediates"):
        raise ValueError(
            f'mode: expected "elementwise", "directional" or "intermediates", given {mode!r}'
        )
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
        given = getattr(x, "dtype", type(x).__name__)
        raise TypeError(
            f"x: expected a NumPy array of float32 or float64, given {given}; "
            "np.array(x, float) makes one"
        )
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float | np.number):
        raise TypeError(f"tolerance: expected a number, given {type(tolerance).__name__}")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance: expected at least 0 and less than 1, given {tolerance}")
    if not isinstance(seed, int | np.integer | np.random.Generator):
        raise TypeError(
            f"seed: expected an int or a numpy.random.Generator, given {type(seed).__name__}"
        )
    if params is not None:
        check_params(params)
    given = (x, state, params, y, options)
    single = any(map(is_single, leaves((given, getattr(layer, "params", None)))))
    x, state, params, y, options = in_double(given)
    rng = generator(seed)
    if mode == "intermediates":
        report = check_step(layer, x, state, at, options, tolerance, rng)
    else:
        if at is not None:
            raise ValueError(f'at: expected None unless mode is "intermediates", given {at}')
        own = {"names": names, "skip": skip, "lift": lift}
        subject = taken(layer, x, state, params, options, own, rng)
        lossless = subject
        if loss is not None or y is not None:
            loss = losses.cross_entropy if loss is None else loss
            check_loss(loss)
            mask = _loss_mask(layer, x, options)
            subject = with_loss(subject, lambda output: loss(output, y, **mask))
        with np.errstate(all="ignore"):  # what is not finite is reported
            report = _check(subject, lossless, mode, tolerance, rng, not is_ours(layer))
    if not isinstance(seed, np.random.Generator):
        report = replace(report, title=f"{report.title}, seed {seed}")
    if single:
        report.notes.append(
            "float32 was checked in float64, which is the same code: against the rounding errors "
            "of float32 a complex step could not tell a mistake of relative size 1e-6"
        )
    if verbose:
        print(report)
    return report


def _loss_mask(layer: Any, x: Array, options: dict[str, Any]) -> dict[str, Any]:
    """Return the mask that the model's own ``loss_and_grads`` would give to the loss."""
    lengths = options.get("lengths")
    if lengths is None or getattr(layer, "readout", None) != "all":
        return {}
    return {"mask": Layout.of(x, layer.lstm.batch_first, lengths).valid_steps()}


def _check(
    subject: Subject,
    lossless: Subject,
    mode: str | None,
    tolerance: float,
    rng: np.random.Generator,
    studied: bool = False,
) -> GradientReport:
    """Hold the gradient of every array to the differences; ``studied``: and say what is seen."""
    arrays = subject.arrays
    outputs = run_on_copies(subject, arrays).outputs
    doutputs = _upstream(outputs, rng)
    gradients = gradients_of(subject, doutputs)
    if not gradients:
        raise ValueError("backward: expected a gradient to check, given none")
    behaviour = behaviour_of(subject, outputs, doutputs, gradients)
    faults = behaviour.faults
    if not all(np.isfinite(output).all() for output in leaves(outputs)):
        faults.append("forward gives numbers that are not finite")

    def terms(moved: Arrays) -> list[Any]:
        pairs = zip(leaves(doutputs), leaves(run_on_copies(subject, moved).outputs), strict=True)
        return [dy * output for dy, output in pairs]

    def objective(moved: Arrays) -> Any:
        return sum(term.sum() for term in terms(moved))

    if mode is None:
        affordable = sum(array.size for array in arrays.values()) <= AFFORDABLE
        mode = "elementwise" if affordable else "directional"
    scale = norm(np.array([norm(term) for term in terms(arrays)]))
    moves = Moves(subject, doutputs, rng, behaviour.repeats)
    comparison = Comparison(
        elementwise=mode == "elementwise",
        tolerance=tolerance,
        rng=rng,
        noise=max(_noise(objective, arrays, rng), EPS * scale),
        rounding=moves.rounding,
        coarse=moves.coarse,
        lifted=subject.lifted,
        scale=scale,
        tiny=any(0 < norm(array) <= UNDERFLOW for array in arrays.values()),
    )

    def of_one(name: str) -> Callable[[Array], Any]:
        return lambda moved: objective({**arrays, name: moved})

    def row(name: str, array: Array) -> GradientRow:
        if name not in gradients:
            return GradientRow(name, SKIPPED, 0.0, None, None, 0.0)
        return comparison.row(name, of_one(name), array, gradients[name])

    def numeric(name: str) -> Array:
        return comparison.entries(name, of_one(name), arrays[name])

    def judge(moved: Arrays) -> dict[str, str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            part = subject._replace(arrays=moved), lossless._replace(arrays=moved)
            report = _check(*part, "directional", tolerance, rng)
        return {row.name: row.verdict for row in report.rows}

    rows = [row(name, array) for name, array in arrays.items()]
    if behaviour.repeats:
        dy = _upstream(run_on_copies(lossless, arrays).outputs, rng)
        faults = faults + faults_of_none(lossless, dy, behaviour.keeps)
    notes = behaviour.notes + comparison.notes()
    findings = Findings()
    if studied:
        reals = {name: np.real(gradient) for name, gradient in gradients.items()}
        failed = [row.name for row in rows if row.verdict == FAILED]
        findings = study(Case(lossless, reals, failed, faults, numeric, judge), rng)
    title = f"{subject.title}: every gradient, {mode}"
    return GradientReport(
        title, rows, faults, notes, findings.layout, findings.suspects, findings.seen
    )


def _upstream(outputs: list[Any], rng: np.random.Generator) -> Any:
    """Draw a gradient for each output."""
    return like(outputs, (rng.standard_normal(np.shape(output)) for output in leaves(outputs)))


def _noise(objective: Callable[[Arrays], Any], arrays: Arrays, rng: np.random.Generator) -> float:
    """Measure how far rounding puts the objective off."""
    directions = {
        name: typical_size(array) * rng.standard_normal(array.shape)
        for name, array in arrays.items()
    }

    def value(s: float) -> float:
        moved = {name: array + s * directions[name] for name, array in arrays.items()}
        return float(objective(moved))

    return noise_of(value, 1.0)
