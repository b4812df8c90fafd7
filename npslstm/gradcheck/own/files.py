"""Read a file with somebody's LSTM: ``python -m npslstm gradcheck FILE.py``."""

from __future__ import annotations

import linecache
import sys
import traceback
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...files.atomic import regular_mode
from ..check import check_gradients
from ..report import GradientReport

__all__ = ["check_file", "load", "place_of", "subject_of"]

WANTED = (
    "expected a file that defines forward and backward (or layer, an object or what of_object "
    "returns) and example(), which returns x, or x and params, or x, params and a dictionary of "
    "options for check_gradients"
)


def load(path: str | Path) -> ModuleType:
    """Run a Python file as a module, with its folder first among those that it imports from.

    Raises
    ------
    OSError
        If it cannot be read.
    Exception
        Whatever its code raises.
    """
    path = Path(path)
    if regular_mode(path) is None:  # a FIFO would wait for ever
        raise OSError(f"{path}: expected a Python file, given what is not a regular file")
    source = path.read_bytes()  # Python knows of marks and comments that name an encoding
    module = ModuleType(f"own file {path.stem}")  # no name that an import could mean
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look there
    sys.path.insert(0, str(path.parent))
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    finally:
        sys.path.remove(str(path.parent))
    return module


def subject_of(module: ModuleType) -> tuple[Any, Any, dict[str, Any]]:
    """Return what a module asks to check, the input, and the options of ``check_gradients``.

    Raises
    ------
    ValueError
        If it lacks something, or ``example()`` returns something else.
    """
    found = vars(module)
    missing = [name for name in ("forward", "backward") if name not in found]
    layer = found.get("layer") if missing else (found["forward"], found["backward"])
    if layer is not None:
        missing = []
    if "example" not in found:
        missing.append("example")
    if missing:
        raise ValueError(f"{WANTED}; given a file without {', '.join(missing)}")
    example = found["example"]()
    parts = example if isinstance(example, tuple) else (example,)
    x, params, options = (*parts, {}, {})[:3]
    dicts = isinstance(params, dict) and isinstance(options, dict)
    if len(parts) > 3 or not isinstance(x, np.ndarray) or not dicts:
        raise ValueError(f"{WANTED}; example() returned something else")
    return layer, x, {**options, "params": params} if params else options


def check_file(path: str | Path, **options: Any) -> GradientReport | None:
    """Check the gradients of a file's LSTM, and print the report; None if it cannot be run.

    Then what went wrong is printed, with its line. ``options`` are those of ``check_gradients``;
    the file's own come before them. The file sees no arguments of the command line but its name.
    """
    arguments, sys.argv = sys.argv, [str(path)]
    try:
        layer, x, own = subject_of(load(path))
        with warnings.catch_warnings():  # the report says it
            warnings.filterwarnings("ignore", ".*the complex step does not apply", UserWarning)
            return check_gradients(layer, x, **{**options, **own})
    except Exception as error:  # of the file's own code, mostly
        print(place_of(error, path), file=sys.stderr)
    except SystemExit as error:  # its status would be taken for a verdict
        print(f"{_line_of(error, path)} ended the program: nothing was checked", file=sys.stderr)
    finally:
        sys.argv = arguments
    return None


def place_of(error: BaseException, path: str | Path) -> str:
    """Say where in a file an error arose, with its line, and what it says."""
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: {(error.text or '').strip()}\n{what}"
    frame = _frame_of(error, path)
    if frame is None:
        return what
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return f"{path}, line {frame.lineno}, in {frame.name}: {line}\n{what}"


def _line_of(error: BaseException, path: str | Path) -> str:
    frame = _frame_of(error, path)
    return str(path) if frame is None else f"{path}, line {frame.lineno},"


def _frame_of(error: BaseException, path: str | Path) -> traceback.FrameSummary | None:
    """Return the file's innermost line on the way to an error."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((frame for frame in frames if Path(frame.filename) == Path(path)), None)
