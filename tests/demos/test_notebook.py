"""``demos/lstm.ipynb``: it runs from top to bottom, and what is stored in it is what it gives."""

from __future__ import annotations

import re

import pytest
from demo_runs import ROOT, TIMEOUT, environment

NOTEBOOK = ROOT / "demos" / "lstm.ipynb"
HEADINGS = [
    "The gates",
    "What 0, 0.5 and 1 mean",
    "Applications",
    "Drawbacks",
    "The cell",
    "The stacked model",
    "MNIST",
    "Go on",
]


@pytest.fixture
def notebook():
    import nbformat  # in the extra "test", with nbclient

    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    """Return the words that a cell printed, without its numbers, and how many pictures it drew."""
    text = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    words = re.findall(r"[^\W\d]+", re.sub(r"\b\d[\d.,]*(e[-+]?\d+)?", "", text))
    return words, sum("image/png" in output.get("data", ()) for output in cell.outputs)


def test_it_is_small_and_was_run_from_top_to_bottom(notebook):
    assert NOTEBOOK.stat().st_size < 300_000
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) - 2  # all but the imports
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS


@pytest.mark.long
def test_it_runs_and_gives_what_is_stored(notebook, monkeypatch):
    import nbclient

    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    stored = [printed(cell) for cell in code(notebook)]
    client = nbclient.NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(NOTEBOOK.parent)}},
    )
    client.execute()  # raises where a cell does
    assert [printed(cell) for cell in code(notebook)] == stored
    text = "".join(o.text for cell in code(notebook) for o in cell.outputs if "text" in o)
    assert "passed: 11 rows" in text
    assert float(re.search(r"test accuracy: ([\d.]+)%", text)[1]) > 94  # 96.4 when it was stored
