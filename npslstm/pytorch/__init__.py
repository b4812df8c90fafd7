"""The same model in PyTorch: weights there and back, and both compared.

torch is imported here alone, and only inside functions.
"""

from .parity import (
    Difference,
    compare,
    from_torch,
    full_precision,
    import_torch,
    to_torch,
)

__all__ = ["Difference", "compare", "from_torch", "full_precision", "import_torch", "to_torch"]
