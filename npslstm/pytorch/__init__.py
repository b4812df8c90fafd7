"""The same model in PyTorch: weights there and back, and both compared.

torch is imported in ``library.py`` alone, and only inside a function.
"""

from .library import full_precision, import_torch
from .parity import Difference, compare, from_torch, to_torch

__all__ = ["Difference", "compare", "from_torch", "full_precision", "import_torch", "to_torch"]
