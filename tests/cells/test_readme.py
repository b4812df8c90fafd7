"""The README of ``npslstm/cells``: its table is true, and a reader's kind passes all tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from npslstm import LSTM, cells
from npslstm.rnn import GRU, RNN

ROOT = Path(__file__).parents[2]
README = Path(cells.__file__).with_name("README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", re.DOTALL)
CODE_LINES = 40  # that a kind may have, docstrings, comments and blank lines apart
BROKEN = {  # a line of the example, and one that is wrong: what a test must say
    "dc_dag = (1 - f) * (1 - g * g)": ("dc_dag = f * (1 - g * g)", "dc_dag"),
    "c = f * c_prev + (1 - f) * g  #": ("c = f * c_prev + f * g  #", "textbook"),
}
PROPERTIES = [
    "tests/test_gradients.py",
    "tests/test_textbook.py",
    "tests/kernel/test_sequence.py",
    "tests/test_lstm.py",
    "tests/cells/test_kinds.py",
    "tests/test_invariance.py",
    "tests/test_lengths.py",
    "tests/test_purity.py",
]


def run(folder, files, *tests):
    """Run tests with these files' kind of cell."""
    paths = []
    for name, code in files.items():
        (folder / name).write_text(code, encoding="utf-8")
        paths += ["--kind", str(folder / name)]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths, *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
def test_the_worked_example_passes_every_property(tmp_path):
    files = dict(BLOCK.findall(README))
    assert list(files) == ["janet.py", "janet_apart.py"]
    status, said = run(tmp_path, files, *PROPERTIES)
    assert status == 0, said
    assert int(re.search(r"(\d+) passed", said)[1]) > 100, said


@pytest.mark.long
@pytest.mark.parametrize("line", BROKEN)
def test_a_mistake_in_it_is_seen(tmp_path, line):
    files = dict(BLOCK.findall(README))
    wrong, named = BROKEN[line]
    assert line in files["janet.py"]
    files["janet.py"] = files["janet.py"].replace(line, wrong)
    status, said = run(tmp_path, files, "tests/test_textbook.py", "tests/cells/test_kinds.py")
    assert status == 1
    assert re.search(rf"FAILED .*{named}|Error.*{named}", said), said


def test_every_kind_is_short():
    for path in Path(cells.__file__).parent.glob("*.py"):
        if path.stem in ("__init__", "base", "initial", "equations", "standard"):
            continue
        code = re.sub(r'"""(?s:.*?)"""', "", path.read_text(encoding="utf-8"))
        lines = [line for line in code.splitlines() if line.strip() and line.strip()[0] != "#"]
        assert len(lines) <= (45 if path.stem == "gru" else CODE_LINES), path


def test_the_table_has_every_kind_and_its_number_of_parameters():
    table = README.partition("<!-- kinds -->\n")[2].partition("<!-- /kinds -->")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    made = {f'`"{name}"`': LSTM(28, 128, variant=name) for name in cells.VARIANTS}
    made |= {"`GRU`": GRU(28, 128), "`RNN`": RNN(28, 128)}
    assert [row[0] for row in rows] == list(made)
    for name, _, _, gates, formula, count in rows:
        net = made[name]
        assert gates == ", ".join(net.kind.gates)
        assert count == f"{sum(p.size for p in net.params.values()):,}"
        python = formula.replace("H (", "H * (").replace("3H", "3 * H").replace("4H", "4 * H")
        assert f"{eval(python, {'H': 128, 'D': 28}):,}" == count
