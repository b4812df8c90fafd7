"""An LSTM in pure NumPy with a backward pass derived by hand.

To read it, start where the calculus is and go outwards:

1. ``gates.py``: equations (2)-(18), the whole gradient of one step, elementwise;
2. ``cell.py``: one step with its parameters, (1) and (19): the textbook and the specification;
3. ``sequence.py``: a block of steps, the same calculus scheduled for speed;
4. ``schedule.py``: a whole sequence as a list of blocks; lengths and checkpointing are cuts;
5. ``lstm.py`` (with ``layout.py``): layers and directions, states, dropout between layers;
6. ``linear.py``, ``losses.py``, ``model.py``: the head, the losses, and all of it together;
7. ``optim.py``, ``datasets.py``, ``training.py``: to train one;
8. ``gradcheck.py``: how the gradients are known to be right; ``mistakes.py``: that it would tell.
"""

from .cell import LSTMCell, LSTMState
from .linear import Linear
from .losses import cross_entropy, mean_squared_error
from .lstm import LSTM
from .model import LSTMModel

__version__ = "0.1.0"
__all__ = [
    "LSTM",
    "LSTMCell",
    "LSTMModel",
    "LSTMState",
    "Linear",
    "cross_entropy",
    "mean_squared_error",
]
