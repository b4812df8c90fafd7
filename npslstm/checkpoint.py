"""Where 0.1.0 had what is now in :mod:`npslstm.files` and :mod:`npslstm.training`."""

from .files import CheckpointError, read_npz, write_npz
from .training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "load_checkpoint",
    "read_npz",
    "save_checkpoint",
    "write_npz",
]
