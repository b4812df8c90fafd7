"""Where 0.1.0 had what is now in :mod:`npslstm.pytorch`."""

from .pytorch import Difference, compare, from_torch, full_precision, import_torch, to_torch

__all__ = ["Difference", "compare", "from_torch", "full_precision", "import_torch", "to_torch"]
