"""Against 50 digits; and where gates saturate, against the bound of ``balls.py``.

The 50-digit numbers are ``textbook.py`` on mpmath's, and for gradients its complex step: both are
independent of every line of the package. Gradients are compared along one random direction v of
each array: an error e of a gradient shows as |⟨e, v⟩|, on average ‖e‖.
"""

from __future__ import annotations

import mpmath
import numpy as np
from balls import solve
from cases import LSTMCase
from compare import EPS, assert_close, assert_small, norm, norms, note_worst
from directions import inner, jvp, random_like
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import textbook_outputs
from strategies import each_problem, lstm_cases

STEP = mpmath.mpf("1e-60")  # its square is beyond 50 digits
TINY = {"T": st.integers(1, 3), "D": st.integers(1, 2), "H": st.integers(1, 2)}
SATURATED = {
    "kind": "standard",  # whose rounding ``balls.py`` follows
    "scale": st.sampled_from([3.0, 10.0, 30.0, 100.0]),
    "batch_first": False,
    "T": st.integers(1, 6),
    "N": st.integers(1, 3),
}
few_examples = settings(max_examples=max(1, settings().max_examples // 3))

to_mp = np.frompyfunc(lambda number: mpmath.mpf(float(number)), 1, 1)
imag = np.frompyfunc(lambda number: number.imag, 1, 1)


def exact_outputs(problem):
    with mpmath.workdps(50):
        return textbook_outputs(
            problem.change({n: to_mp(a) for n, a in problem.inputs.items()}), mpmath
        )


def exact_errors(problem, gradients, directions):
    """⟨g, v⟩ - ⟨u, J v⟩ for each array of ``gradients`` by itself, rounded once at the end."""
    errors = {}
    with mpmath.workdps(50):
        inputs = {n: to_mp(a) for n, a in problem.inputs.items()}
        for name, v in directions.items():
            moved = inputs | {name: inputs[name] + mpmath.mpc(0, STEP) * to_mp(v)}
            outputs = textbook_outputs(problem.change(moved), mpmath)
            slopes = {n: imag(out) / STEP for n, out in outputs.items()}
            expected = sum(np.sum(to_mp(u) * slopes[n]) for n, u in problem.upstream.items())
            errors[name] = float(np.sum(to_mp(gradients[name]) * to_mp(v)) - expected)
    return errors


@few_examples
@each_problem(**TINY)
def test_tiny_nets_are_right_to_1e_14(problem):
    """45 roundings, norm-wise, forward and backward."""
    outputs, gradients = problem.solve()
    exact = {n: a.astype(float) for n, a in exact_outputs(problem).items()}
    assert_close("outputs = 50 digits", outputs, exact, 1e-14, 1.0)
    directions = random_like(gradients, seed=5)
    for name, error in exact_errors(problem, gradients, directions).items():
        size, floor = norm(gradients[name]), norms(problem.upstream)
        assert_small("gradients = 50 digits", name, abs(error), size, 1e-14, floor)


def assert_within(what, name, error, bound):
    assert (error <= bound).all(), f"{what}: {name} is off by\n{error}\nmore than\n{bound}"
    note_worst(f"{what}, as part of the bound", np.max(error / (bound + (bound == 0)), initial=0))


@few_examples
@given(case=lstm_cases(**SATURATED | TINY))
def test_saturated_tiny_nets_are_within_one_radius_of_50_digits(case):
    problem = case.problem()
    outputs, gradients = problem.solve()
    output_balls, gradient_balls = solve(problem)
    for name, exact in exact_outputs(problem).items():
        error = abs(outputs[name] - exact.astype(float))
        assert_within("saturated = 50 digits", name, error, output_balls[name].rad)
    directions = random_like(gradients, seed=5)
    for name, error in exact_errors(problem, gradients, directions).items():
        bound = np.vdot(gradient_balls[name].rad, abs(directions[name]))
        assert_within("saturated = 50 digits", name, np.abs(error), bound)


@given(case=lstm_cases(**SATURATED))
def test_saturated_gradients_are_within_two_radii_of_the_complex_step(case):
    """One for backward, one for the complex step; weights up to 100.

    The inner product over n entries adds its own rounding, at most n u Σ|g||v| on either side.
    """
    problem = case.problem()
    gradients = problem.gradients()
    _, balls = solve(problem)
    for name, v in random_like(gradients, seed=6).items():
        slope = inner(problem.upstream, jvp(problem, {name: v}))
        g = gradients[name]
        bound = 2 * np.vdot(balls[name].rad, abs(v)) + g.size * EPS * np.vdot(abs(g), abs(v))
        error = np.abs(np.vdot(g, v) - slope)
        assert_within("saturated = complex step", name, error, bound)


def test_the_bound_says_something():
    """A bound that is computed could be useless; this one is not.

    On moderate nets it proves the 1e-12 that ``test_gradients.py`` demands, and with weights up to
    100 it still promises ten digits of most arrays.
    """
    rng = np.random.default_rng(0)
    relative = {1.0: [], 100.0: []}
    for scale, radii in relative.items():
        for seed in range(30):
            N, D, H, T, layers = (int(n) for n in rng.integers(1, 4, 5))
            case = LSTMCase(N, D, H, scale=scale, seed=seed, T=T, layers=layers)
            for balls in solve(case.problem()):
                radii += [norm(b.rad) / norm(b.mid) for b in balls.values() if b.mid.any()]
    assert max(relative[1.0]) < 1e-12
    assert np.median(relative[100.0]) < 1e-10
