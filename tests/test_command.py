"""``python -m npslstm gradcheck``: what it prints, and its exit status."""

from __future__ import annotations

import sys

import pytest
from demo_runs import run

from npslstm import __main__
from npslstm.__main__ import main
from npslstm.gradcheck import GradientReport, GradientRow
from npslstm.mistakes import MISTAKES

SMALL = ["gradcheck", "--layers", "1", "--hidden", "2", "--steps", "3"]


def test_right_gradients_pass(capsys):
    assert main(SMALL) == 0
    printed = capsys.readouterr().out
    for name in ("lstm.weight_ih_l0", "lstm.bias_hh_l0", "head.weight", "x", "h_0", "c_0"):
        assert f"\n{name} " in printed
    assert "\npassed: 9 rows" in printed


def test_every_option(capsys):
    options = "--bidirectional --batch 3 --lengths 3 1 2 --dtype float32 --seed 7 --intermediates"
    assert main([*SMALL, *options.split(), "--at", "0", "1"]) == 0
    printed = capsys.readouterr().out
    assert "float32 was checked in float64" in printed
    assert "lstm.weight_hh_l0_reverse" in printed
    for place in ("step 1 of layer 0", "step 1 of layer 0, reverse"):
        assert f"every line of the derivation, at {place}, seed 7\n" in printed


def test_without_numbers_lengths_differ(capsys):
    main(SMALL)
    whole = capsys.readouterr().out
    assert main([*SMALL, "--lengths"]) == 0
    assert capsys.readouterr().out != whole


def test_a_mistake_fails_and_its_equation_is_named(capsys):
    assert main([*SMALL, "--mutate", "drop_dc", "--intermediates"]) == 1
    printed = capsys.readouterr().out
    assert "drop_dc: the gradient of the cell state is not accumulated over time" in printed
    assert "apache/mxnet#4057" in printed
    assert "the first wrong line is (15)  dc = dc_in + dh ⊙ (9)" in printed


@pytest.mark.parametrize("kind", ["--cell gru", "--cell rnn", "--variant peephole"])
def test_every_kind_of_cell(capsys, kind):
    assert main([*SMALL, *kind.split(), "--intermediates"]) == 0
    printed = capsys.readouterr().out
    assert ("\nc_0 " in printed) == ("--variant" in kind)
    assert ("weight_ci_l0" in printed) == ("peephole" in kind)


@pytest.mark.parametrize("name", [n for n, made in MISTAKES.items() if made.kind != "standard"])
def test_a_mistake_of_another_kind_of_cell_builds_that_kind(capsys, name):
    assert main([*SMALL, "--mutate", name, "--intermediates"]) == 1
    assert f"the first wrong line is {MISTAKES[name].line} " in capsys.readouterr().out


@pytest.mark.parametrize("verdicts", [["undecided"], ["passed", "undecided"], ["FAILED"]])
def test_the_exit_status_is_the_worst_verdict(capsys, monkeypatch, verdicts):
    """3 where no check could tell, and none failed."""
    made = iter([*verdicts, *verdicts])

    def check(*given, **options):
        row = GradientRow("x", {"passed": "ok"}.get(verdict := next(made), verdict), 0, 0, 0, 0)
        return GradientReport("", [row])

    monkeypatch.setattr(__main__, "check_gradients", check)
    options = ["--intermediates"] * (len(verdicts) - 1)
    assert main([*SMALL, *options]) == (1 if "FAILED" in verdicts else 3)


def test_what_it_prints_fits_80_columns(capsys):
    main([*SMALL, "--bidirectional", "--mutate", "drop_dc", "--intermediates"])
    main(["gradcheck", "--list-mistakes"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


@pytest.mark.parametrize("name", [name for name, made in MISTAKES.items() if made.needs])
def test_what_a_mistake_needs_is_switched_on(capsys, name):
    status = main([*SMALL, "--mutate", name])
    assert (status, "Unnoticed" in capsys.readouterr().out) == (
        (0, True) if name == "ignores_lengths" else (1, False)
    )


def test_the_mistakes_are_listed(capsys):
    assert main(["gradcheck", "--list-mistakes"]) == 0
    printed = capsys.readouterr().out
    for name in MISTAKES:
        assert f"{name}: " in printed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--layers 0", "argument --layers: expected an integer of at least 1, given 0"),
        ("--lengths 9 1", "lengths: expected 0 to T = 3, given 9"),
        ("--lengths 1", "lengths: expected shape (2,), one a row, given (1,)"),
        ("--intermediates --at 1 0", "at: expected 0 <= layer < 1, given 1"),
        ("--at 0 0", "--at needs --intermediates"),
        ("--lift", "--lift needs a FILE.py"),
        ("mine.py", "--hidden is of the model that is made without a FILE.py"),
        ("--hidden 1000 --layers 100", "expected at most 30,000,000 numbers to be kept, given"),
        ("--steps 10000 --batch 10000", "expected at most 30,000,000 numbers to be kept, given"),
        ("--cell elman", "argument --cell: invalid choice: 'elman'"),
        ("--variant nof", "argument --variant: invalid choice: 'nof'"),
        ("--cell gru --variant nog", "variants are of the LSTM, given 'nog'"),
        ("--mutate gru_reset_before --cell rnn", "shows with --cell gru --variant standard"),
        ("--mutate drop_dc --variant nog", "shows with --cell lstm --variant standard"),
        ("--mutate typo", "--mutate: expected one of those that --list-mistakes shows, given typo"),
    ],
)
def test_bad_options_are_explained(capsys, options, said):
    with pytest.raises(SystemExit, match="2"):
        main([*SMALL, *options.split()])
    assert said in capsys.readouterr().err


def test_without_a_command_the_commands_are_told(capsys):
    assert main([]) == 2
    said = capsys.readouterr().out
    assert "gradcheck" in said
    assert "exercise" in said


def test_it_runs_as_a_module():
    done = run([sys.executable, "-m", "npslstm", *SMALL, "--mutate", "no_dtanh_c"])
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAILED" in done.stdout
