"""What somebody meets first: names, objects that say what they are, texts that lead somewhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import npslstm
from npslstm import LSTM, Linear, LSTMCell, LSTMModel

ROOMS = "npslstm", "demos", "tests"
PACKAGE = Path(npslstm.__file__).parent
ROOT = Path(__file__).parents[1]
READMES = sorted(
    path
    for path in [ROOT / "README.md", *(p for r in ROOMS for p in (ROOT / r).rglob("README.md"))]
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
OBJECTS = [
    (LSTMCell(3, 4, bias=False), "LSTMCell(3, 4, bias=False)"),
    (LSTM(3, 4, num_layers=2, bidirectional=True), "LSTM(3, 4, num_layers=2, bidirectional=True)"),
    (Linear(3, 4, dtype=np.float64), "Linear(3, 4, dtype='float64')"),
    (LSTMModel(3, 4, 5, readout="all"), "LSTMModel(3, 4, 5, readout='all')"),
]


@pytest.mark.parametrize(("made", "text"), OBJECTS)
def test_an_object_shows_the_call_that_makes_it_and_its_cache_is_one_line(made, text):
    assert repr(made) == text
    assert eval(text).config == made.config
    cache = made.forward(np.ones((2, 3), made.dtype))[-1]
    assert "\n" not in repr(cache)
    assert "array" not in repr(cache)


def test_help_begins_with_what_to_read_and_names_no_file_that_is_not_there():
    text = inspect.getdoc(npslstm)
    named = re.findall(r"``([a-z_/]+(?:\.py|/))``", text)
    assert named[:2] == ["gates.py", "cell.py"]
    for name in named:
        assert (PACKAGE / name).exists(), name


def test_what_is_offered_is_there_and_is_explained():
    for name in npslstm.__all__:
        assert inspect.getdoc(getattr(npslstm, name)), name


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(readme):
    for link in re.findall(r"\]\(([^)\s]+)\)", readme.read_text("utf-8")):
        if not link.startswith("https://"):
            path, _, heading = link.partition("#")
            target = (readme.parent / path).resolve() if path else readme
            assert target.exists(), link
            if heading and target.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M)
                assert heading in {
                    re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles
                }


def test_the_map_names_files_that_have_what_it_says():
    text = (ROOT / "README.md").read_text("utf-8").partition("## Where is")[2].partition("\n## ")[0]
    answers = re.findall(r"^\| … .*? \| (.*) \|$", text, re.M)
    assert len(answers) > 10
    for answer in answers:
        names = re.findall(r"`([^`]+)`", answer)
        files = [name for name in names if name.endswith(".py")]
        assert 1 <= len(files) <= 2, answer
        where = [PACKAGE / name if (PACKAGE / name).exists() else ROOT / name for name in files]
        code = "".join(path.read_text("utf-8") for path in where)
        for name in [name for name in names if name.isidentifier()]:
            assert re.search(rf"(def|class) {name}\b", code), answer
        for equation in re.findall(r"\(\d+\)", answer):
            assert equation in code, answer
