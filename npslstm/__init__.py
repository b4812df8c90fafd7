"""An LSTM in pure NumPy with a backward pass derived by hand.

Read in this order, from one step outwards:

1. ``gates.py``: equations (2)-(18), one line each: the whole gradient of one step;
2. ``cell.py``: one step with its parameters, (1) and (19);
3. ``kernel/sequence.py``: a block of steps, the same equations arranged for speed;
4. ``kernel/schedule.py``: a whole sequence as a list of blocks, lengths and recomputation included;
5. ``layers.py`` and ``lstm.py``: layers and directions;
6. ``linear.py``, ``losses.py``, ``model.py``: the head, the losses, and all of it together.

Then whatever you came for:

* ``training/``, ``optim.py``, ``clipping.py``: train on your own data; ``datasets/``: digits;
* ``gradcheck/``: check a gradient, or an LSTM of your own; ``mistakes/``: see the check catch one;
* ``exercises/``: write the lines yourself, with ``python -m npslstm exercise``;
* ``cells/``: the kinds of cell, each in one small file; ``rnn.py``: the GRU and the plain RNN;
* ``trace.py``: look at every gate at every step;
* ``tangents.py``, ``derivatives/``: forward mode, Hessian-vector products, per-example norms;
* ``files/``: what is saved, and what a file promises;
* ``pytorch/``, ``convert/``: the same model in PyTorch, Keras and ONNX;
* ``parameters.py``, ``arguments.py``: what all of this stands on.

Most rooms have a README. What changed since 0.1.0 is at the end of the top README.
"""

from . import mistakes as mistakes  # which hands its table to gradcheck
from .cell import LSTMCell, LSTMState
from .derivatives import per_example_grad_norms
from .gradcheck import check_gradients
from .linear import Linear
from .losses import cross_entropy, mean_squared_error
from .lstm import LSTM
from .model import LSTMModel
from .optim import SGD, Adam, AdamW, clip_grad_norm
from .rnn import GRU, RNN
from .training import evaluate, fit, pad_sequences, summary, training_steps

__version__ = "0.2.0"
__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "SGD",
    "Adam",
    "AdamW",
    "LSTMCell",
    "LSTMModel",
    "LSTMState",
    "Linear",
    "check_gradients",
    "clip_grad_norm",
    "cross_entropy",
    "evaluate",
    "fit",
    "mean_squared_error",
    "pad_sequences",
    "per_example_grad_norms",
    "summary",
    "training_steps",
]
