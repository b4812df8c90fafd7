"""The same seed and the same number of BLAS threads give the same bytes, whatever is watched."""

from __future__ import annotations

import random

import numpy as np
import pytest
from mnist_runs import SMALL, on_a_terminal, run, same_bytes

from npslstm.files.npz import read_npz

RUN = (*SMALL, "--layers", "2", "--dropout", "0.3", "--max-steps", "30", "--seed", "5")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The file that a run without anything else leaves."""
    path = tmp_path_factory.mktemp("plain") / "run.npz"
    assert run(*RUN, "--checkpoint", path, **ONE_THREAD, PYTHONHASHSEED="1").returncode == 0
    return path


def test_another_process_with_pictures_writes_the_same_bytes(plain, tmp_path):
    path = tmp_path / "run.npz"
    watched = "--plot", tmp_path / "a.svg", "--explain", 3, "--checkpoint-every", 7
    again = run(*RUN, "--checkpoint", path, *watched, **ONE_THREAD, PYTHONHASHSEED="2")
    assert (again.returncode, again.stderr) == (0, "")
    assert same_bytes(path, plain)


def test_a_progress_bar_changes_nothing(plain, tmp_path):
    path = tmp_path / "run.npz"
    _, shown = on_a_terminal(*RUN, "--checkpoint", path, **ONE_THREAD)
    assert "| 30/125 " in shown
    assert same_bytes(path, plain)


def test_another_seed_gives_other_bits(plain, tmp_path):
    """Or the comparisons above would show nothing."""
    path = tmp_path / "run.npz"
    assert run(*RUN[:-1], "6", "--checkpoint", path, **ONE_THREAD).returncode == 0
    names = [name for name in read_npz(path) if name.startswith("params.lstm")]
    one, other = read_npz(path), read_npz(plain)
    assert len(names) == 8
    assert all(not np.array_equal(one[name], other[name]) for name in names)


def others():
    """The generators that do not belong to us: Python's and NumPy's global ones."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), name, keys.tobytes(), rest


def test_nobody_elses_randomness_is_used_or_changed(demo, tmp_path):
    files = []
    for seed, watched in (1, f"--plot {tmp_path / 'a.png'}"), (2, ""):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = others()
        path = tmp_path / f"{seed}.npz"
        options = f"--layers 2 --dropout 0.4 --max-steps 3 --checkpoint {path} {watched}"
        assert demo.main(["--hidden", "5", "--batch-size", "7", *options.split()]) == 0
        assert others() == before
        files.append(path.read_bytes())
    assert files[0] == files[1]
