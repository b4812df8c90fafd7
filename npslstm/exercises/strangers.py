"""Judge exercise 5: seven LSTMs, each held to the check for one's own LSTM.

It says which gradients are wrong, and what can be seen of them; the student finds out why. Where
the check knows the mistake by its name, the name is a hint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arguments import Array
from ..gradcheck import check_gradients
from .judge import described
from .sheet import Sheet

__all__ = ["EXAMPLES", "examine", "example"]

T, N, D, H = 4, 2, 3, 5
Z = D + H

EXAMPLES: dict[str, dict[str, tuple[int, ...]]] = {  # the shapes of x and of each parameter
    "1": {"x": (N, T, D), "h0": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)},
    "2": {"X": (T, N, D), "WLSTM": (1 + Z, 4 * H), "c0": (N, H), "h0": (N, H)},
    "3": {
        "inputs": (N, T, D),
        "kernel": (D, 4 * H),
        "recurrent_kernel": (H, 4 * H),
        "bias": (4 * H,),
    },
    "4": {
        "x": (D, N, T),
        "a0": (H, N),
        **{k + gate: (H, Z) if k == "W" else (H, 1) for gate in "fico" for k in "Wb"},
    },
    "5": {
        "x": (T, N, D),
        "h_0": (N, H),
        "c_0": (N, H),
        "weight_ih": (4 * H, D),
        "weight_hh": (4 * H, H),
        "bias_ih": (4 * H,),
        "bias_hh": (4 * H,),
    },
    "6": {
        "x": (T, N, D),
        **{
            name.replace("?", gate): shape
            for gate in "fioc"
            for name, shape in {"W?h": (H, H), "W?x": (H, D), "b?": (H,)}.items()
        },
    },
    "7": {"x": (T, N, D), "h_0": (N, H), "W": (D, 4 * H), "R": (H, 4 * H), "b": (4 * H,)},
}


def example(number: str) -> tuple[Array, dict[str, Array]]:
    """Draw an input and parameters for one of the seven."""
    rng = np.random.default_rng(int(number))
    x, *params = ((name, rng.standard_normal(shape)) for name, shape in EXAMPLES[number].items())
    return x[1], dict(params)


def examine(
    asked: Sheet, text: str, path: str, tell: Callable[..., None], load: Callable, skip: set[str]
) -> None:
    """Check each of the seven by itself."""
    module = load(compile(text, path, "exec", dont_inherit=True), path, tell)
    if module is None:
        return
    handed_out: dict[str, Any] = {}
    exec(compile(asked.text, asked.file_name, "exec"), handed_out)
    for number in EXAMPLES:
        name = f"backward_{number}"
        if name in skip or name not in module:
            continue
        line = module[name].__code__.co_firstlineno
        tell(enter=line, names=[name], rows=[name])
        hint = ""
        try:
            wrong, hint = _wrong(module, handed_out[f"forward_{number}"], number)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            wrong, at = described(error, path)
            line = at or line
        tell(name=name, line=line, causes=[wrong] if wrong else [], hint=hint, case=0)


def _wrong(module: dict[str, Any], forward_as_it_was: Callable, number: str) -> tuple[str, str]:
    """Return what is wrong with one of the seven, or nothing, and a hint if there is one."""
    forward, backward = (module.get(f"{what}_{number}") for what in ("forward", "backward"))
    if forward is None:
        return f"there is no forward_{number} any more", ""
    x, params = example(number)
    *outputs, _ = forward(x.copy(), **{name: param.copy() for name, param in params.items()})
    *right, _ = forward_as_it_was(x, **params)
    if len(outputs) != len(right) or not all(map(np.allclose, outputs, right)):
        return "forward has changed: its outputs were right. Only backward is to be mended", ""
    report = check_gradients((forward, backward), x, params=params, verbose=False)
    if report.passed:
        return "", ""
    failed = [f"{row.name} (off by {row.error:.0%})" for row in report.failed]
    passed = [row.name for row in report.rows if row.passed]
    said = [f"wrong are the gradients of {', '.join(failed)}"] if failed else []
    said += [f"right are those of {', '.join(passed)}"] if failed and passed else []
    named = [text for text in report.seen if any(name in text for name in report.suspects)]
    said += [text for text in report.seen if text not in named]
    return "; ".join([*said, *report.faults, *report.notes]) or repr(report), "; ".join(named)
