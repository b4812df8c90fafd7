"""What training shows: a progress bar for each epoch on a terminal, a line for each elsewhere."""

from __future__ import annotations

import importlib.util
import math
import os
import sys
from collections.abc import Iterable
from typing import Any

from .records import StepRecord

__all__ = ["Display", "can_show_bars", "new_bar"]


class Display:
    """Show the records of training as they come; bars need tqdm.

    Parameters
    ----------
    epochs : int
        How many there will be.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.terminal = can_show_bars()
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
        parts.append(f"gradient norm <= {self.largest_norm:.3g}")  # before clipping
        return ", ".join(parts)

    def close(self) -> None:
        """End the epoch."""
        if self.bar is not None:
            self.bar.close()
        self.bar, self.largest_norm = None, 0.0


def _said(loss: float, accuracy: float) -> str:
    return f"loss {loss:.4f}" + ("" if math.isnan(accuracy) else f", accuracy {accuracy:.2%}")


def can_show_bars() -> bool:
    """Say whether errors go to a terminal, and tqdm is installed."""
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None: there is no stderr
    return terminal and importlib.util.find_spec("tqdm") is not None


def new_bar(items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return a bar of tqdm that stays on one line when the terminal becomes narrower."""
    from tqdm import tqdm

    class Bar(tqdm):
        ncols: int

        def display(self, *args: Any, **options: Any) -> Any:
            width, height = _terminal_size()
            if self.ncols != width:
                self.ncols, self.nrows = width, height
                # tqdm fills each line with blanks up to the length of the last one: they would wrap
                self.sp = self.status_printer(self.fp)
            return super().display(*args, **options)

    width, height = _terminal_size()
    return Bar(items, ncols=width, nrows=height, **options)


def _terminal_size() -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(sys.stderr.fileno())
    except OSError:  # no terminal
        return 80, 24
    return width or 80, height or 24  # 0 where the terminal cannot say


def _start_bar(title: str, record: StepRecord) -> Any:
    """Return a progress bar for the epoch of this record."""
    return new_bar(
        desc=title,
        total=record.steps_per_epoch,
        initial=(record.step - 1) % record.steps_per_epoch,
        bar_format="{desc} |{bar}| {n_fmt}/{total_fmt} {remaining}{postfix}",
    )
