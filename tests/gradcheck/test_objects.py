"""Objects and pairs of functions that follow their own conventions are taken as they are."""

from __future__ import annotations

import re
import sys
import threading

import numpy as np
import pytest
from strangers import load

from npslstm.gradcheck import check_gradients, of_object
from npslstm.gradcheck.own.paths import copied

X = np.random.default_rng(0).standard_normal((3, 2))
SHORT = {"verbose": False}


class Linear:
    """y = x W + b, with gradients as attributes; forward goes wrong if an object is used twice."""

    def __init__(self):
        self.W, self.b = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([7.0, 8.0, 9.0])
        self.dW, self.db, self.runs = np.zeros((2, 3)), np.zeros(3), 0

    def forward(self, x):
        self.x, self.runs = x, self.runs + 1
        return x @ self.W * self.runs + self.b

    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0)
        return dy @ self.W.T


def passes(pair, rows, x=X, **options):
    report = check_gradients(pair, x, **SHORT, **options)
    assert report.passed, str(report)
    assert report.worst < 1e-14
    assert {row.name for row in report.rows} == set(rows)
    return report


# Objects


@pytest.mark.parametrize("name", ["attributes", "diffs", "keras", "lists"])
def test_the_strangers_with_objects(name):
    module = load(name)
    passes(module.layer, {*module.layer.params, "x"}, module.example())


@pytest.mark.parametrize("lift", [False, True])
@pytest.mark.parametrize("held", [np, threading.Lock(), sys.stderr], ids=["np", "lock", "file"])
def test_an_object_may_hold_what_refuses_to_be_copied(held, lift):
    made = Linear()
    made.held = [held]
    passes(made, {"W", "b", "x"}, lift=lift)
    passes(of_object(lambda: copied(made), ("W", "b"), "d{}", lift=lift), {"W", "b", "x"})


def test_gradients_in_a_dictionary_come_before_attributes():
    class InDictionaries:
        def __init__(self):
            self.params, self.grads, self.dW = {"W": np.ones((2, 3))}, {}, np.zeros((2, 3))

        def forward(self, x):
            self.x = x
            return x @ self.params["W"]

        def backward(self, dy):
            self.grads["W"] = self.x.T @ dy
            return dy @ self.params["W"].T

    passes(InDictionaries(), {"W", "x"})


@pytest.mark.parametrize("name", ["attributes", "diffs", "keras", "lists"])
def test_an_object_after_a_common_pattern_needs_no_wrapper(name):
    module = load(name)
    made = {
        "attributes": lambda: module.LSTM(2, 3),
        "diffs": lambda: module.Layer(2, 3, 4, 2),
        "keras": lambda: module.LSTMLayer(3, 2, np.random.default_rng(0)),
        "lists": lambda: module.TimeLSTM(*module.weights),
    }[name]()
    passes(made, {*module.layer.params, "x"}, module.example(), lift=True)


def test_every_run_takes_a_fresh_object():
    passes(of_object(Linear, params=("W", "b")), {"W", "b", "x"})
    one = Linear()
    passes(of_object(lambda: Linear(), params=("W", "b"), grads="d{}"), {"W", "b", "x"})
    assert (one.runs, one.dW.any()) == (0, False)


def test_where_parameters_and_gradients_may_be():
    class Net:
        def __init__(self, attach):
            self.inner = Linear()
            attach(self)

        def forward(self, x):
            return self.inner.forward(x)

        def backward(self, dy):
            dx = self.inner.backward(dy)
            self.found = {"W": self.inner.dW, "b_": self.inner.db}
            self.W_diff, self.grad_b = self.inner.dW, self.inner.db
            self.listed = [self.inner.dW, self.inner.db]
            return dx

    def by_list(net):
        net.p = [net.inner.W, net.inner.b]

    def by_dict(net):
        net.p = {"W": net.inner.W, "b": net.inner.b}

    passes(of_object(lambda: Net(by_list), "p", "listed"), {"p[0]", "p[1]", "x"})
    passes(of_object(lambda: Net(by_list), ("p[0]",), ("found['W']",)), {"p[0]", "x"})
    passes(of_object(lambda: Net(by_dict), "p", ("found[W]", "found[b_]")), {"W", "b", "x"})
    passes(of_object(lambda: Net(by_dict), "p"), {"W", "b", "x"})
    passes(
        of_object(lambda: Net(by_list), ("inner.W", "inner.b"), "d{}"), {"inner.W", "inner.b", "x"}
    )


def test_methods_that_are_called_or_return_otherwise():
    class Cached:
        def __init__(self):
            self.w = np.array([2.0, 3.0])

        def run(self, x, h0):
            return x * self.w + h0, x.sum(axis=0), (x, h0)

        def bptt(self, dy, cache):
            x, _ = cache
            return dy * self.w, dy, (dy * x).sum(axis=0)

    pair = of_object(Cached, ("w",), names=("x", "h0", "w"), forward="run", backward="bptt")
    passes(pair, {"w", "h0", "x"}, params={"h0": X + 1})


def test_what_is_not_given():
    class Weights(Linear):
        def backward(self, dy):
            super().backward(dy)

    report = passes(of_object(Weights, ("W", "b"), skip={"x"}), {"W", "b", "x"})
    assert {row.name: row.verdict for row in report.rows}["x"] == "not checked"
    with pytest.raises(ValueError, match=re.escape("expected the gradient of x after backward")):
        check_gradients(of_object(Weights, ("W", "b")), X, **SHORT)
    with pytest.raises(ValueError, match="which has no V"):
        of_object(Linear, ("V",))


# Pairs of functions


def multiply(x, w):
    return x * w, (x, w)


def test_a_backward_that_returns_a_tuple_or_a_dictionary():
    def in_order(cache, dy):
        x, w = cache
        return dy * w, "unused", (dy * x).sum(axis=0)

    def by_name(cache, dy):
        x, w = cache
        return {"dx": dy * w, "dw": (dy * x).sum(axis=0)}

    w = np.array([2.0, 3.0])
    passes((multiply, in_order), {"w", "x"}, params={"w": w}, names=("x", None, "w"))
    passes((multiply, by_name), {"w", "x"}, params={"w": w})
    with pytest.raises(ValueError, match="names: expected a name for each of the 3 gradients"):
        check_gradients((multiply, in_order), X, params={"w": w}, names=("x", "w"), **SHORT)


def test_a_gradient_that_is_skipped_is_not_checked():
    def wrong_dx(cache, dy):
        x, _ = cache
        return 0 * x, {"w": (dy * x).sum(axis=0)}

    pair, params = (multiply, wrong_dx), {"w": np.array([2.0, 3.0])}
    assert not check_gradients(pair, X, params=params, **SHORT)
    assert check_gradients(pair, X, params=params, skip={"x"}, **SHORT)


# Buffers


def test_lift_makes_real_buffers_exact_and_the_report_says_that_it_would():
    module = load("cs231n")
    x, params, options = module.example()
    options.pop("lift")
    pair = module.forward, module.backward
    with pytest.warns(UserWarning, match="lift=True"):
        report = check_gradients(pair, x, params=params, **options, **SHORT)
    assert report.passed
    assert any("lift=True" in note for note in report.notes)
    assert all(row.complex_step is None for row in report.rows)
    passes(pair, {*params, "x"}, x, params=params, lift=True, **options)


def test_lifting_leaves_no_trace():
    module = load("lists")
    check_gradients(module.layer, module.example(), **SHORT)
    assert vars(module)["np"] is np
    assert np.zeros(2, np.float32).dtype == np.float32


@pytest.mark.parametrize("state", ["refused", "made anew"])
def test_an_object_that_cannot_be_copied_is_not_used_in_its_place(state):
    class Refusing:
        W = np.ones((3, 5))

        def __getstate__(self):
            if state == "refused":
                raise TypeError("it refuses")
            return {"lock": threading.Lock()}  # another one each time

    with pytest.raises(TypeError, match=r"refuses|cannot pickle"):
        copied(Refusing())
