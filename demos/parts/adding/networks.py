"""The networks that ``adding.py`` compares: each reads x (T, N, 2) and answers (N, 1)."""

from __future__ import annotations

import numpy as np

from npslstm import Linear, LSTMModel
from npslstm.rnn import RNN

KINDS = {  # what --forget-bias calls them, and what they are called in print
    "rnn": "RNN, orthogonal",
    "0": "LSTM, forget bias 0",
    "1": "LSTM, forget bias 1",
    "chrono": "LSTM, chrono",
}


def make_network(kind: str, hidden: int, steps: int, seed: int) -> LSTMModel:
    """Return a network of this kind for sequences of ``steps`` steps."""
    rng = np.random.default_rng(seed)
    if kind == "rnn":
        model = LSTMModel(2, hidden, 1, cell="rnn", rng=seed)
        model.lstm = RNN(2, hidden, init="orthogonal", rng=rng)
        model.head = Linear(hidden, 1, rng=rng)
        return model
    if kind != "chrono":
        return LSTMModel(2, hidden, 1, forget_bias=float(kind), rng=rng)
    model = LSTMModel(2, hidden, 1, rng=rng)
    set_chrono_biases(model.params, steps, rng)
    return model


def set_chrono_biases(
    params: dict[str, np.ndarray], longest: int, rng: np.random.Generator
) -> None:
    """Give every cell its own time to remember, up to ``longest`` steps (Tallec & Ollivier 2018).

    A gate that stays at f = σ(b) keeps (1 - 1/τ)ᵏ of a memory over k steps, where τ = 1 + exp(b).
    So b_f = log u, with u from U(1, longest - 1), spreads τ evenly over [2, longest]; b_i = -b_f
    lets as much in as goes out, i = 1 - f. A gate adds two biases: the second one is set to 0.
    """
    b_ih, b_hh = params["lstm.bias_ih_l0"], params["lstm.bias_hh_l0"]
    hidden = len(b_ih) // 4
    i, f = slice(0, hidden), slice(hidden, 2 * hidden)
    b_ih[f] = np.log(rng.uniform(1, longest - 1, hidden))
    b_ih[i] = -b_ih[f]
    b_hh[i] = b_hh[f] = 0
