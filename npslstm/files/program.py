"""Programs whose output arrives, and which end with a line and a status.

Output may go where there is no ∂ (a file on Windows, an old terminal), to a reader that ends first
(``| head``), or nowhere at all (``2>&-``). None of this is a reason for a traceback.
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import os
import sys
import unicodedata
from collections.abc import Callable

__all__ = ["INTERRUPTED", "READER_GONE", "program"]

# The exit statuses that shells give to a program that Ctrl-C ended, and to one whose reader is gone
INTERRUPTED, READER_GONE = 130, 141

PLAIN = {  # what stands for a character that an encoding does not have
    "∂": "d",
    "σ": "sigma",
    "Σ": "sum ",
    "ε": "eps",
    "·": "*",
    "⊙": "*",
    "×": "x",
    "√": "sqrt ",
    "‖": "||",
    "∞": "inf",
    "′": "'",
    "“": '"',
    "”": '"',
    "→": "->",
    "←": "<-",
    "⁻": "-",
    "█": "#",
}


def program(*errors: type[Exception]) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Make a ``main`` that ends with a status from one that may raise; a decorator.

    Characters that the output cannot take are printed in a plain form: ``d`` for ∂, else ``?``.

    Parameters
    ----------
    *errors : exception classes
        Each ends the program with its message as one line on stderr, and the status 1.
        KeyboardInterrupt does so with its message or "Stopped", and the status 130. If what reads
        the output has ended, the program ends without a word, and the status is 141.
    """

    def decorate(main: Callable[..., int | None]) -> Callable[..., int]:
        @functools.wraps(main)
        def run(*args: object, **options: object) -> int:
            _prepare_streams()
            said = ""
            try:
                status = main(*args, **options) or 0
            except KeyboardInterrupt as stop:
                said, status = str(stop) or "Stopped", INTERRUPTED
            except BrokenPipeError:
                status = READER_GONE
            except errors as error:
                said, status = str(error) or type(error).__name__, 1
            except SystemExit:  # of argparse, which has printed
                _flush()
                raise
            if said:
                with contextlib.suppress(OSError):
                    print(said, file=sys.stderr, flush=True)
            lost = _flush()
            return status if said else lost or status

        return run

    return decorate


def _prepare_streams() -> None:
    """Open what is closed, to nowhere, and let no character be an error."""
    for name in ("stdin", "stdout", "stderr"):  # in this order: a file gets the lowest free number
        if getattr(sys, name) is None:
            nowhere, mode = os.open(os.devnull, os.O_RDWR), "r" if name == "stdin" else "w"
            setattr(sys, name, open(nowhere, mode, closefd=False))  # noqa: SIM115, to the end
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream of somebody's own making
            stream.reconfigure(errors="npslstm.plain")  # type: ignore[union-attr]


def _flush() -> int:
    """Print what is left to be printed, and return the status if that fails: 0 if not."""
    status = 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            broken = isinstance(error, BrokenPipeError)
            status = READER_GONE if broken else 1
            with open(os.devnull, "w") as nowhere:  # else Python itself would complain at the end
                os.dup2(nowhere.fileno(), stream.fileno())
            if not broken and stream is sys.stdout:  # such as a full disk
                print(error, file=sys.stderr)
    return status


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Write what an encoding cannot in ASCII; see ``codecs.register_error``."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written, raised = [], False
    for character in error.object[error.start : error.end]:
        power = unicodedata.decomposition(character).startswith("<super>")
        simpler = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        written.append("^" * (power and not raised) + (PLAIN.get(character) or simpler or "?"))
        raised = power
    return "".join(written), error.end


codecs.register_error("npslstm.plain", _plain)
