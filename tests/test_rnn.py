"""The plain RNN's gradients by complex step, its forward from the equations and from PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npslstm.rnn import RNN

STEP = 1e-30  # of the complex-step derivative Im f(z + i·STEP·v)/STEP: no cancellation, so no limit


def draw(seed, steps=4, rows=3, features=2, hidden=5, bias=True, batch_first=False):
    """A float64 RNN, and everything a loss needs: random input, state and upstream gradients."""
    rng = np.random.default_rng(seed)
    rnn = RNN(features, hidden, bias, batch_first, dtype=np.float64, rng=rng)
    lead = (rows, steps) if batch_first else (steps, rows)
    inputs = {"x": rng.normal(size=(*lead, features)), "h_0": rng.normal(size=(1, rows, hidden))}
    upstream = rng.normal(size=(*lead, hidden)), rng.normal(size=(1, rows, hidden))
    return rng, rnn, inputs, upstream


def loss_of(rnn, inputs, upstream):
    out, h_n, _ = rnn.forward(inputs["x"], inputs["h_0"])
    dout, dh_n = upstream
    return (dout * out).sum() + (dh_n * h_n).sum()


def without_cancellation(rnn, inputs, moves, upstream):
    """Bound the terms that make up the loss's change when arrays are moved by ``moves``.

    Rounding is relative to the terms of a sum, which may cancel, as dout and dh_n do at the last
    step; and 1 - h² is known to ε absolutely, however small. So: absolute values, and tanh′ at 1.
    """
    time = int(rnn.batch_first)
    size = {name: abs(array) for name, array in (rnn.params | inputs).items()}
    move = {name: abs(moves.get(name, np.zeros_like(array))) for name, array in size.items()}
    x, move_x, dout = (np.moveaxis(a, time, 0) for a in (size["x"], move["x"], abs(upstream[0])))
    h, move_h, total = size["h_0"][0], move["h_0"][0], 0.0
    outputs, _, _ = rnn.forward(inputs["x"], inputs["h_0"])
    for t, h_t in enumerate(np.moveaxis(abs(outputs), time, 0)):
        move_h = move_h @ size["weight_hh_l0"].T + h @ move["weight_hh_l0"].T
        move_h += move_x[t] @ size["weight_ih_l0"].T + x[t] @ move["weight_ih_l0"].T
        move_h += move.get("bias_ih_l0", 0) + move.get("bias_hh_l0", 0)
        total += (dout[t] * move_h).sum()
        h = h_t
    return total + (abs(upstream[1][0]) * move_h).sum()


@given(
    seed=st.integers(0, 2**32 - 1),
    steps=st.integers(1, 6),
    rows=st.integers(1, 3),
    features=st.integers(1, 4),
    hidden=st.integers(1, 6),
    bias=st.booleans(),
    batch_first=st.booleans(),
)
def test_every_gradient_equals_its_complex_step(
    seed, steps, rows, features, hidden, bias, batch_first
):
    rng, rnn, inputs, upstream = draw(seed, steps, rows, features, hidden, bias, batch_first)
    _, _, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx, dh_0, grads = rnn.backward(cache, *upstream)
    assert grads.keys() == rnn.params.keys()

    analytic = grads | {"x": dx, "h_0": dh_0}
    arrays = rnn.params | inputs
    for name, array in arrays.items():
        direction = rng.normal(size=array.shape)
        twin, moved = rnn.astype(np.complex128), dict(inputs)
        (moved if name in inputs else twin.params)[name] = array + 1j * STEP * direction
        expected = loss_of(twin, moved, upstream).imag / STEP
        found = (analytic[name] * direction).sum()
        scale = without_cancellation(rnn, inputs, {name: direction}, upstream)
        assert abs(found - expected) <= 1e-14 * scale, f"{name}: seed {seed}"
        assert analytic[name].shape == array.shape


def test_forward_is_the_equation():
    """A scalar loop written from (R1) and (R2) that shares nothing with the code."""
    _, rnn, inputs, _ = draw(seed=1, steps=3, rows=2, features=2, hidden=3)
    p = rnn.params
    out, h_n, _ = rnn.forward(inputs["x"], inputs["h_0"])
    for n in range(2):
        h = list(inputs["h_0"][0, n])
        for t in range(3):
            h = [
                math.tanh(
                    sum(p["weight_ih_l0"][j, d] * inputs["x"][t, n, d] for d in range(2))
                    + sum(p["weight_hh_l0"][j, k] * h[k] for k in range(3))
                    + p["bias_ih_l0"][j]
                    + p["bias_hh_l0"][j]
                )
                for j in range(3)
            ]
            np.testing.assert_allclose(out[t, n], h, rtol=1e-14)
        np.testing.assert_array_equal(h_n[0, n], out[-1, n])


@pytest.mark.torch
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_equal_pytorch(torch, bias):
    _, rnn, inputs, (dout, dh_n) = draw(seed=2, bias=bias, batch_first=True)
    theirs = torch.nn.RNN(2, 5, bias=bias, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict({name: torch.from_numpy(p) for name, p in rnn.params.items()})
    x, h_0 = (torch.tensor(inputs[name], requires_grad=True) for name in ("x", "h_0"))
    their_out, their_h_n = theirs(x, h_0)
    torch.autograd.backward(
        [their_out, their_h_n], [torch.from_numpy(dout), torch.from_numpy(dh_n)]
    )

    out, h_n, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx, dh_0, grads = rnn.backward(cache, dout, dh_n)
    ours = {"out": out, "h_n": h_n, "dx": dx, "dh_0": dh_0} | grads
    their = {"out": their_out, "h_n": their_h_n, "dx": x.grad, "dh_0": h_0.grad}
    their |= {name: p.grad for name, p in theirs.named_parameters()}
    assert ours.keys() == their.keys()
    for name, value in ours.items():
        np.testing.assert_allclose(value, their[name].detach(), rtol=1e-12, atol=1e-13)


def test_batch_first_and_one_sequence_are_layouts_only():
    _, rnn, inputs, (dout, dh_n) = draw(seed=3)
    out, h_n, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx, dh_0, grads = rnn.backward(cache, dout, dh_n)

    rnn.batch_first = True
    out_bf, h_n_bf, cache = rnn.forward(inputs["x"].swapaxes(0, 1), inputs["h_0"])
    dx_bf, dh_0_bf, grads_bf = rnn.backward(cache, dout.swapaxes(0, 1), dh_n)
    np.testing.assert_array_equal(out_bf.swapaxes(0, 1), out)
    np.testing.assert_array_equal(dx_bf.swapaxes(0, 1), dx)
    for ours, whole in [(h_n_bf, h_n), (dh_0_bf, dh_0), *((grads_bf[k], grads[k]) for k in grads)]:
        np.testing.assert_array_equal(ours, whole)

    out_1, h_n_1, cache = rnn.forward(inputs["x"][:, 1], inputs["h_0"][:, 1])
    dx_1, dh_0_1, _ = rnn.backward(cache, dout[:, 1], dh_n[:, 1])
    pairs = [(out_1, out[:, 1]), (h_n_1, h_n[:, 1]), (dx_1, dx[:, 1]), (dh_0_1, dh_0[:, 1])]
    for one, batched in pairs:
        assert one.shape == batched.shape
        np.testing.assert_allclose(one, batched, rtol=1e-12, atol=1e-14)


def test_state_passed_on_continues_the_sequence():
    _, rnn, inputs, _ = draw(seed=4, steps=6)
    out, h_n = rnn(inputs["x"], inputs["h_0"])
    first, h = rnn(inputs["x"][:2], inputs["h_0"])
    second, h = rnn(inputs["x"][2:], h)
    np.testing.assert_allclose(np.concatenate([first, second]), out, rtol=1e-14)
    np.testing.assert_allclose(h, h_n, rtol=1e-14)


def test_none_is_zeros_and_backward_twice_is_the_same():
    _, rnn, inputs, (dout, dh_n) = draw(seed=5)
    zeros = np.zeros_like(inputs["h_0"])
    np.testing.assert_array_equal(rnn(inputs["x"])[0], rnn(inputs["x"], zeros)[0])
    _, _, cache = rnn.forward(inputs["x"], inputs["h_0"])
    cases = [((dout, None), (dout, zeros)), ((None, dh_n), (np.zeros_like(dout), dh_n))]
    for short, long in [*cases, ((dout, dh_n), (dout, dh_n))]:
        dx, dh_0, grads = rnn.backward(cache, *short)
        dx_2, dh_0_2, grads_2 = rnn.backward(cache, *long)
        np.testing.assert_array_equal(dx, dx_2)
        np.testing.assert_array_equal(dh_0, dh_0_2)
        for name in grads:
            np.testing.assert_array_equal(grads[name], grads_2[name])


def test_nothing_returned_is_the_caches_or_the_callers():
    """The caller may write to all that it gave or got: a later backward does not notice."""
    _, rnn, inputs, upstream = draw(seed=6)
    out, h_n, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx, dh_0, grads = rnn.backward(cache, *upstream)
    kept = [array.copy() for array in (dx, dh_0, *grads.values())]
    for array in (inputs["x"], inputs["h_0"], out, h_n, dx, dh_0, *grads.values()):
        array[...] = np.nan
    dx, dh_0, grads = rnn.backward(cache, *upstream)
    for array, before in zip((dx, dh_0, *grads.values()), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_no_steps_return_the_state_and_pass_its_gradient_on():
    _, rnn, inputs, upstream = draw(seed=7, steps=0)
    out, h_n, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx, dh_0, grads = rnn.backward(cache, *upstream)
    assert out.shape == (0, 3, 5)
    assert dx.shape == (0, 3, 2)
    np.testing.assert_array_equal(h_n, inputs["h_0"])
    np.testing.assert_array_equal(dh_0, upstream[1])
    assert not np.shares_memory(h_n, inputs["h_0"])
    assert not np.shares_memory(dh_0, upstream[1])
    assert not any(grad.any() for grad in grads.values())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_init(dtype):
    hidden = 64
    uniform = RNN(3, hidden, dtype=dtype, rng=0).params
    assert all(p.dtype == dtype for p in uniform.values())
    assert all(np.abs(p).max() <= hidden**-0.5 for p in uniform.values())
    weight = RNN(3, hidden, init="orthogonal", dtype=dtype, rng=0).params["weight_hh_l0"]
    assert weight.dtype == dtype
    np.testing.assert_allclose(weight @ weight.T, np.eye(hidden), atol=8 * np.finfo(dtype).eps)
    again = RNN(3, hidden, init="orthogonal", dtype=dtype, rng=0).params["weight_hh_l0"]
    np.testing.assert_array_equal(weight, again)


def test_dtype_follows_parameters_and_float32_agrees_with_float64():
    _, rnn, inputs, upstream = draw(seed=8)
    small = rnn.astype(np.float32)
    out, h_n, cache = small.forward(*(inputs[name].astype(np.float32) for name in ("x", "h_0")))
    dx, dh_0, grads = small.backward(cache, *(u.astype(np.float32) for u in upstream))
    assert {a.dtype for a in (out, h_n, dx, dh_0, *grads.values())} == {np.dtype(np.float32)}
    _, _, cache = rnn.forward(inputs["x"], inputs["h_0"])
    dx_64, _, grads_64 = rnn.backward(cache, *upstream)
    np.testing.assert_allclose(dx, dx_64, rtol=1e-4, atol=1e-5)
    for name in grads:
        np.testing.assert_allclose(grads[name], grads_64[name], rtol=1e-4, atol=1e-5)


def test_load_params_is_all_or_nothing():
    _, rnn, _, _ = draw(seed=9)
    other = RNN(2, 5, dtype=np.float64, rng=10)
    rnn.load_params(other.params)
    np.testing.assert_array_equal(rnn.params["bias_hh_l0"], other.params["bias_hh_l0"])
    wrong = {name: np.zeros_like(p) for name, p in rnn.params.items()}
    wrong["bias_hh_l0"] = np.zeros(4)
    with pytest.raises(ValueError, match=r"bias_hh_l0.*expected shape \(5,\), given \(4,\)"):
        rnn.load_params(wrong)
    np.testing.assert_array_equal(rnn.params["weight_ih_l0"], other.params["weight_ih_l0"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda rnn, x, h: RNN(2, 0), ValueError, "hidden_size: expected at least 1, given 0"),
        (lambda rnn, x, h: RNN(2, 3, init="zeros"), ValueError, "init: .* given 'zeros'"),
        (lambda rnn, x, h: RNN(2, 3, dtype=np.int64), TypeError, "dtype: .* given int64"),
        (lambda rnn, x, h: rnn.forward(x[..., :1]), ValueError, r"x: expected shape \(T, N, 2\)"),
        (lambda rnn, x, h: rnn.forward(x, h[0]), ValueError, r"state: expected shape \(1, 3, 5\)"),
        (lambda rnn, x, h: rnn.forward(np.float32(x)), TypeError, "x: expected dtype float64"),
        (
            lambda rnn, x, h: rnn.backward(rnn.forward(x)[2], x),
            ValueError,
            r"dout: expected shape \(4, 3, 5\), given \(4, 3, 2\)",
        ),
        (
            lambda rnn, x, h: rnn.backward(rnn.forward(x)[2], None, h[0]),
            ValueError,
            r"dh_n: expected shape \(1, 3, 5\), given \(3, 5\)",
        ),
    ],
)
def test_wrong_input_is_named(call, error, message):
    _, rnn, inputs, _ = draw(seed=11)
    with pytest.raises(error, match=message):
        call(rnn, inputs["x"], inputs["h_0"])
