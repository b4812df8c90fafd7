"""Hold hand-derived gradients to the complex step: ours, or yours.

The outputs of what is checked are joined to one number, Σ upstream ⊙ output, with a random upstream
gradient on each of them: on out, h_n and c_n. Then each parameter, the input and each initial state
are moved by themselves, from initial states that are not zero. A check from zeros, over one step,
or of a loss that reads only the last h, is blind to most of the mistakes that are made in public.

A gradient check says nothing of the forward: backward may be the exact gradient of a wrong LSTM.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .. import losses
from ..arguments import Array, generator
from ..kernel.layout import Layout
from .comparison import Comparison
from .differences import EPS
from .intermediates import check_step
from .report import GradientReport, GradientRow
from .rounding import rounding
from .subject import (
    Arrays,
    Subject,
    faults_of,
    gradients_of,
    in_double,
    is_single,
    leaves,
    like,
    of_functions,
    of_layer,
    run_on_copies,
    with_loss,
)

__all__ = ["GradientReport", "check_gradients"]

AFFORDABLE = 2000  # entries that are taken one by one unless the caller says otherwise


def check_gradients(
    layer: Any,
    x: Array,
    state: Any = None,
    *,
    params: dict[str, Array] | None = None,
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
        ``backward(cache, *doutputs)`` returns dx and a dictionary of the gradients of ``params``.
    x : ndarray
        The input.
    state : as the layer's, optional
        The initial state; drawn from a normal distribution by default. A pair of functions has its
        initial states among ``params``.
    params : dict of ndarray
        Of a pair of functions alone: every other array to differentiate by.
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
        Largest relative error ‖analytic - numeric‖ / ‖numeric‖ of an array.
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
        True if all is right; ``rows`` holds the table as data.

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
    size 1e-6 from rounding, and it is the same code. Where gates are saturated, a gradient is held
    to what rounding can do to it (``rounding.py``), and the report says so.

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
        raise TypeError(f"x: expected a NumPy array of float32 or float64, given {given}")
    if not isinstance(seed, int | np.integer | np.random.Generator):
        raise TypeError(
            f"seed: expected an int or a numpy.random.Generator, given {type(seed).__name__}"
        )
    given = (x, state, params, y, options)
    single = any(map(is_single, leaves((given, getattr(layer, "params", None)))))
    x, state, params, y, options = in_double(given)
    rng = generator(seed)
    if mode == "intermediates":
        report = check_step(layer, x, state, at, options, tolerance, rng)
    else:
        if at is not None:
            raise ValueError(f'at: expected None unless mode is "intermediates", given {at}')
        subject = _subject(layer, x, state, params, options, rng)
        if loss is not None or y is not None:
            loss = losses.cross_entropy if loss is None else loss
            mask = _loss_mask(layer, x, options)
            subject = with_loss(subject, lambda output: loss(output, y, **mask))
        report = _check(subject, mode, tolerance, rng)
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


def _subject(
    layer: Any,
    x: Array,
    state: Any,
    params: Arrays | None,
    options: dict[str, Any],
    rng: np.random.Generator,
) -> Subject:
    """Take a layer or a pair of functions, as it comes."""
    if isinstance(layer, tuple) and len(layer) == 2:
        if state is not None:
            raise TypeError("state: expected among params, for a pair of functions")
        forward, backward = layer
        return of_functions(forward, backward, x, params or {}, options)
    if params is not None:
        raise TypeError("params: expected None unless layer is a pair of functions")
    return of_layer(layer, x, state, options, rng)


def _loss_mask(layer: Any, x: Array, options: dict[str, Any]) -> dict[str, Any]:
    """Return the mask that the model's own ``loss_and_grads`` would give to the loss."""
    lengths = options.get("lengths")
    if lengths is None or getattr(layer, "readout", None) != "all":
        return {}
    return {"mask": Layout.of(x, layer.lstm.batch_first, lengths).valid_steps()}


def _check(
    subject: Subject, mode: str | None, tolerance: float, rng: np.random.Generator
) -> GradientReport:
    """Hold the gradient of every array to the differences."""
    arrays = subject.arrays
    outputs, _ = run_on_copies(subject, arrays)
    upstream = [rng.standard_normal(np.shape(output)) for output in leaves(outputs)]
    doutputs = like(outputs, iter(upstream))
    gradients = gradients_of(subject, doutputs)

    def objective(moved: Arrays) -> Any:
        terms = zip(upstream, leaves(run_on_copies(subject, moved)[0]), strict=True)
        return sum((dy * output).sum() for dy, output in terms)

    if mode is None:
        affordable = sum(array.size for array in arrays.values()) <= AFFORDABLE
        mode = "elementwise" if affordable else "directional"
    terms = (
        np.linalg.norm(dy * np.maximum(1, np.abs(output)))
        for dy, output in zip(upstream, leaves(outputs), strict=True)
    )
    comparison = Comparison(
        elementwise=mode == "elementwise",
        tolerance=tolerance,
        rng=rng,
        noise=8 * EPS * float(sum(terms)),
        rounding=rounding(lambda: gradients_of(subject, doutputs), rng),
    )
    largest = max(float(np.linalg.norm(gradient)) for gradient in gradients.values())

    def row(name: str, array: Array) -> GradientRow:
        def function(moved: Array) -> Any:
            return objective({**arrays, name: moved})

        return comparison.row(name, function, array, gradients[name], largest)

    rows = [row(name, array) for name, array in arrays.items()]
    return GradientReport(
        f"{subject.title}: every gradient, {mode}",
        rows,
        faults_of(subject, outputs, doutputs, gradients),
        comparison.notes(),
    )
