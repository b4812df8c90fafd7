"""Optimisers, clipping and schedules: equal to the papers' formulas.

``demos/test_mnist_torch.py`` holds the optimisers to PyTorch's, in training.
"""

import math
from functools import partial

import numpy as np
import pytest

from npslstm.optim import SGD, Adam, AdamW, clip_grad_norm, constant, cosine, one_cycle

SHAPES = {"weight": (4, 3), "bias": (4,), "scalar": ()}
OPTIMIZERS = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "weight_decay": 0.3}),
    (SGD, {"lr": 0.1, "momentum": 0.9}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3}),
    (Adam, {"lr": 0.1}),
    (Adam, {"lr": 0.1, "betas": (0.7, 0.8), "eps": 0.1}),
    (AdamW, {"lr": 0.1}),
    (AdamW, {"lr": 0.1, "betas": (0.7, 0.8), "eps": 0.1, "weight_decay": 0.3}),
]


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_a_repr_is_the_call_that_makes_it(kind, options):
    made = kind(**options)
    again = eval(repr(made))
    assert type(again) is kind
    assert vars(again) == vars(made)
    assert repr(Adam()) == "Adam(lr=0.001)"


def draw(seed, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return {name: np.array(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}


def assert_equal(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert np.array_equal(array, expected[name]), name


def step_from_the_paper(kind, options, t, p, g, moments):
    """One update of one number, written from the algorithms as published."""
    lr = options["lr"]
    decay = options.get("weight_decay", 0.01 if kind is AdamW else 0.0)
    if kind is SGD:  # Sutskever et al. (2013) in PyTorch's form: the velocity is not scaled by lr
        g += decay * p
        moments["b"] = options.get("momentum", 0.0) * moments.get("b", 0.0) + g
        return p - lr * moments["b"]
    beta1, beta2 = options.get("betas", (0.9, 0.999))
    moments["m"] = beta1 * moments.get("m", 0.0) + (1 - beta1) * g
    moments["v"] = beta2 * moments.get("v", 0.0) + (1 - beta2) * g**2
    m_hat = moments["m"] / (1 - beta1**t)
    v_hat = moments["v"] / (1 - beta2**t)
    return p - lr * decay * p - lr * m_hat / (math.sqrt(v_hat) + options.get("eps", 1e-8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
def test_steps_follow_the_papers_in_place_and_leave_gradients_alone(kind, options, dtype):
    optimizer, params = kind(**options), draw(0, dtype)
    arrays = dict(params)
    expected = {name: param.ravel().tolist() for name, param in params.items()}
    moments = {name: [{} for _ in values] for name, values in expected.items()}
    rtol = 1e-12 if dtype is np.float64 else 1e-5
    for t in range(1, 8):
        grads = draw(t, dtype)
        before = {name: grad.copy() for name, grad in grads.items()}
        optimizer.step(params, grads)
        assert_equal(grads, before)
        for name, values in expected.items():
            for k, g in enumerate(grads[name].ravel().tolist()):
                values[k] = step_from_the_paper(kind, options, t, values[k], g, moments[name][k])
            np.testing.assert_allclose(params[name].ravel(), values, rtol=rtol, atol=rtol / 100)
            assert params[name] is arrays[name]
            assert params[name].dtype == dtype
    assert optimizer.steps == 7
    for name, moment in optimizer.state().items():
        assert name in ("steps", "lr", "settings") or moment.dtype == dtype


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_loaded_state_goes_on_to_the_last_bit(kind, options, steps):
    optimizer, params = kind(**options), draw(0)
    for t in range(steps):
        optimizer.step(params, draw(t))
    optimizer.lr = 0.05
    twin, twin_params = kind(**options), {name: param.copy() for name, param in params.items()}
    state = optimizer.state()
    twin.load_state(state, twin_params)
    for array in state.values():
        array[...] = 7  # the state was copied on the way out and on the way in
    for t in range(3):
        optimizer.step(params, draw(10 + t))
        twin.step(twin_params, draw(10 + t))
    for name, param in params.items():
        assert np.array_equal(param, twin_params[name])
    assert twin.lr == 0.05


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


GRADS = [
    (lambda g: without(g, "bias"), ["grads", "missing ['bias']"]),
    (lambda g: g | {"more": g["bias"]}, ["grads", "unknown ['more']"]),
    (lambda g: g | {"bias": np.zeros(3)}, ["grads", "bias", "(4,)", "(3,)"]),
    (lambda g: g | {"bias": [0.0] * 4}, ["grads", "bias", "array", "list"]),
    (lambda g: g | {"bias": np.zeros(4, "f4")}, ["bias", "float64", "float32"]),
]
STATES = [
    (lambda s: without(s, "steps"), ["missing ['steps']"]),
    (lambda s: without(s, "v.bias"), ["missing ['v.bias']"]),
    (lambda s: s | {"velocity.bias": s["m.bias"]}, ["unknown ['velocity.bias']"]),
    (lambda s: s | {"m.bias": np.zeros(5)}, ["m.bias", "(4,)", "(5,)"]),
    (lambda s: s | {"m.bias": np.zeros(4, "f4")}, ["m.bias", "float64", "float32"]),
    (lambda s: s | {"steps": np.array(-1)}, ["steps", "-1"]),
    (lambda s: s | {"steps": np.array(0)}, ["unknown"]),
    (lambda s: s | {"steps": np.array(1.0)}, ["steps", "int64", "float64"]),
    (lambda s: s | {"lr": np.array(np.nan)}, ["lr", "nan"]),
    (lambda s: s | {"lr": np.ones(2)}, ["lr", "(2,)"]),
]


def step(change):
    return lambda optimizer, params: optimizer.step(params, change(draw(2)))


def load(change):
    return lambda optimizer, params: optimizer.load_state(change(optimizer.state()), params)


@pytest.mark.parametrize(
    ("call", "words"),
    [(step(change), words) for change, words in GRADS]
    + [(load(change), words) for change, words in STATES],
)
def test_what_does_not_fit_changes_nothing(call, words):
    optimizer, params = Adam(), draw(0)
    optimizer.step(params, draw(1))
    before, saved = {name: param.copy() for name, param in params.items()}, optimizer.state()
    with pytest.raises((ValueError, TypeError)) as caught:
        call(optimizer, params)
    for word in words:
        assert word in str(caught.value)
    assert_equal(params, before)
    assert_equal(optimizer.state(), saved)


def test_an_optimizer_refuses_another_models_parameters():
    optimizer = Adam()
    optimizer.step(draw(0), draw(1))
    others = {"weight": np.zeros((3, 4)), "bias": np.zeros(4), "scalar": np.zeros(())}
    with pytest.raises(ValueError, match=r"earlier steps.*m\.weight.*\(3, 4\).*\(4, 3\)"):
        optimizer.step(others, others)
    assert optimizer.steps == 1


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SGD(lr=-1.0), ["lr", "-1.0"]),
        (lambda: SGD(lr=math.nan), ["lr", "nan"]),
        (lambda: SGD(lr=1.0, momentum=1.0), ["momentum", "[0, 1)", "1.0"]),
        (lambda: SGD(lr=1.0, weight_decay=-0.1), ["weight_decay", "-0.1"]),
        (lambda: SGD(lr=1.0, weight_decay=math.inf), ["weight_decay", "finite", "inf"]),
        (lambda: Adam(betas=(0.9, 1.0)), ["betas", "[0, 1)", "1.0"]),
        (lambda: Adam(eps=0.0), ["eps", "0.0"]),
        (lambda: AdamW(weight_decay=-0.1), ["weight_decay", "-0.1"]),
        (lambda: Adam(eps=math.inf), ["eps", "finite", "inf"]),
        (lambda: AdamW(weight_decay=math.inf), ["weight_decay", "finite", "inf"]),
        (lambda: Adam(betas=(0.9,)), ["betas", "two numbers", "(0.9,)"]),
        (lambda: Adam(betas=0.9), ["betas", "two numbers", "0.9"]),
        (lambda: clip_grad_norm({}, 0.0), ["max_norm", "0.0"]),
        (lambda: clip_grad_norm({}, math.nan), ["max_norm", "nan"]),
        (lambda: cosine(0.1, 0), ["total_steps", "0"]),
        (lambda: cosine(0.1, 10)(11), ["step", "10", "11"]),
        (lambda: one_cycle(0.1, 10)(10), ["step", "9", "10"]),
        (lambda: one_cycle(0.1, 10)(-1), ["step", "9", "-1"]),
        (lambda: one_cycle(0.1, 10, pct_start=1.0), ["pct_start", "[0, 1)", "1.0"]),
    ],
)
def test_wrong_settings_are_named(make, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the words follow
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda wrong: SGD(wrong), "lr"),
        (lambda wrong: SGD(0.1, momentum=wrong), "momentum"),
        (lambda wrong: AdamW(weight_decay=wrong), "weight_decay"),
        (lambda wrong: Adam(betas=(0.9, wrong)), "betas"),
        (lambda wrong: Adam(eps=wrong), "eps"),
        (lambda wrong: clip_grad_norm({}, wrong), "max_norm"),
    ],
)
@pytest.mark.parametrize("wrong", ["0.5", None, True, 0.5j])
def test_what_is_no_number_is_named(make, name, wrong):
    with pytest.raises(
        TypeError, match=f"^{name}: expected a number, given {type(wrong).__name__}"
    ):
        make(wrong)


@pytest.mark.parametrize("lr", [math.nan, -1.0])
def test_a_learning_rate_set_wrong_takes_no_step(lr):
    optimizer, params = Adam(), draw(0)
    optimizer.lr = lr
    with pytest.raises(ValueError, match=f"lr: expected at least 0 and finite, given {lr}"):
        optimizer.step(params, draw(1))
    assert_equal(params, draw(0))
    assert optimizer.steps == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_clipping(dtype):
    grads = draw(0, dtype)
    before = {name: grad.copy() for name, grad in grads.items()}
    expected = math.sqrt(math.fsum(float(g) ** 2 for grad in grads.values() for g in grad.flat))

    clipped, norm = clip_grad_norm(grads, 0.5)
    assert isinstance(norm, float)
    assert norm == pytest.approx(expected, rel=1e-14)
    for name, grad in clipped.items():
        assert grad.dtype == dtype
        assert not np.shares_memory(grad, grads[name])
        np.testing.assert_allclose(
            grad, before[name] * (0.5 / (expected + 1e-6)), rtol=4 * np.finfo(dtype).eps
        )
    assert_equal(grads, before)
    assert clip_grad_norm(clipped, 1.0)[1] == pytest.approx(0.5, rel=1e-5)


def test_small_gradients_come_back_as_they_are():
    grads = draw(0)
    for max_norm in (1e6, math.inf):
        unclipped, norm = clip_grad_norm(grads, max_norm)
        assert unclipped is grads
        assert norm == clip_grad_norm(grads)[1]


def test_the_norm_of_huge_and_of_tiny_gradients():
    for size in (1e30, 1e-30):
        grads = {"weight": np.full((50, 50), size, np.float32), "bias": np.zeros(3, np.float32)}
        clipped, norm = clip_grad_norm(grads, 1.0)
        assert norm == pytest.approx(50 * float(np.float32(size)), rel=1e-12)
        assert clip_grad_norm(clipped)[1] == pytest.approx(min(norm, 1.0), rel=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_gradients_without_a_finite_norm_are_not_scaled(bad):
    grads = draw(0) | {"bias": np.array([1.0, bad, 2.0, 3.0])}
    unclipped, norm = clip_grad_norm(grads, 1.0)
    assert unclipped is grads
    assert not math.isfinite(norm)


@pytest.mark.torch
@pytest.mark.parametrize("max_norm", [0.5, 3.0, 100.0])
def test_clipping_equals_torch(torch, max_norm):
    grads = draw(0)
    theirs = [torch.zeros(shape, dtype=torch.float64) for shape in SHAPES.values()]
    for tensor, grad in zip(theirs, grads.values(), strict=True):
        tensor.grad = torch.tensor(grad)
    their_norm = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    clipped, norm = clip_grad_norm(grads, max_norm)
    assert norm == pytest.approx(their_norm.item(), rel=1e-14)
    for tensor, grad in zip(theirs, clipped.values(), strict=True):
        np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-14)


def test_schedules():
    assert [constant(0.1)(step) for step in (0, 1000)] == [0.1, 0.1]
    wave = cosine(1.0, 4, min_lr=0.2)
    half = math.sqrt(0.5)
    expected = [1.0, 0.6 + 0.4 * half, 0.6, 0.6 - 0.4 * half, 0.2]
    assert [wave(step) for step in range(5)] == pytest.approx(expected, rel=1e-14)
    # The top of 12 steps with pct_start 1/4 is step 2; after it 9 steps remain.
    cycle = one_cycle(1.0, 12, pct_start=0.25, div_factor=10, final_div_factor=100)
    expected = [0.1, 0.55, 1.0, *(0.001 + 0.999 * (1 + math.cos(k * math.pi / 9)) / 2
                                  for k in range(1, 10))]  # fmt: skip
    assert [cycle(step) for step in range(12)] == pytest.approx(expected, rel=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 101])
def test_schedules_equal_torch(torch, steps):
    kinds = torch.optim.lr_scheduler
    other = {"pct_start": 0.4, "div_factor": 5, "final_div_factor": 10}
    wave = partial(kinds.CosineAnnealingLR, T_max=steps, eta_min=0.01)
    cycle = partial(kinds.OneCycleLR, max_lr=0.1, total_steps=steps, cycle_momentum=False)
    for ours, theirs in (
        (cosine(0.1, steps, min_lr=0.01), wave),
        (one_cycle(0.1, steps), cycle),
        (one_cycle(0.1, steps, **other), partial(cycle, **other)),
    ):
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
        schedule = theirs(optimizer)
        for step in range(steps):
            assert ours(step) == pytest.approx(schedule.get_last_lr()[0], rel=1e-9)
            optimizer.step()
            if step + 1 < steps:
                schedule.step()


def test_one_cycle_with_a_first_phase_of_a_single_step():
    """PyTorch divides by zero where pct_start * total_steps is 1."""
    cycle = one_cycle(1.0, 10, pct_start=0.1)
    assert cycle(0) == 1.0
    assert cycle(9) == pytest.approx(1 / 25 / 1e4)


def test_a_zero_in_float32_is_no_small_number():
    with pytest.raises(ValueError, match="eps: expected above 0"):
        Adam(1e-3, eps=np.float32(0))
