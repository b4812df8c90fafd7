"""Named arrays in one file that is either whole or refused: what models and checkpoints lie in."""

from .atomic import check_writable, replacing, set_aside
from .blank import Blank
from .npz import CheckpointError, NpzFile, open_npz, read_npz, write_npz

__all__ = [
    "Blank",
    "CheckpointError",
    "NpzFile",
    "check_writable",
    "open_npz",
    "read_npz",
    "replacing",
    "set_aside",
    "write_npz",
]
