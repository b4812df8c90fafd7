"""Forward of cell, LSTM and model against ``textbook.py``, one number at a time.

A gradient check cannot see a wrong forward; this can. The two round differently in every function
and sum, over a few steps and layers: 1e-13 is 450 roundings.
"""

from __future__ import annotations

import cmath

import numpy as np
from compare import assert_close
from reference import textbook_outputs
from strategies import each_problem


@each_problem()
def test_forward_equals_the_textbook(problem):
    expected = textbook_outputs(problem)
    assert_close("forward = textbook", problem.outputs(), expected, 1e-13, 1.0)


@each_problem()
def test_forward_equals_the_textbook_on_complex_numbers(problem):
    """Not with a tiny imaginary part but within the disc where tanh and σ have no pole near."""
    rng = np.random.default_rng(4)
    phases = {n: np.exp(0.3j * rng.uniform(-1, 1, a.shape)) for n, a in problem.inputs.items()}
    problem = problem.change({n: a * phases[n] for n, a in problem.inputs.items()})
    expected = textbook_outputs(problem, cmath)
    assert_close("complex forward = textbook", problem.outputs(), expected, 1e-12, 1.0)


@each_problem(dropout=False, checkpoint_every=None)
def test_inference_gives_the_bits_of_forward(problem):
    outputs, inferred = problem.outputs(), problem.infer()
    for name, array in inferred.items():
        np.testing.assert_array_equal(array, outputs[name], name, strict=True)
