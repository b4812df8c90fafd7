"""Training that explodes: every demo with a learning rate names the step and saves nothing."""

from __future__ import annotations

import pytest
from demo_runs import command, run

TEXT = "to be or not to be that is the question " * 20
SMALL = "--hidden 5 --batch 4 --steps 10 --epochs 2 --sample 5"
EXPLODING = {
    "mnist.py": "--hidden 5 --epochs 1 --lr 1e38 --checkpoint model.npz",
    "adding.py": "--hidden 5 --steps 5 --sequences 100 --seeds 1 --lr 1e20",
    "adding.py, one step": "--hidden 5 --steps 5 --sequences 50 --seeds 1 --lr 1e20",
    "char_lm.py": f"--text text.txt {SMALL} --lr 1e38 --save model.npz",
    "char_lm.py, one step": f"--text text.txt {SMALL} --steps 999 --lr 1e38 --save model.npz",
}


@pytest.mark.parametrize(("demo", "options"), EXPLODING.items())
def test_an_explosion_ends_with_one_line_and_the_good_model_stays(
    demo, options, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    good = tmp_path / "model.npz"
    good.write_bytes(b"a good model")
    done = run(command(demo.split(",")[0], *options.split()), PYTHONIOENCODING="utf-8")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("step ")
    assert good.read_bytes() == b"a good model"
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "model.npz"}
