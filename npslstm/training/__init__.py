"""Train a model, and see how well it does.

* ``fit.py``: the training loop;
* ``evaluation.py``: loss and accuracy over many examples;
* ``learning_rate.py``: schedules;
* ``checkpoints.py``: stop, and go on later to the same bits.
"""

from .evaluation import Evaluation, evaluate
from .fit import SHUFFLE, NonFiniteError, Progress, StepRecord, fit, steps_per_epoch

__all__ = [
    "SHUFFLE",
    "Evaluation",
    "NonFiniteError",
    "Progress",
    "StepRecord",
    "evaluate",
    "fit",
    "steps_per_epoch",
]
