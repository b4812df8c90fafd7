"""What the demos share: pictures that are written whole, and a progress bar where one belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def plotting(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "demos")
    from parts import plotting

    return plotting


@pytest.fixture
def drawing(plotting):
    pytest.importorskip("matplotlib")
    fig, ax = plotting.figure(height=2)
    ax.plot([0, 1], [0, 1], label="line")
    ax.legend()
    return fig


def test_the_same_figure_is_the_same_file(plotting, drawing, tmp_path, capsys):
    for name in ("a.png", "b.png", "a.svg"):
        plotting.save(drawing, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert len(list(tmp_path.iterdir())) == 3
    assert f"wrote {tmp_path / 'b.png'}" in capsys.readouterr().out


def test_a_picture_is_as_wide_as_a_page(plotting, drawing, tmp_path):
    from PIL import Image

    plotting.save(drawing, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (840, 240)


def test_a_save_that_fails_leaves_the_old_picture(plotting, drawing, tmp_path, monkeypatch):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"old")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        plotting.save(drawing, picture)
    assert picture.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [picture]


def test_progress_shows_a_bar_on_a_terminal_only(plotting, monkeypatch):
    tqdm = pytest.importorskip("tqdm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert list(plotting.progress(range(3), "seeds")) == [0, 1, 2]
    assert not isinstance(plotting.progress(range(3), "seeds"), tqdm.tqdm)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bar = plotting.progress(range(3), "seeds")
    assert isinstance(bar, tqdm.tqdm)
    assert list(bar) == [0, 1, 2]
