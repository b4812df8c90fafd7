"""Every program: how it runs in a second, and how to run it in this process as its users do."""

from __future__ import annotations

import io
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import NamedTuple

DEMOS = Path(__file__).parents[2] / "demos"
SCRIPTS = sorted(path.name for path in DEMOS.glob("*.py"))

# A new demo needs a line here. The folder that it runs in has text.txt, series.csv and voices.
TINY = {
    "adding.py": "--steps 4 --hidden 2 --batch 5 --sequences 20 --seeds 1",
    "benchmark.py": "--quick --only check",
    "beyond.py": "--steps 4 --hidden 3 --seeds 1",
    "char_lm.py": "--text text.txt --hidden 3 --batch 2 --steps 9 --epochs 2 --save lm.npz",
    "forecast.py": "--csv series.csv --column y --season 7 --horizon 3 --hidden 2 --epochs 1",
    "gradient_flow.py": "--steps 3 --hidden 3 --seeds 1",
    "live.py": "--units 3 --epochs 9 --out page.html",
    "mnist.py": "--hidden 2 --batch-size 64 --max-steps 3",
    "odyssey.py": "--hidden 2 --epochs 1 --seeds 2",
    "one_step_by_hand.py": "--set f=0",
    "speech.py": "--own voices --hidden 2 --epochs 1 --seeds 1",
}
COMMANDS = {  # of python -m npslstm
    "gradcheck --intermediates": "gradcheck --intermediates --hidden 2 --steps 3",
    "gradcheck --list-mistakes": "gradcheck --list-mistakes",
    "exercise": "exercise",
    "exercise check": "exercise check exercise_1.py --hint",
}
TEXT = "“Größer”? said Ж. 語 is 😀, ∂L/∂h\n\n" + "to be or not to be \x07that is it\n" * 20


def write_inputs(folder):
    """Write what the options above read."""
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    rows = "".join(f"день {k},{k % 7 + k / 50}\n" for k in range(60))
    (folder / "series.csv").write_text("x,y\n" + rows, encoding="utf-8")
    for voice in "Ж", "∂":
        (folder / "voices" / voice).mkdir(parents=True)
        for k in range(4):
            (folder / "voices" / voice / f"{k}.csv").write_text("0,1\n" * (k + 2))
    from npslstm.exercises.sheet import sheet

    (folder / "exercise_1.py").write_text(sheet(1).text, encoding="utf-8")


class Ran(NamedTuple):
    """What came of a run."""

    status: int
    printed: bytes
    errors: str


def run(program, options, monkeypatch, *, encoding="utf-8", reader=True, errors=True):
    """Run a demo or, as ``-m``, the package as ``__main__``, with stdout in an encoding.

    Without ``reader`` stdout is a pipe that nobody reads; without ``errors`` stderr is closed.
    """
    out, err = io.BytesIO(), io.StringIO()
    if reader:
        stdout = io.TextIOWrapper(out, encoding, newline="\n")
    else:
        reading, writing = os.pipe()
        os.close(reading)
        stdout = open(writing, "w", encoding=encoding)  # noqa: SIM115
    stderr = io.TextIOWrapper(io.BytesIO(), encoding, "backslashreplace") if errors else None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [str(DEMOS / program), *options])
        patch.delitem(sys.modules, "npslstm.__main__", raising=False)  # it may have been imported
        patch.setattr(sys, "stdout", stdout)
        patch.setattr(sys, "stderr", stderr)
        try:
            if program == "-m":
                runpy.run_module("npslstm", run_name="__main__")
            else:
                runpy.run_path(str(DEMOS / program), run_name="__main__")
        except SystemExit as ended:
            status = ended.code or 0
            if isinstance(status, str):  # Python prints it
                err.write(f"{status}\n")
                status = 1
        else:
            status = 0
        finally:
            signal.signal(signal.SIGINT, before)
            if sys.stderr is not stderr:
                sys.stderr.close()  # it was opened to nowhere
    stdout.flush()
    if stderr:
        stderr.flush()
        err.write(stderr.buffer.getvalue().decode(encoding))
    printed = out.getvalue() if reader else b""
    stdout.close()
    return Ran(status, printed, err.getvalue())
