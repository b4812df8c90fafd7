"""What training shows: a progress bar for each epoch on a terminal, a line for each elsewhere."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from typing import Any

from .records import StepRecord

__all__ = ["Display"]


class Display:
    """Show the records of training as they come; bars need tqdm.

    Parameters
    ----------
    epochs : int
        How many there will be.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.terminal = sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
        self.bar: Any = None
        self.largest_norm = 0.0

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def show(self, record: StepRecord, last: bool = False) -> None:
        """Show one step, which may be the last one of all."""
        self.largest_norm = max(self.largest_norm, record.grad_norm)
        title = f"epoch {record.epoch:2}/{self.epochs}"
        if self.terminal:
            if self.bar is None:
                self.bar = _start_bar(title, record)
            self.bar.set_postfix_str(self.result(record), refresh=False)
            self.bar.update()
        elif record.ends_epoch or last:
            print(f"{title}: {self.result(record)}", flush=True)
        if record.ends_epoch:
            self.close()

    def result(self, record: StepRecord) -> str:
        """Say what the epoch has come to so far."""
        parts = [_said(record.epoch_loss, record.epoch_accuracy)]
        if validation := getattr(record, "validation", None):
            parts.append("validation " + _said(validation.loss, validation.accuracy))
        parts.append(f"gradient <= {self.largest_norm:.3g}")  # its norm, before clipping
        return ", ".join(parts)

    def close(self) -> None:
        """End the epoch."""
        if self.bar is not None:
            self.bar.close()
        self.bar, self.largest_norm = None, 0.0


def _said(loss: float, accuracy: float) -> str:
    return f"loss {loss:.4f}" + ("" if math.isnan(accuracy) else f", accuracy {accuracy:.2%}")


def _start_bar(title: str, record: StepRecord) -> Any:
    """Return a progress bar for the epoch of this record."""
    from tqdm import tqdm

    width, height = os.get_terminal_size(sys.stderr.fileno())  # 0 where the terminal cannot say
    return tqdm(
        desc=title,
        total=record.steps_per_epoch,
        initial=(record.step - 1) % record.steps_per_epoch,
        bar_format="{desc} |{bar}| {n_fmt}/{total_fmt} {remaining}{postfix}",
        ncols=width or 80,
        nrows=height or 24,
    )
