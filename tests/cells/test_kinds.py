"""Every kind of cell: its slopes by themselves, its lines at a step, its trace, its refusals.

That each kind has right gradients with every option is held by the property-based tests of the
layers, which draw the kind as they draw sizes.
"""

from __future__ import annotations

import numpy as np
import pytest
from cases import KINDS, NO_CELL_STATE, PROJECTED, LSTMCase
from compare import assert_close
from hypothesis import given
from hypothesis import strategies as st

from npslstm import LSTM, LSTMCell, LSTMModel
from npslstm.cells import VARIANTS
from npslstm.cells.equations import equations_of
from npslstm.cells.gru import GRU_KIND
from npslstm.cells.rnn import TANH
from npslstm.gradcheck import check_gradients
from npslstm.rnn import GRU, RNN
from npslstm.trace import trace

EVERY = {**VARIANTS, "gru": GRU_KIND, "rnn": TANH}
STEP = 2.0**-100
BLOCKS = {"standard": 4, "peephole": 4, "cifg": 3, "nig": 3, "nfg": 3, "nog": 3}  # of rows
BLOCKS |= {"niaf": 4, "noaf": 4}


def draw(kind, shape, seed):
    """Pre-activations, the old memory and the kind's own parameters."""
    rng = np.random.default_rng(seed)
    count = len(kind.inputs) + 1 + len(kind.extra)
    return list(rng.standard_normal((count, *shape)))


@pytest.mark.parametrize("name", EVERY)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_slope_is_that_of_its_own_forward_line(name, seed):
    """Move one thing that the step reads by a complex step, and look at what reads it."""
    kind = EVERY[name]
    given_ = draw(kind, (2, 3), seed)
    before = len(kind.inputs)
    taken = kind.forward(*given_)
    slopes = dict(zip(kind.local, kind.derivatives(taken, *given_[before:]), strict=True))

    def moved(place, arrays):
        arrays = [a.astype(complex) for a in arrays]
        arrays[place] = arrays[place] + 1j * STEP
        return dict(zip(kind.names, kind.forward(*arrays), strict=True))

    expected = {}
    for local in slopes:
        by = local[4:]
        if by == "c":  # with these pre-activations c is c_prev, and h is what c makes of it
            held = dict(zip(kind.inputs, given_, strict=False))
            held |= {n: np.full((2, 3), kind.keep_c[n]) for n in held.keys() & kind.keep_c}
            place, arrays = (
                before,
                [*held.values(), taken[kind.names.index("c")], *given_[before + 1 :]],
            )
        else:
            place = before if by.endswith("_prev") else kind.inputs.index(by[1:])
            arrays = given_
        expected[local] = moved(place, arrays)[local[1]].imag / STEP
    assert_close("slopes", slopes, expected, 1e-13, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_of_the_derivation_is_right_and_has_its_number(kind):
    problem = LSTMCase(kind=kind, N=2, D=2, H=3, T=4, layers=2, bidirectional=True).problem()
    for at in (1, 2, 1), (0, 1, 0):
        report = check_gradients(
            problem.net, problem.inputs["x"], mode="intermediates", at=at, verbose=False
        )
        assert report.passed, str(report)
        assert all(row.equation for row in report.rows if row.name.startswith("∂")), str(report)


@pytest.mark.parametrize("kind", KINDS)
def test_the_trace_is_the_fast_path_seen_from_inside(kind):
    problem = LSTMCase(kind=kind, N=3, D=2, H=3, T=5, lengths=True, seed=1).problem()
    outputs, gradients = problem.solve()
    dstate = tuple(problem.upstream[b] for _, b in problem.states)
    state = tuple(problem.inputs[a] for a, _ in problem.states)
    alone = kind in NO_CELL_STATE
    net, lengths = problem.net, problem.lengths
    steps = trace(
        net,
        problem.inputs["x"],
        state[0] if alone else state,
        lengths=lengths,
        dout=problem.upstream["out"],
        dstate=dstate[0] if alone else dstate,
    )["l0"]
    np.testing.assert_allclose(steps.h, outputs["out"], rtol=1e-12, atol=1e-13)
    dbias = net.kind.named_gradients(*[steps.da.sum(axis=(1, 2)).reshape(-1, 1)] * 3)
    for name in ("bias_ih", "bias_hh"):
        got, expected = dbias[name].ravel(), gradients[f"{name}_l0"]
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-12)


def test_a_kind_without_its_difference_is_the_standard_one():
    """Peepholes of 0, and a projection that only picks rows."""
    x = np.random.default_rng(0).normal(size=(5, 3, 2))
    plain = LSTM(2, 4, dtype=np.float64, rng=0)
    peephole = LSTM(2, 4, variant="peephole", dtype=np.float64, rng=1)
    zeros = {name: np.zeros(4) for name in peephole.params if name.startswith("weight_c")}
    peephole.load_params({**plain.params, **zeros})
    np.testing.assert_allclose(peephole(x)[0], plain(x)[0], rtol=1e-13)


@pytest.mark.parametrize(("kind", "blocks"), BLOCKS.items())
def test_names_shapes_and_numbers_of_the_equations(kind, blocks):
    lstm, cell = LSTM(2, 3, variant=kind), LSTMCell(2, 3, variant=kind)
    own = ["weight_ci", "weight_cf", "weight_co"] if kind == "peephole" else []
    expected = {"weight_ih": (3 * blocks, 2), "weight_hh": (3 * blocks, 3)}
    expected |= {"bias_ih": (3 * blocks,), "bias_hh": (3 * blocks,)} | dict.fromkeys(own, (3,))
    assert {n: p.shape for n, p in cell.params.items()} == expected
    assert {n: p.shape for n, p in lstm.params.items()} == {
        f"{n}_l0": s for n, s in expected.items()
    }
    for param in lstm.params.values():
        assert np.abs(param).max() <= 3**-0.5
    assert {"c", "h"} <= equations_of(VARIANTS[kind]).keys()
    assert repr(lstm) == f"LSTM(2, 3{'' if kind == 'standard' else f', variant={kind!r}'})"


def test_shapes_of_a_projection_as_in_pytorch():
    lstm = LSTM(2, 5, 2, bidirectional=True, proj_size=3)
    assert lstm.params["weight_hr_l1_reverse"].shape == (3, 5)
    assert lstm.params["weight_hh_l0"].shape == (20, 3)
    assert lstm.params["weight_ih_l1"].shape == (20, 6)
    out, (h, c) = lstm(np.ones((4, 1, 2), np.float32))
    assert (out.shape, h.shape, c.shape) == ((4, 1, 6), (4, 1, 3), (4, 1, 5))


@pytest.mark.parametrize("make", [RNN, GRU])
def test_rnn_and_gru_have_pytorchs_order_of_arguments(make):
    net = make(2, 3, 2, False, True, 0.5, True)
    names = "num_layers", "bias", "batch_first", "dropout", "bidirectional"
    assert [getattr(net, name) for name in names] == [2, False, True, 0.5, True]
    assert repr(net) == (
        f"{make.__name__}(2, 3, num_layers=2, bias=False, batch_first=True, dropout=0.5, "
        "bidirectional=True)"
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonal_weights(dtype):
    rnn = RNN(2, 5, 2, init="orthogonal", dtype=dtype, rng=0)
    for name in ("weight_hh_l0", "weight_hh_l1"):
        weight = rnn.params[name]
        assert weight.dtype == dtype
        np.testing.assert_allclose(weight @ weight.T, np.eye(5), atol=10 * np.finfo(dtype).eps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LSTM(2, 3, variant="peepole"), r"variant: expected one of 'standard', 'peephole'"),
        (
            lambda: LSTMCell(2, 3, variant="gru"),
            r"variant: expected one of .*'noaf'.*, given 'gru'",
        ),
        (lambda: LSTM(2, 3, variant="cifg", forget_bias=1.0), "'cifg' has no forget gate"),
        (
            lambda: LSTMModel(2, 3, 4, cell="gru", forget_bias=1.0),
            "'gru', which has no forget gate",
        ),
        (lambda: LSTMModel(2, 3, 4, cell="rnn", variant="nig"), "variants are of the LSTM"),
        (lambda: LSTMModel(2, 3, 4, cell="lstmm"), '"lstm", "gru" or "rnn"'),
        (lambda: LSTM(2, 3, proj_size=3), "proj_size: expected less than hidden_size = 3, given 3"),
        (lambda: LSTM(2, 3, proj_size=2, variant="nog"), 'only "standard" projects h'),
        (lambda: RNN(2, 3, init="ones"), 'init: expected "uniform" or "orthogonal"'),
        (
            lambda: LSTM(2, 3, variant="peephole").load_params(LSTM(2, 3).params),
            r"params: missing \['weight_cf_l0', 'weight_ci_l0', 'weight_co_l0'\]",
        ),
        (
            lambda: LSTM(2, 3).backward(LSTM(2, 3, variant="nog").forward(ONES)[2]),
            "cache: expected that of a layer with kind=standard, given kind=nog",
        ),
        (
            lambda: LSTM(2, 3, 2).backward(LSTM(2, 3).forward(ONES)[2]),
            "cache: expected that of a layer with num_layers=2, given num_layers=1",
        ),
        (
            lambda: LSTM(2, 3).astype(np.float64).backward(LSTM(2, 3).forward(ONES)[2]),
            "dtype=float64, given dtype=float32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


ONES = np.ones((4, 1, 2), np.float32)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_a_model_of_each_kind_survives_a_file(tmp_path, cell):
    model = LSTMModel(2, 3, 4, cell=cell, variant="nog" if cell == "lstm" else "standard", rng=0)
    model.save(tmp_path / "model.npz")
    again = LSTMModel.load(tmp_path / "model.npz")
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again(ONES)[0], model(ONES)[0])
    assert PROJECTED not in model.config
