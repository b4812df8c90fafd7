"""Named arrays in one file that is either whole or refused: what models and checkpoints lie in."""

from .npz import CheckpointError, read_npz, write_npz

__all__ = ["CheckpointError", "read_npz", "write_npz"]
