"""PyTorch itself: finding it, and letting its float32 be float32."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

__all__ = ["full_precision", "import_torch"]


def import_torch() -> Any:
    """Return the module torch.

    Raises
    ------
    ModuleNotFoundError
        Without it, with one line that says how to install it.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            "PyTorch is not installed: python -m pip install torch (a CPU build is enough: "
            "https://pytorch.org/get-started says how to choose one)",
            name="torch",
        ) from error
    return torch


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Let float32 mean float32: no TF32 or bfloat16, whose products have 10 or 7 bits for 23.

    Whatever chose them, the settings of PyTorch 2.9 and later or those before, is as it was
    afterwards.
    """
    settings = _precision_settings(import_torch())
    try:
        for put, _, full in settings:
            put(full)
        yield
    finally:
        for put, before, _ in settings:
            put(before)


def _precision_settings(torch: Any) -> list[tuple[Callable[[Any], None], Any, Any]]:
    """Return for each setting how to set it, what it is, and what it is in full precision.

    First the old ones, where they can be read: they cannot say all that the new ones can.
    """
    cuda, cudnn, mkldnn = (getattr(torch.backends, name) for name in ("cuda", "cudnn", "mkldnn"))
    settings: list[tuple[Callable[[Any], None], Any, Any]] = []
    with contextlib.suppress(RuntimeError):
        settings.append((partial(setattr, cudnn, "allow_tf32"), cudnn.allow_tf32, False))
    with contextlib.suppress(RuntimeError):
        matmul = torch.get_float32_matmul_precision()
        settings.append((torch.set_float32_matmul_precision, matmul, "highest"))
    if hasattr(cuda.matmul, "fp32_precision"):  # PyTorch 2.9 and later; mkldnn is the CPU's
        for switch in (cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.rnn):
            put = partial(setattr, switch, "fp32_precision")
            settings.append((put, switch.fp32_precision, "ieee"))
    return settings
