"""An LSTM in pure NumPy with a backward pass derived by hand.

To read it, start where the calculus is and go outwards:

1. ``gates.py``: equations (2)-(18), the whole gradient of one step, elementwise;
2. ``cell.py``: one step with its parameters, (1) and (19): the textbook and the specification;
3. ``sequence.py``: a block of steps, the same calculus scheduled for speed (``buffers.py`` lends it
   memory);
4. ``schedule.py``: a whole sequence as a list of blocks; lengths and checkpointing are cuts;
5. ``lstm.py``: layers and directions; ``layout.py`` and ``dropout.py`` are its helpers;
6. ``linear.py``, ``losses.py``, ``model.py``: the head, the losses, and all of it together.

Then whatever you came for:

* to train one: ``optim.py``, ``learning_rate.py``, ``training.py``, ``evaluation.py``,
  ``checkpoint.py`` (files: ``npz.py``), ``datasets.py`` (files: ``idx.py``; sequences:
  ``views.py``);
* to see inside: ``trace.py``; to compare: ``rnn.py``;
* to know that the gradients are right: ``gradcheck.py``, with what it checks (``subject.py``), what
  it compares with (``differences.py``, ``comparison.py``, ``gradreport.py``), what rounding may do
  (``rounding.py``), and every line of the derivation (``intermediates.py``, ``surroundings.py``);
* to know that it would tell: ``mistakes.py`` (``wrong.py``, ``patching.py``);
* to go on in PyTorch: ``torch_parity.py``, ``torch_twin.py``.
"""

from . import mistakes as mistakes  # which hands its table to gradcheck
from .cell import LSTMCell, LSTMState
from .linear import Linear
from .losses import cross_entropy, mean_squared_error
from .lstm import LSTM
from .model import LSTMModel
from .training import evaluate, fit, pad_sequences, summary, training_steps

__version__ = "0.2.0"
__all__ = [
    "LSTM",
    "LSTMCell",
    "LSTMModel",
    "LSTMState",
    "Linear",
    "cross_entropy",
    "evaluate",
    "fit",
    "mean_squared_error",
    "pad_sequences",
    "summary",
    "training_steps",
]
