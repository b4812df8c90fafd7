"""Fixtures for what needs PyTorch.

``torch`` is the module, or a skip that says why, or under --torch a failure; ``device`` the best
one here.
"""

import pytest

from npslstm.torch_parity import import_torch


@pytest.fixture(scope="session")
def torch(request):
    try:
        torch = import_torch()
    except ModuleNotFoundError as error:
        if request.config.getoption("--torch"):
            raise
        pytest.skip(str(error))
    torch.set_num_threads(1)  # the problems are tiny: several would only wait for one another
    return torch


@pytest.fixture(scope="session")
def device(torch):
    """A GPU where there is one: its kernels are others than the CPU's."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
