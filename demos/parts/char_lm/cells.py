"""What single cells of a character model do: measured, in the terminal, and as a page to explore.

Karpathy (2015), "The Unreasonable Effectiveness of Recurrent Neural Networks", coloured a text by
one cell's tanh(c), what the output gate lets out, and found cells that count the length of a line
or know that a quotation is open. Most cells follow nothing that has a name; which of them follow
something is measured here by correlation, and not picked by eye. What no single cell follows may
still be known to all of them together, so that is measured, too.

Shapes: values ``(T, M)``, tanh(c) of M cells after each of T characters, layer after layer.
"""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npslstm.trace import trace
from parts.char_lm.model import CharLM
from parts.page.assemble import assemble

__all__ = [
    "Finding",
    "cell_values",
    "find_cells",
    "known_together",
    "landmarks",
    "page",
    "report",
    "terminal_view",
]

TEMPLATE = Path(__file__).with_name("page.html")
# Seven levels from -1 to 1: backgrounds for black letters (orange, white, blue, of the 256 colours
# that terminals agree on), and what stands for them where there are no colours.
BACKGROUNDS = (208, 215, 223, 231, 153, 75, 39)
MARKS = "cba.123"


class Finding(NamedTuple):
    """Who knows of a landmark, the correlations being over time."""

    landmark: str
    cell: int  # that with the largest |correlation|
    correlation: float
    together: float  # of the landmark with what all cells make of it, see ``known_together``


def cell_values(lm: CharLM, ids: np.ndarray, state=None) -> np.ndarray:
    """Return tanh(c) of every cell after each character."""
    layers = trace(lm.model, lm.inputs(ids), state).values()
    return np.tanh(np.concatenate([layer.c for layer in layers], axis=-1))


def landmarks(text: str) -> dict[str, np.ndarray]:
    """Return what a reader could say of the place after each character, as numbers."""
    column = word = 0
    quoted = False
    rows = []
    for character, following in zip(text, text[1:] + " ", strict=True):
        column = 0 if character == "\n" else column + 1
        word = word + 1 if character.isalpha() else 0
        if character == "\n" and following == "\n":  # speech ends with its paragraph at the latest
            quoted = False
        elif character in '"“”':
            quoted = character == "“" or (character == '"' and not quoted)
        rows.append((quoted, column, word, character.isspace(), character.isupper()))
    names = (
        "inside a quotation",
        "position in the line",
        "position in the word",
        "space or line break",
        "capital letter",
    )
    return dict(zip(names, np.array(rows, float).T, strict=True))


def find_cells(values: np.ndarray, text: str) -> list[Finding]:
    """Return for each landmark of the text the cell that follows it most closely."""
    findings = []
    z = _standardised(values.astype(float))
    for name, landmark in landmarks(text).items():
        y = _standardised(landmark)
        r = z.T @ y / len(y)
        cell = int(np.abs(r).argmax())
        findings.append(Finding(name, cell, float(r[cell]), known_together(z, y)))
    return findings


def known_together(z: np.ndarray, y: np.ndarray) -> float:
    """Return how a weighted sum of all cells correlates with y (T,) on the second half of the text.

    The weights are fitted on the first half by least squares, with a slight pull towards zero
    (ridge regression) because many cells say nearly the same.
    """
    half = len(y) // 2
    pull = 1e-3 * len(y) * np.eye(z.shape[1])
    weights = np.linalg.solve(z[:half].T @ z[:half] + pull, z[:half].T @ y[:half])
    return float(_standardised(z[half:] @ weights) @ _standardised(y[half:])) / (len(y) - half)


def terminal_view(text: str, value: np.ndarray, *, colour: bool) -> str:
    """Return the text with one cell's tanh(c) as a colour behind it, or else as marks below it."""
    levels = np.rint((value + 1) / 2 * (len(MARKS) - 1)).astype(int)
    lines, begin = [_legend(colour)], 0
    for line in text.split("\n"):
        shown = "".join(c if c.isprintable() else "·" for c in line)  # no control codes
        of_line = levels[begin : begin + len(line)]
        begin += len(line) + 1
        if colour:
            lines.append(_coloured(shown, of_line))
        else:
            lines += [shown, "".join(MARKS[level] for level in of_line)]
    return "\n".join(lines)


def page(text: str, values: np.ndarray, findings: list[Finding], title: str, cell: int) -> str:
    """Return a page, whole in one file, that colours the text by the cell its reader chooses.

    Parameters
    ----------
    text : str
        The T characters that are shown.
    values : ndarray, shape (T, M)
        tanh(c) of every cell after each of them.
    findings : list of Finding
        The cells to suggest.
    title : str
        What the text is called.
    cell : int
        The cell shown first.
    """
    options = "\n".join(
        f'<option value="{found.cell}">{found.landmark}: cell {found.cell}, '
        f"r = {found.correlation:+.2f}</option>"
        for found in findings
    )
    in_bytes = np.rint(values.T * 127).astype(np.int8)  # one cell after the other
    parts = {
        "title": html.escape(title),
        "text": html.escape(text),
        "options": options,
        "last_cell": str(values.shape[1] - 1),
        "cell": str(cell),
        "values": base64.b64encode(in_bytes.tobytes()).decode(),
    }
    return assemble(TEMPLATE.read_text("utf-8"), parts)


def report(findings: list[Finding]) -> str:
    """Return a table of the findings."""
    lines = [f"{'landmark':22}{'best cell':>9}{'r':>7}{'r of all cells together':>25}"]
    for name, cell, correlation, together in findings:
        lines.append(f"{name:22}{cell:9}{correlation:+7.2f}{together:+25.2f}")
    return "\n".join(lines)


def _standardised(x: np.ndarray) -> np.ndarray:
    """Return x with mean 0 and deviation 1 along time; what is constant becomes 0."""
    x = x - x.mean(axis=0)
    deviation = x.std(axis=0)
    return x / np.where(deviation > 0, deviation, 1)


def _legend(colour: bool) -> str:
    scale = _coloured(MARKS, range(len(MARKS))) if colour else MARKS
    return f"tanh(c): -1 {scale} +1"


def _coloured(characters: str, levels) -> str:
    shown = (
        f"\x1b[38;5;16;48;5;{BACKGROUNDS[level]}m{character}"
        for character, level in zip(characters, levels, strict=True)
    )
    return "".join(shown) + "\x1b[0m"
