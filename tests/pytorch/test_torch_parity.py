"""The same weights and inputs give the same numbers here and in PyTorch, whatever the options."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npslstm import LSTM, LSTMCell, LSTMModel, mean_squared_error, pytorch
from npslstm.torch_parity import (
    Difference,
    compare,
    from_torch,
    import_torch,
    to_torch,
)

README = Path(pytorch.__file__).with_name("README.md")
TOLERANCE = {np.float64: 1e-12, np.float32: 1e-5}  # ‖ours - theirs‖ / ‖theirs‖
SIZES = {"input_size": 3, "hidden_size": 4}
LSTM_OPTIONS = {"num_layers": 2, "bidirectional": True, "batch_first": True, "dropout": 0.25}


def run_python(*arguments):
    """Run Python where the package is found, as nobody else has left it."""
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def both(name):
    return pytest.mark.parametrize(name, [False, True], ids=[f"no-{name}", name])


def draw(net, rng, steps=7, rows=6):
    """Random x, initial state and gradient of the last state; labels for an LSTMModel."""
    lstm = net.lstm if isinstance(net, LSTMModel) else net
    leading = (rows, steps) if lstm.batch_first else (steps, rows)
    state = (lstm.num_layers * lstm.directions, rows, lstm.hidden_size)
    shapes = ((*leading, lstm.input_size), state, state, state, state)
    x, h_0, c_0, dh_n, dc_n = (rng.normal(size=shape).astype(lstm.dtype) for shape in shapes)
    labels = None
    if isinstance(net, LSTMModel):
        labelled = leading if net.readout == "all" else rows
        labels = rng.integers(net.head.out_features, size=labelled)
    return x, labels, (h_0, c_0), (dh_n, dc_n)


def assert_parity(report, tolerance):
    for name, difference in report.items():
        assert difference.relative <= tolerance, f"{name}: {difference}"


@pytest.mark.torch
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("layers", "dropout"), [(1, 0.0), (3, 0.0), (3, 0.4)])
@pytest.mark.parametrize("readout", ["last", "all"])
@both("bidirectional")
@both("bias")
@both("batch_first")
@both("ragged")
def test_parity(device, dtype, layers, dropout, readout, bidirectional, bias, batch_first, ragged):
    rng = np.random.default_rng(1)
    model = LSTMModel(
        **SIZES,
        output_size=5,
        num_layers=layers,
        bias=bias,
        batch_first=batch_first,
        dropout=dropout,
        bidirectional=bidirectional,
        readout=readout,
        dtype=dtype,
        rng=rng,
    )
    x, labels, state, dstate = draw(model, rng)
    lengths = None
    if ragged:
        lengths = np.array([3, 0, 7, 1, 7, 5])
        padding = np.arange(7) >= lengths[:, None]
        x[padding if batch_first else padding.T] = np.nan  # never read
    report = compare(
        model, x, labels, state, lengths=lengths, rng=rng, dstate=dstate, device=device
    )
    assert report.keys() == {"logits", "h_n", "c_n", "loss", "dx", "dh_0", "dc_0", *model.params}
    assert_parity(report, TOLERANCE[dtype])


@pytest.mark.torch
@pytest.mark.parametrize("readout", ["last", "all"])
@both("batch_first")
@both("ragged")
def test_parity_of_one_sequence_without_a_batch(device, readout, batch_first, ragged):
    rng = np.random.default_rng(2)
    options = {"num_layers": 2, "dropout": 0.4, "batch_first": batch_first, "readout": readout}
    model = LSTMModel(**SIZES, output_size=5, **options, dtype=np.float64, rng=rng)
    x, labels, state, dstate = draw(model, rng)
    row = (slice(None), 2)
    x = x[2] if batch_first else x[:, 2]
    labels = labels[2] if batch_first or readout == "last" else labels[:, 2]
    state, dstate = (tuple(part[row] for part in pair) for pair in (state, dstate))
    report = compare(
        model,
        x,
        labels,
        state,
        lengths=[4] if ragged else None,
        rng=rng,
        dstate=dstate,
        device=device,
    )
    assert_parity(report, 1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
def test_parity_at_the_size_of_the_demo(device, dtype):
    rng = np.random.default_rng(3)
    model = LSTMModel(28, 128, 10, batch_first=True, dtype=dtype, rng=rng)
    x, labels, state, dstate = draw(model, rng, steps=28, rows=64)
    report = compare(model, x, labels, state, dstate=dstate, device=device)
    assert_parity(report, TOLERANCE[dtype])


@pytest.mark.torch
def test_without_a_generator_nothing_is_dropped_without_states_they_are_zero(device):
    model = LSTMModel(3, 4, 5, 2, dropout=0.5, readout="all", dtype=np.float64, rng=0)
    x, labels, _, _ = draw(model, np.random.default_rng(4))
    assert_parity(compare(model, x, labels, device=device), 1e-12)
    report = compare(model, x, labels, lengths=[0] * 6, device=device)  # and nothing to read
    assert all(difference == (0.0, 0.0) for difference in report.values())
    worst = max(d.relative for d in compare(model, x, labels, dtype="float32").values())
    assert 1e-12 < worst <= 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("part", ["dx", "dh_0", "dc_0", "lstm.weight_hh_l0", "head.bias"])
def test_a_wrong_gradient_shows_in_its_row_alone(device, monkeypatch, part):
    model = LSTMModel(3, 4, 5, dtype=np.float64, rng=0)
    x, labels, state, dstate = draw(model, np.random.default_rng(7))
    right = LSTMModel.backward

    def wrong(*arguments):
        dx, (dh_0, dc_0), grads = right(*arguments)
        gradients = {"dx": dx, "dh_0": dh_0, "dc_0": dc_0, **grads}
        gradients[part].flat[-1] += 1e-6
        return dx, (dh_0, dc_0), grads

    monkeypatch.setattr(LSTMModel, "backward", wrong)
    report = compare(model, x, labels, state, dstate=dstate, device=device)
    assert report[part].largest == pytest.approx(1e-6, rel=1e-6)
    assert report[part].relative > 1e-8
    assert_parity({name: d for name, d in report.items() if name != part}, 1e-12)


def test_difference():
    a, b = np.array([3.0, 4.5]), np.array([3.0, 4.0])
    assert Difference.between(a, b) == (0.5, 0.1)
    assert Difference.between(b, b) == (0.0, 0.0)
    assert Difference.between(np.zeros(2), np.zeros(2)) == (0.0, 0.0)
    assert Difference.between(np.zeros((0, 2)), np.zeros((0, 2))) == (0.0, 0.0)
    assert Difference.between(a, np.zeros(2)) == (4.5, np.inf)
    assert Difference.between(a * 1e-250, b * 1e-250).relative == pytest.approx(0.1)
    assert np.isnan(Difference.between(np.array([np.nan]), np.ones(1))).all()
    last_digit = np.float32([2e-45]), np.float32([3e-45])  # of a number with a single digit
    assert last_digit[0] != last_digit[1]
    assert Difference.between(*last_digit).relative < 1e-6
    with pytest.raises(ValueError, match=r"\(2,\) and \(1,\)"):
        Difference.between(a, np.ones(1))


@pytest.mark.torch
def test_mean_squared_error(torch):
    """The cross-entropy is compared in ``test_losses.py``."""
    rng = np.random.default_rng(8)
    z, target = 5 * rng.normal(size=(2, 6, 5, 4))
    mask = rng.random((6, 5)) < 0.5
    leaf = torch.tensor(z, requires_grad=True)
    expected = torch.nn.functional.mse_loss(leaf[torch.tensor(mask)], torch.tensor(target[mask]))
    expected.backward()
    value, gradient = mean_squared_error(z, target, mask)
    assert Difference.between(value, expected.item()).relative <= 1e-14
    assert Difference.between(gradient, leaf.grad.numpy()).relative <= 1e-14


NETS = {
    "LSTMCell": lambda dtype: LSTMCell(3, 4, dtype=dtype, rng=0),
    "LSTMCell without bias": lambda dtype: LSTMCell(3, 4, bias=False, dtype=dtype, rng=0),
    "LSTM": lambda dtype: LSTM(3, 4, **LSTM_OPTIONS, dtype=dtype, rng=0),
    "LSTM without bias": lambda dtype: LSTM(3, 4, bias=False, dtype=dtype, rng=0),
    "LSTMModel": lambda dtype: LSTMModel(3, 4, 5, **LSTM_OPTIONS, dtype=dtype, rng=0),
    "LSTMModel without bias": lambda dtype: LSTMModel(
        3, 4, 5, bias=False, readout="all", dtype=dtype, rng=0
    ),
}


def options_of(net):
    """Everything but the weights."""
    lstm = getattr(net, "lstm", net)
    names = "input_size", "hidden_size", "bias", "num_layers", "batch_first", "dropout"
    options = [getattr(lstm, name, None) for name in (*names, "bidirectional")]
    return type(net), *options, getattr(net, "readout", None)


@pytest.mark.torch
@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
def test_there_and_back_is_the_same_model(device, kind, dtype):
    net = NETS[kind](dtype)
    back = from_torch(to_torch(net, device))
    assert options_of(back) == options_of(net)
    assert list(back.params) == list(net.params)
    for name, param in net.params.items():
        np.testing.assert_array_equal(back.params[name], param, strict=True)
        assert not np.shares_memory(back.params[name], param)


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["LSTM", "LSTMCell"])
@pytest.mark.parametrize("dtype", ["float64", np.float64, "torch.float64"])
def test_each_kind_becomes_its_counterpart_of_the_dtype_and_device_asked_for(
    torch, device, kind, dtype
):
    dtype = torch.float64 if dtype == "torch.float64" else dtype
    module = to_torch(NETS[kind](np.float32), device, dtype)
    assert type(module) is getattr(torch.nn, kind)
    placed = {(p.dtype, p.device.type) for p in module.parameters()}
    assert placed == {(torch.float64, device.type)}


@pytest.mark.torch
@pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.__name__)
def test_modules_that_pytorch_initialised_are_taken_over(torch, dtype):
    rng = np.random.default_rng(9)
    x, h, c = rng.normal(size=(5, 3)), *rng.normal(size=(2, 5, 4))
    x, h, c = (array.astype(dtype) for array in (x, h, c))
    their_dtype = torch.float64 if dtype is np.float64 else torch.float32

    cell = torch.nn.LSTMCell(3, 4, dtype=their_dtype)
    expected = cell(torch.tensor(x), (torch.tensor(h), torch.tensor(c)))
    for ours, theirs in zip(from_torch(cell)(x, (h, c)), expected, strict=True):
        assert Difference.between(ours, theirs.detach().numpy()).relative <= TOLERANCE[dtype]

    lstm = torch.nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True, dtype=their_dtype)
    x = rng.normal(size=(6, 7, 3)).astype(dtype)
    out, _ = from_torch(lstm)(x)
    expected = lstm(torch.tensor(x))[0].detach().numpy()
    assert Difference.between(out, expected).relative <= TOLERANCE[dtype]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:dropout option adds dropout after all but last:UserWarning")
def test_dropout_of_one_layer_is_none_as_in_pytorch(torch):
    lstm = torch.nn.LSTM(2, 4, dropout=0.3)
    twin = to_torch(LSTMModel(2, 4, 3, rng=0))
    twin.lstm.dropout = 0.3
    for module in (twin, lstm):
        with pytest.warns(UserWarning, match=r"dropout=0\.3 acts between layers") as caught:
            ours = from_torch(module)
        assert caught[0].filename == __file__
        assert getattr(ours, "lstm", ours).dropout == 0
    x = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    expected = lstm.train()(torch.tensor(x))[0].detach().numpy()  # active, if it were any
    assert Difference.between(ours(x)[0], expected).relative <= 1e-5


@pytest.mark.torch
@pytest.mark.parametrize("ragged", [None, [3, 0, 7, 1, 7, 5]])
def test_pytorchs_default_device_does_not_matter(torch, ragged):
    """Lengths stay on the CPU, where packing wants them, and weights are where they were asked."""
    model = LSTMModel(3, 4, 5, 2, dropout=0.4, readout="all", dtype=np.float64, rng=0)
    x, labels, state, dstate = draw(model, np.random.default_rng(10))
    torch.set_default_device("meta")  # as "cuda", it holds what nobody placed, and has no values
    try:
        report = compare(
            model, x, labels, state, lengths=ragged, rng=np.random.default_rng(0), dstate=dstate
        )
        back = from_torch(to_torch(model))
    finally:
        torch.set_default_device(None)
    assert_parity(report, 1e-12)
    np.testing.assert_array_equal(back.params["head.bias"], model.params["head.bias"])


@pytest.mark.torch
def test_what_we_do_not_have_is_refused_by_name(torch):
    with pytest.raises(ValueError, match=r"nonlinearity: expected 'tanh', given 'relu'"):
        from_torch(torch.nn.RNN(3, 4, nonlinearity="relu"))
    for net in LSTM(3, 4, variant="nog"), LSTMCell(3, 4, variant="nog"):
        with pytest.raises(ValueError, match=r"expected variant 'standard', .*, given 'nog'"):
            to_torch(net)
    with pytest.raises(TypeError, match=r"expected float32 or float64, given float16"):
        from_torch(torch.nn.LSTM(3, 4).half())
    with pytest.raises(TypeError, match=r"dtype: expected float32 or float64, given bfloat16"):
        from_torch(torch.nn.LSTM(3, 4).bfloat16())
    with pytest.raises(TypeError, match=r"expected a torch.nn.LSTM, .*, given GRUCell"):
        from_torch(torch.nn.GRUCell(3, 4))
    normed = torch.nn.utils.parametrizations.weight_norm(torch.nn.LSTM(3, 4), "weight_hh_l0")
    with pytest.raises(ValueError, match=r"given parametrized ones; use torch.*remove_parametriz"):
        from_torch(normed)
    torch.nn.utils.parametrize.remove_parametrizations(normed, "weight_hh_l0")
    from_torch(normed)
    with pytest.raises(
        TypeError, match=r"expected an LSTMModel, LSTM, GRU, RNN or LSTMCell, given Linear"
    ):
        to_torch(LSTMModel(3, 4, 5, rng=0).head)
    with pytest.raises(TypeError, match=r"given complex128"):
        to_torch(LSTM(3, 4, rng=0).astype(complex))


@pytest.mark.torch
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each choice is made in a child process")
def test_precision_is_full_inside_and_as_before_outside(torch):
    done = run_python(Path(__file__).with_name("precision_states.py"))
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
    assert int(done.stderr.split()[-1]) >= 5


@pytest.mark.torch
def test_precision_is_full_in_a_comparison(torch, monkeypatch):
    seen, functional = [], torch.nn.functional
    cross_entropy = functional.cross_entropy

    def note(*arguments, **options):
        seen.append(torch.get_float32_matmul_precision())
        return cross_entropy(*arguments, **options)

    monkeypatch.setattr(functional, "cross_entropy", note)
    model = LSTMModel(3, 4, 5, rng=0)
    x, labels, _, _ = draw(model, np.random.default_rng(9))
    torch.set_float32_matmul_precision("high")
    try:
        compare(model, x, labels)
        assert (seen, torch.get_float32_matmul_precision()) == (["highest"], "high")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_importing_torch_parity_imports_no_torch():
    code = "import sys, npslstm.torch_parity; sys.exit('torch' in sys.modules)"
    assert run_python("-c", code).returncode == 0


def test_without_torch_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        import_torch()
    assert re.fullmatch(r"PyTorch is not installed: .*pip install torch.*CPU.*", str(caught.value))


@pytest.mark.torch
def test_the_readme_loads_our_weights_into_pytorch_and_back(torch):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
    [block] = [block for block in blocks if "load_state_dict" in block]
    names = {}
    exec(block, names)
    np.testing.assert_array_equal(
        names["lstm"].params["weight_hh_l1"], names["theirs"].weight_hh_l1.detach().numpy()
    )
