"""Handwritten digits as NumPy arrays.

* ``mnist.py``: the 5,000 images inside the package, or the full set from its files;
* ``views.py``: how an image becomes a sequence;
* ``idx.py``: MNIST's file format.
"""

from .idx import DataError, read_idx
from .mnist import MNIST, load_embedded, load_mnist
from .views import VIEWS, as_sequences

__all__ = [
    "MNIST",
    "VIEWS",
    "DataError",
    "as_sequences",
    "load_embedded",
    "load_mnist",
    "read_idx",
]
