"""``python -m npslstm exercise``: what it prints and writes, its exit statuses, and rough files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from solutions import SOLUTIONS, filled

from npslstm.__main__ import main
from npslstm.exercises import command
from npslstm.exercises.check import check
from npslstm.exercises.sheet import SHEETS, read, sheet

pytestmark = pytest.mark.long  # a check is a process of its own


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*arguments):
    return main(["exercise", *map(str, arguments)])


def written(text, name="answer.py"):
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_all_exercises_are_listed(capsys):
    assert run() == run("list") == 0
    printed = capsys.readouterr().out
    for number in SHEETS:
        assert f"\n{number}  {sheet(number).title}\n" in f"\n{printed}"


def test_the_list_counts_blanks_and_runs_nothing(capsys):
    run("start", 2)
    run("start", 5)
    written(filled(3) + "\nopen('it_ran', 'w')\n", "third.py")
    written(sheet(1).text.replace("i = ...", "i = sigmoid(a_i)") + "\n(", "broken.py")
    written("def f(x):\n    return x\n", "mine.py")
    capsys.readouterr()
    assert run() == 0
    printed = capsys.readouterr().out
    assert "exercise_2.py: 6 of 6 blanks left" in printed
    assert "broken.py: 7 of 8 blanks left" in printed
    assert "third.py: no blanks left" in printed
    assert "exercise_5.py: no blanks;" in printed
    assert "mine.py" not in printed
    assert not Path("it_ran").exists()


@pytest.mark.parametrize("number", SHEETS)
def test_start_writes_the_sheet(number, capsys):
    assert run("start", number) == 0
    text = Path(f"exercise_{number}.py").read_text(encoding="utf-8")
    assert text == sheet(number).text
    assert f"check exercise_{number}.py" in capsys.readouterr().out


def test_start_never_writes_over_a_file(capsys):
    assert run("start", 2, "--to", "mine.py") == 0
    assert "exercise check mine.py" in Path("mine.py").read_text(encoding="utf-8")
    written("my work", "mine.py")
    for path in ("mine.py", ".", "nowhere/mine.py"):
        assert run("start", 2, "--to", path) == 2
        assert path in capsys.readouterr().err
    assert Path("mine.py").read_text(encoding="utf-8") == "my work"


@pytest.mark.parametrize("number", SHEETS)
def test_json_has_a_row_for_each_name_of_a_sheet(number, capsys):
    run("start", number)
    capsys.readouterr()
    assert run("check", f"exercise_{number}.py", "--json") == 1
    rows = json.loads(capsys.readouterr().out)
    names = [blank.name for blank in sheet(number).blanks]
    if number == 5:
        names = [f"backward_{k}" for k in range(1, 8)]
    if number == 8:
        names = ["accuracy"]
    assert [row["name"] for row in rows] == names
    lines = sheet(number).text.splitlines()
    for row in rows:
        assert list(row) == ["line", "name", "equation", "right", "cause"]
        assert row["right"] is False
        assert row["cause"] == "blank" if number not in (5, 8) else row["cause"]
        assert row["equation"]
        assert 1 <= row["line"] <= len(lines)


def test_all_right_is_status_0(capsys):
    assert run("check", written(filled(2))) == 0
    printed = capsys.readouterr().out
    assert "6 of 6 right: all of it. Next: python -m npslstm exercise start 3" in printed
    assert "WRONG" not in printed
    assert run("check", written(filled(2)), "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["right"] is True and row["cause"] == "" for row in rows)


def test_after_the_last_exercise_comes_what_is_left(capsys, monkeypatch):
    monkeypatch.setattr(command, "SHEETS", [2])
    assert run("check", written(filled(2))) == 0
    said = "It is the last of them; what is left: python -m npslstm exercise"
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_wrong_line_is_shown_with_its_mistake(capsys):
    assert run("check", written(filled(2, dc_daf="c_prev", dc_dag="..."))) == 1
    printed = capsys.readouterr().out
    assert "line  25  (12)      dc_daf      WRONG: ∂c/∂a_f is c_prev: σ′(a_f) is missing" in printed
    assert "nicklashansen/rnn_lstm_from_scratch#1" in printed
    assert "line  26  (13)      dc_dag      blank" in printed
    assert "4 of 6 right; --hint leads on" in printed


def test_what_spoils_the_whole_file_is_told_once(capsys):
    assert run("check", written(filled(2, dc_daf="c_prev ⊙ f"))) == 1
    printed = capsys.readouterr().out
    assert printed.count("is no valid Python: invalid character") == 1
    assert "write * for ⊙" in printed


def test_a_name_that_no_line_gives_a_value_is_told(capsys):
    assert run("check", written(filled(2, dc_daf="dc_dfa = c_prev\n\n"))) == 1
    assert "blank: no line that is reached gives it a value" in capsys.readouterr().out


def test_hints_lead_and_answers_tell(capsys):
    path = written(filled(2, dc_daf="..."))
    assert run("check", path, "--hint") == 1
    hinted = capsys.readouterr().out
    assert "hint: a_f moves f by (3)" in hinted
    assert "c_prev ⊙ f ⊙ (1 - f)" not in hinted
    assert run("check", path, "--answer") == 1
    answered = capsys.readouterr().out
    assert "answer: ∂c/∂a_f = c_prev ⊙ f ⊙ (1 - f)" in answered
    assert "hint:" not in answered
    assert answered.count("answer:") == 1  # of what is wrong


def test_what_a_file_prints_is_shown_once(capsys):
    path = written(filled(2, dc_daf="print('shape', f.shape)\ndc_daf = c_prev * f * (1 - f)"))
    assert run("check", path) == 0
    assert capsys.readouterr().out.count("shape (3, 4)") == 1
    assert run("check", path, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"x = 1\n", "this is no exercise"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"def local_derivatives():\n\0", "not a text file"),
        (b"# coding: nonsense\n", "cannot be read"),
        (b"# -*- coding: rot13 -*-\n", "cannot be read"),
        (b"", "this is no exercise"),
    ],
)
def test_a_file_that_is_none_is_status_2(content, said, capsys):
    if content is not None:
        Path("odd.py").write_bytes(content)
    assert run("check", "odd.py") == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_a_form_feed_may_stand_before_def():
    Path("mine.py").write_text(sheet(2).text.replace("\ndef ", "\n\fdef "), encoding="utf-8")
    assert read(Path("mine.py"))[0].number == 2


def test_a_folder_is_no_exercise(capsys):
    assert run("check", ".") == 2
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
@pytest.mark.parametrize("arguments", [[], ["check", "z.py"]])
def test_a_fifo_is_not_opened(arguments, capsys):
    os.mkfifo("z.py")
    assert run(*arguments) == (2 if arguments else 0)
    assert ("z.py: cannot be read: it is not a regular file" in capsys.readouterr().err) == bool(
        arguments
    )


@pytest.mark.parametrize("arguments", [["start", "9"], ["start"], ["check"], ["judge", "2"]])
def test_bad_arguments_are_explained(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)
    assert "usage" in capsys.readouterr().err


# Files that are rough with the checker. In each, all other names are judged all the same.


def outcome(number, limit=30.0, **lines):
    found = check(Path(written(filled(number, **lines))), limit)
    causes = {row.name: row.cause for row in found.rows if not row.right}
    assert len(found.rows) == len(SOLUTIONS[number])
    return causes


def test_a_file_that_ends_the_program():
    causes = outcome(2, dc_dai="__import__('os')._exit(0)")
    assert causes == {"dc_dai": "line 24 ended the program"}


def test_endless_loops_are_ended_and_the_rest_is_judged():
    loop = "while True:\n    try:\n        pass\n    except BaseException:\n        pass"
    causes = outcome(2, limit=10.0, dc_dai=f"{loop}\ndc_dai = 0", dc_dag="i")
    assert causes.pop("dc_dai") == (
        "line 24 had not ended after 10 seconds: is this an endless loop?"
    )
    assert list(causes) == ["dc_dag"]


@pytest.mark.parametrize(
    ("order", "cause"),
    [
        ("iter(int, 1)", "step 1, 2, 3, 4 of 0 to 4 is never taken"),
        (
            "filter(None, iter(int, 1))",
            "line 44 had not ended after 5 seconds: is this an endless loop?",
        ),
    ],
)
def test_an_order_without_end_is_the_only_name_that_is_wrong(order, cause):
    assert outcome(4, limit=5.0, order=order) == {"order": cause}


def test_a_global_name_is_judged_like_any_other():
    text = filled(1).replace("    i =", "    global i\n    i =")
    assert check(Path(written(text)), 30.0).passed


def test_a_masked_array_is_told_where_it_is_made():
    assert outcome(1, i="np.ma.array(sigmoid(a_i))") == {
        "i": "is a MaskedArray, expected an array of numbers, of shape (3, 4)"
    }


def test_swapped_arguments_are_told():
    text = filled(1).replace("step_forward(x, h_prev,", "step_forward(h_prev, x,")
    causes = {row.cause for row in check(Path(written(text)), 30.0).rows}
    assert len(causes) == 1
    assert "step_forward must take the arguments x, h_prev, c_prev, " in causes.pop()


def test_a_file_that_does_not_end_before_any_function():
    path = written(filled(2) + "\nwhile True:\n    pass\n")
    causes = {row.cause for row in check(Path(path), 10.0).rows}
    assert causes == {"had not ended after 10 seconds: is this an endless loop?"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "    dc_daf =",
            "    dc_daf = = ",
            "line 25, dc_daf = =  c_prev * f * (1 - f), is no valid Python: invalid syntax",
        ),
        ("import numpy as np", "import numpyy as np", "No module named 'numpyy'"),
        (
            "import numpy as np",
            "1 / 0",
            "line 18, 1 / 0, raises ZeroDivisionError: division by zero",
        ),
        ("import numpy as np", "exit()", "line 18, exit(), raises SystemExit"),
        ("import numpy as np", "x = input('?')", "line 18, x = input('?'), raises EOFError"),
    ],
)
def test_a_file_that_cannot_run_has_a_row_for_each_name(old, new, said):
    path = written(filled(2).replace(old, new))
    rows = check(Path(path)).rows
    assert len(rows) == 6
    for row in rows:
        assert not row.right
        assert said in row.cause
        assert "Traceback" not in row.cause


def test_ctrl_c_stops_it_without_a_traceback(monkeypatch, capsys):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "check", interrupted)
    assert run("check", "answer.py") == 1
    assert capsys.readouterr() == ("", "stopped\n")


def test_a_function_that_is_gone_leaves_blanks():
    path = written(filled(4).replace("def sequence_forward", "def forward"))
    causes = {row.name: row.cause for row in check(Path(path)).rows if not row.right}
    assert causes == dict.fromkeys(["h_prev", "c_prev", "outputs", "h_n", "c_n"], "blank")


def test_recursion_without_end_is_told():
    text = filled(2, dc_dai="deep(g)").replace(
        "def local", "def deep(z):\n    return deep(z)\n\n\ndef local"
    )
    causes = {row.name: row.cause for row in check(Path(written(text))).rows if not row.right}
    assert list(causes) == ["dc_dai"]
    assert "RecursionError" in causes["dc_dai"]


def test_modules_beside_the_file_are_found_from_anywhere(tmp_path, monkeypatch):
    Path("mine").mkdir()
    written("def double(z):\n    return 2 * z\n", "mine/tools.py")
    text = filled(2, dc_dai="double(g * i * (1 - i)) / 2").replace(
        "import numpy as np", "import numpy as np\nfrom tools import double"
    )
    assert check(Path(written(text, "mine/answer.py"))).passed
    assert not list(Path("mine").glob("__pycache__"))


def test_it_runs_as_a_module_whatever_the_terminal():
    written(filled(2, dc_daf="c_prev"))
    line = [sys.executable, "-m", "npslstm", "exercise", "check", "answer.py"]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONIOENCODING": "ascii",
    }
    done = subprocess.run(line, capture_output=True, env=environment, text=True)
    assert done.returncode == 1, done.stderr
    assert "no_dsigmoid_f" in done.stdout
    assert done.stderr == ""
