"""Judge exercise 8: the student's LSTM trains on the embedded digits, and then reads new ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import Array
from ..datasets import as_sequences, load_embedded
from ..training.display import can_show_bars, new_bar
from .judge import described
from .sheet import NoExercise, blanks_left, read

__all__ = ["GOAL", "examine", "progress"]

GOAL = 0.9  # of the test images
ADVICE = "check the exercises that it imports, each by itself"


def examine(text: str, path: str, tell: Callable[..., None], load: Callable) -> None:
    """Train, test, and tell one verdict."""
    module = load(compile(text, path, "exec", dont_inherit=True), path, tell)
    if module is None:
        return
    line = 0
    try:
        cause = _unfinished(module) or _shortfall(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        cause, at = described(error, path)
        cause, line = f"{cause}; {ADVICE}", at or 0
    tell(name="accuracy", line=line, causes=[cause] if cause else [], case=0)


def _unfinished(module: dict[str, Any]) -> str:
    """Say which of the imported files still have blanks, if any."""
    left = {}
    for value in module.values():
        home = getattr(sys.modules.get(getattr(value, "__module__", None) or ""), "__file__", None)
        if home and Path(home).parent == Path(module["__file__"]).resolve().parent:
            try:
                asked, text = read(Path(home))
            except NoExercise:
                continue
            left[Path(home).name] = blanks_left(asked, text)
    said = [f"{name} has {count} left" for name, count in left.items() if count]
    return f"fill in the blanks first: {', '.join(said)}" if said else ""


def _shortfall(module: dict[str, Any]) -> str:
    """Train and test; say what is missing to the goal, if anything."""
    data = load_embedded()
    train, test = (
        as_sequences(images, dtype=np.float64).swapaxes(0, 1)  # (T, N, D)
        for images in (data.train_images, data.test_images)
    )
    params = module["train_reader"](train, data.train_labels, progress)
    read = np.asarray(module["read_digits"](params, test))
    if read.shape != data.test_labels.shape:
        return f"read_digits gives shape {read.shape}, expected one digit for each image, (1000,)"
    accuracy = float((read == data.test_labels).mean())
    print(f"{accuracy:.1%} of 1,000 new digits are read right", flush=True)
    if accuracy >= GOAL:
        return ""
    return f"{accuracy:.1%} of the test images are read right, and the goal is {GOAL:.0%}; {ADVICE}"


def progress(items: Array, label: str) -> Iterable[Any]:
    """Iterate over batches behind a progress bar, on a terminal: tqdm's if it is installed."""
    if can_show_bars():
        return new_bar(items, desc=label, leave=False)
    return _bar(items, label) if sys.stderr.isatty() else items


def _bar(items: Array, label: str) -> Iterator[Any]:
    for done, item in enumerate(items, 1):
        yield item
        end = "\n" if done == len(items) else ""
        print(f"\r{label}: {done} of {len(items)}", end=end, file=sys.stderr, flush=True)
