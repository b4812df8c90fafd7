"""What the tests of ``demos/mnist.py`` share."""

from __future__ import annotations

import mnist
import pytest
from idx_files import digits

from npslstm.datasets import MNIST


@pytest.fixture
def demo(monkeypatch):
    """Give ``demos/mnist.py`` as a module that trains on 30 images and tests on 20, of noise."""
    data = MNIST(*digits(1, 30), *digits(2, 20), name="noise")
    monkeypatch.setattr(mnist, "load_embedded", lambda: data)
    return mnist
