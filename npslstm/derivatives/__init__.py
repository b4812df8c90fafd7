"""Derivatives beyond the gradient, by hand; the equations are those of ``tangents.py``.

* ``forward_mode.py``: J v, what ``LSTM.jvp`` does, for every kind of cell;
* ``adjoints.py``: backward once more, keeping the gradient of every step's pre-activations;
* ``second.py``, ``hvp.py``: H v, what ``LSTMModel.hvp`` does;
* ``per_example.py``: the norm of each example's own gradient.
"""

from .per_example import per_example_grad_norms

__all__ = ["per_example_grad_norms"]
