"""Train a model, and see how well it does. The README here shows how.

* ``fit.py``: train to the end; ``evaluation.py``: loss and accuracy over many examples;
* ``steps.py``: the loop itself, for programs that save and stop in between; ``records.py``: what
  it reports;
* ``examples.py``: your own data, a batch at a time; ``plan.py``: which rows and steps each step
  reads; ``wrong_data.py``: what data that does not fit is told;
* ``learning_rate.py``: schedules; ``display.py``: what is shown;
* ``checkpoints.py``: stop, and go on later to the same bits;
* ``summary.py``: what a model is made of, and what it costs.
"""

from .evaluation import Evaluation, evaluate
from .examples import pad_sequences
from .fit import fit
from .plan import SHUFFLE, steps_per_epoch
from .records import NonFiniteError, Progress, StepRecord
from .steps import training_steps
from .summary import summary

__all__ = [
    "SHUFFLE",
    "Evaluation",
    "NonFiniteError",
    "Progress",
    "StepRecord",
    "evaluate",
    "fit",
    "pad_sequences",
    "steps_per_epoch",
    "summary",
    "training_steps",
]
