"""GRU, RNN and projections against PyTorch, every output and gradient, in float64 to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest

from npslstm import LSTM, LSTMModel
from npslstm.pytorch import compare, from_torch, to_torch
from npslstm.rnn import GRU, RNN

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", ["GRU", "RNN", "projected"])
def test_outputs_and_gradients(torch, kind, bias, layers, bidirectional):
    make, options = {"GRU": (GRU, {}), "RNN": (RNN, {}), "projected": (LSTM, {"proj_size": 2})}[
        kind
    ]
    theirs = getattr(torch.nn, make.__name__)(
        *(3, 4, layers), bias=bias, bidirectional=bidirectional, **options
    ).double()
    ours = make(3, 4, layers, bias, bidirectional=bidirectional, **options, dtype=np.float64)
    ours.load_params({name: p.detach().numpy() for name, p in theirs.named_parameters()})
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 3, 3))
    _, state, _ = ours.forward(x)
    pair = isinstance(state, tuple)
    state = tuple(rng.standard_normal(s.shape) for s in (state if pair else [state]))

    tensors = [torch.tensor(array, requires_grad=True) for array in (x, *state)]
    out, state_n = theirs(tensors[0], tuple(tensors[1:]) if pair else tensors[1])
    state_n = state_n if pair else (state_n,)
    upstream = [rng.standard_normal(array.shape) for array in (out, *state_n)]
    loss = sum((torch.tensor(d) * y).sum() for d, y in zip(upstream, (out, *state_n), strict=True))
    wanted = torch.autograd.grad(loss, [*tensors, *theirs.parameters()])

    own_out, own_n, cache = ours.forward(x, state if pair else state[0])
    dx, dstate, grads = ours.backward(
        cache, upstream[0], tuple(upstream[1:]) if pair else upstream[1]
    )
    got = [own_out, *(own_n if pair else [own_n]), dx, *(dstate if pair else [dstate])]
    got += [grads[name] for name, _ in theirs.named_parameters()]
    for ours_, theirs_ in zip(got, [out, *state_n, *wanted], strict=True):
        np.testing.assert_allclose(ours_, theirs_.detach().numpy(), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
@pytest.mark.parametrize("readout", ["last", "all"])
@pytest.mark.parametrize("lengths", [None, [3, 0, 5]])
@pytest.mark.parametrize("states", [False, True])
def test_models_are_compared(torch, cell, readout, lengths, states):
    options = {"bidirectional": True, "batch_first": True, "dropout": 0.4, "dtype": np.float64}
    model = LSTMModel(3, 4, 2, 2, readout=readout, cell=cell, **options, rng=0)
    rng = np.random.default_rng(0)
    x, h_0, dh_n = (rng.normal(size=shape) for shape in ((3, 5, 3), (4, 3, 4), (4, 3, 4)))
    y = rng.integers(2, size=3 if readout == "last" else (3, 5))
    state, dstate = (h_0, dh_n) if states else (None, None)
    report = compare(model, x, y, state, lengths=lengths, rng=rng, dstate=dstate)
    assert report.keys() == {"logits", "h_n", "loss", "dx", "dh_0", *model.params}
    assert max(difference.relative for difference in report.values()) < 1e-12


@pytest.mark.parametrize(
    "net",
    [
        GRU(3, 4, 2, bidirectional=True),
        RNN(3, 4, bias=False, dtype=np.float64),
        LSTM(3, 4, 2, dropout=0.5, proj_size=2),
        LSTMModel(3, 4, 5, cell="gru", readout="all"),
    ],
    ids=repr,
)
def test_there_and_back(torch, net):
    back = from_torch(to_torch(net))
    assert repr(back) == repr(net)
    for name, param in back.params.items():
        np.testing.assert_array_equal(param, net.params[name])
