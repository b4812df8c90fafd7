"""What the demos share: pictures that are written whole, and a progress bar where one belongs."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tqdm
from parts import plotting
from PIL import Image


@pytest.fixture
def drawing():
    fig, ax = plotting.figure(height=2)
    ax.plot([0, 1], [0, 1], label="line")
    ax.legend()
    return fig


def test_the_same_figure_is_the_same_file(drawing, tmp_path, capsys):
    for name in ("a.png", "b.png", "a.svg"):
        plotting.save(drawing, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert len(list(tmp_path.iterdir())) == 3
    assert f"wrote {tmp_path / 'b.png'}" in capsys.readouterr().out


def test_a_picture_is_as_wide_as_a_page(drawing, tmp_path):
    plotting.save(drawing, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (840, 240)


def test_a_thin_line_beside_colour_maps_keeps_its_colour(tmp_path):
    rng = np.random.default_rng(0)
    fig, (left, middle, right) = plotting.figure(1, 3)
    for k, colour in enumerate(plotting.PALETTE.values()):
        left.axhline(k, color=colour, linewidth=1.5)
    middle.imshow(rng.random((28, 128)), cmap="cividis", aspect="auto")
    right.imshow(rng.normal(size=(28, 128)), cmap="PuOr", aspect="auto")
    plotting.save(fig, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image.convert("RGB"), int).reshape(-1, 3)
    for colour in plotting.PALETTE.values():
        wanted = [int(colour[k : k + 2], 16) for k in (1, 3, 5)]
        assert np.abs(pixels - wanted).max(axis=1).min() <= 12, colour


def test_a_save_that_fails_leaves_the_old_picture(drawing, tmp_path, monkeypatch):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        plotting.save(drawing, picture)
    assert picture.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [picture]


def test_progress_shows_a_bar_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert list(plotting.progress(range(3), "seeds")) == [0, 1, 2]
    assert not isinstance(plotting.progress(range(3), "seeds"), tqdm.tqdm)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = plotting.progress(range(3), "seeds")
    assert isinstance(bar, tqdm.tqdm)
    assert list(bar) == [0, 1, 2]


@pytest.mark.parametrize(
    ("demo", "options", "said"),
    [
        ("adding", "--steps 4 --hidden 2 --batch 5 --sequences 10 --seeds 1", "solved by 0 of 1"),
        ("char_lm", "--text SMALL --hidden 2 --epochs 1 --batch 2 --steps 5", "bits per character"),
        ("forecast", "--csv SMALL --column y --horizon 3 --hidden 2 --epochs 1", "RMSE at lead"),
        ("gradient_flow", "--steps 3 --hidden 3 --seeds 1", "RNN, uniform"),
        ("mnist", "--hidden 2 --max-steps 1 --explain 1", "Test accuracy"),
        ("one_step_by_hand", "", "dc_prev"),
    ],
)
def test_without_matplotlib_a_demo_gives_a_hint_and_its_numbers(
    demo, options, said, capsys, monkeypatch, tmp_path
):
    small = tmp_path / "small.csv"
    small.write_text("x,y\n" + "".join(f"{k},{k % 7}\n" for k in range(120)))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    options = options.replace("SMALL", str(small)).split()
    importlib.import_module(demo).main([*options, "--plot", str(tmp_path / "a.png")])
    printed, errors = capsys.readouterr()
    assert errors == "pictures need matplotlib: pip install 'npslstm[demos]'\n"
    assert said in printed
    assert list(tmp_path.iterdir()) == [small]
